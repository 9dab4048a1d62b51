//! Amounts that are set aside: counted once, and given back only as far as they were not used.

use super::*;
use crate::rows::{HoldKind, HoldOutcome, HoldOutcomeRow, HoldRow};
use crate::window::TZDB_VERSION;

const END: UnixSeconds = NOW.plus(600);

pub(super) fn hold(n: u64, kind: HoldKind, amount: u128, at: UnixSeconds) -> HoldRow {
    let like = row(n, amount, Some(0), 1, at);
    HoldRow {
        hold: HoldId(like.intent.0),
        kind,
        agent: like.agent,
        wallet: like.wallet,
        chain: like.chain,
        token: like.token,
        amount: like.amount,
        protocol: like.kind.protocol(),
        recipient: like.recipient,
        service: like.service,
        category: None,
        session: None,
        policies: like.policies,
        tzdb: TZDB_VERSION.to_owned(),
        at,
        expires_at: at.plus(600),
    }
}

pub(super) fn outcome(of: &HoldRow, outcome: HoldOutcome, at: UnixSeconds) -> HoldOutcomeRow {
    HoldOutcomeRow { hold: of.hold, agent: of.agent.clone(), outcome, at }
}

fn drawn(n: u64, from: &HoldRow, amount: u128, at: UnixSeconds) -> SpendRow {
    SpendRow { hold: Some(from.hold), ..row(n, amount, Some(0), 1, at) }
}

fn used(total: u128) -> HoldOutcome {
    HoldOutcome::Used { total: units(total) }
}

fn standing(ledger: &Ledger) -> (u128, u128) {
    let usdc = Measure::Amount("USDC");
    let standing = ledger.standing(&Organisation, usdc, &Scope::Total, UnixSeconds(0));
    (standing.reserved, standing.spent)
}

fn with_hold(kind: HoldKind) -> (Ledger, HoldRow) {
    let mut ledger = Ledger::new();
    let hold = hold(1, kind, 100, NOW);
    ledger.hold(&hold).unwrap();
    assert_eq!((total(&ledger), standing(&ledger)), ((100, 1), (100, 0)));
    (ledger, hold)
}

#[test]
fn a_session_that_used_a_part_counts_that_part() {
    let (mut ledger, hold) = with_hold(HoldKind::SessionDeposit);
    for total in [30, 35, 20, 35] {
        ledger.apply_hold(&outcome(&hold, used(total), NOW)).unwrap();
    }
    assert_eq!(standing(&ledger), (65, 35), "a sum so far, whatever comes late or twice");
    assert_eq!(ledger.held(&hold.hold).unwrap().rest(), units(65));
    assert_eq!(ledger.open_holds(&Organisation, HoldKind::SessionDeposit), 1);
    assert_eq!(ledger.open_holds(&Organisation, HoldKind::PreAuthorization), 0);
    let too_much = outcome(&hold, used(101), NOW);
    assert_eq!(ledger.apply_hold(&too_much), Err(LedgerError::DrawnTooMuch(hold.hold)));
    let void = outcome(&hold, HoldOutcome::Void, NOW);
    assert_eq!(ledger.apply_hold(&void), Err(LedgerError::HoldIsUsed(hold.hold)));
    let close = outcome(&hold, HoldOutcome::Closed, NOW);
    ledger.apply_hold(&close).unwrap();
    assert_eq!((total(&ledger), standing(&ledger)), ((35, 1), (0, 35)));
    assert_eq!(ledger.apply_hold(&close), Ok(()), "the same again");
    let more = outcome(&hold, used(36), NOW);
    assert_eq!(ledger.apply_hold(&more), Err(LedgerError::HoldIsOver(hold.hold)));
    assert_eq!(ledger.apply_hold(&void), Err(LedgerError::HoldIsOver(hold.hold)));
    assert_eq!(ledger.held(&hold.hold).unwrap().rest(), Amount::ZERO);
    assert_eq!(ledger.open_holds(&Organisation, HoldKind::SessionDeposit), 0);
}

#[test]
fn payments_draw_on_a_hold_and_are_counted_once() {
    let (mut ledger, hold) = with_hold(HoldKind::SessionDeposit);
    let first = drawn(2, &hold, 40, NOW.plus(10));
    ledger.record(&first).unwrap();
    assert_eq!(total(&ledger), (100, 1), "the hold's one is now the payment's");
    let since = |since| ledger.sum(&Organisation, Measure::Amount("USDC"), &Scope::Total, since);
    assert_eq!(since(NOW.plus(1)), 40, "it counts from its own time");
    ledger.record(&drawn(3, &hold, 60, NOW.plus(20))).unwrap();
    assert_eq!((total(&ledger), standing(&ledger)), ((100, 2), (100, 0)));
    let more = drawn(4, &hold, 1, NOW.plus(20));
    let before = ledger.clone();
    assert_eq!(ledger.record(&more), Err(LedgerError::DrawnTooMuch(hold.hold)));
    assert_eq!(ledger, before);
    ledger.apply_hold(&outcome(&hold, HoldOutcome::Void, NOW)).unwrap();
    ledger.apply(&void(&first)).unwrap();
    assert_eq!(total(&ledger), (60, 1), "what is void is free, and not the hold's again");
}

