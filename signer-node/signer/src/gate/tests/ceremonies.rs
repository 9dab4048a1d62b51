//! Groups and wallets: what all three make, and what is kept.

use std::time::Duration;

use super::house::{House, NOW, fixture_aux, honest};
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_makes_one_wallet() {
    let house = House::new().await;
    let first = house.make_wallet(1, honest()).await;
    let again = house.make_wallet(1, honest()).await;
    let of = |made: Vec<Result<MadeWallet, GateError>>| {
        made.into_iter().map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(of(first), of(again));
    assert_eq!(house.signer(Party::Agent).wallets().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prepared_group_is_found_prepared_and_not_made_anew() {
    let house = House::new().await;
    let expected = house.signer(Party::Agent).aux_hash(&house.agent).unwrap();
    let steps = Arc::new(std::sync::Mutex::new(Vec::new()));
    for result in house.prepare(Arc::clone(&steps)).await {
        assert_eq!(Some(result.unwrap()), expected);
    }
    assert!(steps.lock().unwrap().is_empty(), "nothing was done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_that_a_party_lost_are_not_replaced_under_wallets() {
    let house = House::new().await;
    house.wallet().await;
    house.lose_aux(Party::Recovery);
    let steps = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut ended = house.prepare(steps).await;
    ended.truncate(2);
    assert!(
        ended.iter().any(|e| matches!(e, Err(GateError::Failed(Failure::AuxInUse { .. })))),
        "{ended:?}"
    );
    assert!(ended.iter().all(Result::is_err));
}

/// A preparation takes minutes. A wallet that was made meanwhile would be lost with the money on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_that_come_late_do_not_take_the_place_of_those_under_a_wallet() {
    let house = House::new().await;
    house.wallet().await;
    let operator = house.signer(Party::Operator);
    let late = fixture_aux(Party::Operator);
    let kept = operator.keep_parameters(&house.agent, late, NOW).await;
    assert!(matches!(kept, Err(GateError::Failed(Failure::AuxInUse { .. }))), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_under_parameters_that_were_replaced_meanwhile_is_not_kept() {
    let house = Arc::new(House::new().await);
    let (agent, operator) = (house.signer(Party::Agent), house.signer(Party::Operator));
    let alone = operator.keeping.lock().await;
    let making = Arc::clone(&house);
    let making = tokio::spawn(async move { making.make_wallet(1, honest()).await });
    while agent.journal.roll().wallets().next().is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    house.lose_aux(Party::Operator);
    drop(alone);
    let made = making.await.unwrap();
    let replaced = |made: &Result<_, GateError>| {
        matches!(made, Err(GateError::Failed(Failure::AuxReplaced { .. })))
    };
    assert!(made.iter().any(replaced), "{made:?}");
    assert!(made.iter().all(Result::is_err), "no party announces it: {made:?}");
    assert!(operator.wallets().unwrap().is_empty());
}
