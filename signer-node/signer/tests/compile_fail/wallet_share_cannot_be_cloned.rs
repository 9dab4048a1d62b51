fn twice(share: &tercet_signer::tss::WalletShare) -> tercet_signer::tss::WalletShare {
    share.clone()
}

fn main() {}
