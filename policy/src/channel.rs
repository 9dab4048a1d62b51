//! What a journal knows of the MPP channels it let be opened, and what may still be signed of one.
//!
//! Promises: a voucher, a top-up, a close and an exit are admitted only for a channel whose opening
//! this journal admitted, by the same wallet and agent; vouchers rise and never pass the deposit;
//! what is put into a channel, and paid out of it by the wallet's vouchers, is of the service and
//! the session it was opened for; nothing is put into a channel, and no voucher signed, once its
//! session is over or its end was asked for. An end that was agreed to is agreed to anew only at
//! more, and at no more than vouchers of the wallet go up to. Each step of leaving one by force,
//! which costs a fee and asks no rule about amounts, is signed once in [`EXIT_PAUSE_SECONDS`] at
//! most.
//!
//! Refuses: of channels of the contracts from before TIP-1034, all but to leave them. No journal
//! knows such a channel: that there is one is the authority's word ([`crate::rules::V1Channels`]),
//! and kept here is only when a step out of it was signed last.
//!
//! Does not protect against: a top-up that was signed before the wallet asked to leave, and that
//! the service keeps until after: on the chain it takes that back, once, and the step is signed again
//! after the pause. No journal knows what was mined; who asks waits until such a one was seen or
//! its time is over at a safe block, as the SDK does. With several nodes the pause of each begins
//! when it admits the step. And vouchers of a session key, which no journal but the agent's sees.
//! The deposit bounds them.

mod follow;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::declared::SessionName;
use crate::intent::{
    ExitChannel, ExitStep, IntentId, LANE_SECONDS_MAX, Payment, PaymentIntent, Service,
};
use crate::money::Amount;
use crate::mpp::{ChannelDescriptor, ChannelId};
use crate::party::AgentId;
use crate::payload::opened_channel;
use crate::proposal::ChainTerms;
use crate::rows::SpendRow;
use crate::time::UnixSeconds;

pub(crate) use follow::check;
pub use follow::step;

/// Shortest time between two intents for one step of leaving a channel, in seconds: each costs a
/// fee.
pub const EXIT_PAUSE_SECONDS: u64 = LANE_SECONDS_MAX;

/// What an admitted payment does to a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum ChannelAct {
    /// Opens it.
    Open {
        /// What it is opened as; its id follows.
        descriptor: ChannelDescriptor,
        /// When its session ends.
        ends_at: UnixSeconds,
    },
    /// Puts more money in.
    TopUp {
        /// The channel.
        channel: ChannelId,
    },
    /// Pays out of it.
    Voucher {
        /// The channel.
        channel: ChannelId,
        /// Base units in all.
        cumulative: Amount,
    },
    /// Agrees to its end.
    Close {
        /// The channel.
        channel: ChannelId,
        /// Base units in all.
        cumulative: Amount,
    },
    /// Leaves it by force.
    Exit {
        /// The channel.
        channel: ChannelId,
        /// Which step.
        step: ExitStep,
    },
    /// Leaves one of a contract from before TIP-1034 by force.
    ExitV1 {
        /// The contract.
        escrow: Address,
        /// The channel.
        channel: ChannelId,
        /// Which step.
        step: ExitStep,
    },
}

impl ChannelAct {
    /// The channel it is about.
    #[must_use]
    pub fn channel(&self, chain: Chain) -> ChannelId {
        match self {
            Self::Open { descriptor, .. } => descriptor.channel_id(chain.id()),
            Self::TopUp { channel }
            | Self::Voucher { channel, .. }
            | Self::Close { channel, .. }
            | Self::Exit { channel, .. }
            | Self::ExitV1 { channel, .. } => *channel,
        }
    }

    /// What an intent with these terms does to a channel.
    #[must_use]
    pub fn with_terms(intent: &PaymentIntent, terms: &ChainTerms) -> Option<Self> {
        Self::of(intent, opened_channel(intent, terms).as_ref())
    }

