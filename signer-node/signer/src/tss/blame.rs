//! Whose fault a failure of the library is.
//!
//! The library's reasons are private types; what it lets out is their text. The version is pinned
//! exactly, and tests hold the texts this module reads. Where a text is not known, nobody is
//! singled out: all peers of the run are suspects (of a pair, that is the one).

use std::error::Error;
use std::fmt::Write as _;

use tercet_policy::party::Party;

use super::error::{BadShare, OurBug, PeerFault, TssError};
use super::seats::Seats;

/// What the first cause of an error of each protocol says, by whose fault it is.
const PEER_TEXTS: [&str; 2] = [
    "protocol was aborted by malicious party",
    "protocol was maliciously aborted by another party",
];
const SHARE_TEXT: &str = "provided key share is not valid";
const ARGUMENTS_TEXT: &str = "invalid arguments";
/// Two parties were told different things; the library then names whoever noticed as well.
const EQUIVOCATION_TEXT: &str = "NotReliable";
/// How the library's `AbortBlame` prints a culprit, and how a bare list of them begins.
const CULPRIT_TEXTS: [&str; 2] = ["faulty_party: ", "parties: ["];

/// A failure that the library reported. `heard` says whether any peer's message was taken in.
pub(super) fn of_library<E>(err: E, seats: &Seats, heard: bool) -> TssError
where
    E: Error + Send + Sync + 'static,
{
    let reason = err.source().map(ToString::to_string).unwrap_or_default();
    let fault = match reason.as_str() {
        SHARE_TEXT => return TssError::BadShare(BadShare::Form),
        ARGUMENTS_TEXT => return TssError::Bug(OurBug::Library),
        text if PEER_TEXTS.contains(&text) => fault_of_peer(&err),
        _ if heard => PeerFault::BrokeTheLibrary,
        _ => return TssError::Bug(OurBug::Library),
    };
    let suspects = suspects(&err, fault, seats);
    TssError::BadPeer { suspects, fault, cause: Some(Box::new(err)) }
}

/// A panic of the library. Charged to the peers once any was heard.
pub(super) fn of_panic(seats: &Seats, heard: bool) -> TssError {
    if heard {
        let suspects = seats.peers().collect();
        TssError::BadPeer { suspects, fault: PeerFault::BrokeTheLibrary, cause: None }
    } else {
        TssError::Bug(OurBug::Library)
    }
}

fn fault_of_peer(err: &dyn Error) -> PeerFault {
    if debug_text(err).contains(EQUIVOCATION_TEXT) {
        PeerFault::Equivocation
    } else {
        PeerFault::ProofFailed
    }
}

fn suspects(err: &dyn Error, fault: PeerFault, seats: &Seats) -> Vec<Party> {
    let named = if fault == PeerFault::ProofFailed { culprits(&debug_text(err)) } else { vec![] };
    let mut named: Vec<Party> = named.into_iter().filter_map(|i| seats.at(i)).collect();
    named.retain(|&party| seats.peer_index(party).is_some());
    named.sort_unstable();
    named.dedup();
    if named.is_empty() { seats.peers().collect() } else { named }
}

fn culprits(text: &str) -> Vec<u16> {
    let is_list = |c: &char| c.is_ascii_digit() || matches!(c, ',' | ' ');
    let after = CULPRIT_TEXTS.into_iter().flat_map(|mark| text.split(mark).skip(1));
    let lists = after.map(|rest| rest.chars().take_while(is_list).collect::<String>());
    lists
        .flat_map(|list| list.split(", ").filter_map(|i| i.parse().ok()).collect::<Vec<_>>())
        .collect()
}

fn debug_text(err: &dyn Error) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(text, "{err:?}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("signing protocol failed")]
    struct Failure(#[source] Reason);

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Reason {
        text: &'static str,
        detail: &'static str,
    }

    fn fail(text: &'static str, detail: &'static str, heard: bool) -> TssError {
        let seats = Seats::new(Party::Agent, &Party::ALL, 3).unwrap();
        of_library(Failure(Reason { text, detail }), &seats, heard)
    }

    fn blamed(err: TssError) -> (Vec<Party>, PeerFault) {
        match err {
            TssError::BadPeer { suspects, fault, .. } => (suspects, fault),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_named_culprit_is_the_only_suspect() {
        let detail = "InvalidModProof, parties: [AbortBlame { faulty_party: 2, data_message: 4 }]";
        let (suspects, fault) = blamed(fail(PEER_TEXTS[0], detail, true));
        assert_eq!((suspects, fault), (vec![Party::Recovery], PeerFault::ProofFailed));
        let list = "FeldmanVerificationFailed { parties: [1, 2] }";
        let (suspects, _) = blamed(fail(PEER_TEXTS[0], list, true));
        assert_eq!(suspects, [Party::Operator, Party::Recovery]);
    }

    #[test]
    fn without_a_name_all_peers_are_suspects() {
        let all = vec![Party::Operator, Party::Recovery];
        assert_eq!(
            blamed(fail(PEER_TEXTS[1], "MismatchedDelta", true)),
            (all.clone(), PeerFault::ProofFailed)
        );
        let named = "Round1aNotReliable([AbortBlame { faulty_party: 1 }])";
        assert_eq!(
            blamed(fail(PEER_TEXTS[1], named, true)),
            (all.clone(), PeerFault::Equivocation)
        );
        let ourselves = "EncProofOfK([(AbortBlame { faulty_party: 0 }, InvalidProof)])";
        assert_eq!(
            blamed(fail(PEER_TEXTS[1], ourselves, true)),
            (all.clone(), PeerFault::ProofFailed)
        );
        assert_eq!(
            blamed(fail("bug occurred", "PaillierDec(alpha)", true)),
            (all, PeerFault::BrokeTheLibrary)
        );
    }

    #[test]
    fn before_anyone_was_heard_it_is_ours() {
        for text in ["bug occurred", "i/o error", "", ARGUMENTS_TEXT] {
            assert!(matches!(fail(text, "", false), TssError::Bug(OurBug::Library)), "{text}");
        }
        assert!(matches!(fail(SHARE_TEXT, "", true), TssError::BadShare(BadShare::Form)));
    }
}
