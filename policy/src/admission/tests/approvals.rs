//! What people say, through the door: who is heard, and when it is enough.

use super::*;
use crate::approval::{APPROVALS_MAX, Approval};
use crate::decision::Outcome;
use crate::fixture::{AGENT, ORGANISATION, admit_under, opened, policy_of, previewed, set, yes};
use crate::intent::AuthenticIntent;
use crate::rows::PolicyEpochs;

mod carried;

const ALICE: u8 = 11;
const BOB: u8 = 12;
const CAROL: u8 = 13;
const DAVE: u8 = 14;
const ROBOT: u8 = 7;
const STRANGER: u8 = 15;

/// What a key said, how many seconds ago: yes or no.
type Word = (u8, bool, u64);

fn asking(ask: &str) -> AuthenticPolicy {
    policy_of(AGENT, 7, &format!("{ALLOW}  - ask: {{ above: 1 USDC, {ask} }}"))
}

/// Two dollars to a vendor: enough to be asked about.
fn large(n: u64) -> AuthenticIntent {
    authentic(intent(n, x402(2_000_000, VENDOR, PAYEE), NOW))
}

fn words(intent: &AuthenticIntent, words: &[Word]) -> Vec<AuthenticApproval> {
    let word = |&(seed, approves, ago): &Word| {
        opened(Approval { approves, ..yes(intent, EPOCHS, NOW.minus(ago)) }, seed)
    };
    words.iter().map(word).collect()
}

fn submit(
    policies: &[&AuthenticPolicy],
    intent: AuthenticIntent,
    approvals: Vec<AuthenticApproval>,
    book: &mut Book,
) -> Admitted {
    let policies = set(policies);
    let rulebook = Rulebook { policies: &policies, registry: None, frozen: None };
    admit_under(&rulebook, intent, approvals, NOW, book)
}

/// What comes of two dollars after these words.
fn after(ask: &str, said: &[Word]) -> String {
    let intent = large(1);
    let approvals = words(&intent, said);
    let mut book = Book::new();
    let admitted = submit(&[&asking(ask)], intent, approvals, &mut book);
    assert_eq!(has_no_row(&book), admitted.is_err(), "{ask} {said:?}");
    code(&admitted)
}

#[test]
fn enough_of_those_who_were_asked_have_to_say_yes() {
    let two = "approvers: { any: 2, of: [alice, bob, carol] }, expires: 20s";
    let all = "approvers: { any: 3, of: [alice, bob, carol] }";
    let role = "approvers: { any: 2, role: finance }";
    let order = "approvers: { sequence: [alice, bob, carol] }";
    let own = "approvers: { any: 1, of: [robot, alice] }";
    let default = "expires: 1m";
    let (open, reserved, no) = ("approval_missing", "reserved", "policy");
    for (ask, words, expected) in [
        (two, &[][..], open),
        (two, &[(ALICE, true, 1)], open),
        (two, &[(ALICE, true, 1), (BOB, true, 1)], reserved),
        (two, &[(CAROL, true, 19), (BOB, true, 19)], reserved),
        // A person counts once, however often it signs.
        (two, &[(ALICE, true, 1), (ALICE, true, 1)], open),
        (two, &[(ALICE, true, 1), (ALICE, true, 2), (ALICE, true, 3)], open),
        // A yes holds for 20 seconds, and not for one more.
        (two, &[(ALICE, true, 1), (BOB, true, 20)], open),
        // Who said it too long ago may say it again.
        (two, &[(ALICE, true, 25), (ALICE, true, 2), (BOB, true, 1)], reserved),
        // Who was not asked is not heard.
        (two, &[(ALICE, true, 1), (DAVE, true, 1)], open),
        (two, &[(ALICE, true, 1), (STRANGER, true, 1)], open),
        (all, &[(ALICE, true, 1), (BOB, true, 1)], open),
        (all, &[(ALICE, true, 1), (BOB, true, 1), (CAROL, true, 1)], reserved),
        (role, &[(ALICE, true, 1), (CAROL, true, 1)], open),
        (role, &[(ALICE, true, 1), (BOB, true, 1)], reserved),
        (order, &[(ALICE, true, 3), (BOB, true, 2), (CAROL, true, 1)], reserved),
        (order, &[(CAROL, true, 1), (BOB, true, 2), (ALICE, true, 3)], reserved),
        (order, &[(ALICE, true, 1), (BOB, true, 1), (CAROL, true, 1)], reserved),
        (order, &[(ALICE, true, 2), (BOB, true, 3), (CAROL, true, 1)], open),
        (order, &[(ALICE, true, 3), (BOB, true, 1), (CAROL, true, 2)], open),
        (order, &[(ALICE, true, 3), (CAROL, true, 1)], open),
        (order, &[(BOB, true, 2), (CAROL, true, 1)], open),
        // Whoever said it too early may say it again.
        (order, &[(BOB, true, 9), (ALICE, true, 3), (BOB, true, 2), (CAROL, true, 1)], reserved),
        (order, &[(ALICE, true, 1), (ALICE, true, 3), (BOB, true, 2), (CAROL, true, 1)], reserved),
        // Nobody approves for itself.
        (own, &[(ROBOT, true, 1)], open),
        (own, &[(ROBOT, true, 1), (ALICE, true, 1)], reserved),
        (default, &[(ALICE, true, 59)], reserved),
        (default, &[(ALICE, true, 60)], open),
        (default, &[(BOB, true, 1)], open),
        // One no of anybody who was asked ends it, and does not grow old.
        (two, &[(ALICE, true, 1), (BOB, true, 1), (CAROL, false, 1)], no),
        (two, &[(ALICE, true, 1), (BOB, true, 1), (CAROL, false, 9_999)], no),
        (two, &[(ALICE, true, 1), (BOB, true, 1), (BOB, false, 2)], no),
        (two, &[(ALICE, true, 1), (BOB, true, 1), (DAVE, false, 1)], reserved),
        (two, &[(ALICE, true, 1), (BOB, true, 1), (STRANGER, false, 1)], reserved),
        (two, &[(ALICE, true, 1), (BOB, true, 1), (ROBOT, false, 1)], reserved),
    ] {
        assert_eq!(after(ask, words), expected, "{ask} {words:?}");
    }
}

