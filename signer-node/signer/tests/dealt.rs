//! Presignatures of the insecure dealer pass every check that real ones pass, on real shares: the
//! library checks each part against its commitment, and we verify the signature with another
//! implementation and recover it to the wallet.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests may fail, loudly"
)]

#[path = "support/table.rs"]
mod table;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tercet_policy::party::Party::{self, Agent, Operator, Recovery};
use tercet_policy::payload::{FinishedPayment, SigningPayload};
use tercet_signer::tss;
use tercet_signer::tss::{
    ExecutionFields, GroupAux, InsecureDeal, OurBug, Patience, PeerFault, Presignature, Protocol,
    SigningShare, ThreadLimits, Threads, TssError,
};

const SEED: [u8; 32] = [9; 32];
const SESSION: [u8; 32] = [7; 32];

fn aux(party: Party) -> GroupAux {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let text = std::fs::read(folder.join(format!("TEST-ONLY-group-aux-{party}.json"))).unwrap();
    let fixture: Value = serde_json::from_slice(&text).unwrap();
    GroupAux::from_sealed_bytes(&serde_json::to_vec(&fixture["payload"]).unwrap(), party).unwrap()
}

/// The shares of a new wallet, by party.
async fn shares() -> Vec<Arc<SigningShare>> {
    let (threads, aux) = (Threads::new(ThreadLimits::default()), Party::ALL.map(aux));
    let fields = ExecutionFields {
        protocol: Protocol::Wallet,
        wallet: None,
        key_epoch: 0,
        session: &SESSION,
        parties: &Party::ALL,
        attempt: 0,
        aux_hash: Some(aux[0].aux_hash()),
    };
    let sessions = table::sessions(&fields, Patience::WALLET, &table::honest());
    let runs = sessions.into_iter().zip(&aux).map(|(s, aux)| tss::make_wallet(&threads, s, aux));
    let made = futures_util::future::try_join_all(runs).await.unwrap();
    made.into_iter().zip(&aux).map(|(share, aux)| share.assemble(aux).unwrap()).collect()
}

fn half(shares: &[Arc<SigningShare>], number: u64, me: Party, peer: Party) -> Presignature {
    let share = &shares[usize::from(me.index())];
    InsecureDeal { seed: &SEED, number }.half(share, peer).unwrap()
}

fn text(shares: &[Arc<SigningShare>]) -> SigningPayload {
    SigningPayload::wallet_proof(shares[0].card().address, &SESSION, [Agent, Operator])
}

#[tokio::test]
async fn every_pair_signs_with_what_each_side_dealt_itself() {
    let shares = shares().await;
    let pairs = [(Agent, Operator), (Agent, Recovery), (Operator, Recovery)];
    for (number, (low, high)) in (0u64..).zip(pairs) {
        let (a, b) = (half(&shares, number, low, high), half(&shares, number, high, low));
        assert_eq!(a.card().id, b.card().id);
        let [a, b] = [a, b].map(|half| half.issue(text(&shares)).unwrap());
        let (of_a, of_b) = (a.partial(), b.partial());
        let finished = [a.finish(&of_b).unwrap(), b.finish(&of_a).unwrap()];
        assert_eq!(finished[0], finished[1]);
        assert!(matches!(finished[0], FinishedPayment::Proof(_)), "{:?}", finished[0]);
    }
}

#[tokio::test]
async fn numbers_name_different_presignatures_and_their_parts_do_not_mix() {
    let shares = shares().await;
    let a = half(&shares, 1, Agent, Operator);
    let b = half(&shares, 2, Operator, Agent);
    assert_ne!(a.card().id, b.card().id);
    let theirs = b.issue(text(&shares)).unwrap().partial();
    let fault = a.issue(text(&shares)).unwrap().finish(&theirs).unwrap_err();
    assert!(matches!(fault, TssError::BadPeer { fault: PeerFault::ProofFailed, .. }), "{fault}");
    let own = InsecureDeal { seed: &SEED, number: 1 }.half(&shares[0], Agent).unwrap_err();
    assert!(matches!(own, TssError::Bug(OurBug::Library)), "{own}");
}
