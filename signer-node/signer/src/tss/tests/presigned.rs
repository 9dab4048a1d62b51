//! Presignatures, and the signatures that come of them.

use std::sync::Arc;

use futures_util::future::join_all;
use tercet_policy::party::Party;
use tercet_policy::party::Party::{Agent, Operator, Recovery};
use tercet_policy::payload::{FinishedPayment, SigningPayload};

use super::super::*;
use super::support::{self, SESSION, fields_of, threads, wallet};
use super::table;

pub(super) async fn pair_of(ready: &[Arc<SigningShare>], pair: &[Party; 2]) -> [Presignature; 2] {
    let fields = ExecutionFields { protocol: Protocol::Presign, ..fields_of(ready, pair) };
    let sessions = table::sessions(&fields, Patience::SIGN, &table::honest());
    let threads = threads();
    let runs = sessions.into_iter().zip(pair).map(|(session, party)| {
        presign(&threads, session, Arc::clone(&ready[usize::from(party.index())]))
    });
    let made: Vec<_> = join_all(runs).await.into_iter().map(Result::unwrap).collect();
    made.try_into().unwrap()
}

fn text(ready: &[Arc<SigningShare>], session: &[u8; 32]) -> SigningPayload {
    SigningPayload::wallet_proof(ready[0].card().address, session, [Agent, Operator])
}

#[tokio::test]
async fn every_pair_signs_with_a_presignature_and_both_finish_alike() {
    let ready = support::ready(wallet().await);
    let address = ready[0].card().address;
    for pair in [[Agent, Operator], [Agent, Recovery], [Operator, Recovery]] {
        let [first, second] = pair_of(&ready, &pair).await;
        assert_eq!(first.card().id, second.card().id);
        assert_eq!((first.card().me, first.card().peer), (pair[0], pair[1]));
        assert_eq!(
            format!("{first:?}"),
            format!("Presignature({} of {address})", first.card().id.0)
        );
        let halves = [first, second].map(|half| half.issue(text(&ready, &SESSION)).unwrap());
        let [a, b] = halves;
        let (of_a, of_b) = (a.partial(), b.partial());
        assert_eq!(format!("{of_a:?}"), "PartialSignature(..)");
        let finished = [a.finish(&of_b).unwrap(), b.finish(&of_a).unwrap()];
        assert_eq!(finished[0], finished[1]);
        let FinishedPayment::Proof(signed) = &finished[0] else { panic!("{:?}", finished[0]) };
        let rsv = signed.signature.to_rsv();
        assert_eq!(support::recover(&text(&ready, &SESSION), &rsv), address);
    }
}

#[tokio::test]
async fn a_part_of_another_payment_or_presignature_is_the_peers_fault() {
    let ready = support::ready(wallet().await);
    let pair = [Agent, Operator];
    let [a1, b1] = pair_of(&ready, &pair).await;
    let [a2, b2] = pair_of(&ready, &pair).await;
    let [a3, _] = pair_of(&ready, &pair).await;
    assert_ne!(a1.card().id, a2.card().id);
    let other = text(&ready, &[8; 32]);
    // The peer signs another text with the presignature, and the text with another one.
    let of_other_text = b1.issue(other).unwrap().partial();
    let of_other_presignature = b2.issue(text(&ready, &SESSION)).unwrap().partial();
    for (ours, theirs) in [
        (a1, of_other_text),
        (a2, PartialSignature::from_bytes([0; PARTIAL_BYTES])),
        (a3, of_other_presignature),
    ] {
        let half = ours.issue(text(&ready, &SESSION)).unwrap();
        let fault = half.finish(&theirs).unwrap_err();
        let TssError::BadPeer { suspects, fault, .. } = fault else { panic!("{fault}") };
        assert_eq!((suspects, fault), (vec![Operator], PeerFault::ProofFailed));
    }
}

#[tokio::test]
async fn numbers_beyond_the_order_are_no_part_and_other_wallets_are_refused() {
    let ready = support::ready(wallet().await);
    let elsewhere = support::ready(wallet().await);
    let [a, b] = pair_of(&ready, &[Agent, Operator]).await;
    let half = a.issue(text(&ready, &SESSION)).unwrap();
    let beyond = PartialSignature::from_bytes([0xff; PARTIAL_BYTES]);
    let fault = half.finish(&beyond).unwrap_err();
    assert!(matches!(fault, TssError::BadPeer { fault: PeerFault::Undecodable, .. }), "{fault}");
    let refused = b.issue(text(&elsewhere, &SESSION)).unwrap_err();
    assert!(matches!(refused, TssError::BadCall(BadCall::OtherRun)), "{refused}");
}
