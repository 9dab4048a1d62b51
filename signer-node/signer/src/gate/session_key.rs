//! Vouchers and closes of MPP sessions, signed with a key made for one session.
//!
//! Promises: a session's key follows from this node's identity and the channel's salt, so nothing
//! is stored and nothing is lost with a process; it signs for channels alone whose opening this
//! node admitted with that very key as their signer, never above what was put in, never below what
//! it signed before in this process, and by no more above that than every policy lets a voucher add.
//! What may not pay gets no more vouchers: a frozen agent, one without a policy, a stopped wallet, a
//! session that is over, one whose policy now has the wallet sign. A close it gets. Time is the
//! journal's, which never runs backwards.
//!
//! Refuses: any other node than the agent's; a channel that is being closed, but for its close; the
//! opening of a channel whose vouchers another key signs.
//!
//! Does not protect against: an agent that pays a service for what it did not deliver. The deposit,
//! which policy has counted in full, bounds that. Where a policy bounds the step of a voucher and
//! the node was started anew since the last one, the next is measured from nothing: the session is
//! closed then, and another one opened.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::{MutexGuard, PoisonError};

use alloy_primitives::{Address, B256, keccak256};
use hkdf::Hkdf;
use k256::ecdsa::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::channel::Channel;
use tercet_policy::intent::{IntentId, Payment, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::mpp::{
    ChannelAmount, ChannelDescriptor, ChannelId, close_preimage, voucher_preimage,
};
use tercet_policy::party::Party;
use tercet_policy::payload::{MppSignature, MppSigned, WalletSignature};
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::SpendRow;
use tercet_policy::rules::Policy;
use tercet_policy::subject::Subject;
use tercet_policy::time::UnixSeconds;
use zeroize::Zeroizing;

use super::{Failure, GateError, Signer};

const DOMAIN: &[u8] = b"tercet/session-key/v1";
/// Channels whose vouchers this process signs that are kept at hand; more are looked up each time.
const CHANNELS_AT_HAND_MAX: usize = 4_096;
/// How often a channel is looked up for one signature, while the journal takes in more of channels.
const LOOK_UPS_MAX: usize = 16;

/// What a session's key is asked to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionAsk {
    /// On which chain.
    pub chain: Chain,
    /// The channel.
    pub channel: ChannelDescriptor,
    /// Base units in all since it was opened.
    pub cumulative: Amount,
}

/// A channel at hand.
pub(super) struct AtHand {
    key: SigningKey,
    known: Channel,
    signed: Amount,
    /// Whether its end was agreed to with this key.
    closed: bool,
    /// Whether the journal has more of it since.
    stale: bool,
}

/// The channels at hand.
#[derive(Default)]
pub(super) struct SessionKeys {
    hands: HashMap<ChannelId, AtHand>,
    /// How often the journal took in something about a channel: what was looked up before the last
    /// time may be out of date.
    news: u64,
}

impl Signer {
    /// The address of the key that signs the vouchers of a session of this wallet with this salt.
    ///
    /// # Errors
    /// [`Failure::NotTheAgentsNode`].
    pub fn session_signer(&self, wallet: Address, salt: B256) -> Result<Address, GateError> {
        Ok(Address::from_private_key(&self.session_key(wallet, salt)?))
    }

    /// A voucher of a session's key.
    ///
    /// # Errors
    /// [`GateError::Refused`] with what stands against it.
    pub async fn sign_voucher(
        &self,
        ask: SessionAsk,
        now: UnixSeconds,
    ) -> Result<MppSignature, GateError> {
        let now = self.journal.clamp(now);
        let id = ask.channel.channel_id(ask.chain.id());
        let amount = amount_of(id, ask.cumulative)?;
        let about = MppSigned::Voucher { channel: id, cumulative: ask.cumulative };
        let preimage = voucher_preimage(ask.chain.id(), id, amount);
        self.sign_for_channel(ask, id, |hand| {
            if hand.closed || hand.known.closes() {
                return Err(Refusal::ChannelCloses { channel: id });
            }
            if hand.known.is_over(now) {
                let ends_at = hand.known.ends_at;
                return Err(Refusal::SessionIsOver { channel: id, ends_at, now });
            }
            if ask.cumulative < hand.signed || ask.cumulative == Amount::ZERO {
                let (signed, asked) = (hand.signed, ask.cumulative);
                return Err(Refusal::VoucherGoesBack { channel: id, signed, asked });
            }
            self.check_may_pay(id, hand, ask.cumulative)?;
            hand.signed = ask.cumulative;
            Ok(())
        })
        .await
        .and_then(|key| signature(&key, ask.chain, about, &preimage))
    }

