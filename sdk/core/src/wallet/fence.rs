//! The fence: a key that the chain itself lets put money of the wallet into MPP channels, so much in
//! a period and not for ever. It is for whoever is to open channels without asking our nodes: a
//! stock MPP client of the agent, say.
//!
//! Promises: the key may call the channel reserve and nothing else, and take one token and no more
//! of it than was granted, even if our nodes and our coordinator are gone. What all its periods come
//! to counts as spent when it is authorized.
//!
//! Does not protect against: the holder of the key, who chooses the payees of its channels, and
//! vouchers, which draw on what is in a channel and which no limit of the chain sees. It bounds the
//! openings of that key, not what the wallet itself signs.

use alloy_primitives::Address;
use tercet_policy::chain::{Asset, Chain, Family};
use tercet_policy::intent::{
    KeyLimits, KeyStep, LANE_SECONDS_MAX, Payment, PaymentIntent, TempoAccessKey, TempoNonce,
    TempoTerms,
};
use tercet_policy::tempo::gas;

use super::Wallet;
use crate::error::Error;
use crate::mpp::charge;
use crate::receipt::Receipt;
use crate::rules::Price;
use crate::seam::{Clock as _, SystemClock};

/// How long a revocation can be mined, in seconds: with an expiring nonce (TIP-1009) 30 at most.
const REVOCATION_SECONDS: u64 = 25;

/// What a key is to be let take.
#[derive(Clone, Debug, PartialEq)]
pub struct Fence {
    /// One of Tempo's chains.
    pub chain: Chain,
    /// The address of the key: a secp256k1 key that is used for nothing else.
    pub key: Address,
    /// Most in a period; in all, where there is none. The fees of its transactions are in it.
    pub limit: Price,
    /// Length of a period: a day or more, or 0 for none.
    pub period_seconds: u64,
    /// How long it lasts, in seconds, from a minute before now: clocks differ, and so many periods as
    /// this holds are all that it gets.
    pub lasts_seconds: u64,
}

impl Wallet {
    /// Has the chain let a key put money of this wallet into MPP channels, and waits for that. A key
    /// is authorized once: to change what it may take, revoke it and authorize another.
    ///
    /// # Errors
    /// [`Error`], which says what to do next.
    pub async fn authorize_access_key(&self, fence: &Fence) -> Result<Receipt, Error> {
        self.pay_brought(self.draft_access_key(fence)?).await
    }

    /// Has the chain take nothing of a key any more, and waits for that. The fee is paid in `asset`.
    /// What is in channels that it opened is not touched.
    ///
    /// # Errors
    /// [`Error`], which says what to do next.
    pub async fn revoke_access_key(
        &self,
        chain: Chain,
        key: Address,
        asset: &str,
    ) -> Result<Receipt, Error> {
        self.pay_brought(self.draft_key_revocation(chain, key, asset)?).await
    }

    /// The authorization of a key, signed by nobody yet.
    ///
    /// # Errors
    /// [`Error::NotReady`] for an asset that is not of that chain, a chain without access keys, and
    /// without randomness.
    pub fn draft_access_key(&self, fence: &Fence) -> Result<PaymentIntent, Error> {
        let (asset, limit) = fence.limit.on(fence.chain).ok_or_else(|| {
            Error::NotReady(format!("{} is no price in an asset of {}", fence.limit, fence.chain))
        })?;
        let terms = terms(asset, gas::AUTHORIZE_KEY_GAS);
        let limits = KeyLimits {
            limit,
            period_seconds: fence.period_seconds,
            expires_at: terms.lane_begins().plus(fence.lasts_seconds),
        };
        self.draft_step(asset, fence.key, KeyStep::Authorize(limits), terms)
    }

    /// The revocation of a key, signed by nobody yet.
    ///
    /// # Errors
    /// [`Error::NotReady`] for an asset that is not of that chain, a chain without access keys, and
    /// without randomness.
    pub fn draft_key_revocation(
        &self,
        chain: Chain,
        key: Address,
        asset: &str,
    ) -> Result<PaymentIntent, Error> {
        let unknown = || Error::NotReady(format!("{chain} has no {asset}"));
        let asset = Asset::by_symbol(chain, asset).ok_or_else(unknown)?;
        // Not on a lane: the key shares those of the wallet, and its holder could use this one up.
        let ends = SystemClock.now().plus(REVOCATION_SECONDS);
        let terms = charge::terms(gas::REVOKE_KEY_GAS, Some(asset.token), ends);
        let intent = self.draft_step(asset, key, KeyStep::Revoke, terms)?;
        Ok(PaymentIntent { expires_at: ends, ..intent })
    }

    fn draft_step(
        &self,
        asset: &Asset,
        key: Address,
        step: KeyStep,
        terms: TempoTerms,
    ) -> Result<PaymentIntent, Error> {
        let (chain, token) = (asset.chain, asset.token);
        if chain.family() != Family::Tempo {
            return Err(Error::NotReady(format!("{chain} has no access keys")));
        }
        let access_key = TempoAccessKey { chain, token, key, step, terms };
        self.draft_brought(Payment::TempoAccessKey(access_key))
    }
}

/// On a lane of its own, with the fee in the token that the key may take.
fn terms(asset: &Asset, gas_limit: u64) -> TempoTerms {
    let ends = SystemClock.now().plus(LANE_SECONDS_MAX);
    TempoTerms { nonce: TempoNonce::Lane, ..charge::terms(gas_limit, Some(asset.token), ends) }
}
