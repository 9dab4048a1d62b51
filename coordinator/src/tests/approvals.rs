use reqwest::Method;
use serde_json::{Value, json};
use tercet_api::relay::ToNode;
use tercet_policy::approval::Approval;
use tercet_policy::document::{Ed25519PublicKey, Signed};
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::rows::PolicyEpochs;

use super::fixture::*;
use super::node::Manner;
use super::payments::pair;

/// Seeds of alice, bob and carol, whom the policy names.
pub(super) const PEOPLE: [u8; 3] = [31, 32, 33];

/// Asks two of three people above 0.10 USDC.
pub(super) async fn asking(house: &House) {
    let people = ["alice", "bob", "carol"].iter().zip(PEOPLE).map(|(name, seed)| {
        format!("  {name}: {{ key: '{}' }}\n", Ed25519PublicKey::of(&key(seed)))
    });
    let yaml = format!(
        "policy: test\nepoch: 2\napplies_to: {{ agent: research-01 }}\npeople:\n{}rules:\n  \
         - ask: {{ above: 0.10 USDC, approvers: {{ any: 2, of: [alice, bob, carol] }} }}\n  \
         - limit: {{ amount: 5 USDC, per: day }}\n  - allow: {{ services: [a.example] }}\n",
        people.collect::<String>()
    );
    let (status, body) = house.put("/v1/policies", &signed_policy(&yaml)).await;
    assert_eq!(status, 201, "{body}");
}

/// One person's word on an intent, before it is signed.
pub(super) fn word(intent: &SignedIntent, approves: bool) -> Approval {
    let opened = intent.clone().open_by(&Ed25519PublicKey::of(&key(21))).unwrap();
    Approval {
        intent: intent.document.id,
        content_hash: opened.content_hash(),
        policies: PolicyEpochs { agent: Some(2), ..PolicyEpochs::default() },
        approves,
        at: now(),
    }
}

async fn bring(house: &House, id: u8, word: Approval, seed: u8) -> (u16, Value) {
    let approval = Signed::by(word, &key(seed)).unwrap();
    let path = format!("/v1/payments/{}/approvals", IntentId([id; 32]));
    let body = json!({ "approval": approval });
    let (status, body) = house.call(Some("research-01"), Method::POST, &path, &body).await;
    (status.as_u16(), body)
}

async fn waiting(house: &House, id: u8, seconds: u64) -> SignedIntent {
    let signed = intent_from("research-01", id, WALLET, x402(200_000), seconds);
    let _ = house.pay("research-01", &signed).await;
    house.until(id, "awaiting_approval").await;
    signed
}

fn impatient() -> crate::config::Limits {
    crate::config::Limits { payment_wait_seconds: 1, ..limits() }
}

