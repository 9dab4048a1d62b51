//! The agent's own rules for buying over HTTP. They can only make the agent pickier: what the
//! authority's policy refuses is refused by the signer nodes, whatever stands here.

mod mpp;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use tercet_policy::chain::{Asset, Chain, Family};
use tercet_policy::intent::Service;
use tercet_policy::money::{Amount, BadAmount};

pub use self::mpp::MppRules;

/// Longest time an authorization may be usable, in seconds, whatever the merchant or the rules say.
pub const VALIDITY_SECONDS_MAX: u64 = 300;
/// Shortest `maxTimeoutSeconds` worth signing for: a facilitator wants at least 6 seconds left.
pub const VALIDITY_SECONDS_MIN: u64 = 10;
/// Pause after the first look for a payment on the chain, in milliseconds; doubled each time.
const FIRST_PAUSE_MS: u64 = 20;
/// Oldest challenge out of a cache that is looked at, in seconds (`Age` header).
pub const CHALLENGE_AGE_SECONDS_MAX: u64 = 30;
/// Largest resource that is held to be hashed, in bytes; a larger one is handed on as it comes.
pub const RESOURCE_HASHED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What an agent is willing to buy. Missing keys take the stated defaults, unknown ones are
/// refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FetchRules {
    /// Most that one request may cost, as `"0.50 USDC"`; no other asset is paid but those of
    /// [`MppRules::max_prices`]. Default `1 USDC`.
    pub max_price: Price,
    /// Chains to pay on, in order of preference at equal price. Default: Base main net alone.
    pub chains: Vec<Chain>,
    /// Longest time an authorization may be usable, in seconds: 10 to 300, default 300.
    pub max_validity_seconds: u64,
    /// Whether to pay merchants that settle before they serve (`paymentFlow: "upfront"`). A failure
    /// after that does not mean that nothing was charged. Default no.
    pub allow_upfront: bool,
    /// Most that may be spent in any 24 hours, void payments not counted. Default: what the
    /// authority's policy allows.
    pub max_per_day: Option<Price>,
    /// Most purchases begun in any minute. Default 60.
    pub purchases_per_minute_max: u32,
    /// Payees that a service may name. A service that is not listed is held to the first payee it
    /// named.
    pub payees: BTreeMap<Service, BTreeSet<Address>>,
    /// Services that name a new payee for every payment. Nothing then protects against a payee
    /// that somebody else put there, but the price.
    pub rotating_payees: BTreeSet<Service>,
    /// Whether to ask services at addresses of private networks, by number or by name. Default no:
    /// a URL from outside must not reach what only this machine can reach.
    pub allow_private_hosts: bool,
    /// Charges and sessions on Tempo.
    pub mpp: MppRules,
    /// How long to wait for whom.
    pub patience: Patience,
}

impl Default for FetchRules {
    fn default() -> Self {
        Self {
            max_price: Price { digits: "1".to_owned(), symbol: "USDC".to_owned() },
            chains: vec![Chain::Base],
            max_validity_seconds: VALIDITY_SECONDS_MAX,
            allow_upfront: false,
            max_per_day: None,
            purchases_per_minute_max: 60,
            payees: BTreeMap::new(),
            rotating_payees: BTreeSet::new(),
            allow_private_hosts: false,
            mpp: MppRules::default(),
            patience: Patience::default(),
        }
    }
}

impl FetchRules {
    /// How long an authorization may be usable for a merchant that asks for `asked` seconds;
    /// nothing if that is too short to be worth signing.
    #[must_use]
    pub fn validity(&self, asked: u64) -> Option<u64> {
        let longest = self.max_validity_seconds.clamp(VALIDITY_SECONDS_MIN, VALIDITY_SECONDS_MAX);
        (asked >= VALIDITY_SECONDS_MIN).then_some(asked.min(longest))
    }

    /// Whether any chain is one that MPP is paid on.
    #[must_use]
    pub fn pays_on_tempo(&self) -> bool {
        self.chains.iter().any(|chain| chain.family() == Family::Tempo)
    }

    /// Most that one request may cost in this asset; nothing for an asset that is not paid with.
    #[must_use]
    pub fn price_limit(&self, asset: &Asset) -> Option<Amount> {
        self.max_price.in_units_of(asset).or_else(|| self.mpp.max_price(asset))
    }
}

/// How long to wait for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patience {
    /// For a connection, in milliseconds. Default 10 s.
    pub connect_ms: u64,
    /// For the headers of an unpaid answer, in milliseconds. Default 30 s.
    pub unpaid_ms: u64,
    /// For the headers of a paid answer, in milliseconds: the merchant's facilitator may itself
    /// wait 90 s. Default 120 s.
    pub paid_ms: u64,
    /// For the whole body of a paid answer, in milliseconds. One that takes longer is handed on as
    /// it comes, like one that is too large to be held: it is paid for. Default 60 s.
    pub resource_ms: u64,
    /// For the chain to show what happened after a payment without delivery, in milliseconds.
    /// Default 5 s.
    pub chain_ms: u64,
    /// For the chain to show the payment of a resource that came, in milliseconds, after a first
    /// look that is taken while the resource is still coming. The caller waits for it with the
    /// resource already here; what is not shown by then is a receipt that is not verified, which
    /// [`Wallet::resume`](crate::Wallet::resume) finishes. 0 waits for nothing but the first look.
    /// Default 1 s.
    pub receipt_ms: u64,
    /// For the coordinator to take a report of a payment that brought nothing. Default 3 s.
    pub report_ms: u64,
    /// Between two looks, and before a request is sent again, in milliseconds; the first pauses
    /// between looks are shorter. Default 0.5 s.
    pub pause_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect_ms: 10_000,
            unpaid_ms: 30_000,
            paid_ms: 120_000,
            resource_ms: 60_000,
            chain_ms: 5_000,
            receipt_ms: 1_000,
            report_ms: 3_000,
            pause_ms: 500,
        }
    }
}