    /// What a payment does to a channel; `opened_as` is what an open makes.
    pub(crate) fn of(
        intent: &PaymentIntent,
        opened_as: Option<&ChannelDescriptor>,
    ) -> Option<Self> {
        let chain = intent.payment.chain().id();
        match &intent.payment {
            Payment::MppOpen(open) => {
                Some(Self::Open { descriptor: *opened_as?, ends_at: open.ends_at })
            }
            Payment::MppTopUp(t) => Some(Self::TopUp { channel: t.channel.channel_id(chain) }),
            Payment::MppVoucher(v) => Some(Self::Voucher {
                channel: v.channel.channel_id(chain),
                cumulative: v.cumulative,
            }),
            Payment::MppClose(c) => {
                Some(Self::Close { channel: c.channel.channel_id(chain), cumulative: c.cumulative })
            }
            Payment::MppExit(e) => match &e.channel {
                ExitChannel::V2 { descriptor } => {
                    Some(Self::Exit { channel: descriptor.channel_id(chain), step: e.step })
                }
                ExitChannel::V1 { escrow, channel } => {
                    Some(Self::ExitV1 { escrow: *escrow, channel: *channel, step: e.step })
                }
            },
            _ => None,
        }
    }
}

/// A channel that was opened here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// On which chain.
    pub chain: Chain,
    /// What it was opened as.
    pub descriptor: ChannelDescriptor,
    /// For whom.
    pub agent: AgentId,
    /// The intent that opened it.
    pub opened_by: IntentId,
    /// The intents that put money in, with how much, the opening first.
    pub deposits: Vec<(IntentId, Amount)>,
    /// Base units that vouchers of the wallet go up to.
    pub signed: Amount,
    /// The most that its end was agreed at.
    pub close: Option<Amount>,
    /// Whether it is left by force.
    pub exits: bool,
    /// The latest intent for each step of leaving it, with when the next may come.
    pub exit_steps: BTreeMap<ExitStep, (IntentId, UnixSeconds)>,
    /// When its session ends.
    pub ends_at: UnixSeconds,
    /// The service it was opened for.
    pub service: Option<Service>,
    /// The session it was opened for.
    pub session: Option<SessionName>,
}

impl Channel {
    /// What a row opens; for rows that open none, nothing.
    fn opened_by(row: &SpendRow) -> Option<Self> {
        let Some(ChannelAct::Open { descriptor, ends_at }) = &row.channel else { return None };
        Some(Self {
            chain: row.chain,
            descriptor: *descriptor,
            agent: row.agent.clone(),
            opened_by: row.intent,
            deposits: vec![(row.intent, row.amount)],
            signed: Amount::ZERO,
            close: None,
            exits: false,
            exit_steps: BTreeMap::new(),
            ends_at: *ends_at,
            service: row.service.clone(),
            session: row.session.clone(),
        })
    }

    /// Whether nothing more is put into it and paid out of it, by the clock.
    #[must_use]
    pub fn is_over(&self, at: UnixSeconds) -> bool {
        at >= self.ends_at
    }

    fn note_exit(&mut self, step: ExitStep, row: &SpendRow) {
        self.exits = true;
        self.exit_steps.insert(step, exit_of(row));
    }

    /// Base units put in, all together; nothing where that is no amount, so that nothing is paid
    /// out of it either.
    #[must_use]
    pub fn deposit(&self) -> Amount {
        let sum =
            self.deposits.iter().try_fold(Amount::ZERO, |sum, (_, more)| sum.checked_add(*more));
        sum.unwrap_or_default()
    }

    /// Whose money is in it.
    #[must_use]
    pub const fn wallet(&self) -> Address {
        self.descriptor.payer
    }

    /// Whether its end was asked for.
    #[must_use]
    pub const fn closes(&self) -> bool {
        self.close.is_some() || self.exits
    }

    /// Splits what a channel paid in the end over its deposits, in the order in which they were
    /// made.
    #[must_use]
    pub fn shares(&self, settled: Amount) -> Vec<(IntentId, Amount)> {
        let mut rest = settled;
        let share = |(intent, deposit): &(IntentId, Amount)| {
            let share = rest.min(*deposit);
            rest = rest.checked_sub(share).unwrap_or_default();
            (*intent, share)
        };
        self.deposits.iter().map(share).collect()
    }
}

/// The intent of a step out of a channel, with when the next one for that step may come.
type ExitBy = (IntentId, UnixSeconds);

fn exit_of(row: &SpendRow) -> ExitBy {
    let ends = match row.terms {
        ChainTerms::Tempo { valid_before, .. } => valid_before,
        _ => row.at,
    };
    (row.intent, ends.max(row.at.plus(EXIT_PAUSE_SECONDS)))
}

/// A step out of a channel of an older contract. Each wallet has its own: another one's does not
/// stand in its way, and pays its fee itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct StepV1 {
    wallet: Address,
    escrow: Address,
    channel: ChannelId,
    step: ExitStep,
}

