//! What stops an agent, and what resumes it.

use super::*;
use crate::fixture::{ORGANISATION, admit_under, authority, file, policy_of, set, signed};
use crate::rows::PaymentKind;

/// A book in which something happened, and the moment after.
type Lead = fn(&AuthenticPolicy, &mut Book) -> UnixSeconds;

fn stopping(freeze: &str) -> AuthenticPolicy {
    policy(&format!("{ALLOW}  - freeze: {freeze}"))
}

fn document(epoch: u64, frozen: bool) -> Freeze {
    Freeze { agent: agent(), epoch, frozen, reason: "drill".to_owned(), at: NOW.plus(9_999) }
}

fn pay_at(
    policy: &AuthenticPolicy,
    held: Option<&Freeze>,
    (n, amount, to): (u64, u128, Address),
    now: UnixSeconds,
    book: &mut Book,
) -> Admitted {
    admit_while(policy, held, proposal(n, x402(amount, VENDOR, to), now), now, book)
}

fn refused_twice(policy: &AuthenticPolicy, book: &mut Book) -> UnixSeconds {
    for n in [1, 2] {
        let evil = proposal(n, x402(10, "evil.example", PAYEE), NOW);
        assert_eq!(code(&admit_at(policy, evil, NOW, book)), "policy");
    }
    NOW.plus(3_599)
}

fn failed_twice(policy: &AuthenticPolicy, book: &mut Book) -> UnixSeconds {
    for n in [1, 2] {
        let reserved = pay_at(policy, None, (n, 10, PAYEE), NOW, book).unwrap();
        void(book, reserved.row());
    }
    NOW.plus(3_599)
}

/// 10 in the hour before this one, of which the mean over two hours is 5.
fn spent_a_little(policy: &AuthenticPolicy, book: &mut Book) -> UnixSeconds {
    let _ = pay_at(policy, None, (1, 10, PAYEE), NOW, book).unwrap();
    NOW.plus(3_601)
}

fn paid_somebody_new(policy: &AuthenticPolicy, book: &mut Book) -> UnixSeconds {
    let _ = pay_at(policy, None, (1, 10, OTHER), NOW, book).unwrap();
    NOW.plus(3_599)
}

/// Each form, what leads up to it, the payment it stops at, and what it says.
const FORMS: [(&str, Lead, u128, &str); 4] = [
    ("{ refusals: 2, per: hour }", refused_twice, 10, "limit 2 refusals per hour, already 2"),
    ("{ failures: 2, per: hour }", failed_twice, 10, "limit 2 failures per hour, already 2"),
    (
        "{ spike: 2x, per: hour, over: 2 }",
        spent_a_little,
        11,
        "limit 2 times the mean of 0.000005 USDC over 2 periods per hour, already 0 USDC, asked \
         0.000011 USDC",
    ),
    (
        "{ new_payees: 1, per: hour }",
        paid_somebody_new,
        10,
        "limit 1 new payees per hour, already 1",
    ),
];

/// The payment that trips: to somebody new, ten units or one too many.
const TRIPS: u64 = 50;

fn tripped(freeze: &str, lead: Lead, amount: u128, held: Option<&Freeze>) -> (Book, UnixSeconds) {
    let policy = stopping(freeze);
    let mut book = Book::new();
    let now = lead(&policy, &mut book);
    assert_eq!(book.tripped(&agent()).unwrap(), None, "{freeze}: too early");
    let trips = pay_at(&policy, held, (TRIPS, amount, PAYEE), now, &mut book);
    assert_eq!(code(&trips), "policy", "{freeze}");
    (book, now)
}