    /// Agrees to a channel's end at `cumulative`, with a session's key. What was signed before stays
    /// with the payee: a close below it is a wish.
    ///
    /// # Errors
    /// [`GateError::Refused`] with what stands against it.
    pub async fn sign_close(&self, ask: SessionAsk) -> Result<MppSignature, GateError> {
        let id = ask.channel.channel_id(ask.chain.id());
        let amount = amount_of(id, ask.cumulative)?;
        let about = MppSigned::Close { channel: id, cumulative: ask.cumulative };
        let preimage = close_preimage(ask.chain.id(), id, amount);
        let close = |hand: &mut AtHand| {
            hand.closed = true;
            Ok(())
        };
        let key = self.sign_for_channel(ask, id, close).await?;
        // A node that starts anew signs no voucher after this one either.
        self.journal.agree_end(id, ask.cumulative).await.map_err(Failure::from)?;
        signature(&key, ask.chain, about, &preimage)
    }

    /// The journal took in something about a channel: it is looked up again.
    pub(super) fn note_channel(&self, row: &SpendRow) {
        let Some(act) = &row.channel else { return };
        let mut keys = self.session_keys();
        keys.news = keys.news.wrapping_add(1);
        if let Some(hand) = keys.hands.get_mut(&act.channel(row.chain)) {
            hand.stale = true;
        }
    }

    /// The journal knows what became of a deposit: its channel is looked up again, and is gone with
    /// its last one.
    pub(super) fn note_deposit(&self, intent: &IntentId) {
        let mut keys = self.session_keys();
        keys.news = keys.news.wrapping_add(1);
        let is_of = |hand: &&mut AtHand| hand.known.deposits.iter().any(|(of, _)| of == intent);
        keys.hands.values_mut().filter(is_of).for_each(|hand| hand.stale = true);
    }

    /// The agent's own node lets a channel be opened only where the wallet or the session's key
    /// signs its vouchers: nobody else says what is paid out of it.
    pub(super) fn check_voucher_signer(&self, intent: &PaymentIntent) -> Result<(), GateError> {
        let Payment::MppOpen(open) = &intent.payment else { return Ok(()) };
        if self.role != Party::Agent || open.authorized_signer == intent.wallet {
            return Ok(());
        }
        if open.authorized_signer == self.session_signer(intent.wallet, open.salt)? {
            return Ok(());
        }
        Err(GateError::Refused(Refusal::NotTheVoucherSigner))
    }

    /// The key, after `check` and the bounds of the deposit.
    async fn sign_for_channel(
        &self,
        ask: SessionAsk,
        id: ChannelId,
        check: impl FnOnce(&mut AtHand) -> Result<(), Refusal>,
    ) -> Result<SigningKey, GateError> {
        self.refuse_after_bug()?;
        for _ in 0..LOOK_UPS_MAX {
            self.look_up(ask, id).await?;
            let mut keys = self.session_keys();
            // What the journal took in since is seen before anything is signed.
            let Some(hand) = keys.hands.get_mut(&id).filter(|hand| !hand.stale) else { continue };
            let (deposit, asked) = (hand.known.deposit(), ask.cumulative);
            if asked > deposit {
                let refusal = Refusal::AboveDeposit { channel: id, deposit, asked };
                return Err(GateError::Refused(refusal));
            }
            check(hand).map_err(GateError::Refused)?;
            return Ok(hand.key.clone());
        }
        Err(Failure::TooManySessions.into())
    }

    /// Has the channel at hand, as the journal knows it: a deposit that rose and an end that was
    /// asked for are seen.
    async fn look_up(&self, ask: SessionAsk, id: ChannelId) -> Result<(), GateError> {
        let enough = |hand: &AtHand| !hand.stale && ask.cumulative <= hand.known.deposit();
        let (is_at_hand, is_full, news) = {
            let keys = self.session_keys();
            let hand = keys.hands.get(&id);
            let is_full = hand.is_none() && keys.hands.len() >= CHANNELS_AT_HAND_MAX;
            (hand.is_some_and(enough), is_full, keys.news)
        };
        if is_at_hand {
            return Ok(());
        }
        if is_full {
            self.forget_ended().await?;
        }
        let found = self.journal.channel(id).await.map_err(Failure::from)?;
        let Some(known) = found.filter(|known| known.chain == ask.chain) else {
            self.session_keys().hands.remove(&id);
            return Err(GateError::Refused(Refusal::UnknownChannel { channel: id }));
        };
        let key = self.session_key(known.wallet(), known.descriptor.salt)?;
        if Address::from_private_key(&key) != known.descriptor.authorized_signer {
            return Err(GateError::Refused(Refusal::NotTheVoucherSigner));
        }
        self.session_keys().put(id, (key, known), news).map_err(GateError::from)
    }

    /// Lets go of the channels that the journal no longer knows.
    async fn forget_ended(&self) -> Result<(), GateError> {
        let known = self.journal.channels().await.map_err(Failure::from)?;
        let id = |channel: &Channel| channel.descriptor.channel_id(channel.chain.id());
        let known: HashSet<ChannelId> = known.iter().map(id).collect();
        self.session_keys().hands.retain(|id, _| known.contains(id));
        Ok(())
    }

