//! Transfers and charges, by their `TransferWithMemo` logs; those that were diverted, by theirs.

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use alloy_rpc_types_eth::{Filter, Log};
use alloy_sol_types::SolEvent as _;
use tercet_policy::evidence::TokenMovement;
use tercet_policy::money::Amount;
use tercet_policy::rows::{PaymentKind, SpendRow};

use super::Tip20::TransferWithMemo;
use super::unseen::{self, Unseen};
use super::window::Window;
use super::{Marks, TempoOutcome, blocked};
use crate::endpoint::Endpoint;
use crate::error::{ChainError, FailureCause, Read};
use crate::evidence::Measure;
use crate::quorum::most_common;
use crate::reader::ChainReader;

/// The movement that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) token: Address,
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) amount: Amount,
    memo: B256,
    pub(super) marks: Marks,
}

/// What one endpoint shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    /// The movement, as it was signed.
    Moved(TokenMovement),
    /// A movement with its memo to somebody else, or of another amount; or one of its transaction
    /// with no memo.
    Diverted(TokenMovement),
    /// No log of it.
    Unseen(Unseen),
}

impl Wanted {
    pub(super) fn of(row: &SpendRow, marks: Marks) -> Option<Self> {
        let (PaymentKind::TempoTransfer | PaymentKind::MppCharge, Some(mark), Some(to)) =
            (row.kind, &row.mark, row.recipient)
        else {
            return None;
        };
        let (token, from) = (row.token, row.wallet);
        Some(Self { token, from, to, amount: mark.amount, memo: mark.memo, marks })
    }

    /// Any recipient: no movement with its memo must look as if it had never happened.
    fn filter(&self) -> Filter {
        Filter::new()
            .address(self.token)
            .event_signature(TransferWithMemo::SIGNATURE_HASH)
            .topic1(U256::from_be_slice(self.from.as_slice()))
            .topic3(self.memo)
    }

    /// The movement that a log shows, where it is by this wallet and with this memo: servers are
    /// not trusted to filter.
    fn read(&self, log: &Log) -> Result<Option<TokenMovement>, FailureCause> {
        let Ok(event) = TransferWithMemo::decode_log(&log.inner) else { return Ok(None) };
        let own = (event.address, event.from, event.memo) == (self.token, self.from, self.memo);
        if log.removed || !own {
            return Ok(None);
        }
        let nonsense = FailureCause::Nonsense { what: "a transfer log" };
        let (transaction, block) =
            log.transaction_hash.zip(log.block_number).ok_or_else(|| nonsense.clone())?;
        let units = u128::try_from(event.amount).map_err(|_| nonsense)?;
        Ok(Some(TokenMovement {
            token: event.address,
            from: event.from,
            to: event.to,
            amount: Amount::from_base_units(units),
            memo: event.memo,
            transaction,
            block,
        }))
    }

    fn fits(&self, movement: &TokenMovement) -> bool {
        (movement.to, movement.amount) == (self.to, self.amount)
    }
}

impl ChainReader {
    pub(super) async fn movement_outcome(
        &self,
        wanted: Wanted,
        window: Window,
        measure: Measure,
    ) -> Result<TempoOutcome, ChainError> {
        let look = move |endpoint| look(endpoint, wanted, window);
        let sightings = self.ask(Read::Movement, look).await?.of_anybody()?;
        Ok(conclude(window, measure, &sightings))
    }
}

/// One endpoint's sighting of the movement, or of its used lane, outweighs every other's word; that
/// there is none needs a quorum.
pub(super) fn conclude(window: Window, measure: Measure, sightings: &[Sighting]) -> TempoOutcome {
    let of = |wanted: fn(&Sighting) -> Option<&TokenMovement>| -> Vec<TokenMovement> {
        sightings.iter().filter_map(wanted).cloned().collect()
    };
    let moved = of(|seen| match seen {
        Sighting::Moved(movement) => Some(movement),
        _ => None,
    });
    if let Some((movement, votes)) = most_common(&moved) {
        let finality = measure.finality(votes, movement.block);
        return TempoOutcome::Moved { movement: movement.clone(), finality };
    }
    let diverted = of(|seen| match seen {
        Sighting::Diverted(movement) => Some(movement),
        _ => None,
    });
    if let Some((movement, _)) = most_common(&diverted) {
        return TempoOutcome::Diverted { movement: movement.clone() };
    }
    let unseen = sightings.iter().filter_map(|seen| match seen {
        Sighting::Unseen(unseen) => Some(*unseen),
        _ => None,
    });
    unseen::conclude(window, measure, unseen)
}

async fn look(
    endpoint: Arc<Endpoint>,
    wanted: Wanted,
    window: Window,
) -> Result<Sighting, FailureCause> {
    let mut diverted = None;
    for log in window.logs(&endpoint, &wanted.filter()).await? {
        let Some(movement) = wanted.read(&log)? else { continue };
        // A memo of the agent's own choice may be that of another payment as well.
        if !wanted.marks.may_be(&endpoint.raw_transaction(movement.transaction).await?) {
            continue;
        }
        if wanted.fits(&movement) {
            return Ok(Sighting::Moved(movement));
        }
        diverted.get_or_insert(movement);
    }
    if let Some(movement) = diverted {
        return Ok(Sighting::Diverted(movement));
    }
    match window.end {
        Some(_) => without_memo(&endpoint, &wanted, &window).await,
        None => Ok(Sighting::Unseen(Unseen::Live)),
    }
}

/// What it means that no log has the memo.
async fn without_memo(
    endpoint: &Endpoint,
    wanted: &Wanted,
    window: &Window,
) -> Result<Sighting, FailureCause> {
    let unseen = Unseen::look(endpoint, wanted.from, &wanted.marks, window).await?;
    let blocked = match unseen {
        // What cannot be looked at in full was mined all the same.
        Unseen::Hidden => blocked::find(endpoint, wanted, window).await.ok().flatten(),
        Unseen::Nothing if wanted.marks.lane().is_none() => {
            blocked::find(endpoint, wanted, window).await?
        }
        _ => None,
    };
    Ok(blocked.map_or(Sighting::Unseen(unseen), Sighting::Diverted))
}
