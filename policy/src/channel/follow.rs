//! What may follow in the life of a channel.

use crate::channel::{Channel, ChannelAct, Channels, ExitBy};
use crate::intent::{IntentId, PaymentIntent};
use crate::money::Amount;
use crate::mpp::ChannelId;
use crate::refusal::Refusal;
use crate::time::UnixSeconds;

/// What a voucher adds to those of its channel before it; nothing for other intents.
#[must_use]
pub fn step(channels: &Channels, intent: &PaymentIntent) -> Option<Amount> {
    let Some(ChannelAct::Voucher { channel, cumulative }) = ChannelAct::of(intent, None) else {
        return None;
    };
    let signed = channels.find(&channel).map_or(Amount::ZERO, |channel| channel.signed);
    Some(cumulative.checked_sub(signed).unwrap_or_default())
}

/// Whether what an intent does to a channel may follow what was done before, at a moment. What
/// this very intent did already does not stand in its way.
///
/// # Errors
/// [`Refusal`]
pub(crate) fn check(
    channels: &Channels,
    intent: &PaymentIntent,
    act: Option<&ChannelAct>,
    at: UnixSeconds,
) -> Result<(), Refusal> {
    let Some(act) = act else { return Ok(()) };
    let id = act.channel(intent.payment.chain());
    if matches!(act, ChannelAct::Open { .. }) {
        // One deposit of two byte-identical openings is all that the chain takes.
        let by_another = channels.find(&id).is_some_and(|open| open.opened_by != intent.id);
        return if by_another { Err(Refusal::ChannelIsOpen { channel: id }) } else { Ok(()) };
    }
    if matches!(act, ChannelAct::ExitV1 { .. }) {
        // Whether there is such a channel a rule has to say.
        return check_exit(id, channels.exit_v1(intent.wallet, act), intent.id, at);
    }
    let channel = known(channels, intent, id)?;
    match act {
        ChannelAct::Open { .. } | ChannelAct::ExitV1 { .. } => Ok(()),
        ChannelAct::TopUp { .. } => check_top_up(id, channel, intent, at),
        ChannelAct::Voucher { cumulative, .. } => {
            check_goes_on(id, channel, intent, at)?;
            // What was agreed at the end is all that the payee gets.
            if channel.close.is_some_and(|end| *cumulative > end) || channel.exits {
                return Err(Refusal::ChannelCloses { channel: id });
            }
            check_rises(id, channel, *cumulative)
        }
        ChannelAct::Close { cumulative, .. } => check_close(id, channel, *cumulative),
        ChannelAct::Exit { step, .. } => {
            check_exit(id, channel.exit_steps.get(step), intent.id, at)
        }
    }
}

fn check_top_up(
    id: ChannelId,
    channel: &Channel,
    intent: &PaymentIntent,
    at: UnixSeconds,
) -> Result<(), Refusal> {
    check_goes_on(id, channel, intent, at)?;
    // Its budget is that of the session whose deposit it raises.
    if intent.declared.session != channel.session {
        return Err(Refusal::OtherSession { channel: id });
    }
    let again = channel.deposits.iter().any(|(deposit, _)| *deposit == intent.id);
    // On the chain a top-up takes back that the wallet asked to leave.
    if channel.exits || (channel.closes() && !again) {
        return Err(Refusal::ChannelCloses { channel: id });
    }
    Ok(())
}

/// Its session is not over, and it is the one that the channel was opened for.
fn check_goes_on(
    id: ChannelId,
    channel: &Channel,
    intent: &PaymentIntent,
    at: UnixSeconds,
) -> Result<(), Refusal> {
    if channel.is_over(at) {
        return Err(Refusal::SessionIsOver { channel: id, ends_at: channel.ends_at, now: at });
    }
    if intent.payment.service() != channel.service.as_ref() {
        return Err(Refusal::OtherSession { channel: id });
    }
    Ok(())
}

/// A service may count more than its payer, and agree to nothing less. An end that was agreed to
/// rises to what vouchers go up to and no further: so much the payee can take by them anyway, the
/// chain closes a channel once, and so of all that is signed for it the highest is the most that it
/// costs, which the deposit bounds and the ledger has counted. A lower end is not signed, for the
/// payee has the higher one.
fn check_close(id: ChannelId, channel: &Channel, asked: Amount) -> Result<(), Refusal> {
    let rises_too_far = |end| asked > end && asked > channel.signed;
    if channel.close.is_some_and(|end| asked < end || rises_too_far(end)) {
        return Err(Refusal::ChannelCloses { channel: id });
    }
    check_deposit(id, channel, asked)
}

/// A step again is another fee, which no rule is asked about.
fn check_exit(
    id: ChannelId,
    latest: Option<&ExitBy>,
    intent: IntentId,
    at: UnixSeconds,
) -> Result<(), Refusal> {
    match latest {
        Some((by, until)) if *by != intent && at < *until => {
            Err(Refusal::ExitUnderWay { channel: id, until: *until })
        }
        _ => Ok(()),
    }
}

fn known<'a>(
    channels: &'a Channels,
    intent: &PaymentIntent,
    id: ChannelId,
) -> Result<&'a Channel, Refusal> {
    let own = |channel: &&Channel| {
        channel.wallet() == intent.wallet
            && channel.agent == intent.agent
            && channel.chain == intent.payment.chain()
    };
    channels.find(&id).filter(own).ok_or(Refusal::UnknownChannel { channel: id })
}

/// The same voucher again is the same digest; a lower one is never signed.
fn check_rises(id: ChannelId, channel: &Channel, cumulative: Amount) -> Result<(), Refusal> {
    if cumulative < channel.signed || cumulative == Amount::ZERO {
        let (signed, asked) = (channel.signed, cumulative);
        return Err(Refusal::VoucherGoesBack { channel: id, signed, asked });
    }
    check_deposit(id, channel, cumulative)
}

fn check_deposit(id: ChannelId, channel: &Channel, asked: Amount) -> Result<(), Refusal> {
    let deposit = channel.deposit();
    if asked > deposit {
        return Err(Refusal::AboveDeposit { channel: id, deposit, asked });
    }
    Ok(())
}