#[test]
fn a_hold_is_for_what_it_names_and_for_its_time() {
    let (ledger, hold) = with_hold(HoldKind::SessionDeposit);
    let good = drawn(2, &hold, 1, NOW);
    let others = [
        SpendRow { wallet: PAYEE, ..good.clone() },
        SpendRow { agent: crate::party::AgentId::new("other").unwrap(), ..good.clone() },
        SpendRow { recipient: Some(PAYEE), ..good.clone() },
        SpendRow { service: None, ..good.clone() },
        SpendRow {
            chain: crate::chain::Chain::BaseSepolia,
            token: crate::chain::ASSETS[1].token,
            ..good.clone()
        },
    ];
    for other in others {
        assert_eq!(ledger.clone().record(&other), Err(LedgerError::OtherHold(hold.hold)));
    }
    let unknown = SpendRow { hold: Some(HoldId([0; 32])), ..good.clone() };
    assert_eq!(ledger.clone().record(&unknown), Err(LedgerError::UnknownHold(HoldId([0; 32]))));
    let late = SpendRow { at: END, ..good.clone() };
    assert_eq!(ledger.clone().record(&late), Err(LedgerError::HoldIsOver(hold.hold)));
    let mut ended = ledger.clone();
    ended.apply_hold(&outcome(&hold, HoldOutcome::Closed, NOW)).unwrap();
    assert_eq!(ended.record(&good), Err(LedgerError::HoldIsOver(hold.hold)));
    assert_eq!(ledger.clone().record(&SpendRow { at: END.minus(1), ..good }), Ok(()));
    assert_eq!(ledger.clone().hold(&hold), Err(LedgerError::AlreadyRecorded(hold.hold.into())));
}

#[test]
fn only_a_pre_authorization_ends_by_the_clock() {
    let (mut deposit, hold) = with_hold(HoldKind::SessionDeposit);
    let expired = |at| outcome(&hold, HoldOutcome::Expired, at);
    assert_eq!(deposit.apply_hold(&expired(END)), Err(LedgerError::HoldNotDue(hold.hold)));
    assert!(deposit.overdue_holds(END).is_empty());

    let (mut ledger, hold) = with_hold(HoldKind::PreAuthorization);
    let expired = |at| outcome(&hold, HoldOutcome::Expired, at);
    let early = expired(END.minus(1));
    assert_eq!(ledger.apply_hold(&early), Err(LedgerError::HoldNotDue(hold.hold)));
    assert!(ledger.overdue_holds(END.minus(1)).is_empty());
    assert_eq!(ledger.overdue_holds(END), [hold.hold]);
    ledger.apply_hold(&expired(END)).unwrap();
    assert!(ledger.overdue_holds(END).is_empty());
    assert_eq!((total(&ledger), standing(&ledger)), ((0, 0), (0, 0)));
    ledger.apply_hold(&outcome(&hold, used(100), END)).unwrap();
    assert_eq!(standing(&ledger), (0, 100), "money that moved is spent, however late it is told");
    assert_eq!(total(&ledger), (100, 1));
}

#[test]
fn an_ended_hold_leaves_memory_and_an_open_one_stays() {
    let (mut ledger, one) = with_hold(HoldKind::SessionDeposit);
    let two = hold(2, HoldKind::SessionDeposit, 7, NOW);
    ledger.hold(&two).unwrap();
    ledger.apply_hold(&outcome(&one, HoldOutcome::Closed, NOW)).unwrap();
    ledger.record(&row(3, 1, Some(0), 1, NOW.plus(LEDGER_SECONDS_KEPT + 1))).unwrap();
    assert_eq!(ledger.held(&one.hold), None);
    assert_eq!(ledger.open_holds(&Organisation, HoldKind::SessionDeposit), 1);
    assert_eq!(total(&ledger), (1, 1));
    ledger.apply_hold(&outcome(&two, HoldOutcome::Closed, NOW)).unwrap();
    assert_eq!(ledger.held(&two.hold), None);
    assert_eq!(ledger.len(), 1);
}

#[test]
fn a_hold_of_a_session_is_for_that_session_and_one_for_nobody_for_all() {
    let session = |name: &str| Some(name.parse::<crate::declared::SessionName>().unwrap());
    let like = hold(1, HoldKind::SessionDeposit, 100, NOW);
    let draws = |held: &HoldRow, row: SpendRow| {
        let mut ledger = Ledger::new();
        ledger.hold(held).unwrap();
        ledger.record(&row)
    };
    let of_session = HoldRow { session: session("s-1"), ..like.clone() };
    let in_session = |name| SpendRow { session: session(name), ..drawn(2, &like, 1, NOW) };
    assert_eq!(draws(&of_session, in_session("s-1")), Ok(()));
    let other = Err(LedgerError::OtherHold(like.hold));
    assert_eq!(draws(&of_session, in_session("s-2")), other);
    assert_eq!(draws(&of_session, drawn(2, &like, 1, NOW)), other);
    for nobody in [
        HoldRow { recipient: None, ..like.clone() },
        HoldRow { service: None, ..like.clone() },
        HoldRow { session: None, ..like.clone() },
    ] {
        assert_eq!(draws(&nobody, in_session("s-1")), Ok(()));
    }
}

#[test]
fn what_is_told_late_of_an_ended_hold_changes_nothing() {
    let (mut ledger, hold) = with_hold(HoldKind::SessionDeposit);
    ledger.apply_hold(&outcome(&hold, used(35), NOW)).unwrap();
    ledger.apply_hold(&outcome(&hold, HoldOutcome::Closed, NOW)).unwrap();
    let before = ledger.clone();
    for late in [20, 35] {
        assert_eq!(ledger.apply_hold(&outcome(&hold, used(late), NOW)), Ok(()));
    }
    assert_eq!(ledger, before);
}

#[test]
fn what_is_held_counts_no_fee() {
    let (ledger, _) = with_hold(HoldKind::SessionDeposit);
    assert_eq!(ledger.sum(&Organisation, Measure::FeeWei, &Scope::Total, NOW), 0);
}