#[test]
fn a_payment_that_nobody_is_asked_about_needs_nobody() {
    let small = authentic(intent(1, x402(10, VENDOR, PAYEE), NOW));
    let asking = asking("approvers: { any: 1, of: [alice] }");
    let admitted = submit(&[&asking], small, vec![], &mut Book::new());
    assert_eq!(code(&admitted), "reserved");
}

#[test]
fn people_are_not_asked_past_a_no() {
    let hard = "  - max_amount: 1.5 USDC\n  - ask: { above: 1 USDC }";
    let policy = policy_of(AGENT, 7, &format!("{ALLOW}{hard}"));
    let approvals = words(&large(1), &[(ALICE, true, 1)]);
    assert_eq!(code(&submit(&[&policy], large(1), approvals, &mut Book::new())), "policy");
}

#[test]
fn each_policy_asks_its_own_people() {
    let organisation =
        policy_of(ORGANISATION, 3, "  - ask: { above: 1 USDC, approvers: { any: 1, of: [bob] } }");
    let agent = asking("approvers: { any: 1, of: [alice] }");
    let epochs = PolicyEpochs { organisation: Some(3), ..EPOCHS };
    for (seeds, expected) in [
        (&[ALICE][..], "approval_missing"),
        (&[BOB], "approval_missing"),
        (&[ALICE, BOB], "reserved"),
    ] {
        let intent = large(1);
        let approvals = seeds.iter().map(|&seed| opened(yes(&intent, epochs, NOW), seed));
        let approvals = approvals.collect();
        let admitted = submit(&[&organisation, &agent], intent, approvals, &mut Book::new());
        assert_eq!(code(&admitted), expected, "{seeds:?}");
    }
}

#[test]
fn what_is_missing_says_who_said_yes_so_far() {
    let two = asking("approvers: { any: 2, of: [alice, bob, carol] }, expires: 30m");
    let intent = large(1);
    let approvals = words(&intent, &[(BOB, true, 1), (DAVE, true, 1), (BOB, true, 2)]);
    let mut book = Book::new();
    let admitted = submit(&[&two], intent, approvals, &mut book);
    let Err(AdmitError::Refused(Refusal::ApprovalMissing(decision))) = admitted else {
        panic!("{admitted:?}");
    };
    assert_eq!(decision.verdict, Verdict::AskHuman);
    let asks: Vec<_> = decision.objections().collect();
    let [(opinion, found)] = asks.as_slice() else { panic!("{asks:?}") };
    assert_eq!((opinion.policy.as_str(), opinion.epoch), ("research-01", 7));
    assert_eq!((found.outcome, found.limit.as_str()), (Outcome::Asks, "above 1 USDC"));
    assert_eq!(found.approvers.as_deref(), Some("2 of alice, bob, carol within 30m"));
    assert_eq!(found.approved_by, ["bob"]);
    assert_eq!(decision.policies[0].findings.len(), 3, "the rules that are kept too");
    assert_eq!(book.health(&agent()).unwrap(), &Health::default(), "to be asked is no refusal");
}

