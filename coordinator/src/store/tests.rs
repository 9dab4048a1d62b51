use super::*;

#[tokio::test]
async fn the_store_is_durable_and_events_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("c.sqlite")).await.unwrap();
    let synchronous: i64 =
        sqlx::query_scalar("PRAGMA synchronous").fetch_one(&store.writer).await.unwrap();
    assert_eq!(synchronous, 2);
    assert_eq!(store.check_payment_events().await.unwrap(), 0);
    let read_only = sqlx::query("DELETE FROM agents").execute(&store.readers).await;
    assert!(read_only.is_err());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    std::fs::write(&path, "this is no database, and long enough to be looked at".repeat(40))
        .unwrap();
    let opened = Store::open(&path).await;
    assert!(opened.is_err());
}
