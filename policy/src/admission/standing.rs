//! How a proposal stands to what the journal holds already.

use alloy_primitives::B256;

use crate::admission::{AdmitError, IntentRecord, RecordSpend, SlotRecord};
use crate::ask::Ask;
use crate::intent::IntentId;
use crate::ledger::SpendState;
use crate::proposal::{ChainTerms, Proposal, Slot};
use crate::refusal::Refusal;

/// The ways in which a proposal may be admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing is known of it.
    New,
    /// This very digest was admitted before.
    SameAgain,
    /// It takes back what this digest would pay.
    TakesBack(B256),
    /// It is the same payment as that of this digest, at a higher fee.
    HigherFee(B256),
}

impl Standing {
    /// The digest it is a listed replacement of.
    pub(super) const fn replaces(self) -> Option<B256> {
        match self {
            Self::New | Self::SameAgain => None,
            Self::TakesBack(held) | Self::HigherFee(held) => Some(held),
        }
    }
}

pub(super) fn cancels(proposal: &Proposal) -> Option<IntentId> {
    Ask::from(proposal.intent()).cancels
}

/// How the proposal stands to what the journal holds.
pub(super) fn standing<J: RecordSpend>(
    proposal: &Proposal,
    digest: B256,
    journal: &J,
) -> Result<Standing, AdmitError<J::Failure>> {
    let slot = proposal.slot();
    let id = proposal.intent().intent().id;
    let known = journal.intent(&id).map_err(AdmitError::Journal)?;
    let held = journal.slot(&slot).map_err(AdmitError::Journal)?;
    match &known {
        Some(known) => check_known(known, proposal, &slot)?,
        // Its payment is remembered for longer than the intent, and the id stands for that.
        None if journal.ledger().map_err(AdmitError::Journal)?.entry(&id).is_some() => {
            return Err(Refusal::IntentReused { id }.into());
        }
        None => {}
    }
    let cancels = cancels(proposal);
    match (known, held) {
        // A slot nobody holds, and an intent nobody has seen.
        (None, None) => match cancels {
            Some(id) => Err(Refusal::NothingToCancel { id }.into()),
            None => Ok(Standing::New),
        },
        // The journal says of an intent that it holds a slot, and of the slot that it is free.
        (Some(_), None) => Err(Refusal::IntentHasSlot { id, slot: slot.to_string() }.into()),
        // The very same once more.
        (Some(_), Some(held)) if (held.intent, held.digest) == (id, digest) => {
            Ok(Standing::SameAgain)
        }
        (_, Some(held)) if takes_back(cancels, &held) => Ok(Standing::TakesBack(held.digest)),
        (Some(known), Some(held)) if may_pay_more(&known, proposal, &held) => {
            Ok(Standing::HigherFee(held.digest))
        }
        (_, Some(held)) => {
            Err(Refusal::SlotTaken { slot: slot.to_string(), held: held.digest }.into())
        }
    }
}

fn check_known(known: &IntentRecord, proposal: &Proposal, slot: &Slot) -> Result<(), Refusal> {
    let id = proposal.intent().intent().id;
    if known.content_hash != proposal.intent().content_hash() {
        return Err(Refusal::IntentReused { id });
    }
    if known.state == SpendState::Void {
        return Err(Refusal::IntentIsOver { id });
    }
    if known.slot != *slot {
        return Err(Refusal::IntentHasSlot { id, slot: known.slot.to_string() });
    }
    Ok(())
}

/// A cancellation of the intent that holds the slot, or of the one whose cancellation holds it.
fn takes_back(cancels: Option<IntentId>, held: &SlotRecord) -> bool {
    cancels.is_some_and(|id| held.cancels.unwrap_or(held.intent) == id)
}

/// What is on chain is not paid for again.
fn may_pay_more(known: &IntentRecord, proposal: &Proposal, held: &SlotRecord) -> bool {
    known.state != SpendState::Settled && is_higher_fee(proposal, held)
}

/// The same intent and slot, so the same payee, amount and account nonce; only the fee rises.
fn is_higher_fee(proposal: &Proposal, held: &SlotRecord) -> bool {
    let (
        ChainTerms::Eip1559 {
            gas_limit: gas,
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: tip,
            ..
        },
        ChainTerms::Eip1559 {
            gas_limit: gas_held,
            max_fee_per_gas: fee_held,
            max_priority_fee_per_gas: tip_held,
            ..
        },
    ) = (proposal.terms(), &held.terms)
    else {
        return false;
    };
    held.intent == proposal.intent().intent().id
        && fee > fee_held
        && tip >= tip_held
        && gas >= gas_held
}

#[cfg(test)]
mod tests;
