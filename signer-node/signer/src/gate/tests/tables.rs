//! Tables change how fast a group's parameters are used, and nothing else.

use super::*;

/// Slow: one party's tables take some fifteen seconds of CPU.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_with_tables_signs_with_one_without() {
    let house = House::new().await;
    let wallet = house.stocked(1).await;
    let agent = house.signer(Party::Agent);
    let plain = agent.vault.aux(&house.agent).unwrap();
    let before = agent.vault.opened_share(wallet).unwrap();
    assert!(agent.vault.use_tables(&house.agent, plain.with_tables().unwrap()));
    assert!(agent.vault.opened_share(wallet).is_none(), "it is opened anew, with the tables");

    for made in house.presign(wallet, 1, honest()).await {
        assert_eq!(made.unwrap(), 1);
    }
    let tabled = agent.vault.aux(&house.agent).unwrap();
    assert!(!Arc::ptr_eq(&plain, &tabled) && plain.aux_hash() == tabled.aux_hash());
    let now = agent.vault.opened_share(wallet).unwrap();
    assert!(!Arc::ptr_eq(&before, &now));
    let sealed = [&plain, &tabled].map(|aux| aux.to_sealed_bytes().unwrap());
    assert_eq!(sealed[0], sealed[1], "tables are not stored");
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let paid = house.pay(&envelope, &house.claim(&envelope), honest()).await;
    assert!(paid.iter().all(Result::is_ok), "{paid:?}");
}