impl Patience {
    pub(crate) const fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }

    pub(crate) const fn unpaid(&self) -> Duration {
        Duration::from_millis(self.unpaid_ms)
    }

    pub(crate) const fn paid(&self) -> Duration {
        Duration::from_millis(self.paid_ms)
    }

    pub(crate) const fn resource(&self) -> Duration {
        Duration::from_millis(self.resource_ms)
    }

    pub(crate) const fn chain(&self) -> Duration {
        Duration::from_millis(self.chain_ms)
    }

    pub(crate) const fn receipt(&self) -> Duration {
        Duration::from_millis(self.receipt_ms)
    }

    pub(crate) const fn report(&self) -> Duration {
        Duration::from_millis(self.report_ms)
    }

    /// Never zero, so that no loop spins.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_millis(self.pause_ms.max(1))
    }

    /// Between two looks, the first after none: what is being mined shows soon or takes a block.
    pub(crate) fn pauses(&self) -> impl Iterator<Item = Duration> {
        let (first, last) = (Duration::from_millis(FIRST_PAUSE_MS), self.pause());
        std::iter::successors(Some(first), |pause| Some(pause.saturating_mul(2)))
            .map(move |pause| pause.min(last))
    }
}

/// A price as people write it: `"0.50 USDC"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Price {
    digits: String,
    symbol: String,
}

/// Why a text is not a price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPrice {
    /// Not a number, one space and a symbol.
    #[error("a price is a number, a space and an asset, such as \"0.50 USDC\"")]
    Form,
    /// No asset of that symbol is registered.
    #[error("no chain has an asset {symbol:?} here")]
    UnknownSymbol {
        /// What was given, cut to a printable length.
        symbol: String,
    },
    /// The number is none of that asset.
    #[error(transparent)]
    Amount(#[from] BadAmount),
}

impl Price {
    /// The asset and its base units on a chain that has it.
    #[must_use]
    pub fn on(&self, chain: Chain) -> Option<(&'static Asset, Amount)> {
        let asset = Asset::by_symbol(chain, &self.symbol)?;
        Some((asset, self.in_units_of(asset)?))
    }

    /// The price in base units of an asset; nothing for an asset of another symbol.
    #[must_use]
    pub fn in_units_of(&self, asset: &Asset) -> Option<Amount> {
        if asset.symbol != self.symbol {
            return None;
        }
        Amount::parse_decimal(&self.digits, asset.decimals).ok()
    }
}

impl std::str::FromStr for Price {
    type Err = BadPrice;
    fn from_str(text: &str) -> Result<Self, BadPrice> {
        let (digits, symbol) = text.split_once(' ').ok_or(BadPrice::Form)?;
        let assets = Chain::ALL.into_iter().filter_map(|chain| Asset::by_symbol(chain, symbol));
        let mut known = false;
        for asset in assets {
            Amount::parse_decimal(digits, asset.decimals)?;
            known = true;
        }
        if !known {
            return Err(BadPrice::UnknownSymbol { symbol: symbol.chars().take(16).collect() });
        }
        Ok(Self { digits: digits.to_owned(), symbol: symbol.to_owned() })
    }
}

impl TryFrom<String> for Price {
    type Error = BadPrice;
    fn try_from(text: String) -> Result<Self, BadPrice> {
        text.parse()
    }
}

impl From<Price> for String {
    fn from(price: Price) -> Self {
        price.to_string()
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.digits, self.symbol)
    }
}

#[cfg(test)]
mod tests {
    use tercet_policy::chain::ASSETS;

    use super::*;

    #[test]
    fn a_price_is_exact_and_of_a_known_asset() {
        let price: Price = "0.50 USDC".parse().unwrap();
        assert_eq!(price.in_units_of(&ASSETS[0]), Some(Amount::from_base_units(500_000)));
        for bad in ["0.5", "0.5USDC", "1e3 USDC", "-1 USDC", "0.5 EURC", " USDC", "0.0000001 USDC"]
        {
            assert!(bad.parse::<Price>().is_err(), "{bad}");
        }
    }

    #[test]
    fn validity_is_clamped_and_never_uselessly_short() {
        let rules = FetchRules { max_validity_seconds: 120, ..FetchRules::default() };
        for (asked, given) in
            [(0, None), (9, None), (10, Some(10)), (60, Some(60)), (315_360_000, Some(120))]
        {
            assert_eq!(rules.validity(asked), given, "{asked}");
        }
        let lax = FetchRules { max_validity_seconds: 86_400, ..FetchRules::default() };
        assert_eq!(lax.validity(86_400), Some(VALIDITY_SECONDS_MAX));
    }

    #[test]
    fn pauses_grow_to_the_one_that_is_configured() {
        let pauses = |pause_ms| {
            let patience = Patience { pause_ms, ..Patience::default() };
            let pauses = patience.pauses().take(7).map(|pause| pause.as_millis());
            pauses.collect::<Vec<_>>()
        };
        assert_eq!(pauses(500), [20, 40, 80, 160, 320, 500, 500]);
        assert_eq!(pauses(0), [1; 7], "no loop spins");
    }

    #[test]
    fn unknown_rules_are_refused() {
        assert!(toml::from_str::<FetchRules>("max_price = \"2 USDC\"").is_ok());
        assert!(toml::from_str::<FetchRules>("max_prize = \"2 USDC\"").is_err());
    }
}
