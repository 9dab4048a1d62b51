fn twice(share: &tercet_signer::tss::SigningShare) -> tercet_signer::tss::SigningShare {
    share.clone()
}

fn main() {}