#[test]
fn each_form_stops_the_agent_and_says_why() {
    for (freeze, lead, amount, says) in FORMS {
        let (mut book, now) = tripped(freeze, lead, amount, None);
        let trip = book.tripped(&agent()).unwrap().unwrap().clone();
        assert!(trip.reason.contains(says), "{}", trip.reason);
        assert_eq!((trip.freeze_epoch, trip.at), (0, now));
        let refused_before = book.health(&agent()).unwrap().clone();
        // Whatever it asks now, small and known or the very same again, it is stopped.
        for n in [1, TRIPS, 51] {
            let again = pay_at(&stopping(freeze), None, (n, 1, PAYEE), now, &mut book);
            let Err(AdmitError::Refused(Refusal::AgentFrozen { reason, .. })) = again else {
                panic!("{freeze}: {again:?}");
            };
            assert_eq!(reason, trip.reason);
        }
        assert_eq!(book.health(&agent()).unwrap(), &refused_before, "to be stopped is no refusal");
        // A restart does not help it: the stop is a row.
        let mut rebuilt = Book::new();
        rebuilt.trip(&trip).unwrap();
        let again = pay_at(&stopping(freeze), None, (51, 1, PAYEE), now, &mut rebuilt);
        assert_eq!(code(&again), "agent_frozen");
    }
}

#[test]
fn a_second_or_a_unit_before_nothing_stops() {
    for (freeze, lead, amount, _) in FORMS {
        let policy = stopping(freeze);
        let mut book = Book::new();
        let now = lead(&policy, &mut book);
        // What was too long ago does not count; one unit less is no spike.
        let (now, amount) = if amount == 11 { (now, 10) } else { (now.plus(1), amount) };
        let paid = pay_at(&policy, None, (TRIPS, amount, PAYEE), now, &mut book);
        assert_eq!(code(&paid), "reserved", "{freeze}");
        assert_eq!(book.tripped(&agent()).unwrap(), None);
    }
}

#[test]
fn only_a_thaw_above_the_freeze_known_then_resumes() {
    for (freeze, lead, amount, _) in FORMS {
        let held = document(5, false);
        let (book, now) = tripped(freeze, lead, amount, Some(&held));
        assert_eq!(book.tripped(&agent()).unwrap().unwrap().freeze_epoch, 5);
        let now = now.plus(1);
        for (document, expected) in [
            (None, "agent_frozen"),
            (Some(document(1, false)), "agent_frozen"),
            (Some(document(4, false)), "agent_frozen"),
            (Some(document(5, false)), "agent_frozen"),
            (Some(document(5, true)), "agent_frozen"),
            (Some(document(6, true)), "agent_frozen"),
            (Some(document(6, false)), "reserved"),
            (Some(document(9, false)), "reserved"),
        ] {
            let mut book = book.clone();
            let paid = pay_at(&stopping(freeze), document.as_ref(), (51, 5, PAYEE), now, &mut book);
            assert_eq!(code(&paid), expected, "{freeze} {document:?}");
        }
    }
}

#[test]
fn what_led_to_a_stop_does_not_stop_again_after_a_thaw() {
    for (freeze, lead, amount, _) in FORMS {
        let policy = stopping(freeze);
        let (mut book, now) = tripped(freeze, lead, amount, None);
        let thaw = document(1, false);
        for n in 60..64 {
            let paid = pay_at(&policy, Some(&thaw), (n, 1, PAYEE), now.plus(n), &mut book);
            assert_eq!(code(&paid), "reserved", "{freeze}: payment {n}");
        }
    }
    // And what comes after it does.
    let policy = stopping("{ refusals: 2, per: hour }");
    let (mut book, now) = tripped("{ refusals: 2, per: hour }", refused_twice, 10, None);
    let thaw = document(1, false);
    for n in [70, 71] {
        let evil = proposal(n, x402(1, "evil.example", PAYEE), now.plus(1));
        let refused = admit_while(&policy, Some(&thaw), evil, now.plus(1), &mut book);
        assert_eq!(code(&refused), "policy");
    }
    let paid = pay_at(&policy, Some(&thaw), (72, 1, PAYEE), now.plus(2), &mut book);
    assert_eq!(code(&paid), "policy");
    let paid = pay_at(&policy, Some(&thaw), (73, 1, PAYEE), now.plus(2), &mut book);
    assert_eq!(code(&paid), "agent_frozen", "the thaw was for the stop before");
    assert_eq!(book.tripped(&agent()).unwrap().unwrap().freeze_epoch, 1);
}

