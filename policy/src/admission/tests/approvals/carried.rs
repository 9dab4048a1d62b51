//! A coordinator carries what people said. It makes nothing up, and uses nothing twice.

use super::*;
use crate::document::{DocumentError, Signed};
use crate::fixture::{key, registry, said};

/// What was said to one payment under one set of documents says nothing about another.
#[test]
fn no_yes_is_replayed() {
    let one = asking("approvers: { any: 1, of: [alice] }");
    let open = |intent: AuthenticIntent, tamper: &dyn Fn(&mut Approval)| {
        let mut approval = yes(&intent, EPOCHS, NOW);
        tamper(&mut approval);
        let approvals = vec![opened(approval, ALICE)];
        code(&submit(&[&one], intent, approvals, &mut Book::new()))
    };
    assert_eq!(open(large(1), &|_| {}), "reserved");
    let more = authentic(intent(1, x402(2_000_001, VENDOR, PAYEE), NOW));
    let elsewhere = authentic(intent(1, x402(2_000_000, VENDOR, OTHER), NOW));
    let mut other_wallet = intent(1, x402(2_000_000, VENDOR, PAYEE), NOW);
    other_wallet.wallet = OTHER;
    for (what, earlier) in [
        ("of another intent", large(2)),
        ("of another amount", more),
        ("of another payee", elsewhere),
        ("from another wallet", authentic(other_wallet)),
    ] {
        let replayed = open(large(1), &|said| *said = yes(&earlier, EPOCHS, NOW));
        assert_eq!(replayed, "approval_missing", "{what}");
    }
    let epochs = [
        PolicyEpochs { agent: Some(6), ..EPOCHS },
        PolicyEpochs { agent: Some(8), ..EPOCHS },
        PolicyEpochs { agent: None, ..EPOCHS },
        PolicyEpochs { organisation: Some(7), ..EPOCHS },
        PolicyEpochs { wallet: Some(7), ..EPOCHS },
        PolicyEpochs { registry: Some(1), ..EPOCHS },
    ];
    for other in epochs {
        assert_eq!(open(large(1), &|said| said.policies = other), "approval_missing", "{other}");
    }
    // Clocks differ by a minute at most.
    for (seconds, expected) in [(60, "reserved"), (61, "approval_missing")] {
        assert_eq!(open(large(1), &|said| said.at = NOW.plus(seconds)), expected, "{seconds}");
    }
}

/// The name of the intent is what a person is shown, the hash is what an agent signed.
#[test]
fn a_yes_that_names_one_intent_and_hashes_another_counts_for_neither() {
    let one = asking("approvers: { any: 1, of: [alice] }");
    let (first, second) = (large(1), large(2));
    let named = Approval { intent: id(1), ..yes(&second, EPOCHS, NOW) };
    for intent in [first, second] {
        let approvals = vec![opened(named.clone(), ALICE)];
        assert_eq!(code(&submit(&[&one], intent, approvals, &mut Book::new())), "approval_missing");
    }
}

#[test]
fn a_yes_goes_when_a_policy_or_the_registry_changes() {
    let asked = asking("approvers: { any: 1, of: [alice] }");
    let policies = set(&[&asked]);
    let admitted = |approved_at: u64, held: u64| {
        let known = registry(held);
        let rulebook = Rulebook { policies: &policies, registry: Some(&known), frozen: None };
        let epochs = PolicyEpochs { registry: Some(approved_at), ..EPOCHS };
        let intent = large(1);
        let approvals = vec![opened(yes(&intent, epochs, NOW), ALICE)];
        code(&admit_under(&rulebook, intent, approvals, NOW, &mut Book::new()))
    };
    assert_eq!(admitted(5, 5), "reserved");
    assert_eq!(admitted(5, 6), "approval_missing");
    assert_eq!(admitted(6, 5), "approval_missing");
}

/// A coordinator carries approvals; it cannot make one.
#[test]
fn no_approval_is_forged() {
    let intent = large(1);
    let good = said(yes(&intent, EPOCHS, NOW), ALICE);
    assert!(good.clone().open_approval().is_ok());
    let bad = Err(DocumentError::BadSignature { kind: "approval".to_owned() });
    let mut by_another_name = said(yes(&intent, EPOCHS, NOW), STRANGER);
    by_another_name.signatures[0].key = good.signatures[0].key;
    let mut turned = said(Approval { approves: false, ..yes(&intent, EPOCHS, NOW) }, ALICE);
    turned.document.approves = true;
    let mut younger = said(yes(&intent, EPOCHS, NOW.minus(9_999)), ALICE);
    younger.document.at = NOW;
    let mut moved = good.clone();
    moved.document.content_hash = large(2).content_hash();
    let mut renewed = good.clone();
    renewed.document.policies.agent = Some(8);
    let unsigned = Signed { document: good.document.clone(), signatures: vec![] };
    let mut by_two = good.clone();
    by_two.add_signature(&key(BOB)).unwrap();
    let mut twice = good.clone();
    twice.add_signature(&key(ALICE)).unwrap();
    for forged in [by_another_name, turned, younger, moved, renewed, unsigned, by_two, twice] {
        assert_eq!(forged.clone().open_approval(), bad, "{forged:?}");
    }
}
