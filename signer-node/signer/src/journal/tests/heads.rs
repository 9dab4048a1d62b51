//! Heads, our own and the peers', and execution ids.

use super::super::*;
use super::fixture::*;

fn node() -> NodeId {
    NodeId::new("operator-01").unwrap()
}

fn head(rows: u64, n: u8) -> Head {
    Head { rows, hash: ContentHash([n; 32]), tag: ContentHash([0; 32]) }
}

/// Said at another start of the peer's process each time, unless told otherwise.
fn heard(head: Head) -> Heard {
    let mut start = [0; 32];
    getrandom::fill(&mut start).unwrap();
    Heard { node: node(), start, head }
}

#[tokio::test]
async fn what_another_overtook_is_late_within_one_start_and_a_step_back_in_the_next() {
    let place = Place::empty();
    let journal = place.open().await.unwrap();
    let said = |start: u8, head| Heard { node: node(), start: [start; 32], head };
    journal.note_peer_head(said(1, head(7, 2))).await.unwrap();
    journal.note_peer_head(said(1, head(6, 3))).await.unwrap();
    assert_eq!(journal.peer_head(node()).await.unwrap(), Some(head(7, 2)));
    let beside = journal.note_peer_head(said(1, head(7, 3))).await;
    assert!(matches!(beside, Err(JournalError::PeerWentBack { .. })), "{beside:?}");
    let back = journal.note_peer_head(said(2, head(6, 3))).await;
    assert!(matches!(back, Err(JournalError::PeerWentBack { .. })), "{back:?}");
    let late = journal.note_peer_head(said(1, head(5, 1))).await;
    assert!(late.is_ok(), "what was refused leaves the start as it was: {late:?}");
}

#[tokio::test]
async fn a_peer_whose_journal_went_back_is_refused_over_restarts_too() {
    let place = Place::empty();
    let journal = place.open().await.unwrap();
    journal.note_peer_head(heard(head(5, 1))).await.unwrap();
    journal.note_peer_head(heard(head(7, 2))).await.unwrap();
    journal.note_peer_head(heard(head(7, 2))).await.unwrap();
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(journal.peer_head(node()).await.unwrap(), Some(head(7, 2)));
    for (what, said) in
        [("shorter", head(6, 3)), ("begun anew", head(1, 9)), ("beside it", head(7, 3))]
    {
        let refused = journal.note_peer_head(heard(said)).await;
        let right = matches!(&refused, Err(JournalError::PeerWentBack { known, .. })
            if **known == head(7, 2));
        assert!(right, "{what}: {refused:?}");
    }
    journal.note_peer_head(heard(head(8, 4))).await.unwrap();
}

#[tokio::test]
async fn a_peers_head_does_not_move_our_own() {
    let place = Place::empty();
    let journal = place.open().await.unwrap();
    let ours = journal.head();
    journal.note_peer_head(heard(head(5, 1))).await.unwrap();
    journal.note_execution([1; 32]).await.unwrap();
    assert_eq!(journal.head(), ours);
}

#[tokio::test]
async fn what_a_peer_was_told_must_still_be_there() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    let early = journal.head();
    paid(&journal, 1).await;
    let late = journal.head();
    for seen in [early, late] {
        journal.compare_own_head(seen).await.unwrap();
    }
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(journal.head(), late);
    journal.compare_own_head(late).await.unwrap();
}

#[tokio::test]
async fn a_head_that_a_peer_makes_up_stops_nothing() {
    let (_place, journal) = Place::with_policy("10 USDC").await;
    let ours = journal.head();
    let made_up = [
        Head { rows: ours.rows + 1, ..ours },
        Head { hash: ContentHash([1; 32]), ..ours },
        Head { tag: ContentHash([1; 32]), ..ours },
        head(9, 9),
    ];
    for seen in made_up {
        let refused = journal.compare_own_head(seen).await;
        assert_eq!(refused, Err(JournalError::NotOurHead { seen: Box::new(seen) }));
    }
    paid(&journal, 1).await;
}

/// The disk is put back to an earlier copy while the peer remembers.
#[tokio::test]
async fn a_restored_copy_is_noticed_through_the_peers_memory() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    place.close(journal).await;
    let copy = std::fs::read(place.file()).unwrap();
    let journal = place.open().await.unwrap();
    paid(&journal, 1).await;
    let remembered = journal.head();
    place.close(journal).await;
    std::fs::write(place.file(), copy).unwrap();
    let journal = place.open().await.unwrap();
    paid(&journal, 2).await;
    assert_eq!(journal.head().rows, remembered.rows, "as long as before, but another");
    let refused = journal.compare_own_head(remembered).await;
    assert!(matches!(refused, Err(JournalError::WentBack { .. })), "{refused:?}");
    let sealed = pay(&journal, 3).await;
    assert!(matches!(sealed, Err(AdmitError::Journal(JournalError::Sealed { .. }))));
}

#[tokio::test]
async fn two_journals_never_have_one_head() {
    let (one, two) = (Place::empty(), Place::empty());
    assert_ne!(one.open().await.unwrap().head(), two.open().await.unwrap().head());
}

#[tokio::test]
async fn the_head_moves_with_every_row() {
    let (_place, journal) = Place::with_policy("10 USDC").await;
    let mut watching = journal.clone();
    let first = watching.head_moved().await.unwrap();
    paid(&journal, 1).await;
    let second = watching.head_moved().await.unwrap();
    assert_eq!(second.rows, first.rows + 1);
    journal.close().await.unwrap();
    assert_eq!(watching.head_moved().await, None);
}

#[tokio::test]
async fn an_execution_id_is_taken_once_for_good() {
    let place = Place::empty();
    let journal = place.open().await.unwrap();
    let (one, two) =
        tokio::join!(journal.note_execution([1; 32]), journal.note_execution([1; 32]),);
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(), 1);
    let journal = place.reopen(journal).await.unwrap();
    let refused = journal.note_execution([1; 32]).await;
    assert!(matches!(refused, Err(JournalError::ExecutionRepeats { .. })), "{refused:?}");
    journal.note_execution([2; 32]).await.unwrap();
}
