//! The fence: a key of somebody else's that the chain itself lets put money of the wallet into MPP
//! channels, so much in a period and not for ever (the AccountKeychain, TIP-1011).
//!
//! Promises: what a key may call is not the agent's to choose: the payer's calls of the channel
//! reserve, and nothing else ([`SCOPE`](crate::tempo::keychain::SCOPE)). What is counted is the
//! whole that the chain would ever let it take, its fees with it ([`TempoAccessKey::most`]).
//!
//! Refuses: a key that is the wallet or a contract, a period shorter than
//! [`KEY_PERIOD_SECONDS_MIN`], a life beyond [`SESSION_SECONDS_MAX`], an authorization
//! without a lane of its own, and a transaction whose fee somebody else pays.
//!
//! Does not protect against: whoever holds the key. Which payee it opens a channel for is its own
//! to say, and what is in a channel is drawn by vouchers that no chain limit sees.

use alloy_primitives::{Address, address};
use serde::{Deserialize, Serialize};

use super::{SESSION_SECONDS_MAX, TempoNonce, TempoTerms, V1_ESCROWS, check_chain, check_terms};
use crate::chain::{ASSETS, Chain};
use crate::intent::PaymentIntent;
use crate::money::Amount;
use crate::refusal::{KeyFault, Refusal};
use crate::tempo::CHANNEL_RESERVE;
use crate::tempo::keychain::ACCOUNT_KEYCHAIN;
use crate::time::UnixSeconds;

/// Shortest period after which the chain lets a key take as much again, in seconds: a day.
pub const KEY_PERIOD_SECONDS_MIN: u64 = 86_400;

/// What the addresses of all TIP-20 tokens begin with.
const TIP20_PREFIX: [u8; 12] = [0x20, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// What else the chain itself has at addresses of its own.
const PRECOMPILES: [Address; 11] = [
    CHANNEL_RESERVE,
    ACCOUNT_KEYCHAIN,
    address!("0x20fc000000000000000000000000000000000000"),
    address!("0x403c000000000000000000000000000000000000"),
    address!("0xfeec000000000000000000000000000000000000"),
    address!("0xdec0000000000000000000000000000000000000"),
    address!("0x4e4f4e4345000000000000000000000000000000"),
    address!("0x5165300000000000000000000000000000000000"),
    address!("0xfdc0000000000000000000000000000000000000"),
    address!("0xb10c000000000000000000000000000000000000"),
    address!("0x1060000000000000000000000000000000000000"),
];

/// Lets a key put money of the wallet into channels, or takes that back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TempoAccessKey {
    /// Chain.
    pub chain: Chain,
    /// The one token it may take, in which this transaction pays its fee, too.
    pub token: Address,
    /// The address of the key: of a secp256k1 key, held by whoever is to open channels.
    pub key: Address,
    /// Which.
    pub step: KeyStep,
    /// Fees and end.
    pub terms: TempoTerms,
}

/// What is done about a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStep {
    /// The chain is to let it take so much.
    Authorize(KeyLimits),
    /// The chain is to let it take nothing any more. A key that was revoked is so for good.
    Revoke,
}

/// How much the chain lets a key take, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLimits {
    /// Base units in a period; in all, where there is none. The key's own fees are in them.
    pub limit: Amount,
    /// Length of a period; 0 for none, and [`KEY_PERIOD_SECONDS_MIN`] or more otherwise.
    pub period_seconds: u64,
    /// First second in which the chain takes nothing of the key any more.
    pub expires_at: UnixSeconds,
}

impl KeyLimits {
    /// Periods that begin before the key ends, for a key that is authorized no earlier than at
    /// `begins`: the chain counts the first one from the block that authorizes it.
    #[must_use]
    pub const fn periods(&self, begins: UnixSeconds) -> u64 {
        let up = self.lasts_seconds(begins).saturating_add(self.period_seconds).saturating_sub(1);
        match up.checked_div(self.period_seconds) {
            Some(0) | None => 1,
            Some(periods) => periods,
        }
    }

    /// Seconds from `begins` until the key ends.
    #[must_use]
    pub const fn lasts_seconds(&self, begins: UnixSeconds) -> u64 {
        self.expires_at.0.saturating_sub(begins.0)
    }

    /// Base units that the key can take in all its periods; the largest amount where they are no
    /// amount, which is refused.
    #[must_use]
    pub const fn most(&self, begins: UnixSeconds) -> Amount {
        match self.limit.base_units().checked_mul(self.periods(begins) as u128) {
            Some(units) => Amount::from_base_units(units),
            None => Amount::from_base_units(u128::MAX),
        }
    }

    fn check(&self, intent: &PaymentIntent, terms: &TempoTerms) -> Result<(), Refusal> {
        let expires_at = self.expires_at;
        if self.limit == Amount::ZERO {
            return Err(Refusal::NothingToPay);
        }
        if self.period_seconds != 0 && self.period_seconds < KEY_PERIOD_SECONDS_MIN {
            return Err(Refusal::UnfitAccessKey { fault: KeyFault::Period });
        }
        let limit = intent.created_at.plus(SESSION_SECONDS_MAX);
        if expires_at > limit {
            return Err(Refusal::ValidityTooLong { valid_before: expires_at, limit });
        }
        // The chain takes no key that is over, so it has to outlive the transaction.
        if expires_at <= terms.valid_before {
            return Err(Refusal::NeverValid { valid_before: expires_at });
        }
        if self.most(terms.lane_begins()).base_units() == u128::MAX {
            return Err(Refusal::UnfitAccessKey { fault: KeyFault::Sum });
        }
        Ok(())
    }
}

impl TempoAccessKey {
    /// Base units that the chain would ever let the key take by this; nothing for what takes that
    /// back.
    #[must_use]
    pub const fn most(&self) -> Amount {
        match &self.step {
            KeyStep::Authorize(limits) => limits.most(self.terms.lane_begins()),
            KeyStep::Revoke => Amount::ZERO,
        }
    }

    /// What it authorizes.
    #[must_use]
    pub const fn limits(&self) -> Option<&KeyLimits> {
        match &self.step {
            KeyStep::Authorize(limits) => Some(limits),
            KeyStep::Revoke => None,
        }
    }

    pub(in crate::intent) fn check(&self, intent: &PaymentIntent) -> Result<(), Refusal> {
        check_chain(self.chain)?;
        if self.key == intent.wallet || is_no_key(self.key) {
            return Err(Refusal::UnfitAccessKey { fault: KeyFault::Key });
        }
        // Our side brings it to the chain, which has to say for good whether it took it. The key
        // shares the wallet's lanes, so that its holder could use up that of a revocation: that one
        // may be without.
        let laned = self.terms.nonce == TempoNonce::Lane || matches!(self.step, KeyStep::Revoke);
        if !laned || self.terms.fee_token.is_none() {
            return Err(Refusal::UnfitAccessKey { fault: KeyFault::Terms });
        }
        check_terms(intent, &self.terms)?;
        self.limits().map_or(Ok(()), |limits| limits.check(intent, &self.terms))
    }
}

/// Whether an address is nobody's key as far as is known: zero, a token, a contract of the chain.
fn is_no_key(key: Address) -> bool {
    key == Address::ZERO
        || key.as_slice().starts_with(&TIP20_PREFIX)
        || PRECOMPILES.contains(&key)
        || V1_ESCROWS.iter().any(|(_, escrow)| *escrow == key)
        || ASSETS.iter().any(|asset| asset.token == key)
}