#[tokio::test]
async fn two_of_three_say_yes_and_the_payment_goes_on_with_their_words() {
    let house = House::with(impatient()).await;
    asking(&house).await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let signed = waiting(&house, 1, 60).await;
    assert_eq!(house.budgets("").await[0][2..], ["0", "0"], "nothing is reserved meanwhile");
    let (_, page) = house.look("/v1/approvals").await;
    let asked = &page["approvals"][0];
    assert_eq!((&asked["open"], &asked["policies"]), (&json!(true), &json!({ "agent": 2 })));
    assert_eq!(asked["intent"], serde_json::to_value(&signed).unwrap());
    assert_eq!(asked["content_hash"], json!(word(&signed, true).content_hash));
    let text = asked["decision"].to_string();
    assert!(text.contains("2 of alice, bob, carol"), "{text}");
    assert_eq!((agent.signs_seen(), operator.signs_seen()), (0, 0));

    let yes = word(&signed, true);
    assert_eq!(bring(&house, 1, yes.clone(), PEOPLE[0]).await.0, 200);
    assert_eq!(bring(&house, 1, yes.clone(), PEOPLE[0]).await.0, 200, "the same again");
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let view = house.until(1, "awaiting_approval").await;
    assert_eq!(view["approval"]["answers"].as_array().unwrap().len(), 1, "one is one person");
    assert_eq!(bring(&house, 1, yes.clone(), PEOPLE[2]).await.0, 200);
    house.until(1, "signed").await;
    let carried =
        |frame: &ToNode| matches!(frame, ToNode::Sign { approvals, .. } if approvals.len() == 2);
    assert_eq!((agent.count(carried), operator.count(carried)), (1, 1));
    assert_eq!(bring(&house, 1, yes, PEOPLE[1]).await.1["code"], "not_awaiting");
    assert_eq!(house.look("/v1/approvals").await.1["approvals"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn one_no_ends_it() {
    let house = House::with(impatient()).await;
    asking(&house).await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let signed = waiting(&house, 1, 60).await;
    assert_eq!(bring(&house, 1, word(&signed, true), PEOPLE[0]).await.0, 200);
    assert_eq!(bring(&house, 1, word(&signed, false), PEOPLE[1]).await.0, 200);
    let view = house.until(1, "refused").await;
    assert_eq!(view["refusals"][0]["refusal"]["code"], "policy", "{view}");
    assert_eq!((agent.signs_seen(), operator.signs_seen()), (0, 0));
}

#[tokio::test]
async fn silence_until_the_end_is_no() {
    let house = House::with(impatient()).await;
    asking(&house).await;
    let (agent, _operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let signed = waiting(&house, 1, 4).await;
    assert_eq!(bring(&house, 1, word(&signed, true), PEOPLE[0]).await.0, 200);
    let view = house.until(1, "refused").await;
    assert_eq!(view["refusals"][0]["refusal"]["code"], "approval_missing", "{view}");
    assert_eq!(bring(&house, 1, word(&signed, true), PEOPLE[1]).await.1["code"], "not_awaiting");
    assert_eq!(agent.signs_seen(), 0);
}

#[tokio::test]
async fn what_was_not_said_by_whom_was_asked_to_this_does_not_count() {
    let house = House::with(impatient()).await;
    asking(&house).await;
    let (agent, _operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let signed = waiting(&house, 1, 60).await;
    let yes = word(&signed, true);
    let other = word(&intent_from("research-01", 1, WALLET, x402(300_000), 60), true);
    let elsewhere = Approval { intent: IntentId([2; 32]), ..yes.clone() };
    let older = Approval { policies: PolicyEpochs::default(), ..yes.clone() };
    for (name, word, seed, status, code) in [
        ("a stranger", yes.clone(), 99, 403, "forbidden"),
        ("the agent itself", yes.clone(), 21, 403, "forbidden"),
        ("the authority", yes.clone(), 1, 403, "forbidden"),
        ("other content", other, PEOPLE[0], 422, "approval_mismatch"),
        ("another payment", elsewhere, PEOPLE[0], 422, "approval_mismatch"),
        ("other policies", older, PEOPLE[0], 422, "approval_mismatch"),
    ] {
        let (found, problem) = bring(&house, 1, word, seed).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{name}: {problem}");
    }
    let mut forged =
        serde_json::to_value(Signed::by(word(&signed, false), &key(PEOPLE[0])).unwrap()).unwrap();
    forged["document"]["approves"] = json!(true);
    let path = format!("/v1/payments/{}/approvals", IntentId([1; 32]));
    let forged = json!({ "approval": forged });
    let (_, problem) = house.call(Some("research-01"), Method::POST, &path, &forged).await;
    assert_eq!(problem["code"], "bad_document");
    let stranger = house.call(Some("research-02"), Method::POST, &path, &forged).await;
    assert_eq!(stranger.0, 404);
    let view = house.until(1, "awaiting_approval").await;
    assert_eq!((&view["approval"]["answers"], agent.signs_seen()), (&json!([]), 0));
    assert_eq!(house.look("/v1/approvals?state=closed").await.0, 400);
}
