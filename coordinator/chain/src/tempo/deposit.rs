//! Deposits: into their channel by `ChannelOpened` and `TopUp`, out of it by `ChannelClosed`.
//!
//! Logs can be pruned, so the state of the channel has a say: one that is open was opened, and one
//! that holds more than its logs put in has got a deposit that they do not show.

use std::sync::Arc;

use alloy_primitives::{Address, B256, aliases::U96};
use alloy_rpc_types_eth::{BlockId, Filter, Log};
use alloy_sol_types::SolEvent as _;
use tercet_policy::channel::ChannelAct;
use tercet_policy::evidence::{ChannelDeposit, ClosedChannel, SafeBlock};
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::rows::SpendRow;
use tercet_policy::tempo::CHANNEL_RESERVE;

use super::Reserve::{ChannelClosed, ChannelOpened, TopUp, getChannelStateCall};
use super::unseen::{self, Unseen};
use super::window::Window;
use super::{Marks, TempoOutcome};
use crate::endpoint::{Endpoint, LOG_SPAN_BLOCKS};
use crate::error::{ChainError, FailureCause, Read};
use crate::evidence::Measure;
use crate::quorum::most_common;
use crate::reader::ChainReader;

/// Most log queries back from the safe block for the end of a channel: about nine hours of Tempo.
/// One that is longer ago is found by the channel's state at blocks between.
const CLOSE_QUERIES_MAX: usize = 32;
/// Steps that find one block among 2^63.
const STEPS_MAX: u32 = 63;

/// The deposit that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    channel: ChannelId,
    payer: Address,
    amount: Amount,
    /// Whether it is the first, which opened the channel.
    opens: bool,
    marks: Marks,
}

/// A deposit that was put into its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Put {
    channel: ChannelId,
    transaction: B256,
    block: u64,
    /// Base units in the channel before it.
    prior: Amount,
    amount: Amount,
}

/// What one endpoint shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    /// It is in its channel, which had not ended at the safe block.
    Put(Put),
    /// Its channel had ended at the safe block.
    Ended(Put, ClosedChannel),
    /// No log of it.
    Unseen(Unseen),
}

impl Wanted {
    pub(super) fn of(row: &SpendRow, marks: Marks) -> Option<Self> {
        let (channel, opens) = match row.channel.as_ref()? {
            ChannelAct::Open { descriptor, .. } => (descriptor.channel_id(row.chain.id()), true),
            ChannelAct::TopUp { channel } => (*channel, false),
            _ => return None,
        };
        Some(Self { channel, payer: row.wallet, amount: row.amount, opens, marks })
    }

    fn filter(&self) -> Filter {
        let event = if self.opens { ChannelOpened::SIGNATURE_HASH } else { TopUp::SIGNATURE_HASH };
        of_channel(self.channel).event_signature(event)
    }

    /// The deposit that a log shows, where it can be this one.
    fn read(&self, log: &Log) -> Result<Option<Put>, FailureCause> {
        let read = if self.opens { self.read_open(log) } else { self.read_top_up(log) };
        let Some((prior, amount)) = read.filter(|_| is_of(log, self.channel)) else {
            return Ok(None);
        };
        let (transaction, block) = place(log)?;
        let own = amount == self.amount;
        let channel = self.channel;
        Ok(own.then_some(Put { channel, transaction, block, prior, amount }))
    }

    fn read_open(&self, log: &Log) -> Option<(Amount, Amount)> {
        let event = ChannelOpened::decode_log(&log.inner).ok()?;
        (event.payer == self.payer).then(|| (Amount::ZERO, amount_of(event.deposit)))
    }

    fn read_top_up(&self, log: &Log) -> Option<(Amount, Amount)> {
        let event = TopUp::decode_log(&log.inner).ok()?;
        let more = amount_of(event.additionalDeposit);
        let prior = amount_of(event.newDeposit).checked_sub(more)?;
        (event.payer == self.payer).then_some((prior, more))
    }
}

