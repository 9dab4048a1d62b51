use futures_util::future::join_all;
use tercet_policy::intent::IntentId;

use super::*;
use crate::payment::state::{Event, State};
use crate::tests::records;

async fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("c.sqlite")).await.unwrap();
    sqlx::query(
        "INSERT INTO agents (id, epoch, enrolment, updated_at) VALUES ('research-01', 1, '{}', 0)",
    )
    .execute(&store.writer)
    .await
    .unwrap();
    (store, folder)
}

fn new(id: u8, open_max: u64) -> NewPayment {
    let mut draft = records::payment(false);
    draft.envelope.document.id = IntentId([id; 32]);
    NewPayment { draft, first: None, open_max, open_per_agent_max: open_max }
}

fn to(state: State) -> Change {
    Change { event: Event::Noted, state, facts: Facts::default(), at: UnixSeconds(5) }
}

fn inserted(taken: Taken) -> PaymentRecord {
    match taken {
        Taken::Inserted(record) => *record,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn payments_side_by_side_are_stored_each_in_its_place() {
    let (store, _folder) = store().await;
    let taken = join_all((0..200).map(|id| store.insert_payment(new(id, 1_000)))).await;
    let mut serials: Vec<_> = taken.into_iter().map(|t| inserted(t.unwrap()).serial).collect();
    serials.sort_unstable();
    assert_eq!(serials, (1..=200).collect::<Vec<_>>());
    assert_eq!(store.check_payment_events().await.unwrap(), 200);
    let again = store.insert_payment(new(7, 1_000)).await.unwrap();
    assert!(matches!(again, Taken::Known(known) if known.version == 1));
}

#[tokio::test]
async fn of_changes_from_one_version_one_is_stored() {
    let (store, _folder) = store().await;
    let record = inserted(store.insert_payment(new(1, 9)).await.unwrap());
    let changes = (0..20).map(|_| store.change_payment(&record, to(State::Unknown)));
    let changed = join_all(changes).await;
    assert_eq!(changed.iter().filter(|done| done.is_ok()).count(), 1);
    let overtaken = |done: &&Result<_, _>| matches!(done, Err(StoreError::Changed));
    assert_eq!(changed.iter().filter(overtaken).count(), 19);
    assert_eq!(store.check_payment_events().await.unwrap(), 2);
}

/// One that the file refuses (its agent is not there) beside others that it takes.
#[tokio::test]
async fn a_write_that_fails_takes_no_other_with_it() {
    let (store, _folder) = store().await;
    let mut strange = new(99, 1_000);
    strange.draft.envelope.document.agent = "nobody".parse().unwrap();
    let writes = (0..40).map(|id| if id == 20 { strange.clone() } else { new(id, 1_000) });
    let taken = join_all(writes.map(|new| store.insert_payment(new))).await;
    for (id, taken) in taken.into_iter().enumerate() {
        assert_eq!(matches!(taken, Ok(Taken::Inserted(_))), id != 20, "{id}");
    }
    assert_eq!(store.check_payment_events().await.unwrap(), 39);
    assert_eq!(store.open_payments_count().await.unwrap(), 39);
}

#[tokio::test]
async fn open_payments_are_counted_over_restarts_and_failures() {
    let (store, folder) = store().await;
    let first = inserted(store.insert_payment(new(1, 2)).await.unwrap());
    let mut strange = new(99, 9);
    strange.draft.envelope.document.agent = "nobody".parse().unwrap();
    assert!(store.insert_payment(strange).await.is_err());
    inserted(store.insert_payment(new(2, 2)).await.unwrap());
    assert_eq!(store.insert_payment(new(3, 2)).await.unwrap(), Taken::Full);
    store.close().await;
    let store = Store::open(&folder.path().join("c.sqlite")).await.unwrap();
    assert_eq!(store.insert_payment(new(3, 2)).await.unwrap(), Taken::Full);
    store.change_payment(&first, to(State::Settled)).await.unwrap();
    inserted(store.insert_payment(new(3, 2)).await.unwrap());
    let refused = Move { event: Event::Declined, state: State::Refused, facts: Facts::default() };
    let over = NewPayment { first: Some(refused), ..new(4, 2) };
    inserted(store.insert_payment(over).await.unwrap());
}

#[tokio::test]
async fn a_change_on_its_way_is_seen_by_all_readers() {
    let (store, _folder) = store().await;
    let record = inserted(store.insert_payment(new(1, 9)).await.unwrap());
    let change = to(State::Signed);
    let (then, pending) = store.change_payment_soon(&record, change).await.unwrap();
    let seen = store.payment(&record.id()).await.unwrap().unwrap();
    assert_eq!((&seen, seen.version), (&then, 2));
    let page = store.payments(&PageWish { limit: 9, ..PageWish::default() }).await.unwrap();
    assert_eq!(page[0].state, State::Signed);
    assert_eq!(pending.durable().await.unwrap(), then);
    let late = store.change_payment_soon(&record, to(State::Failed)).await.unwrap().1;
    assert!(matches!(late.durable().await, Err(StoreError::Changed)));
    assert_eq!(store.payment(&record.id()).await.unwrap().unwrap(), then);
}
