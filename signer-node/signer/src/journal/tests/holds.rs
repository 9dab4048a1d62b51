//! Amounts that are set aside: rebuilt as they were, counted once, and bounded.

use tercet_policy::admission::RecordSpend as _;
use tercet_policy::ledger::{LedgerError, Measure, Scope};
use tercet_policy::money::Amount;
use tercet_policy::rows::{HoldId, HoldKind, HoldOutcome, HoldOutcomeRow, HoldRow, Protocol};
use tercet_policy::window::TZDB_VERSION;

use super::super::*;
use super::fixture::*;

fn id(n: u32) -> HoldId {
    HoldId(intent_id(1_000_000 + n).0)
}

fn held(n: u32, kind: HoldKind, units: u128) -> HoldRow {
    HoldRow {
        hold: id(n),
        kind,
        agent: agent(),
        wallet: WALLET,
        chain: tercet_policy::chain::Chain::Base,
        token: USDC,
        amount: Amount::from_base_units(units),
        protocol: Protocol::X402,
        recipient: Some(PAYEE),
        service: None,
        category: None,
        session: None,
        policies: tercet_policy::rows::PolicyEpochs { agent: Some(1), ..Default::default() },
        tzdb: TZDB_VERSION.to_owned(),
        at: NOW,
        expires_at: NOW.plus(60),
    }
}

fn deposit(n: u32, units: u128) -> HoldRow {
    held(n, HoldKind::SessionDeposit, units)
}

fn ended(n: u32, outcome: HoldOutcome) -> HoldOutcomeRow {
    HoldOutcomeRow { hold: id(n), agent: agent(), outcome, at: NOW }
}

fn used(n: u32, units: u128) -> HoldOutcomeRow {
    ended(n, HoldOutcome::Used { total: Amount::from_base_units(units) })
}

/// A payment of [`PRICE`] that draws on a hold, as another journal would have admitted it.
async fn draw(journal: &Journal, scratch: &Journal, n: u32, on: u32) -> Result<(), JournalError> {
    let row = SpendRow { hold: Some(id(on)), ..paid(scratch, n).await };
    journal.append(Event::Spend(Box::new(row)), Opened::Nothing).await
}

async fn counted(journal: &Journal) -> u128 {
    let usdc = Measure::Amount("USDC");
    let sum = move |state: &State| {
        state.book().ledger().unwrap().sum(&agents(), usdc, &Scope::Total, UnixSeconds(0))
    };
    journal.look(sum).await.unwrap()
}

#[tokio::test]
async fn what_is_set_aside_leaves_less_to_pay_over_restarts_too() {
    let (place, journal) = Place::with_policy("1 USDC").await;
    journal.hold(deposit(1, 3 * PRICE)).await.unwrap();
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(journal.open_holds().await.unwrap(), [deposit(1, 3 * PRICE)]);
    assert_eq!(code(&pay(&journal, 1).await), "ok");
    assert_eq!(code(&pay(&journal, 2).await), "policy");
    journal.record_hold_outcome(used(1, PRICE)).await.unwrap();
    assert_eq!(code(&pay(&journal, 2).await), "policy", "an open hold counts in full");
    journal.record_hold_outcome(ended(1, HoldOutcome::Closed)).await.unwrap();
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(journal.open_holds().await.unwrap(), []);
    assert_eq!(counted(&journal).await, 2 * PRICE, "the payment, and what the session used");
    for n in [2, 3] {
        assert_eq!(code(&pay(&journal, n).await), "ok");
    }
    assert_eq!(code(&pay(&journal, 4).await), "policy");
}

#[tokio::test]
async fn the_same_hold_and_the_same_outcome_again_are_no_rows() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    let closed = ended(1, HoldOutcome::Closed);
    journal.hold(deposit(1, 500)).await.unwrap();
    journal.record_hold_outcome(used(1, 300)).await.unwrap();
    let open = journal.head();
    journal.hold(deposit(1, 500)).await.unwrap();
    for total in [300, 0, 299] {
        journal.record_hold_outcome(used(1, total)).await.unwrap();
    }
    assert_eq!(journal.head(), open);
    journal.record_hold_outcome(closed.clone()).await.unwrap();
    let over = journal.head();
    let journal = place.reopen(journal).await.unwrap();
    journal.record_hold_outcome(closed).await.unwrap();
    assert_eq!((journal.head(), counted(&journal).await), (over, 300));
    let again = journal.hold(deposit(1, 500)).await;
    assert!(matches!(again, Err(JournalError::Ledger(LedgerError::AlreadyRecorded(_)))));
}

