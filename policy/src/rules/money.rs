//! Amounts as policies write them: exact decimals and a symbol, and shares of a balance.

use std::fmt;

use alloy_primitives::U256;
use serde::{Deserialize, Deserializer};

use crate::ask::Ask;
use crate::chain::ASSETS;
use crate::money::{Amount, BadAmount};

/// What chains take fees in, and its decimals.
const NATIVE: [(&str, u8); 1] = [("ETH", 18)];
/// Longest text of a foreign symbol that is repeated to people, in characters.
const SAID_CHARS_MAX: usize = 64;
const BASIS_POINTS_OF_ALL: u16 = 10_000;
/// `12.34%` is exact in hundredths of a percent.
const PERCENT_DECIMALS: u8 = 2;

/// An amount of an asset, as `0.50 USDC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// Base units.
    pub amount: Amount,
    /// Symbol of the asset; it has the same decimals on every chain of the registry.
    pub symbol: &'static str,
    /// Its decimals.
    pub decimals: u8,
}

/// An amount of what chains take fees in, as `0.0005 ETH`, on all chains alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeMoney(Money);

/// Why a text is not an amount of an asset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMoney {
    /// There is no asset beside the number.
    #[error("{given:?} is not an amount with its asset, such as \"0.50 USDC\"")]
    NoAsset {
        /// What was given, cut to a printable length.
        given: String,
    },
    /// Nobody knows that symbol.
    #[error("{symbol:?} is not an asset Tercet knows; USDC is")]
    UnknownAsset {
        /// The symbol, cut to a printable length.
        symbol: String,
    },
    /// Fees are not paid in it.
    #[error("{symbol:?} is not what chains take fees in; ETH is")]
    NotNative {
        /// The symbol, cut to a printable length.
        symbol: String,
    },
    /// The number is none.
    #[error(transparent)]
    Amount(#[from] BadAmount),
}

impl std::str::FromStr for Money {
    type Err = BadMoney;
    fn from_str(text: &str) -> Result<Self, BadMoney> {
        let (number, symbol) = split(text)?;
        let asset = ASSETS
            .iter()
            .find(|asset| asset.symbol == symbol)
            .ok_or_else(|| BadMoney::UnknownAsset { symbol: cut(symbol) })?;
        let amount = Amount::parse_decimal(number, asset.decimals)?;
        Ok(Self { amount, symbol: asset.symbol, decimals: asset.decimals })
    }
}

impl std::str::FromStr for NativeMoney {
    type Err = BadMoney;
    fn from_str(text: &str) -> Result<Self, BadMoney> {
        let (number, symbol) = split(text)?;
        let (symbol, decimals) = NATIVE
            .into_iter()
            .find(|(native, _)| *native == symbol)
            .ok_or_else(|| BadMoney::NotNative { symbol: cut(symbol) })?;
        let amount = Amount::parse_decimal(number, decimals)?;
        Ok(Self(Money { amount, symbol, decimals }))
    }
}

fn split(text: &str) -> Result<(&str, &str), BadMoney> {
    text.split_once(' ').ok_or_else(|| BadMoney::NoAsset { given: cut(text) })
}

fn cut(text: &str) -> String {
    text.chars().take(SAID_CHARS_MAX).collect()
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for NativeMoney {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount.to_decimal(self.decimals), self.symbol)
    }
}

impl fmt::Display for NativeMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Money {
    /// What a payment asks for.
    pub(super) const fn of(ask: &Ask<'_>) -> Self {
        Self { amount: ask.amount, symbol: ask.asset.symbol, decimals: ask.asset.decimals }
    }

    /// So many base units of the same.
    pub(super) const fn with(self, amount: Amount) -> Self {
        Self { amount, ..self }
    }

    /// Whether it is an amount of the same asset, and no more.
    pub(super) fn holds(&self, asked: &Self) -> bool {
        asked.symbol == self.symbol && asked.amount <= self.amount
    }
}

impl NativeMoney {
    /// The amount in wei.
    #[must_use]
    pub const fn wei(&self) -> Amount {
        self.0.amount
    }

    pub(super) const fn with(self, wei: Amount) -> Self {
        Self(self.0.with(wei))
    }
}

/// A share of a balance, as `25%`: above 0 and at most 100, to hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    basis_points: u16,
}

/// A text that is not a share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a share above 0% and up to 100%, such as \"25%\" or \"12.5%\"")]
pub struct BadShare {
    /// What was given, cut to a printable length.
    pub given: String,
}

impl Share {
    /// Hundredths of a percent, 1 to 10,000.
    #[must_use]
    pub const fn basis_points(self) -> u16 {
        self.basis_points
    }

    /// Whether `part` is at most this share of `whole`, exactly: nothing is rounded.
    #[must_use]
    pub fn holds(self, part: Amount, whole: Amount) -> bool {
        let times = |amount: Amount, factor: u16| {
            U256::from(amount.base_units()).saturating_mul(U256::from(factor))
        };
        times(part, BASIS_POINTS_OF_ALL) <= times(whole, self.basis_points)
    }
}

impl std::str::FromStr for Share {
    type Err = BadShare;
    fn from_str(text: &str) -> Result<Self, BadShare> {
        let read = |number: &str| {
            let points = Amount::parse_decimal(number, PERCENT_DECIMALS).ok()?;
            u16::try_from(points.base_units()).ok()
        };
        let points = text.strip_suffix('%').and_then(read);
        points
            .filter(|points| (1..=BASIS_POINTS_OF_ALL).contains(points))
            .map(|basis_points| Self { basis_points })
            .ok_or_else(|| BadShare { given: cut(text) })
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = Amount::from_base_units(u128::from(self.basis_points));
        write!(f, "{}%", points.to_decimal(PERCENT_DECIMALS))
    }
}
