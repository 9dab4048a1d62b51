//! What was paid, by the chain's word, and what becomes of the rest.

use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::intent::{Payment, Transfer};

use super::*;

#[tokio::test]
async fn approve_transfer_confirm() {
    let house = House::new().await;
    ask(&house, &own(1, 500_000)).await;
    let (status, view) = record(&house, 1, 9).await;
    assert_eq!((status, view["status"].as_str()), (202, Some("claimed")), "not mined yet: {view}");
    assert_eq!(counted(&house).await, ["0.5", "0"]);
    mined(&house, 9, false, &[(3, 400_000)]);
    assert_eq!(record(&house, 1, 9).await.1["block"], 7, "seen, and not safe yet");
    assert_eq!(counted(&house).await, ["0.5", "0"]);
    mined(&house, 9, true, &[(3, 400_000)]);
    let view = until(&house, 1, "settled").await;
    assert_eq!((&view["used"], &view["block"]), (&json!("400000"), &json!(7)), "{view}");
    assert_eq!(counted(&house).await, ["0", "0.4"], "what was not used is free");
    let (status, again) = record(&house, 1, 9).await;
    assert_eq!((status, &again), (200, &view), "the same again");
    let (status, problem) = record(&house, 1, 8).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("approval_used")));
    let house = house.restarted().await;
    assert_eq!(counted(&house).await, ["0", "0.4"]);
    assert_eq!(house.look(&path(1)).await.1, view);
}

#[tokio::test]
async fn another_transfer_confirms_nothing() {
    let house = House::new().await;
    ask(&house, &own(1, 500_000)).await;
    let reason = "the transaction moves 7 base units from here to there".to_owned();
    show(&house, 9, Movement::Other { reason: reason.clone(), safe: true });
    let (status, problem) = record(&house, 1, 9).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("approval_mismatch")));
    assert_eq!(problem["detail"], json!(reason));
    assert_eq!(super::status(&house, 1).await, "open");
    assert_eq!(counted(&house).await, ["0.5", "0"]);

    record(&house, 1, 8).await;
    show(&house, 8, Movement::Other { reason: reason.clone(), safe: true });
    let view = until(&house, 1, "open").await;
    assert_eq!((&view["detail"], &view["transaction"]), (&json!(reason), &Value::Null), "refuted");
    mined(&house, 7, true, &[(0, 500_000)]);
    assert_eq!(record(&house, 1, 7).await.1["status"], "settled");
}

#[tokio::test]
async fn one_transfer_is_one_approvals() {
    let house = House::new().await;
    for id in 1..=3 {
        ask(&house, &own(id, 500_000)).await;
    }
    mined(&house, 9, true, &[(3, 500_000), (4, 500_000)]);
    assert_eq!(record(&house, 1, 9).await.0, 200);
    assert_eq!(record(&house, 2, 9).await.0, 200, "a batch pays twice");
    let (status, problem) = record(&house, 3, 9).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("approval_used")));
    assert_eq!(counted(&house).await, ["0.5", "1"]);
}

#[tokio::test]
async fn what_was_named_by_many_at_once_is_one_approvals() {
    let house = House::new().await;
    for id in 1..=10 {
        ask(&house, &own(id, 100_000)).await;
    }
    mined(&house, 9, true, &[(3, 100_000)]);
    let tries = (1..=10).flat_map(|id| [record(&house, id, 9), record(&house, id, 9)]);
    let answers = futures_util::future::join_all(tries).await;
    let done = answers.iter().filter(|(status, _)| *status == 200);
    let ids: std::collections::BTreeSet<_> = done.map(|(_, view)| view["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 409)), "{answers:?}");
    assert_eq!(counted(&house).await, ["0.9", "0.1"]);
}

#[tokio::test]
async fn silence_ends_by_the_clock_and_a_late_transfer_counts_all_the_same() {
    let house = House::new().await;
    for id in 1..=2 {
        let short = intent_from("research-01", id, OWN_WALLET, transfer(500_000), 2);
        assert_eq!(ask(&house, &short).await.0, 201);
    }
    until(&house, 1, "expired").await;
    assert_eq!(counted(&house).await, ["0", "0"]);
    let (status, problem) = record(&house, 1, 9).await;
    assert_eq!((status, problem["code"].as_str()), (410, Some("approval_expired")));
    let house = house.restarted().await;
    assert_eq!(counted(&house).await, ["0", "0"]);
    mined(&house, 9, true, &[(3, 500_000)]);
    assert_eq!(record(&house, 1, 9).await.1["status"], "settled");
    assert_eq!(counted(&house).await, ["0", "0.5"], "money that moved is spent");
    assert_eq!(super::status(&house, 2).await, "expired");
    let house = house.restarted().await;
    assert_eq!(counted(&house).await, ["0", "0.5"]);
}

#[tokio::test]
async fn an_answer_to_an_approval_that_ended_is_no_yes() {
    let house = House::new().await;
    let short = intent_from("research-01", 1, OWN_WALLET, transfer(500_000), 2);
    ask(&house, &short).await;
    until(&house, 1, "expired").await;
    let (status, problem) = ask(&house, &short).await;
    assert_eq!((status, problem["code"].as_str()), (410, Some("approval_expired")));
}

#[tokio::test]
async fn what_was_named_in_time_is_held_until_the_chain_speaks() {
    let house = House::new().await;
    let short = intent_from("research-01", 1, OWN_WALLET, transfer(500_000), 3);
    ask(&house, &short).await;
    assert_eq!(record(&house, 1, 9).await.0, 202);
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    assert_eq!(super::status(&house, 1).await, "claimed");
    assert_eq!(counted(&house).await, ["0.5", "0"]);
    let house = house.restarted().await;
    assert_eq!(counted(&house).await, ["0.5", "0"]);
    show(&house, 9, Movement::Other { reason: "the transaction failed".into(), safe: true });
    until(&house, 1, "expired").await;
    assert_eq!(counted(&house).await, ["0", "0"], "the chain refutes it, and its time is over");
}

#[tokio::test]
async fn where_no_chain_is_read_the_agents_word_stands_and_is_called_so() {
    let house = House::new().await;
    let asset = &ASSETS[1];
    let payment = |units| {
        Payment::Transfer(Transfer {
            chain: Chain::BaseSepolia,
            token: asset.token,
            to: PAYEE,
            amount: Amount::from_base_units(units),
        })
    };
    for id in 1..=2 {
        let intent = intent_from("research-01", id, OWN_WALLET, payment(300_000), 60);
        assert_eq!(ask(&house, &intent).await.0, 201);
    }
    let (status, view) = record(&house, 1, 9).await;
    assert_eq!((status, view["status"].as_str()), (200, Some("unchecked")));
    assert_eq!(counted(&house).await, ["0.3", "0.3"]);
    assert_eq!(record(&house, 1, 9).await.0, 200);
    assert_eq!(record(&house, 2, 9).await.1["code"], "approval_used");
}
