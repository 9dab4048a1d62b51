use alloy_primitives::Address;
use serde_json::value::RawValue;
use tercet_policy::intent::Payment;
use tercet_policy::money::Amount;
use tercet_policy::proposal::eip3009_nonce;

use super::*;
use crate::fixture;
use crate::rules::{FetchRules, Price};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

fn purchase(id: u8) -> Purchase {
    let intent = fixture::intent(id);
    let Payment::X402Exact(x) = &intent.payment else { unreachable!() };
    Purchase {
        request_key: RequestKey::of("GET", &x.resource, &[id; 32]),
        method: "GET".to_owned(),
        url: x.resource.clone(),
        body_sha256: ContentHash([id; 32]),
        service: x.service.clone(),
        requirement: RawValue::from_string(r#"{"scheme":"exact", "x":1}"#.to_owned()).unwrap(),
        resource: None,
        nonce: eip3009_nonce(x.chain, x.token, intent.wallet, &intent.id),
        state: State::Chosen,
        header_sha256: None,
        status: None,
        receipt: None,
        created_at: intent.created_at,
        intent,
    }
}

async fn journal() -> (tempfile::TempDir, Journal) {
    let home = tempfile::tempdir().unwrap();
    let journal = Journal::open(home.path()).await.unwrap();
    (home, journal)
}

#[tokio::test]
async fn a_row_survives_the_process_to_the_byte() {
    let (home, journal) = journal().await;
    let mut made = purchase(1);
    journal.begin(&made, &FetchRules::default()).await.unwrap();
    journal.mark_sent(&mut made, ContentHash([9; 32]), NOW).await.unwrap();
    journal.close().await;
    let reopened = Journal::open(home.path()).await.unwrap();
    let found = reopened.find(&made.intent.id).await.unwrap().unwrap();
    assert_eq!(found.intent, made.intent);
    assert_eq!(found.requirement.get(), made.requirement.get());
    assert_eq!((found.state, found.nonce), (State::Sent, made.nonce));
    assert_eq!(found.header_sha256, Some(ContentHash([9; 32])));
    assert_eq!(reopened.pending(&made.request_key).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_state_changes_only_from_the_one_that_was_read() {
    let (_home, journal) = journal().await;
    let mut made = purchase(1);
    journal.begin(&made, &FetchRules::default()).await.unwrap();
    let mut stale = made.clone();
    journal.mark(&mut made, State::Void, None, NOW).await.unwrap();
    let refused = journal.mark(&mut stale, State::Delivered, None, NOW).await;
    assert!(matches!(refused, Err(JournalError::Overtaken { expected: State::Chosen, .. })));
}

#[tokio::test]
async fn of_two_journals_over_one_file_one_begins_a_request() {
    let (home, journal) = journal().await;
    let other = Journal::open(home.path()).await.unwrap();
    let rules = FetchRules::default();
    let (mut first, mut second) = (purchase(1), purchase(2));
    second.request_key = first.request_key;
    journal.begin(&first, &rules).await.unwrap();
    let refused = other.begin(&second, &rules).await.unwrap_err();
    let NotBegun::Declined(Declined::AlreadyBegun { intent }) = refused else {
        panic!("{refused}");
    };
    assert_eq!(intent, first.intent.id);
    for open in [State::Sent, State::Unknown, State::PaidNotDelivered] {
        journal.mark(&mut first, open, None, NOW).await.unwrap();
        assert!(other.begin(&second, &rules).await.is_err(), "{open}");
        let forced = sqlx::query(
            "INSERT INTO purchase SELECT 'f', request_key, method, url, body_sha256, service, \
             chain, payee, document, requirement, resource, nonce, state, header_sha256, status, \
             receipt, created_at, updated_at FROM purchase",
        );
        let forced = forced.execute(&other.pool).await.unwrap_err();
        assert!(forced.as_database_error().unwrap().is_unique_violation(), "{forced}");
    }
    journal.mark(&mut first, State::WrittenOff, None, NOW).await.unwrap();
    other.begin(&second, &rules).await.unwrap();
    assert_eq!(journal.pending(&second.request_key).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_first_payee_of_a_service_is_its_payee() {
    let (_home, journal) = journal().await;
    let rules = FetchRules::default();
    journal.begin(&purchase(1), &rules).await.unwrap();
    let mut other = purchase(2);
    let Payment::X402Exact(x) = &mut other.intent.payment else { unreachable!() };
    x.to = Address::repeat_byte(0x33);
    let (chain, payee) = (x.chain, x.to);
    let refused = journal.begin(&other, &rules).await.unwrap_err();
    assert!(matches!(refused, NotBegun::Declined(Declined::PayeeChanged { .. })), "{refused}");
    assert!(journal.find(&other.intent.id).await.unwrap().is_none(), "nothing was written");
    journal.pin_payee(&other.service, chain, payee, other.created_at).await.unwrap();
    journal.begin(&other, &rules).await.unwrap();
}

#[tokio::test]
async fn a_refused_purchase_makes_no_payee_known() {
    let (_home, journal) = journal().await;
    let rules = FetchRules::default();
    let mut bait = purchase(1);
    let Payment::X402Exact(x) = &mut bait.intent.payment else { unreachable!() };
    x.to = Address::repeat_byte(0x66);
    journal.begin(&bait, &rules).await.unwrap();
    journal.mark(&mut bait, State::Refused, None, NOW).await.unwrap();
    journal.begin(&purchase(2), &rules).await.unwrap();
}

#[tokio::test]
async fn what_is_not_void_counts_for_a_day() {
    let (_home, journal) = journal().await;
    let day: Price = "0.025 USDC".parse().unwrap();
    let rules = FetchRules { max_per_day: Some(day), ..FetchRules::default() };
    let mut first = purchase(1);
    journal.begin(&first, &rules).await.unwrap();
    journal.begin(&purchase(2), &rules).await.unwrap();
    let refused = journal.begin(&purchase(3), &rules).await.unwrap_err();
    let spent = Amount::from_base_units(20_000);
    let NotBegun::Declined(Declined::DailyLimit { spent: told, .. }) = refused else {
        panic!("{refused}");
    };
    assert_eq!(told, spent);
    journal.mark(&mut first, State::Void, None, NOW).await.unwrap();
    journal.begin(&purchase(3), &rules).await.unwrap();
}

#[tokio::test]
async fn purchases_of_a_minute_are_bounded() {
    let (_home, journal) = journal().await;
    let rules = FetchRules { purchases_per_minute_max: 1, ..FetchRules::default() };
    journal.begin(&purchase(1), &rules).await.unwrap();
    let mut second = purchase(2);
    let refused = journal.begin(&second, &rules).await.unwrap_err();
    assert!(matches!(refused, NotBegun::Declined(Declined::TooFast { begun: 1, limit: 1 })));
    second.created_at = second.created_at.plus(60);
    journal.begin(&second, &rules).await.unwrap();
}

#[tokio::test]
async fn a_row_that_does_not_read_is_an_error_and_not_nothing() {
    let (_home, journal) = journal().await;
    let made = purchase(1);
    journal.begin(&made, &FetchRules::default()).await.unwrap();
    sqlx::query("UPDATE purchase SET state = 'paid-ish'").execute(&journal.pool).await.unwrap();
    let refused = journal.find(&made.intent.id).await;
    assert!(matches!(refused, Err(JournalError::Corrupt(BadRow { column: "state" }))));
}

#[tokio::test]
async fn the_file_is_ours_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, _journal) = journal().await;
    let mode = std::fs::metadata(home.path().join(JOURNAL_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_corrupt_file_is_refused() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(JOURNAL_FILE), b"not a database, and long enough to tell")
        .unwrap();
    assert!(Journal::open(home.path()).await.is_err());
}