#[tokio::test]
async fn what_cannot_follow_changes_nothing() {
    let (_place, journal) = Place::with_policy("10 USDC").await;
    journal.hold(deposit(1, 500)).await.unwrap();
    journal.record_hold_outcome(used(1, 300)).await.unwrap();
    let (head, sum) = (journal.head(), counted(&journal).await);
    let stranger = AgentId::new("other-02").unwrap();
    let foreign = HoldRow { agent: stranger.clone(), ..held(2, HoldKind::PreAuthorization, 5) };
    let nowhere = HoldRow { wallet: Address::repeat_byte(9), ..deposit(2, 5) };
    let of_stranger = HoldOutcomeRow { agent: stranger, ..ended(1, HoldOutcome::Closed) };
    let refused = [
        journal.hold(deposit(1, 501)).await.unwrap_err(),
        journal.hold(foreign).await.unwrap_err(),
        journal.hold(nowhere).await.unwrap_err(),
        journal.record_hold_outcome(of_stranger).await.unwrap_err(),
        journal.record_hold_outcome(used(9, 1)).await.unwrap_err(),
        journal.record_hold_outcome(used(1, 501)).await.unwrap_err(),
        journal.record_hold_outcome(ended(1, HoldOutcome::Void)).await.unwrap_err(),
        journal.record_hold_outcome(ended(1, HoldOutcome::Expired)).await.unwrap_err(),
    ];
    let places: Vec<_> = refused.iter().map(ToString::to_string).collect();
    assert!(matches!(refused[1], JournalError::WalletOfAnother { .. }), "{places:?}");
    assert!(matches!(refused[2], JournalError::NoSuchWallet { .. }), "{places:?}");
    assert!(matches!(refused[3], JournalError::HoldOfAnother { .. }), "{places:?}");
    assert_eq!((journal.head(), counted(&journal).await), (head, sum), "{places:?}");
}

#[tokio::test]
async fn pre_authorizations_end_by_the_clock_and_deposits_do_not() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    // An agent that pays with a wallet of its own, which this node knows nothing of.
    let away =
        HoldRow { wallet: Address::repeat_byte(9), ..held(1, HoldKind::PreAuthorization, 400) };
    journal.hold(away).await.unwrap();
    journal.hold(deposit(2, 500)).await.unwrap();
    assert_eq!(journal.expire_holds(NOW.plus(59)).await, Ok(0));
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(journal.expire_holds(NOW.plus(60)).await, Ok(1));
    assert_eq!(journal.expire_holds(NOW.plus(600)).await, Ok(0));
    assert_eq!(counted(&journal).await, 500);
    // It moved money all the same, and is told of late.
    journal.record_hold_outcome(used(1, 150)).await.unwrap();
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(counted(&journal).await, 650);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_are_open_at_a_time_than_the_limit_says() {
    let (_place, journal) = Place::with_policy("10 USDC").await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..=u32::try_from(HOLDS_OPEN_PER_AGENT_MAX).unwrap() {
        let journal = journal.clone();
        tasks.spawn(async move { journal.hold(deposit(n, 1)).await });
    }
    let refused: Vec<_> = tasks.join_all().await.into_iter().filter_map(Result::err).collect();
    let open = HOLDS_OPEN_PER_AGENT_MAX;
    assert_eq!(refused, [JournalError::TooManyHolds { agent: agent(), open }]);
    let first = journal.open_holds().await.unwrap()[0].clone();
    journal.hold(first.clone()).await.unwrap();
    let over = HoldOutcomeRow { hold: first.hold, ..ended(0, HoldOutcome::Void) };
    journal.record_hold_outcome(over).await.unwrap();
    journal.hold(deposit(5_000, 1)).await.unwrap();
}

/// Whatever was accepted, in whatever order, is there again after a restart: no more, no less.
#[tokio::test]
async fn random_holds_draws_and_outcomes_are_rebuilt_as_they_were() {
    let (_elsewhere, scratch) = Place::with_policy("100000 USDC").await;
    // Knuth's MMIX: the same sequence every time, so a failure comes again.
    let mut seed = 1_u64;
    let mut next = |below: u32| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(seed >> 33).unwrap() % below
    };
    let (mut drawn, mut accepted) = (0, 0);
    for _ in 0..4 {
        let (place, journal) = Place::with_policy("100000 USDC").await;
        for _ in 0..60 {
            let (n, units) = (next(6), u128::from(next(8)) * PRICE);
            let kind = [HoldKind::SessionDeposit, HoldKind::PreAuthorization][next(2) as usize];
            let tried = match next(7) {
                0 | 1 => journal.hold(held(n, kind, units)).await,
                2 | 3 => {
                    drawn += 1;
                    draw(&journal, &scratch, drawn, n).await
                }
                4 => journal.record_hold_outcome(used(n, units)).await,
                5 => journal.record_hold_outcome(ended(n, HoldOutcome::Closed)).await,
                _ => journal.expire_holds(NOW.plus(u64::from(next(120)))).await.map(drop),
            };
            accepted += usize::from(tried.is_ok());
        }
        let before = journal.look(|state| state.book().clone()).await.unwrap();
        let (head, open) = (journal.head(), journal.open_holds().await.unwrap());
        let sum = counted(&journal).await;
        let journal = place.reopen(journal).await.unwrap();
        assert_eq!(journal.look(|state| state.book().clone()).await.unwrap(), before);
        assert_eq!(journal.open_holds().await.unwrap(), open);
        assert_eq!((journal.head(), counted(&journal).await), (head, sum));
    }
    assert!(accepted > 60, "only {accepted} were accepted: the test sees nothing");
}
