use super::*;
use crate::approval::{Approval, AuthenticApproval};
use crate::ask::{Ask, Facts};
use crate::decision::{Decision, Verdict, decide};
use crate::document::Signed;
use crate::fixture::{EPOCHS, NOW, PAYEE, VENDOR, authentic, intent, key, x402, yaml};
use crate::ledger::Ledger;
use crate::rules::Policy;

/// What a key said: yes or no, and how many seconds ago.
type Word = (u8, bool, u64);

fn policy(ask: &str) -> Policy {
    let hex = |seed| Ed25519PublicKey::of(&key(seed)).to_string();
    let people = format!(
        "people:\n  alice: {{ key: '{}', roles: [finance] }}\n  bob: {{ key: '{}', roles: \
         [finance] }}\n  dave: {{ key: '{}' }}\n  robot: {{ key: '{}' }}\n",
        hex(11),
        hex(12),
        hex(14),
        hex(7),
    );
    let rules = format!("  - allow: {{ services: vendors }}\n  - ask: {{ above: 1 USDC, {ask} }}");
    Policy::parse(&format!("{people}{}", yaml(7, &rules))).unwrap()
}

fn asked(policy: &Policy, words: &[Word], tamper: impl Fn(&mut Approval)) -> Decision {
    let intent = authentic(intent(1, x402(2_000_000, VENDOR, PAYEE), NOW.minus(30)));
    let say = |&(seed, approves, ago): &Word| -> AuthenticApproval {
        let mut approval = Approval {
            intent: intent.intent().id,
            content_hash: intent.content_hash(),
            policies: EPOCHS,
            approves,
            at: NOW.minus(ago),
        };
        tamper(&mut approval);
        Signed::by(approval, &key(seed)).unwrap().open_approval().unwrap()
    };
    let approvals: Vec<_> = words.iter().map(say).collect();
    let ledger = Ledger::new();
    let facts = Facts { approvals: &approvals, epochs: EPOCHS, ..Facts::of(&ledger, NOW) };
    decide(&[policy], &Ask::from(&intent), &facts)
}

#[test]
fn who_has_to_say_yes() {
    use Verdict::{Approve, AskHuman, Refuse};
    let two = "approvers: { any: 2, of: [alice, bob, dave] }, expires: 20s";
    let role = "approvers: { any: 1, role: finance }";
    let order = "approvers: { sequence: [alice, bob] }";
    let later =
        "approvers: { any: 1, of: [alice], escalate: { after: 30s, to: { any: 1, of: [dave] } } }";
    let too_soon =
        "approvers: { any: 1, of: [alice], escalate: { after: 31s, to: { any: 1, of: [dave] } } }";
    let own = "approvers: { any: 1, of: [robot] }";
    for (ask, words, expected) in [
        (two, &[][..], AskHuman),
        (two, &[(11, true, 1)], AskHuman),
        (two, &[(11, true, 1), (11, true, 2)], AskHuman),
        (two, &[(11, true, 1), (12, true, 19)], Approve),
        (two, &[(11, true, 1), (12, true, 20)], AskHuman),
        (two, &[(11, true, 1), (15, true, 1)], AskHuman),
        (two, &[(11, true, 1), (12, true, 1), (14, false, 25)], Refuse),
        (role, &[(12, true, 1)], Approve),
        (role, &[(14, true, 1)], AskHuman),
        (order, &[(12, true, 1), (11, true, 2)], Approve),
        (order, &[(12, true, 2), (11, true, 1)], AskHuman),
        (later, &[(14, true, 1)], Approve),
        (too_soon, &[(14, true, 1)], AskHuman),
        (own, &[(7, true, 1)], AskHuman),
    ] {
        let decision = asked(&policy(ask), words, |_| {});
        assert_eq!(decision.verdict, expected, "{ask} {words:?}: {decision}");
    }
}

#[test]
fn a_yes_is_for_one_content_one_epoch_and_no_later_time() {
    let one = policy("approvers: { any: 1, of: [alice] }");
    let said = |tamper: fn(&mut Approval)| asked(&one, &[(11, true, 1)], tamper).verdict;
    assert_eq!(said(|_| {}), Verdict::Approve);
    assert_eq!(said(|word| word.content_hash.0[0] ^= 1), Verdict::AskHuman);
    assert_eq!(said(|word| word.policies.agent = Some(8)), Verdict::AskHuman);
    assert_eq!(said(|word| word.at = NOW.plus(61)), Verdict::AskHuman);
}

#[test]
fn the_finding_says_who_was_asked_and_who_said_yes() {
    let two = policy("approvers: { any: 2, of: [alice, bob] }, expires: 30m");
    let decision = asked(&two, &[(11, true, 1)], |_| {});
    let found = &decision.policies[0].findings[1];
    assert_eq!(found.approvers.as_deref(), Some("2 of alice, bob within 30m"));
    assert_eq!(found.approved_by, ["alice"]);
}

#[test]
fn approvers_that_could_never_agree_are_refused() {
    let read = |ask: &str| {
        let rules = format!("  - ask: {{ above: 1 USDC, {ask} }}");
        let key = Ed25519PublicKey::of(&key(11));
        let people = format!("people: {{ alice: {{ key: '{key}', roles: [ops] }} }}\n");
        Policy::parse(&format!("{people}{}", yaml(7, &rules)))
    };
    assert!(read("approvers: { any: 1, role: ops }").is_ok());
    for bad in [
        "approvers: { any: 2, of: [alice] }",
        "approvers: { any: 0, of: [alice] }",
        "approvers: { any: 1, of: [nobody] }",
        "approvers: { any: 2, of: [alice, alice] }",
        "approvers: { any: 1, role: finance }",
        "approvers: { any: 1, of: [alice], role: ops }",
        "approvers: { sequence: [] }",
        "new_payee: true",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

/// No more answers are looked at, so more could never be enough.
#[test]
fn more_people_than_are_heard_are_not_asked_for() {
    let roster = |names: &[String]| -> String {
        let person = |(seed, name): (u8, &String)| {
            let key = Ed25519PublicKey::of(&key(seed));
            format!("  {name}: {{ key: '{key}', roles: [ops] }}\n")
        };
        (100u8..).zip(names).map(person).collect()
    };
    for (people, taken) in [(APPROVALS_MAX, true), (APPROVALS_MAX + 1, false)] {
        let names: Vec<_> = (0..people).map(|n| format!("p{n}")).collect();
        let all = names.join(", ");
        for (approvers, taken) in [
            (format!("{{ any: {people}, of: [{all}] }}"), taken),
            (format!("{{ any: {people}, role: ops }}"), taken),
            (format!("{{ sequence: [{all}] }}"), taken),
            (format!("{{ any: 2, of: [{all}] }}"), true),
        ] {
            let rules = format!("  - ask: {{ above: 1 USDC, approvers: {approvers} }}");
            let read = Policy::parse(&format!("people:\n{}{}", roster(&names), yaml(7, &rules)));
            assert_eq!(read.is_ok(), taken, "{approvers}: {read:?}");
        }
    }
}
