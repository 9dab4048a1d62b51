//! Access keys, by the `KeyAuthorized` and `KeyRevoked` logs of the AccountKeychain.
//!
//! A key is of one account and is authorized once for good, but one that the chain had refused may be
//! asked for again: whose log it is, its transaction tells. That a key was never authorized gives back
//! what it could have taken, so it needs a quorum, and the lane of the transaction to be unused or
//! used by one that failed.

use std::sync::Arc;

use alloy_primitives::{Address, U256};
use alloy_rpc_types_eth::{Filter, Log};
use alloy_sol_types::SolEvent as _;
use tercet_policy::access_key::KeyAct;
use tercet_policy::evidence::KeyLog;
use tercet_policy::rows::SpendRow;
use tercet_policy::tempo::keychain::ACCOUNT_KEYCHAIN;

use super::Keychain::{KeyAuthorized, KeyRevoked};
use super::unseen::{self, Unseen};
use super::window::Window;
use super::{Marks, TempoOutcome};
use crate::endpoint::Endpoint;
use crate::error::{ChainError, FailureCause, Read};
use crate::evidence::Measure;
use crate::quorum::most_common;
use crate::reader::ChainReader;

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    account: Address,
    key: Address,
    /// Whether it was to be authorized; otherwise it was to be revoked.
    authorizes: bool,
    marks: Marks,
}

/// What one endpoint shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    /// It happened.
    Done(KeyLog),
    /// No log of it.
    Unseen(Unseen),
}

impl Wanted {
    pub(super) fn of(row: &SpendRow, marks: Marks) -> Option<Self> {
        let act = row.key?;
        let authorizes = matches!(act, KeyAct::Authorize { .. });
        Some(Self { account: row.wallet, key: act.key(), authorizes, marks })
    }

    fn filter(&self) -> Filter {
        let event = match self.authorizes {
            true => KeyAuthorized::SIGNATURE_HASH,
            false => KeyRevoked::SIGNATURE_HASH,
        };
        Filter::new()
            .address(ACCOUNT_KEYCHAIN)
            .event_signature(event)
            .topic1(U256::from_be_slice(self.account.as_slice()))
            .topic2(U256::from_be_slice(self.key.as_slice()))
    }

    /// What a log shows, where it is of this key: servers are not trusted to filter.
    fn read(&self, log: &Log) -> Result<Option<KeyLog>, FailureCause> {
        let named = match self.authorizes {
            true => KeyAuthorized::decode_log(&log.inner).map(|e| (e.account, e.publicKey)),
            false => KeyRevoked::decode_log(&log.inner).map(|e| (e.account, e.publicKey)),
        };
        let of_keychain = !log.removed && log.address() == ACCOUNT_KEYCHAIN;
        let Some((account, key)) =
            named.ok().filter(|named| of_keychain && *named == (self.account, self.key))
        else {
            return Ok(None);
        };
        let place = log.transaction_hash.zip(log.block_number);
        let (transaction, block) =
            place.ok_or(FailureCause::Nonsense { what: "a log without its transaction" })?;
        Ok(Some(KeyLog { account, key, authorized: self.authorizes, transaction, block }))
    }
}

impl ChainReader {
    pub(super) async fn key_outcome(
        &self,
        wanted: Wanted,
        window: Window,
        measure: Measure,
    ) -> Result<TempoOutcome, ChainError> {
        let look = move |endpoint| look(endpoint, wanted, window);
        let sightings = self.ask(Read::Key, look).await?.of_anybody()?;
        Ok(conclude(window, measure, &sightings))
    }
}

/// One endpoint's sighting of the log, or of the used lane, outweighs every other's word; that there
/// is none needs a quorum.
pub(super) fn conclude(window: Window, measure: Measure, sightings: &[Sighting]) -> TempoOutcome {
    let done = sightings.iter().filter_map(|seen| match seen {
        Sighting::Done(log) => Some(*log),
        _ => None,
    });
    let done: Vec<_> = done.collect();
    if let Some((log, votes)) = most_common(&done) {
        return TempoOutcome::KeySet { log: *log, finality: measure.finality(votes, log.block) };
    }
    let unseen = sightings.iter().filter_map(|seen| match seen {
        Sighting::Unseen(unseen) => Some(*unseen),
        Sighting::Done(_) => None,
    });
    unseen::conclude(window, measure, unseen)
}

async fn look(
    endpoint: Arc<Endpoint>,
    wanted: Wanted,
    window: Window,
) -> Result<Sighting, FailureCause> {
    for log in window.logs(&endpoint, &wanted.filter()).await? {
        let Some(seen) = wanted.read(&log)? else { continue };
        if wanted.marks.may_be(&endpoint.raw_transaction(seen.transaction).await?) {
            return Ok(Sighting::Done(seen));
        }
    }
    let unseen = match window.end {
        Some(_) => Unseen::look(&endpoint, wanted.account, &wanted.marks, &window).await?,
        None => Unseen::Live,
    };
    Ok(Sighting::Unseen(unseen))
}
