//! Presignatures of the insecure dealer pass every check that real ones pass, on real shares.

use std::sync::Arc;

use tercet_policy::party::Party::{self, Agent, Operator, Recovery};
use tercet_policy::payload::{FinishedPayment, SigningPayload};

use super::super::*;
use super::support::{self, SESSION, wallet};

const SEED: [u8; 32] = [9; 32];

fn half(ready: &[Arc<SigningShare>], number: u64, me: Party, peer: Party) -> Presignature {
    let share = &ready[usize::from(me.index())];
    InsecureDeal { seed: &SEED, number }.half(share, peer).unwrap()
}

fn text(ready: &[Arc<SigningShare>]) -> SigningPayload {
    SigningPayload::wallet_proof(ready[0].card().address, &SESSION, [Agent, Operator])
}

#[tokio::test]
async fn every_pair_signs_with_what_each_side_dealt_itself() {
    let ready = support::ready(wallet().await);
    let address = ready[0].card().address;
    for (number, (low, high)) in
        (0u64..).zip([(Agent, Operator), (Agent, Recovery), (Operator, Recovery)])
    {
        let (a, b) = (half(&ready, number, low, high), half(&ready, number, high, low));
        assert_eq!(a.card().id, b.card().id);
        let [a, b] = [a, b].map(|half| half.issue(text(&ready)).unwrap());
        let (of_a, of_b) = (a.partial(), b.partial());
        // The library checks each part against its commitment, we verify and recover the whole.
        let finished = [a.finish(&of_b).unwrap(), b.finish(&of_a).unwrap()];
        assert_eq!(finished[0], finished[1]);
        let FinishedPayment::Proof(signed) = &finished[0] else { panic!("{:?}", finished[0]) };
        assert_eq!(support::recover(&text(&ready), &signed.signature.to_rsv()), address);
    }
}

#[tokio::test]
async fn numbers_name_different_presignatures_and_their_parts_do_not_mix() {
    let ready = support::ready(wallet().await);
    let a = half(&ready, 1, Agent, Operator);
    let b = half(&ready, 2, Operator, Agent);
    assert_ne!(a.card().id, b.card().id);
    let half = a.issue(text(&ready)).unwrap();
    let theirs = b.issue(text(&ready)).unwrap().partial();
    let fault = half.finish(&theirs).unwrap_err();
    assert!(matches!(fault, TssError::BadPeer { fault: PeerFault::ProofFailed, .. }), "{fault}");
    let own = InsecureDeal { seed: &SEED, number: 1 }.half(&ready[0], Agent).unwrap_err();
    assert!(matches!(own, TssError::Bug(OurBug::Library)), "{own}");
}
