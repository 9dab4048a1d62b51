//! What a journal keeps: one row for every signature that was made possible, one for every
//! outcome.
//!
//! Promises: from its rows alone a ledger can be rebuilt, equal to the one that was lost.
//!
//! Does not protect against: a journal whose rows were changed or cut. Chain the rows, and keep
//! the head elsewhere.

mod hold;
mod kind;
mod outcome;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::access_key::KeyAct;
use crate::ask::Ask;
use crate::chain::Chain;
use crate::channel::ChannelAct;
use crate::declared::{Endpoint, SessionName};
use crate::document::{ContentHash, Freeze};
use crate::intent::{IntentId, Payment, PaymentIntent, Service};
use crate::money::Amount;
use crate::party::AgentId;
use crate::payload::{charge_memo, transfer_memo};
use crate::proposal::{ChainTerms, Proposal, Slot};
use crate::registry::Category;
use crate::time::UnixSeconds;
use crate::window::TZDB_VERSION;

pub use hold::{HoldId, HoldKind, HoldOutcome, HoldOutcomeRow, HoldRow};
pub use kind::{PaymentKind, Protocol};
pub use outcome::{Outcome, OutcomeRow};

/// Epochs of the documents a payment was judged by. A courier restates them, so that a node that
/// lags behind says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyEpochs {
    /// Of the organisation's policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<u64>,
    /// Of the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<u64>,
    /// Of the wallet's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet: Option<u64>,
    /// Of the counterparty registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<u64>,
}

impl std::fmt::Display for PolicyEpochs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = [
            ("organisation", self.organisation),
            ("agent", self.agent),
            ("wallet", self.wallet),
            ("registry", self.registry),
        ];
        let held = named.iter().filter_map(|(name, epoch)| epoch.map(|e| format!("{name} {e}")));
        let held: Vec<_> = held.collect();
        f.write_str(&if held.is_empty() { "none".to_owned() } else { held.join(", ") })
    }
}

/// One admitted proposal. Written before the signature exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendRow {
    /// The intent.
    pub intent: IntentId,
    /// Hash of what the agent signed.
    pub content_hash: ContentHash,
    /// Who asked.
    pub agent: AgentId,
    /// Who pays.
    pub wallet: Address,
    /// What kind of payment.
    pub kind: PaymentKind,
    /// On which chain.
    pub chain: Chain,
    /// In which token.
    pub token: Address,
    /// Base units; zero for a cancellation.
    pub amount: Amount,
    /// Who is paid; nobody for a cancellation.
    pub recipient: Option<Address>,
    /// The service it is for, for x402.
    pub service: Option<Service>,
    /// The endpoint of that service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// What the counterparty registry called the payee's trade at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// The session it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionName>,
    /// The hold it draws on, where its amount was set aside before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldId>,
    /// The intent that a cancellation takes back.
    pub cancels: Option<IntentId>,
    /// What it does to an MPP channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelAct>,
    /// What it does about an access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyAct>,
    /// The transfer by which the chain's logs show it, where it is on Tempo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<TransferMark>,
    /// Most that the chain may take as a fee in the token itself, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Amount>,
    /// The slot that is filled.
    pub slot: Slot,
    /// The digest that may be signed.
    pub digest: B256,
    /// The digest that the slot held before, where this is a listed replacement of it.
    pub replaces: Option<B256>,
    /// The terms, which with the intent give the digest.
    pub terms: ChainTerms,
    /// Epochs of the policies that said yes.
    pub policies: PolicyEpochs,
    /// Release of the IANA time zone database that calendars went by.
    pub tzdb: String,
    /// When it was admitted.
    pub at: UnixSeconds,
}

impl SpendRow {
    pub(crate) fn new(proposal: &Proposal, category: Option<Category>, judged: Judged) -> Self {
        let intent = proposal.intent().intent();
        let ask = Ask::from(proposal.intent());
        Self {
            intent: intent.id,
            content_hash: proposal.intent().content_hash(),
            agent: intent.agent.clone(),
            wallet: intent.wallet,
            kind: ask.kind,
            chain: ask.asset.chain,
            token: ask.asset.token,
            amount: ask.amount,
            recipient: ask.recipient,
            service: ask.service.cloned(),
            session: ask.session.cloned(),
            hold: None,
            cancels: ask.cancels,
            endpoint: ask.endpoint,
            category,
            channel: judged.channel,
            key: KeyAct::of(&intent.payment),
            mark: TransferMark::of(intent),
            fee: intent.payment.token_fee(),
            slot: proposal.slot(),
            digest: judged.digest,
            replaces: judged.replaces,
            terms: proposal.terms().clone(),
            policies: proposal.policies(),
            tzdb: TZDB_VERSION.to_owned(),
            at: judged.at,
        }
    }

    /// Most that the chain may take as a fee, in wei.
    #[must_use]
    pub const fn fee_wei(&self) -> Amount {
        self.terms.fee_wei()
    }

    /// Whether this row adds a payment: a first signature for one does; what moves nothing and a
    /// replacement of the same payment by a higher fee do not.
    #[must_use]
    pub const fn counts(&self) -> bool {
        self.kind.pays() && self.replaces.is_none()
    }

    /// Whether this row signs a payment again, at a higher fee.
    #[must_use]
    pub const fn raises_fee(&self) -> bool {
        self.kind.pays() && self.replaces.is_some()
    }
}

/// What the log of a payment on Tempo says beside wallet, token and payee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferMark {
    /// The memo.
    pub memo: B256,
    /// Base units that the primary payee gets.
    pub amount: Amount,
}

impl TransferMark {
    /// The mark of an intent; nothing where it transfers nothing on Tempo.
    #[must_use]
    pub fn of(intent: &PaymentIntent) -> Option<Self> {
        match &intent.payment {
            Payment::TempoTransfer(t) => {
                let memo = t.memo.unwrap_or_else(|| transfer_memo(&intent.id));
                Some(Self { memo, amount: t.amount })
            }
            Payment::MppCharge(charge) => {
                Some(Self { memo: charge_memo(charge), amount: charge.primary_amount()? })
            }
            _ => None,
        }
    }
}

/// What judging adds to a proposal.
pub(crate) struct Judged {
    pub(crate) digest: B256,
    pub(crate) channel: Option<ChannelAct>,
    pub(crate) replaces: Option<B256>,
    pub(crate) at: UnixSeconds,
}

/// An agent was stopped by a rule of its own policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TripRow {
    /// The agent.
    pub agent: AgentId,
    /// The rule, with its numbers, for people.
    pub reason: String,
    /// Epoch of the agent's latest freeze document then, 0 where there was none: only a thaw
    /// above it, signed since, resumes the agent.
    pub freeze_epoch: u64,
    /// When.
    pub at: UnixSeconds,
}

impl TripRow {
    /// Whether the agent stays stopped under its latest freeze document: until a thaw of this
    /// agent, above the document known at the stop, and signed no earlier than the stop.
    #[must_use]
    pub fn holds(&self, latest: Option<&Freeze>) -> bool {
        !latest.is_some_and(|thaw| {
            thaw.agent == self.agent
                && !thaw.frozen
                && thaw.epoch > self.freeze_epoch
                && thaw.at >= self.at
        })
    }
}
