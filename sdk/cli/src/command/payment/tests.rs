use ed25519_dalek::SigningKey;
use serde_json::json;
use tercet_policy::approval::SignedApproval;
use tercet_policy::declared::Declared;
use tercet_policy::document::Ed25519PublicKey;
use tercet_policy::intent::{IntentId, Transfer};
use tercet_policy::money::Amount;
use tercet_policy::rows::PolicyEpochs;

use super::*;
use crate::fixture::Desk;

const ID: IntentId = IntentId([7; 32]);

fn bob() -> Ed25519PublicKey {
    Ed25519PublicKey::of(&SigningKey::from_bytes(&[12; 32]))
}

fn intent(units: u128) -> SignedIntent {
    let asset = Asset::by_symbol(tercet_policy::chain::Chain::Base, "USDC").unwrap();
    let transfer = Transfer {
        chain: asset.chain,
        token: asset.token,
        to: alloy_primitives::Address::repeat_byte(5),
        amount: Amount::from_base_units(units),
    };
    let at = now();
    let intent = PaymentIntent {
        version: 1,
        id: ID,
        agent: "research-01".parse().unwrap(),
        wallet: alloy_primitives::Address::repeat_byte(7),
        payment: Paid::Transfer(transfer),
        declared: Declared::default(),
        created_at: at,
        expires_at: at.plus(600),
    };
    Signed::by(intent, &SigningKey::from_bytes(&[21; 32])).unwrap()
}

fn question(open: bool) -> Value {
    let intent = intent(1_250_000);
    json!({
        "payment": ID,
        "intent": intent,
        "content_hash": content_hash(&intent).unwrap(),
        "policies": { "agent": 4 },
        "decision": {
            "verdict": "ask_human",
            "tzdb": "x",
            "policies": [{
                "policy": "test", "epoch": 4, "subject": { "agent": "research-01" },
                "mode": "enforce",
                "findings": [{
                    "rule": 0, "kind": "ask", "outcome": "asks", "limit": "1 USDC",
                    "asked": "1.25 USDC", "approvers": "2 of alice, bob", "approved_by": ["bob"],
                }],
            }],
        },
        "answers": [{ "key": bob(), "approves": true, "at": 5 }],
        "open": open,
        "until": 1_800_000_000,
    })
}

fn payment(approval: &Value) -> Value {
    let intent = intent(1_250_000).document;
    json!({
        "id": ID, "agent": "research-01", "wallet": intent.wallet, "payment": intent.payment,
        "status": "awaiting_approval", "refusals": [], "approval": approval, "slot": null,
        "digest": null, "transaction": null, "block": null, "deadline": null, "detail": null,
        "created_at": 1, "updated_at": 1,
    })
}

async fn desk(approval: &Value) -> Desk {
    let view = payment(approval);
    let show = format!("GET /v1/payments/{ID}");
    let say = format!("POST /v1/payments/{ID}/approvals");
    let page = json!({ "approvals": [question(true)], "next_cursor": "abc" });
    Desk::with(&[
        (show.as_str(), view.clone()),
        (say.as_str(), view),
        ("GET /v1/approvals?limit=20", page),
    ])
    .await
}

#[tokio::test]
async fn a_person_signs_what_is_shown() {
    let desk = desk(&question(true)).await;
    let file = desk.folder.path().join("alice.key");
    let key = AuthorityKey::create(&file).unwrap();
    for (verb, approves) in [("approve", true), ("refuse", false)] {
        let id = ID.to_string();
        let words = ["payment", verb, &id, "--key", file.to_str().unwrap()];
        let answer = desk.ask(&words).await.unwrap();
        assert!(answer.text.contains("1.25 USDC"), "{}", answer.text);
        assert!(answer.text.contains(&key.public().to_string()), "{}", answer.text);
        let (_, body) = desk.asked().pop().unwrap();
        let signed: SignedApproval = serde_json::from_value(body["approval"].clone()).unwrap();
        let opened = signed.open_approval().unwrap();
        assert_eq!(opened.key(), key.public());
        let said = opened.approval();
        assert_eq!((said.intent, said.approves), (ID, approves));
        assert_eq!(json!(said.content_hash), question(true)["content_hash"]);
        assert_eq!(said.policies, PolicyEpochs { agent: Some(4), ..PolicyEpochs::default() });
    }
}

#[tokio::test]
async fn nothing_is_signed_for_another_intent_or_after_the_end() {
    let mut other = question(true);
    other["content_hash"] = json!("00".repeat(32));
    let mut unsigned = question(true);
    unsigned["intent"]["signatures"] = json!([]);
    let mut changed = question(true);
    changed["intent"]["document"]["payment"]["amount"] = json!("1");
    let cases = [question(false), Value::Null, other, unsigned, changed];
    for approval in cases {
        let desk = desk(&approval).await;
        let file = desk.folder.path().join("alice.key");
        AuthorityKey::create(&file).unwrap();
        let id = ID.to_string();
        let words = ["payment", "approve", &id, "--key", file.to_str().unwrap()];
        assert!(desk.ask(&words).await.is_err(), "{approval}");
        assert!(desk.asked().iter().all(|(route, _)| route.starts_with("GET")), "{approval}");
    }
}

#[tokio::test]
async fn who_is_waited_for_is_listed() {
    let desk = desk(&Value::Null).await;
    let answer = desk.ask(&["payment", "list", "--awaiting"]).await.unwrap();
    let text = answer.text;
    let id = ID.to_string();
    for said in [
        &*id,
        "research-01",
        "1.25 USDC",
        "2 of alice, bob",
        "yes from bob",
        "1 yes",
        "--cursor abc",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(answer.json["approvals"][0]["payment"], json!(ID));
}