#[test]
fn what_was_approved_says_who_approved_it_and_is_not_asked_again() {
    let one = asking("approvers: { any: 1, of: [alice, bob] }");
    let mut book = Book::new();
    let approvals = words(&large(1), &[(BOB, true, 1)]);
    let reserved = submit(&[&one], large(1), approvals, &mut book).unwrap();
    let found = &reserved.decision().unwrap().policies[0].findings[2];
    assert_eq!((found.outcome, &found.approved_by), (Outcome::Kept, &vec!["bob".to_owned()]));
    // The same once more is the same digest, and spends nothing new.
    let again = submit(&[&one], large(1), vec![], &mut book).unwrap();
    assert!(again.same_again());
    // A yes to one payment is none to the next, though all but its id is alike.
    let approvals = words(&large(1), &[(BOB, true, 1)]);
    assert_eq!(code(&submit(&[&one], large(2), approvals, &mut book)), "approval_missing");
    assert_eq!(book.ledger().unwrap().len(), 1);
}

#[test]
fn a_signed_no_counts_as_a_refusal() {
    let one = asking("approvers: { any: 1, of: [alice, bob] }");
    let mut book = Book::new();
    let approvals = words(&large(1), &[(ALICE, true, 1), (BOB, false, 1)]);
    assert_eq!(code(&submit(&[&one], large(1), approvals, &mut book)), "policy");
    assert_eq!(book.health(&agent()).unwrap().refused_since(NOW), 1);
}

#[test]
fn no_more_approvals_are_looked_at_than_are_named() {
    let one = asking("approvers: { any: 1, of: [alice] }");
    let after = |strangers: usize| {
        let mut all = vec![(STRANGER, true, 1); strangers];
        all.push((ALICE, true, 1));
        let approvals = words(&large(1), &all);
        code(&submit(&[&one], large(1), approvals, &mut Book::new()))
    };
    assert_eq!(after(APPROVALS_MAX - 1), "reserved");
    assert_eq!(after(APPROVALS_MAX), "approval_missing");
}

const ESCALATING: &str = "approvers: { any: 1, of: [alice], escalate: { after: 30s, to: { any: 2, \
                          of: [carol, dave, alice] } } }";

#[test]
fn others_decide_when_it_takes_long() {
    let policy = asking(ESCALATING);
    let policies = set(&[&policy]);
    let rulebook = Rulebook { policies: &policies, registry: None, frozen: None };
    let answer = |now: UnixSeconds, words: &[(u8, bool)]| {
        let intent = large(1);
        let say = |&(seed, approves): &(u8, bool)| {
            opened(Approval { approves, ..yes(&intent, EPOCHS, NOW) }, seed)
        };
        let approvals = words.iter().map(say).collect();
        let proposal = previewed(intent, EPOCHS);
        let submission = Submission { proposal, approvals, balance: None };
        admit(&rulebook, submission, now, &mut Book::new())
    };
    for (seconds, words, expected) in [
        (29, &[(CAROL, true), (DAVE, true)][..], "approval_missing"),
        (30, &[(CAROL, true), (DAVE, true)], "reserved"),
        (30, &[(CAROL, true)], "approval_missing"),
        (29, &[(ALICE, true)], "reserved"),
        (30, &[(ALICE, true)], "reserved"),
        (59, &[(CAROL, true), (DAVE, true)], "reserved"),
        (60, &[(CAROL, true), (DAVE, true)], "intent_expired"),
        // Whoever may be asked later can say no at once.
        (1, &[(ALICE, true), (DAVE, false)], "policy"),
    ] {
        assert_eq!(code(&answer(NOW.plus(seconds), words)), expected, "{seconds} {words:?}");
    }
    let approved_by = |seconds, words: &[(u8, bool)]| match answer(NOW.plus(seconds), words) {
        Ok(reserved) => reserved.decision().unwrap().policies[0].findings[2].approved_by.clone(),
        Err(AdmitError::Refused(Refusal::ApprovalMissing(decision))) => {
            decision.policies[0].findings[2].approved_by.clone()
        }
        Err(other) => panic!("{other}"),
    };
    assert_eq!(approved_by(29, &[(CAROL, true)]), [""; 0], "not asked yet");
    assert_eq!(approved_by(30, &[(CAROL, true)]), ["carol"]);
    let all = [(DAVE, true), (CAROL, true), (ALICE, true)];
    assert_eq!(approved_by(30, &all), ["alice", "carol", "dave"], "each once");
}
