use super::*;

const WALLET: Address = Address::repeat_byte(7);

async fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("c.sqlite")).await.unwrap();
    let agent = "INSERT INTO agents (id, epoch, enrolment, updated_at) VALUES ('a', 1, '{}', 0)";
    sqlx::query(agent).execute(&store.writer).await.unwrap();
    (folder, store)
}

async fn payment(store: &Store, id: u8, status: &str) -> IntentId {
    let intent = IntentId([id; 32]);
    sqlx::query(
        "INSERT INTO payments (id, serial, agent, wallet, content_hash, envelope, status, version,
             row, created_at, updated_at) VALUES (?, ?, 'a', ?, '', '{}', ?, 1, '{}', 0, 0)",
    )
    .bind(intent.to_string())
    .bind(i64::from(id))
    .bind(WALLET.to_string())
    .bind(status)
    .execute(&store.writer)
    .await
    .unwrap();
    intent
}

async fn ends(store: &Store, payment: IntentId, status: &str) {
    sqlx::query("UPDATE payments SET status = ? WHERE id = ?")
        .bind(status)
        .bind(payment.to_string())
        .execute(&store.writer)
        .await
        .unwrap();
}

fn wish(payment: IntentId, next: u64) -> NonceWish {
    NonceWish { wallet: WALLET, chain: Chain::Base, next, payment }
}

#[tokio::test]
async fn one_payment_holds_the_account_at_a_time() {
    let (_folder, store) = store().await;
    let mut before: Option<IntentId> = None;
    // Past ten, where the order of texts and of numbers part.
    for (id, next) in (1..=12).zip(0..) {
        let asks = payment(&store, id, "received").await;
        if let Some(before) = before {
            let held = store.allocate_nonce(wish(asks, next)).await.unwrap();
            assert_eq!(held, Allocated::Busy(before), "at {next}");
            ends(&store, before, "settled").await;
            let behind = store.allocate_nonce(wish(asks, next - 1)).await.unwrap();
            assert_eq!(behind, Allocated::Busy(before), "{} is used up", next - 1);
        }
        for _ in 0..2 {
            let given = store.allocate_nonce(wish(asks, next)).await.unwrap();
            assert_eq!(given, Allocated::Yours(next), "and keeps it");
        }
        before = Some(asks);
    }
}

#[tokio::test]
async fn what_was_never_signed_gives_its_nonce_on() {
    let (_folder, store) = store().await;
    let first = payment(&store, 1, "received").await;
    store.allocate_nonce(wish(first, 9)).await.unwrap();
    for (id, end) in [(2, "refused"), (3, "failed")] {
        let held = payment(&store, id, "received").await;
        ends(&store, if id == 2 { first } else { IntentId([2; 32]) }, end).await;
        let given = store.allocate_nonce(wish(held, 9)).await.unwrap();
        assert_eq!(given, Allocated::Yours(9), "after one that {end}");
    }
}

/// A wallet that paid for years asks for one row.
#[tokio::test]
async fn one_row_is_read_however_many_there_are() {
    let (_folder, store) = store().await;
    let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {HIGHEST}")))
        .bind(WALLET.to_string())
        .bind(Chain::Base.caip2())
        .fetch_all(&store.readers)
        .await
        .unwrap();
    let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
    assert!(steps.iter().any(|step| step.contains("account_nonces_by_height")), "{steps:?}");
    assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
}