impl Put {
    const fn deposit(&self) -> ChannelDeposit {
        let Self { channel, amount, transaction, block, .. } = *self;
        ChannelDeposit { channel, amount, transaction, block }
    }

    /// What the payee got of it: the channel's money was paid in the order in which it came in.
    fn share(&self, settled: Amount) -> Amount {
        settled.checked_sub(self.prior).unwrap_or_default().min(self.amount)
    }
}

impl ChainReader {
    pub(super) async fn deposit_outcome(
        &self,
        wanted: Wanted,
        window: Window,
        measure: Measure,
    ) -> Result<TempoOutcome, ChainError> {
        let look = move |endpoint| look(endpoint, wanted, window);
        let sightings = self.ask(Read::Deposit, look).await?.of_anybody()?;
        Ok(conclude(window, measure, &sightings))
    }
}

/// The end of a channel gives money back, so it counts when a quorum shows it; that a deposit is in
/// its channel, or must be, is believed from one endpoint.
pub(super) fn conclude(window: Window, measure: Measure, sightings: &[Sighting]) -> TempoOutcome {
    let ends = sightings.iter().filter_map(|seen| match seen {
        Sighting::Ended(put, closed) => Some((*put, closed.clone())),
        _ => None,
    });
    let ends: Vec<_> = ends.collect();
    if let Some(((put, closed), votes)) = most_common(&ends) {
        let (share, finality) = (put.share(closed.settled), measure.finality(votes, closed.block));
        let (closed, put) = (closed.clone(), put.transaction);
        return TempoOutcome::Ended { closed, share, put, finality };
    }
    let puts = sightings.iter().filter_map(|seen| match seen {
        Sighting::Put(put) => Some(*put),
        _ => None,
    });
    let puts: Vec<_> = puts.collect();
    if let Some((put, votes)) = most_common(&puts) {
        let finality = measure.finality(votes, put.block);
        return TempoOutcome::InChannel { deposit: put.deposit(), finality };
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
    let Some(put) = find_put(&endpoint, &wanted, &window).await? else {
        return without_log(&endpoint, &wanted, &window).await.map(Sighting::Unseen);
    };
    let SafeBlock { number, hash, .. } = window.safe;
    if put.block > number || is_open(&endpoint, wanted.channel, BlockId::hash(hash)).await? {
        return Ok(Sighting::Put(put));
    }
    let closed = find_close(&endpoint, wanted.channel, put.block, number).await?;
    Ok(Sighting::Ended(put, closed))
}

/// What it means that there is no log.
async fn without_log(
    endpoint: &Endpoint,
    wanted: &Wanted,
    window: &Window,
) -> Result<Unseen, FailureCause> {
    let Some(end) = window.end else { return Ok(Unseen::Live) };
    let safe = BlockId::hash(window.safe.hash);
    let is_open = is_open(endpoint, wanted.channel, safe).await?;
    if is_open && (wanted.opens || !is_explained(endpoint, wanted.channel, window, end).await?) {
        return Ok(Unseen::Hidden);
    }
    Unseen::look(endpoint, wanted.payer, &wanted.marks, window).await
}

/// Whether what a channel got between two blocks is what its logs show: then none is missing.
async fn is_explained(
    endpoint: &Endpoint,
    channel: ChannelId,
    window: &Window,
    end: SafeBlock,
) -> Result<bool, FailureCause> {
    let before = deposit_at(endpoint, channel, BlockId::hash(window.from.hash)).await?;
    let after = deposit_at(endpoint, channel, BlockId::hash(end.hash)).await?;
    let events = vec![ChannelOpened::SIGNATURE_HASH, TopUp::SIGNATURE_HASH];
    let filter = of_channel(channel).event_signature(events);
    let mut explained = before;
    for log in window.logs(endpoint, &filter).await? {
        // The first block's deposits are in what the channel had before.
        if !is_of(&log, channel) || place(&log)?.1 <= window.from.number {
            continue;
        }
        let more = match ChannelOpened::decode_log(&log.inner) {
            Ok(opened) => amount_of(opened.deposit),
            Err(_) => TopUp::decode_log(&log.inner)
                .map_or(Amount::ZERO, |event| amount_of(event.additionalDeposit)),
        };
        explained = explained.checked_add(more).unwrap_or(explained);
    }
    Ok(explained == after)
}

async fn find_put(
    endpoint: &Endpoint,
    wanted: &Wanted,
    window: &Window,
) -> Result<Option<Put>, FailureCause> {
    for log in window.logs(endpoint, &wanted.filter()).await? {
        let Some(put) = wanted.read(&log)? else { continue };
        // A channel is of one transaction; what is put on top may be as much as another time.
        if wanted.opens || wanted.marks.may_be(&endpoint.raw_transaction(put.transaction).await?) {
            return Ok(Some(put));
        }
    }
    Ok(None)
}

async fn is_open(
    endpoint: &Endpoint,
    channel: ChannelId,
    block: BlockId,
) -> Result<bool, FailureCause> {
    Ok(deposit_at(endpoint, channel, block).await? > Amount::ZERO)
}

async fn deposit_at(
    endpoint: &Endpoint,
    channel: ChannelId,
    block: BlockId,
) -> Result<Amount, FailureCause> {
    let call = getChannelStateCall { channelId: channel.into() };
    let state = endpoint.view(CHANNEL_RESERVE, &call, block).await?;
    Ok(amount_of(state.deposit))
}

/// The log of a channel's end, which lies between two blocks: back from the later one, for most
/// ends are recent.
async fn find_close(
    endpoint: &Endpoint,
    channel: ChannelId,
    put: u64,
    safe: u64,
) -> Result<ClosedChannel, FailureCause> {
    let mut last = safe;
    for _ in 0..CLOSE_QUERIES_MAX {
        let first = last.saturating_sub(LOG_SPAN_BLOCKS.saturating_sub(1)).max(put);
        if let Some(closed) = close_in(endpoint, channel, first, last).await? {
            return Ok(closed);
        }
        if first <= put {
            return Err(NO_CLOSE);
        }
        last = first.saturating_sub(1);
    }
    let (mut open, mut ended) = (put, last);
    for _ in 0..STEPS_MAX {
        if ended.saturating_sub(open) <= 1 {
            break;
        }
        let middle = open.midpoint(ended);
        if is_open(endpoint, channel, middle.into()).await? {
            open = middle
        } else {
            ended = middle
        }
    }
    close_in(endpoint, channel, open, ended).await?.ok_or(NO_CLOSE)
}

/// Ended, and yet no log: pruned. Nothing follows.
const NO_CLOSE: FailureCause = FailureCause::Missing { what: "the log of a channel's end" };

async fn close_in(
    endpoint: &Endpoint,
    channel: ChannelId,
    first: u64,
    last: u64,
) -> Result<Option<ClosedChannel>, FailureCause> {
    let filter = of_channel(channel).event_signature(ChannelClosed::SIGNATURE_HASH);
    for log in endpoint.logs(&filter.from_block(first).to_block(last)).await? {
        let Ok(event) = ChannelClosed::decode_log(&log.inner) else { continue };
        if !is_of(&log, channel) {
            continue;
        }
        let (transaction, block) = place(&log)?;
        let settled = amount_of(event.settledToPayee);
        return Ok(Some(ClosedChannel { channel, settled, transaction, block }));
    }
    Ok(None)
}

fn of_channel(channel: ChannelId) -> Filter {
    Filter::new().address(CHANNEL_RESERVE).topic1(B256::from(channel))
}

/// Servers are not trusted to filter.
fn is_of(log: &Log, channel: ChannelId) -> bool {
    !log.removed
        && log.address() == CHANNEL_RESERVE
        && log.topics().get(1) == Some(&B256::from(channel))
}

fn place(log: &Log) -> Result<(B256, u64), FailureCause> {
    let place = log.transaction_hash.zip(log.block_number);
    place.ok_or(FailureCause::Nonsense { what: "a log without its transaction" })
}

pub(super) fn amount_of(units: U96) -> Amount {
    Amount::from_base_units(units.to())
}
