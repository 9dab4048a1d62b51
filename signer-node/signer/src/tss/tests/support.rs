//! Fixtures, and runs of all parties at once.

use std::path::Path;
use std::sync::Arc;

use alloy_primitives::{Address, keccak256};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use serde_json::Value;
use tercet_policy::party::Party;
use tercet_policy::payload::{FinishedPayment, SigningPayload};

use super::super::*;
use super::table;
use crate::primes::SafePrimes;

pub(super) const SESSION: [u8; 32] = [7; 32];

/// The payload of a fixture in `tests/fixtures`.
pub(super) fn fixture(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let text = std::fs::read(folder.join(name)).unwrap();
    let mut fixture: Value = serde_json::from_slice(&text).unwrap();
    assert!(fixture["notice"].as_str().unwrap().contains("TEST ONLY"));
    fixture["payload"].take()
}

pub(super) fn aux_payload(party: Party) -> Value {
    fixture(&format!("TEST-ONLY-group-aux-{party}.json"))
}

pub(super) fn aux_from(payload: &Value, party: Party) -> Result<GroupAux, BadShare> {
    GroupAux::from_sealed_bytes(&serde_json::to_vec(payload).unwrap(), party)
}

/// The fixture group, by index.
pub(super) fn group() -> Vec<GroupAux> {
    Party::ALL.map(|party| aux_from(&aux_payload(party), party).unwrap()).into()
}

pub(super) fn threads() -> Threads {
    Threads::new(ThreadLimits { payment_runs_max: 4, background_runs_max: 3 })
}

pub(super) fn wallet_fields(aux: &GroupAux) -> ExecutionFields<'static> {
    ExecutionFields {
        protocol: Protocol::Wallet,
        wallet: None,
        key_epoch: 0,
        session: &SESSION,
        parties: &Party::ALL,
        attempt: 0,
        aux_hash: Some(aux.aux_hash()),
    }
}

pub(super) fn aux_fields() -> ExecutionFields<'static> {
    ExecutionFields {
        protocol: Protocol::GroupAux,
        wallet: None,
        key_epoch: 0,
        session: &SESSION,
        parties: &Party::ALL,
        attempt: 0,
        aux_hash: None,
    }
}

/// A new wallet of the fixture group, by index.
pub(super) async fn wallet() -> Vec<WalletShare> {
    let fields = wallet_fields(&group()[0]);
    let sessions = table::sessions(&fields, Patience::WALLET, &table::honest());
    wallet_all(sessions).await.into_iter().map(Result::unwrap).collect()
}

pub(super) async fn wallet_all(sessions: Vec<Session>) -> Vec<Result<WalletShare, TssError>> {
    let (threads, aux) = (threads(), group());
    let runs = sessions.into_iter().zip(&aux).map(|(s, aux)| make_wallet(&threads, s, aux));
    futures_util::future::join_all(runs).await
}

pub(super) async fn aux_all(sessions: Vec<Session>) -> Vec<Result<GroupAux, TssError>> {
    let (threads, primes) = (threads(), fixture("TEST-ONLY-primes.json"));
    let runs = sessions.into_iter().zip(Party::ALL).map(|(session, party)| {
        let bytes = serde_json::to_vec(&primes[party.word()]).unwrap();
        make_group_aux(&threads, session, SafePrimes::from_sealed_bytes(&bytes).unwrap())
    });
    futures_util::future::join_all(runs).await
}

/// All three shares, stored and loaded again, ready to sign.
pub(super) fn ready(shares: Vec<WalletShare>) -> Vec<Arc<SigningShare>> {
    let stored = shares.into_iter().zip(Party::ALL).map(|(share, party)| {
        let bytes = share.to_sealed_bytes().unwrap();
        let again = WalletShare::from_sealed_bytes(&bytes, party).unwrap();
        assert_eq!(again.transcript_hash(), share.transcript_hash());
        again
    });
    stored.zip(group()).map(|(share, aux)| share.assemble(&aux).unwrap()).collect()
}

pub(super) fn fields_of<'a>(
    ready: &[Arc<SigningShare>],
    pair: &'a [Party; 2],
) -> ExecutionFields<'a> {
    let card = ready[0].card();
    ExecutionFields {
        protocol: Protocol::Sign,
        wallet: Some(card.address),
        key_epoch: card.key_epoch,
        session: &SESSION,
        parties: pair,
        attempt: 0,
        aux_hash: Some(card.aux_hash),
    }
}

pub(super) fn proof(ready: &[Arc<SigningShare>], pair: &[Party; 2]) -> SigningPayload {
    SigningPayload::wallet_proof(ready[0].card().address, &SESSION, *pair)
}

/// Both parties of the pair sign a wallet proof.
pub(super) async fn sign_all(
    sessions: Vec<Session>,
    ready: &[Arc<SigningShare>],
    pair: &[Party; 2],
) -> Vec<Result<FinishedPayment, TssError>> {
    let threads = threads();
    let runs = sessions.into_iter().zip(pair).map(|(session, party)| {
        let share = Arc::clone(&ready[usize::from(party.index())]);
        sign(&threads, session, share, proof(ready, pair))
    });
    futures_util::future::join_all(runs).await
}

/// The address that a signature on a payload recovers to, by k256.
pub(super) fn recover(payload: &SigningPayload, rsv: &[u8; 65]) -> Address {
    let signature = Signature::from_slice(&rsv[..64]).unwrap();
    let id = RecoveryId::from_byte(rsv[64] - 27).unwrap();
    let digest = keccak256(payload.preimage());
    let key = VerifyingKey::recover_from_prehash(digest.as_slice(), &signature, id).unwrap();
    Address::from_word(keccak256(&key.to_encoded_point(false).as_bytes()[1..]))
}