    /// What every payment of the agent is checked for holds for its vouchers too.
    fn check_may_pay(&self, id: ChannelId, hand: &AtHand, asked: Amount) -> Result<(), Refusal> {
        let roll = self.journal.roll();
        let (agent, wallet) = (hand.known.agent.clone(), hand.known.wallet());
        if let Some(reason) = roll.stop_of(&agent) {
            return Err(Refusal::AgentFrozen { agent, reason: reason.to_owned() });
        }
        if roll.wallet(&wallet).is_none_or(|of| of.agent != agent) {
            return Err(Refusal::UnknownWallet { wallet, agent });
        }
        if roll.stopped(&wallet).is_some() {
            return Err(Refusal::PairFrozen { wallet });
        }
        let held = roll.policies_for(&agent, &wallet).filter(|held| held.has_own(&wallet));
        let Some(held) = held else { return Err(Refusal::NoPolicy { agent }) };
        let own = self
            .own_policies
            .iter()
            .filter(|own| own.agent().is_none_or(|of| *of == agent) && is_for(own, wallet));
        let mut policies = held.applying(&wallet).into_iter().chain(own);
        policies.try_for_each(|policy| match policy.refuses_session_keys() {
            true => Err(Refusal::NotTheVoucherSigner),
            false => check_step(policy, id, hand, asked),
        })
    }

    fn session_key(&self, wallet: Address, salt: B256) -> Result<SigningKey, GateError> {
        if self.role != Party::Agent {
            return Err(Failure::NotTheAgentsNode.into());
        }
        let secret = Zeroizing::new(self.identity.expose_signing().to_bytes());
        let drawn = Hkdf::<Sha256>::new(Some(DOMAIN), secret.as_slice());
        // A number that is no key comes once in 2^128; the next one is taken then.
        let key = (0..=u8::MAX).find_map(|again| {
            let mut bytes = Zeroizing::new([0; 32]);
            let about = [wallet.as_slice(), salt.as_slice(), &[again]];
            drawn.expand_multi_info(&about, bytes.as_mut_slice()).ok()?;
            SigningKey::from_slice(bytes.as_slice()).ok()
        });
        key.ok_or_else(|| Failure::Bug("no session key").into())
    }

    fn session_keys(&self) -> MutexGuard<'_, SessionKeys> {
        self.session_keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionKeys {
    /// Keeps a channel as the journal had it when so much was `news`.
    fn put(
        &mut self,
        id: ChannelId,
        (key, known): (SigningKey, Channel),
        news: u64,
    ) -> Result<(), Failure> {
        let stale = self.news != news;
        let is_full = self.hands.len() >= CHANNELS_AT_HAND_MAX;
        match self.hands.entry(id) {
            Entry::Occupied(mut hand) => {
                let hand = hand.get_mut();
                hand.signed = hand.signed.max(known.signed);
                (hand.known, hand.stale) = (known, stale);
            }
            // None is let go: what it signed is remembered here alone.
            Entry::Vacant(_) if is_full => return Err(Failure::TooManySessions),
            Entry::Vacant(place) => {
                let signed = known.signed;
                place.insert(AtHand { key, known, signed, closed: false, stale });
            }
        }
        Ok(())
    }
}

fn is_for(policy: &Policy, wallet: Address) -> bool {
    match policy.subject() {
        Subject::Wallet(of) => *of == wallet,
        Subject::Organisation | Subject::Agent(_) => true,
    }
}

/// No policy lets the voucher add more than it does to the one before it; one in another asset lets
/// it add nothing.
fn check_step(policy: &Policy, id: ChannelId, hand: &AtHand, asked: Amount) -> Result<(), Refusal> {
    let step = asked.checked_sub(hand.signed).unwrap_or_default();
    let asset = Asset::find(hand.known.chain, hand.known.descriptor.token).ok();
    policy.voucher_steps().try_for_each(|most| {
        let is_same = asset.is_some_and(|asset| asset.symbol == most.symbol);
        let limit = if is_same { most.amount } else { Amount::ZERO };
        if step <= limit {
            return Ok(());
        }
        Err(Refusal::VoucherStepTooHigh { channel: id, limit, asked: step })
    })
}

fn amount_of(channel: ChannelId, cumulative: Amount) -> Result<ChannelAmount, GateError> {
    ChannelAmount::try_from(cumulative).map_err(|_| {
        let deposit = Amount::from_base_units(tercet_policy::mpp::CHANNEL_AMOUNT_UNITS_MAX);
        GateError::Refused(Refusal::AboveDeposit { channel, deposit, asked: cumulative })
    })
}

fn signature(
    key: &SigningKey,
    chain: Chain,
    about: MppSigned,
    preimage: &[u8],
) -> Result<MppSignature, GateError> {
    let unfit = || GateError::from(Failure::Bug("a session key does not sign"));
    let signed = key.sign_prehash_recoverable(keccak256(preimage).as_slice());
    let (signature, recovery) = signed.map_err(|_| unfit())?;
    let (r, s) = signature.split_bytes();
    let signature = WalletSignature::new(r.into(), s.into(), recovery.is_y_odd());
    Ok(MppSignature { chain, about, signature: signature.map_err(|_| unfit())? })
}

#[cfg(test)]
mod tests;
