//! Documents, wallets and their epochs.

use tercet_policy::document::{AuthorityConfig, Ed25519PublicKey, Signed};

use super::super::*;
use super::fixture::*;

#[tokio::test]
async fn epochs_only_rise_over_restarts_too() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    journal.install_policy(policy(5, "1 USDC")).await.unwrap();
    journal.install_enrolment(enrolment(5)).await.unwrap();
    journal.install_freeze(freeze(5, true)).await.unwrap();
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(journal.roll().policy(&agents()).unwrap().epoch(), 5);
    let refused = [
        journal.install_policy(policy(4, "10 USDC")).await,
        journal.install_policy(policy(5, "10 USDC")).await,
        journal.install_enrolment(enrolment(4)).await,
        journal.install_freeze(freeze(4, false)).await,
        journal.install_freeze(freeze(5, false)).await,
    ];
    for (case, refused) in refused.into_iter().enumerate() {
        let old = matches!(refused, Err(JournalError::OldEpoch { pinned: 5, .. }));
        assert!(old, "case {case}: {refused:?}");
    }
    assert!(journal.roll().freeze(&agent()).unwrap().frozen);
}

#[tokio::test]
async fn the_same_document_again_is_no_row() {
    let (_place, journal) = Place::with_policy("10 USDC").await;
    journal.install_freeze(freeze(1, false)).await.unwrap();
    let head = journal.head();
    prepare(&journal, "10 USDC").await;
    journal.install_freeze(freeze(1, false)).await.unwrap();
    assert_eq!(journal.head(), head);
}

#[tokio::test]
async fn documents_without_the_authoritys_quorum_are_refused() {
    let (_place, journal) = Place::with_policy("10 USDC").await;
    let head = journal.head();
    let mut one_key = policy(2, "99 USDC");
    one_key.signatures.truncate(1);
    assert!(matches!(journal.install_policy(one_key).await, Err(JournalError::Policy(_))));
    let mut changed = policy(2, "99 USDC");
    changed.document.yaml.push(' ');
    assert!(matches!(journal.install_policy(changed).await, Err(JournalError::Policy(_))));
    let mut one_key = enrolment(2);
    one_key.signatures.truncate(1);
    let refused = journal.install_enrolment(one_key).await;
    assert!(matches!(refused, Err(JournalError::Document(_))), "{refused:?}");
    let mut thaw = freeze(2, false);
    thaw.signatures.truncate(1);
    let refused = journal.install_freeze(thaw).await;
    assert!(matches!(refused, Err(JournalError::Document(_))), "{refused:?}");
    assert_eq!(journal.head(), head);
}

#[tokio::test]
async fn an_enrolment_that_names_one_node_twice_is_refused() {
    let place = Place::empty();
    let journal = place.open().await.unwrap();
    let mut twice = enrolment(1).document;
    twice.recovery_node.channel = twice.agent_node.channel;
    let refused = journal.install_enrolment(quorum(twice)).await;
    assert!(matches!(refused, Err(JournalError::PartiesNotDistinct { .. })), "{refused:?}");
}

/// Keys 4 and 5 are pinned at the second start: what keys 1 and 2 signed is not believed any
/// more, but what it forbade stays forbidden.
#[tokio::test]
async fn a_document_of_a_former_authority_keeps_its_epoch_and_loses_its_force() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    journal.install_freeze(freeze(3, false)).await.unwrap();
    place.close(journal).await;
    let keys = [4, 5].map(|n| Ed25519PublicKey::of(&key(n))).to_vec();
    let authority = AuthorityConfig { keys, threshold: 1 }.try_into().unwrap();
    let pins = Pins { authority, own_policies: Vec::new() };
    let home = Arc::new(Home::open(&place.path()).unwrap());
    let journal = Journal::open(home, pins, NOW).await.unwrap();
    let roll = journal.roll();
    assert!(roll.policy(&agents()).is_none());
    assert!(roll.enrolment(&agent()).is_none());
    assert!(roll.freeze(&agent()).unwrap().frozen);
    let older = Signed::by(policy(1, "20 USDC").document, &key(4)).unwrap();
    let refused = journal.install_policy(older).await;
    assert!(matches!(refused, Err(JournalError::OldEpoch { pinned: 1, .. })), "{refused:?}");
    let newer = Signed::by(policy(2, "20 USDC").document, &key(4)).unwrap();
    journal.install_policy(newer).await.unwrap();
    assert_eq!(journal.roll().policy(&agents()).unwrap().epoch(), 2);
}

/// A courier may bring either first, and the journal may be read again under another authority.
#[tokio::test]
async fn of_a_freeze_and_a_thaw_of_one_epoch_the_freeze_stands() {
    for frozen_first in [true, false] {
        let (place, journal) = Place::with_policy("10 USDC").await;
        journal.install_freeze(freeze(3, frozen_first)).await.unwrap();
        let second = journal.install_freeze(freeze(3, !frozen_first)).await;
        assert_eq!(second.is_err(), frozen_first, "{second:?}");
        assert!(journal.roll().freeze(&agent()).unwrap().frozen);
        let again = journal.install_freeze(freeze(3, false)).await;
        assert!(matches!(again, Err(JournalError::OldEpoch { pinned: 3, .. })), "{again:?}");
        place.close(journal).await;
        for keys in [[1, 2], [4, 5]] {
            let keys = keys.map(|n| Ed25519PublicKey::of(&key(n))).to_vec();
            let authority = AuthorityConfig { keys, threshold: 2 }.try_into().unwrap();
            let pins = Pins { authority, own_policies: Vec::new() };
            let home = Arc::new(Home::open(&place.path()).unwrap());
            let journal = Journal::open(home, pins, NOW).await.unwrap();
            assert!(journal.roll().freeze(&agent()).unwrap().frozen);
            place.close(journal).await;
        }
    }
}

#[tokio::test]
async fn a_wallet_has_one_agent_for_good() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    let other = AgentId::new("other-02").unwrap();
    let refused = journal.add_wallet(other, WALLET, RequestId([6; 32])).await;
    assert!(matches!(refused, Err(JournalError::WalletOfAnother { .. })), "{refused:?}");
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(journal.roll().wallet(&WALLET).unwrap().agent, agent());
    assert_eq!(journal.roll().wallet_for(&RequestId([5; 32])), Some(WALLET));
    assert_eq!(journal.roll().wallet_for(&RequestId([6; 32])), None);
}
