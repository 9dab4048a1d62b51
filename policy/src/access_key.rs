//! What a journal knows of the access keys it let be authorized, and when one may be revoked.
//!
//! Promises: a key is revoked only where this journal admitted that it be authorized, for the same
//! wallet on the same chain, and once in [`REVOKE_PAUSE_SECONDS`] at most: that costs a fee and asks no
//! rule, so that it can be done for an agent that is stopped. Keys whose time is over are forgotten.
//!
//! Does not protect against: a key in the time until the chain has taken its revocation. What it can
//! take until its end was counted when it was authorized, and revoking it gives nothing of that back.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::intent::{IntentId, KeyStep, Payment, PaymentIntent};
use crate::refusal::Refusal;
use crate::rows::SpendRow;
use crate::time::UnixSeconds;

/// Shortest time between two revocations of one key, in seconds. A second one changes nothing on the
/// chain and costs little; one that a node missed is not to keep the next waiting for long.
pub const REVOKE_PAUSE_SECONDS: u64 = 120;

/// What an admitted payment does about an access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyAct {
    /// Lets it take money of the wallet.
    Authorize {
        /// The key.
        key: Address,
        /// When that ends.
        expires_at: UnixSeconds,
    },
    /// Takes that back.
    Revoke {
        /// The key.
        key: Address,
    },
}

impl KeyAct {
    /// What a payment does about a key; nothing for other kinds.
    #[must_use]
    pub const fn of(payment: &Payment) -> Option<Self> {
        let Payment::TempoAccessKey(k) = payment else { return None };
        Some(match &k.step {
            KeyStep::Authorize(limits) => {
                Self::Authorize { key: k.key, expires_at: limits.expires_at }
            }
            KeyStep::Revoke => Self::Revoke { key: k.key },
        })
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> Address {
        match self {
            Self::Authorize { key, .. } | Self::Revoke { key } => *key,
        }
    }
}

/// A key is one of a wallet on a chain.
type Place = (Chain, Address, Address);

/// The keys whose time is not over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessKeys {
    all: BTreeMap<Place, Known>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    expires_at: UnixSeconds,
    /// The latest intent that revokes it, with when the next may come.
    revoked: Option<(IntentId, UnixSeconds)>,
}

impl AccessKeys {
    /// Takes in an admitted payment; see [`check`](Self::check) for what may follow.
    pub(crate) fn record(&mut self, row: &SpendRow) {
        let Some(act) = row.key else { return };
        self.all.retain(|_, known| known.expires_at > row.at);
        let place = (row.chain, row.wallet, act.key());
        match act {
            KeyAct::Authorize { expires_at, .. } => {
                let known = Known { expires_at, revoked: None };
                let known = self.all.entry(place).or_insert(known);
                known.expires_at = known.expires_at.max(expires_at);
            }
            KeyAct::Revoke { .. } => {
                if let Some(known) = self.all.get_mut(&place) {
                    known.revoked = Some((row.intent, row.at.plus(REVOKE_PAUSE_SECONDS)));
                }
            }
        }
    }

    /// Whether an intent may do what it does about a key, at a moment. What this very intent did
    /// already does not stand in its way.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(crate) fn check(&self, intent: &PaymentIntent, at: UnixSeconds) -> Result<(), Refusal> {
        let Some(KeyAct::Revoke { key }) = KeyAct::of(&intent.payment) else { return Ok(()) };
        let place = (intent.payment.chain(), intent.wallet, key);
        let known = self.all.get(&place).filter(|known| known.expires_at > at);
        match known.ok_or(Refusal::UnknownAccessKey { key })?.revoked {
            Some((by, until)) if by != intent.id && at < until => {
                Err(Refusal::RevocationUnderWay { key, until })
            }
            _ => Ok(()),
        }
    }
}