/// A courier may keep a freeze and its thaw back until a rule has stopped the agent.
#[test]
fn a_thaw_signed_before_the_stop_resumes_nobody() {
    let (freeze, lead, amount, _) = FORMS[0];
    let (mut book, now) = tripped(freeze, lead, amount, None);
    let withheld = |at| Freeze { at, ..document(2, false) };
    for (thaw, expected) in [
        (withheld(UnixSeconds(0)), "agent_frozen"),
        (withheld(now.minus(1)), "agent_frozen"),
        (withheld(now), "reserved"),
    ] {
        let paid = pay_at(&stopping(freeze), Some(&thaw), (51, 1, PAYEE), now.plus(1), &mut book);
        assert_eq!(code(&paid), expected, "{thaw:?}");
    }
}

/// The caller's mistake; where it stops too much it is harmless, where it resumes it is not.
#[test]
fn a_thaw_of_another_agent_resumes_nobody() {
    let (freeze, lead, amount, _) = FORMS[0];
    let (mut book, now) = tripped(freeze, lead, amount, None);
    let other = Freeze { agent: AgentId::new("other").unwrap(), ..document(9, false) };
    let mut pay = |held: &Freeze| {
        code(&pay_at(&stopping(freeze), Some(held), (51, 1, PAYEE), now.plus(1), &mut book))
    };
    assert_eq!(pay(&other), "agent_frozen");
    assert_eq!(pay(&document(9, false)), "reserved");
}

#[test]
fn one_agent_s_stop_is_not_another_s() {
    let (freeze, lead, amount, _) = FORMS[0];
    let (mut book, now) = tripped(freeze, lead, amount, None);
    let other = policy_of("{ agent: other }", 7, ALLOW);
    let policies = set(&[&other]);
    let rulebook = Rulebook { policies: &policies, registry: None, frozen: None };
    let mut intent = intent(80, x402(1, VENDOR, PAYEE), now);
    (intent.agent, intent.wallet) = (AgentId::new("other").unwrap(), OTHER);
    let paid = admit_under(&rulebook, authentic(intent), vec![], now, &mut book);
    assert_eq!(code(&paid), "reserved");
}

#[test]
fn what_only_warns_stops_nobody() {
    let (_, lead, amount, _) = FORMS[0];
    let rule = format!("{ALLOW}  - {{ freeze: {{ refusals: 2, per: hour }}, then: warn }}");
    let warns = policy(&rule);
    let mut book = Book::new();
    let now = lead(&warns, &mut book);
    let paid = pay_at(&warns, None, (TRIPS, amount, PAYEE), now, &mut book).unwrap();
    assert_eq!(paid.decision().unwrap().warnings().count(), 1);
    assert_eq!(book.tripped(&agent()).unwrap(), None);
    let binding = policy(ALLOW);
    let freeze = file(ORGANISATION, 3, "  - freeze: { refusals: 2, per: hour }");
    let trial = signed(format!("mode: warn\n{freeze}")).open_policy(&authority(1, 1)).unwrap();
    let policies = set(&[&binding, &trial]);
    let rulebook = Rulebook { policies: &policies, registry: None, frozen: None };
    let paid = authentic(intent(90, x402(1, VENDOR, PAYEE), now));
    assert_eq!(code(&admit_under(&rulebook, paid, vec![], now, &mut book)), "reserved");
}

/// A stopped agent takes nothing back either: a cancellation is a signature too.
#[test]
fn a_stopped_agent_signs_no_cancellation() {
    let policy = stopping("{ refusals: 2, per: hour }");
    let mut book = Book::new();
    let paid = pay_at(&policy, None, (9, 10, PAYEE), NOW, &mut book).unwrap();
    assert_eq!(paid.row().kind, PaymentKind::X402Exact);
    let now = refused_twice(&policy, &mut book).minus(3_590);
    assert_eq!(code(&pay_at(&policy, None, (TRIPS, 10, PAYEE), now, &mut book)), "policy");
    let back = admit_at(&policy, proposal(91, cancel(id(9)), now), now, &mut book);
    assert_eq!(code(&back), "agent_frozen");
}
