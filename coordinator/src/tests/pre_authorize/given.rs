//! What is approved, and how far.

use tercet_policy::document::Signed;

use super::super::approvals::{PEOPLE, asking, word};
use super::*;

#[tokio::test]
async fn a_yes_is_a_reservation_and_says_every_rule() {
    let house = House::new().await;
    let question = own(1, 500_000);
    let (status, answer) = ask(&house, &question).await;
    assert_eq!((status, answer["answer"].as_str()), (201, Some("APPROVED")), "{answer}");
    let findings = answer["decision"]["policies"][0]["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 4);
    let approval = &answer["approval"];
    assert_eq!(
        (&approval["status"], &approval["amount"], &approval["used"]),
        (&json!("open"), &json!("500000"), &Value::Null)
    );
    assert_eq!(approval["expires_at"], json!(question.document.expires_at.0));
    assert_eq!(counted(&house).await, ["0.5", "0"]);
    let (status, again) = ask(&house, &question).await;
    assert_eq!((status, &again["approval"]), (200, approval), "the same question, the same answer");
    assert_eq!(counted(&house).await, ["0.5", "0"]);
    let (status, problem) = ask(&house, &own(1, 400_000)).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("id_conflict")));
}

#[tokio::test]
async fn a_no_reserves_nothing_and_says_why() {
    let house = House::new().await;
    let (status, answer) = ask(&house, &own(1, 600_000)).await;
    assert_eq!((status, answer["answer"].as_str()), (200, Some("DENIED")), "{answer}");
    assert_eq!(answer["refusals"][0]["refusal"]["code"], "policy");
    assert_eq!(answer["decision"]["policies"][0]["findings"].as_array().unwrap().len(), 4);
    assert_eq!(
        (&answer["approval"], counted(&house).await),
        (&Value::Null, ["0", "0"].map(str::to_owned))
    );
    assert_eq!(house.look(&path(1)).await.0, 404);
    let mut forged = own(1, 1);
    forged.document.expires_at = forged.document.expires_at.plus(1);
    let (_, answer) = ask(&house, &forged).await;
    assert_eq!(answer["refusals"][0]["refusal"]["code"], "bad_signature");
}

#[tokio::test]
async fn whose_wallets_and_ids_these_are() {
    let house = House::new().await;
    let (status, problem) = ask(&house, &intent("research-01", 1, transfer(10))).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")), "a wallet of ours");
    let other = intent_from("research-02", 1, OWN_WALLET, transfer(10), 60);
    assert_eq!(ask(&house, &other).await.0, 403);
    house.pay("research-01", &intent("research-01", 2, x402(10))).await;
    assert_eq!(ask(&house, &own(2, 10)).await.0, 409, "the id is a payment's");
    assert_eq!(ask(&house, &own(3, 10)).await.0, 201);
    let get = async |who: &str| {
        house.call(Some(who), Method::GET, &path(3), &Value::Null).await.0.as_u16()
    };
    assert_eq!((get("research-01").await, get("research-02").await), (200, 404));
    let body = json!({ "transaction": B256::repeat_byte(1) });
    let path = format!("{}/record", path(3));
    let others = house.call(Some("research-02"), Method::POST, &path, &body).await;
    assert_eq!(others.0, 404);
}

#[tokio::test]
async fn people_are_asked_where_a_policy_asks_them() {
    let house = House::new().await;
    asking(&house).await;
    let intent = intent_from("research-01", 1, OWN_WALLET, x402(200_000), 60);
    let (status, answer) = ask(&house, &intent).await;
    assert_eq!((status, answer["answer"].as_str()), (200, Some("REQUIRES_APPROVAL")), "{answer}");
    let yes = word(&intent, true);
    assert_eq!(answer["content_hash"], json!(yes.content_hash));
    assert_eq!(answer["policies"], json!(yes.policies));
    assert_eq!(counted(&house).await, ["0", "0"]);
    let with = async |seeds: &[u8]| {
        let say = |seed: &u8| Signed::by(yes.clone(), &key(*seed)).unwrap();
        let approvals: Vec<_> = seeds.iter().map(say).collect();
        let body = json!({ "intent": intent, "approvals": approvals });
        house.call(Some("research-01"), Method::POST, ASK, &body).await.1["answer"].clone()
    };
    assert_eq!(with(&PEOPLE[..1]).await, "REQUIRES_APPROVAL");
    assert_eq!(with(&[99, 21]).await, "REQUIRES_APPROVAL", "nobody that was asked");
    assert_eq!(with(&PEOPLE[1..]).await, "APPROVED");
    assert_eq!(counted(&house).await, ["0.2", "0"]);
}

#[tokio::test]
async fn fifty_at_once_are_approved_as_far_as_they_fit() {
    let house = House::new().await;
    let intents: Vec<_> = (1..=50).map(|id| own(id, 500_000)).collect();
    let answers = futures_util::future::join_all(intents.iter().map(|i| ask(&house, i))).await;
    let count = |word: &str| answers.iter().filter(|(_, a)| a["answer"] == word).count();
    assert_eq!((count("APPROVED"), count("DENIED")), (10, 40), "5 USDC a day in steps of 0.50");
    assert_eq!(counted(&house).await, ["5", "0"]);
    let house = house.restarted().await;
    assert_eq!(counted(&house).await, ["5", "0"]);
    assert_eq!(ask(&house, &own(51, 1)).await.1["answer"], "DENIED");
}

#[tokio::test]
async fn payments_and_approvals_share_one_limit() {
    let house = House::new().await;
    let _nodes = super::super::payments::pair(
        &house,
        super::super::node::Manner::Signs,
        super::super::node::Manner::Signs,
    )
    .await;
    for id in 1..=5 {
        assert_eq!(ask(&house, &own(id, 500_000)).await.0, 201);
        let paid = house.pay("research-01", &intent("research-01", id + 10, x402(500_000))).await;
        assert_eq!(paid.0, 201, "{}", paid.1);
    }
    assert_eq!(ask(&house, &own(6, 1)).await.1["answer"], "DENIED");
    assert_eq!(house.pay("research-01", &intent("research-01", 16, x402(1))).await.0, 422);
    let before = counted(&house).await;
    assert_eq!(before, ["2.5", "2.5"]);
    let house = house.restarted().await;
    assert_eq!(counted(&house).await, before, "the book is built again as it was");
}
