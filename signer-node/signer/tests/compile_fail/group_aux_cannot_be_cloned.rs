fn twice(aux: &tercet_signer::tss::GroupAux) -> tercet_signer::tss::GroupAux {
    aux.clone()
}

fn main() {}
