//! What one key of the authority may change alone: a policy it makes stricter, and nothing else.

use tercet_policy::document::Signed;
use tercet_policy::rules::{POLICY_EPOCH_BY_ONE_MAX, PolicyDocument, SignedPolicy};

use super::super::*;
use super::fixture::*;

fn by_one(seed: u8, yaml: String) -> SignedPolicy {
    Signed::by(PolicyDocument { yaml }, &key(seed)).unwrap()
}

fn one(epoch: u64, daily: &str) -> SignedPolicy {
    by_one(3, policy_text(epoch, daily))
}

fn held(journal: &Journal) -> (u64, String) {
    let roll = journal.roll();
    let policy = roll.policy(&agents()).unwrap();
    let limit = policy.rules().iter().find(|rule| rule.kind().word() == "limit").unwrap();
    (policy.epoch(), format!("{:?}", limit.kind()))
}

#[tokio::test]
async fn one_key_makes_a_policy_stricter_over_restarts_too() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    journal.install_policy(one(2, "0.25 USDC")).await.unwrap();
    assert_eq!(code(&pay(&journal, 1).await), "ok");
    assert_eq!(code(&pay(&journal, 2).await), "policy");
    let (head, before) = (journal.head(), held(&journal));
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!((journal.head(), held(&journal)), (head, before), "opened as it was then");
    assert_eq!(code(&pay(&journal, 2).await), "policy");
    journal.install_policy(policy(3, "10 USDC")).await.unwrap();
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(held(&journal).0, 3);
    assert_eq!(code(&pay(&journal, 2).await), "ok", "the quorum loosens");
}

#[tokio::test]
async fn one_key_changes_nothing_else() {
    let (_place, journal) = Place::with_policy("10 USDC").await;
    journal.install_policy(one(2, "5 USDC")).await.unwrap();
    let (head, before) = (journal.head(), held(&journal));
    let text = |epoch| policy_text(epoch, "5 USDC");
    let without_limit = text(3).replace("  - limit: { amount: 5 USDC, per: day }\n", "");
    let other_payee = text(3).replace("0x209693", "0x309693").to_lowercase();
    let cases = [
        ("more money", one(3, "5.000001 USDC")),
        ("no limit", by_one(3, without_limit)),
        ("another payee", by_one(3, other_payee)),
        ("one service more", by_one(3, text(3).replace("[api.", "[b.example, api."))),
        ("a longer window for as much", by_one(3, text(3).replace("per: day", "per: hour"))),
        ("only warned", by_one(3, text(3).replace("rules:", "mode: warn\nrules:"))),
        ("not of the authority", by_one(9, policy_text(3, "1 USDC"))),
        ("an epoch for ever", one(POLICY_EPOCH_BY_ONE_MAX + 1, "1 USDC")),
        ("an older epoch", one(1, "1 USDC")),
        ("the same epoch", one(2, "1 USDC")),
        (
            "a subject without a policy",
            by_one(3, text(3).replace("{ agent: research-01 }", "{ organisation: acme }")),
        ),
        (
            "another agent",
            by_one(3, text(3).replace("{ agent: research-01 }", "{ agent: other-02 }")),
        ),
    ];
    for (what, policy) in cases {
        let refused = journal.install_policy(policy).await;
        let right = matches!(
            refused,
            Err(JournalError::Policy(_) | JournalError::OldEpoch { pinned: 2, .. })
        );
        assert!(right, "{what}: {refused:?}");
        assert_eq!((journal.head(), held(&journal)), (head, before.clone()), "{what}");
    }
    journal.install_policy(one(3, "4 USDC")).await.unwrap();
}

/// A courier may bring a stricter version before the wider one that it follows: what is stricter
/// is said by the policy held here, not by the one the signer had before it.
#[tokio::test]
async fn what_is_stricter_hangs_on_the_policy_that_is_held_here() {
    let (place, journal) = Place::with_policy("5 USDC").await;
    let stricter = one(3, "8 USDC");
    let refused = journal.install_policy(stricter.clone()).await;
    assert!(matches!(refused, Err(JournalError::Policy(_))), "{refused:?}");
    journal.install_policy(policy(2, "10 USDC")).await.unwrap();
    journal.install_policy(stricter).await.unwrap();
    let late = journal.install_policy(policy(2, "10 USDC")).await;
    assert!(matches!(late, Err(JournalError::OldEpoch { pinned: 3, .. })), "{late:?}");
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(held(&journal).0, 3);
}

/// Both were judged against the same policy; only one of them can follow it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_versions_at_once_neither_loosens_the_other() {
    for _ in 0..8 {
        let (place, journal) = Place::with_policy("10 USDC").await;
        let (a, b) = (journal.clone(), journal.clone());
        let strict = tokio::spawn(async move { a.install_policy(one(2, "1 USDC")).await });
        let wide = tokio::spawn(async move { b.install_policy(one(3, "9 USDC")).await });
        let (strict, wide) = (strict.await.unwrap(), wide.await.unwrap());
        // 9 follows 10 but not 1; 1 follows both, were its epoch not the older one.
        assert!(strict.is_ok() != wide.is_ok(), "{strict:?} {wide:?}");
        let expected = if strict.is_ok() { 2 } else { 3 };
        let journal = place.reopen(journal).await.unwrap();
        assert_eq!(held(&journal).0, expected);
    }
}
