//! A database of the first migration's shape.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tercet_policy::intent::IntentId;

pub(super) const SIGNED: IntentId = IntentId([1; 32]);
pub(super) const REFUSED: IntentId = IntentId([2; 32]);
const WALLET: &str = "0x7777777777777777777777777777777777777777";
const PAYEE: &str = "0x5555555555555555555555555555555555555555";
const USDC: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
const AT: i64 = 1_750_000_000;

/// The shape that the first migration makes, as sqlx remembers it.
pub(super) async fn make(path: &Path) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let mut first = sqlx::migrate!("./migrations");
    first.migrations.to_mut().retain(|migration| migration.version == 1);
    first.run(&pool).await.unwrap();
    sqlx::query("INSERT INTO agents VALUES ('research-01', 1, '{}', NULL, ?)")
        .bind(AT)
        .execute(&pool)
        .await
        .unwrap();
    for epoch in [3, 7] {
        policy(&pool, epoch).await;
    }
    let claim = json!({
        "wallet": WALLET, "chain": "eip155:8453", "token": USDC, "payee": PAYEE, "amount": "10",
        "terms": {
            "kind": "eip1559", "nonce": 4, "gas_limit": 60_000, "max_fee_per_gas": "5",
            "max_priority_fee_per_gas": "1",
        },
        "policy_epoch": 7,
    });
    payment(&pool, (SIGNED, 1), json!({ "state": "signed" }), facts(claim, json!([]))).await;
    let refusals = json!([
        { "by": "coordinator", "refusal": decided() },
        { "by": "operator", "refusal": { "code": "bad_signature" } },
    ]);
    let refused = facts(Value::Null, refusals);
    payment(&pool, (REFUSED, 2), json!({ "state": "refused" }), refused).await;
    pool.close().await;
}

async fn policy(pool: &SqlitePool, epoch: i64) {
    let document = json!({ "document": { "yaml": "policy: test" }, "signatures": [] });
    sqlx::query("INSERT INTO policies VALUES ('research-01', ?, 'test', ?, ?)")
        .bind(epoch)
        .bind(document.to_string())
        .bind(AT)
        .execute(pool)
        .await
        .unwrap();
}

/// A refusal as the first version wrote it: one policy's, and whether each rule was kept.
fn decided() -> Value {
    let finding = |rule: u64, kind: &str, kept: bool| json!({ "rule": rule, "kind": kind, "kept": kept, "limit": "1 USDC", "asked": "2 USDC" });
    json!({
        "code": "policy", "verdict": "refuse", "policy": "test", "epoch": 7,
        "findings": [finding(0, "max_amount", false), finding(1, "allow", true)],
    })
}

fn facts(claim: Value, refusals: Value) -> Value {
    json!({
        "claim": claim, "refusals": refusals, "slot": null, "digest": null, "raw": null,
        "transaction": null, "block": null, "deadline": null, "detail": null,
    })
}

async fn payment(pool: &SqlitePool, (id, serial): (IntentId, i64), state: Value, facts: Value) {
    let transfer = json!({ "kind": "transfer", "chain": "eip155:8453", "token": USDC, "to": PAYEE, "amount": "10" });
    let intent = json!({
        "version": 1, "id": id, "agent": "research-01", "wallet": WALLET, "payment": transfer,
        "created_at": AT, "expires_at": AT + 60,
    });
    sqlx::query("INSERT INTO payments VALUES (?, ?, 'research-01', ?, ?, ?, ?, 1, ?, ?, ?)")
        .bind(id.to_string())
        .bind(serial)
        .bind(WALLET)
        .bind("00".repeat(32))
        .bind(json!({ "document": intent, "signatures": [] }).to_string())
        .bind(state["state"].as_str().unwrap())
        .bind(json!({ "state": state, "facts": facts }).to_string())
        .bind(AT)
        .bind(AT)
        .execute(pool)
        .await
        .unwrap();
}
