//! Rules for the Machine Payments Protocol on Tempo. Nothing is paid there unless a chain of Tempo
//! is among [`FetchRules::chains`](super::FetchRules::chains), and no session is opened unless an
//! asset has a deposit here.

use serde::{Deserialize, Serialize};
use tercet_policy::ask::VoucherSigner;
use tercet_policy::chain::Asset;
use tercet_policy::intent::SESSION_SECONDS_MAX;
use tercet_policy::money::Amount;

use super::Price;

/// What an agent is willing to pay by MPP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MppRules {
    /// Assets to pay with beside that of `max_price`, each with the most that one request, or one
    /// unit of a session, may cost: `["0.50 pathUSD"]`. Default none.
    pub max_prices: Vec<Price>,
    /// Most that may be put into one session, top-ups included, by asset: `["5 pathUSD"]`. It is the
    /// most that the session can cost. Default none, which opens no session.
    pub max_deposits: Vec<Price>,
    /// Most sessions that are open at once. Default 4.
    pub sessions_max: u32,
    /// How long a session may last, in seconds; it is closed then, by force if need be. Default one
    /// hour.
    pub session_seconds: u64,
    /// After how long without a request a session is closed, in seconds. Default 15 minutes.
    pub idle_seconds: u64,
    /// Most units that one voucher may add to those before it, whatever was delivered. Default 1.
    pub voucher_units_max: u32,
    /// How many units of one session may be paid and not delivered before it is closed. Default 3.
    pub lost_units_max: u32,
    /// Who signs vouchers: `"session_key"`, a key of the session's own at the agent's node, or
    /// `"wallet"`, both nodes for every unit, so that the policy is asked each time. Default the
    /// session's key, unless the policy demands the wallet.
    pub voucher_signer: VoucherSigner,
}

impl Default for MppRules {
    fn default() -> Self {
        Self {
            max_prices: Vec::new(),
            max_deposits: Vec::new(),
            sessions_max: 4,
            session_seconds: 3_600,
            idle_seconds: 900,
            voucher_units_max: 1,
            lost_units_max: 3,
            voucher_signer: VoucherSigner::SessionKey,
        }
    }
}

impl MppRules {
    /// Most that may be put into one session with this asset; nothing where none is opened.
    #[must_use]
    pub fn max_deposit(&self, asset: &Asset) -> Option<Amount> {
        limit_of(&self.max_deposits, asset)
    }

    /// Most that one request may cost in this asset, by these rules alone.
    #[must_use]
    pub fn max_price(&self, asset: &Asset) -> Option<Amount> {
        limit_of(&self.max_prices, asset)
    }

    /// How long a session may last, in seconds, within what is signed for.
    #[must_use]
    pub fn lasts_seconds(&self) -> u64 {
        self.session_seconds.clamp(1, SESSION_SECONDS_MAX)
    }
}

/// The smallest of several entries for one asset: two of them are a mistake, and the safe one holds.
fn limit_of(prices: &[Price], asset: &Asset) -> Option<Amount> {
    prices.iter().filter_map(|price| price.in_units_of(asset)).min()
}