/// All channels whose deposits are not settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channels {
    all: BTreeMap<ChannelId, Channel>,
    /// Which channel an intent put money into.
    deposits: BTreeMap<IntentId, ChannelId>,
    /// The steps out of channels of older contracts that keep others of their sort waiting.
    exits_v1: BTreeMap<StepV1, ExitBy>,
    /// Which intents' money a quorum showed in its channel.
    deposited: BTreeSet<IntentId>,
}

impl Channels {
    /// The channel of this name.
    #[must_use]
    pub fn find(&self, id: &ChannelId) -> Option<&Channel> {
        self.all.get(id)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&ChannelId, &Channel)> {
        self.all.iter()
    }

    /// Takes in an admitted payment; see [`check`] for what may follow.
    pub(crate) fn record(&mut self, row: &SpendRow) {
        let Some(act) = &row.channel else { return };
        match act {
            ChannelAct::Open { .. } => {
                let Some(channel) = Channel::opened_by(row) else { return };
                let id = act.channel(row.chain);
                self.deposits.insert(row.intent, id);
                self.all.entry(id).or_insert(channel);
            }
            ChannelAct::TopUp { channel: id } => {
                if let Some(channel) = self.all.get_mut(id) {
                    channel.deposits.push((row.intent, row.amount));
                    self.deposits.insert(row.intent, *id);
                }
            }
            ChannelAct::Voucher { channel, cumulative } => self.change(channel, |channel| {
                channel.signed = channel.signed.max(*cumulative);
            }),
            ChannelAct::Close { channel, cumulative } => self.change(channel, |channel| {
                channel.close = channel.close.max(Some(*cumulative));
            }),
            ChannelAct::Exit { channel, step } => {
                self.change(channel, |channel| channel.note_exit(*step, row));
            }
            ChannelAct::ExitV1 { escrow, channel, step } => {
                let (wallet, escrow, channel, step) = (row.wallet, *escrow, *channel, *step);
                // What keeps nobody waiting any more is not remembered.
                self.exits_v1.retain(|_, (_, until)| row.at < *until);
                self.exits_v1.insert(StepV1 { wallet, escrow, channel, step }, exit_of(row));
            }
        }
    }

    /// The latest intent of a wallet for a step out of a channel of an older contract.
    fn exit_v1(&self, wallet: Address, act: &ChannelAct) -> Option<&ExitBy> {
        let ChannelAct::ExitV1 { escrow, channel, step } = *act else { return None };
        self.exits_v1.get(&StepV1 { wallet, escrow, channel, step })
    }

    /// The key of its session agreed to its end, which no intent tells of. Whether that is news.
    pub(crate) fn agree_end(&mut self, id: &ChannelId, cumulative: Amount) -> bool {
        let Some(channel) = self.all.get_mut(id) else { return false };
        let is_news = channel.close.is_none();
        channel.close.get_or_insert(cumulative);
        is_news
    }

    /// A deposit is in its channel. Whether that is news.
    pub(crate) fn note_deposited(&mut self, intent: IntentId) -> bool {
        self.deposited.insert(intent)
    }

    /// Whether a deposit is in its channel for certain: it was shown there, or what was put on top
    /// of it was.
    pub(crate) fn is_deposited(&self, intent: &IntentId) -> bool {
        let channel = self.deposits.get(intent).and_then(|id| self.all.get(id));
        let topped_up = channel.filter(|channel| channel.opened_by == *intent).is_some_and(|of| {
            of.deposits.iter().any(|(deposit, _)| self.deposited.contains(deposit))
        });
        topped_up || self.deposited.contains(intent)
    }

    fn change(&mut self, id: &ChannelId, to: impl FnOnce(&mut Channel)) {
        if let Some(channel) = self.all.get_mut(id) {
            to(channel);
        }
    }

    /// A deposit is settled or void: forgets it, and the channel with its last one. A channel whose
    /// opening is void never was.
    pub(crate) fn forget_deposit(&mut self, intent: &IntentId, void: bool) {
        self.deposited.remove(intent);
        let Some(id) = self.deposits.remove(intent) else { return };
        let Some(channel) = self.all.get_mut(&id) else { return };
        channel.deposits.retain(|(deposit, _)| deposit != intent);
        // The chain closed the channel, and nothing is signed for it any more; or it never was.
        let is_gone = !void || channel.opened_by == *intent || channel.deposits.is_empty();
        if is_gone && let Some(gone) = self.all.remove(&id) {
            for (deposit, _) in &gone.deposits {
                self.deposits.remove(deposit);
            }
        }
    }
}
