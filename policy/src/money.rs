//! Money as exact base units of a known asset. No floats, no signs, no exponents.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest decimal text that is read as an amount, in characters.
pub const AMOUNT_CHARS_MAX: usize = 48;
/// Most digits of an amount in base units: `u128` holds 39.
const BASE_UNIT_DIGITS_MAX: usize = 39;

/// An amount in base units of some asset (for USDC, millionths of a dollar).
/// In JSON it is a string of digits: `"10000"`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(u128);

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAmount {
    /// Something else than plain ASCII digits (and, for decimals, one point).
    #[error(
        "an amount is plain digits with at most one point, such as \"0.50\"; no sign, exponent, space or prefix"
    )]
    NotDigits,
    /// `007` and `00.5` are refused: two writings of one amount would be two intents.
    #[error("an amount has no leading zeros")]
    LeadingZero,
    /// More decimals than the asset has.
    #[error("the asset has {decimals} decimals, the amount has more")]
    TooPrecise {
        /// Decimals of the asset.
        decimals: u8,
    },
    /// Does not fit 128 bits of base units.
    #[error("the amount is too large")]
    TooLarge,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many base units.
    #[must_use]
    pub const fn from_base_units(units: u128) -> Self {
        Self(units)
    }

    /// The number of base units.
    #[must_use]
    pub const fn base_units(self) -> u128 {
        self.0
    }

    /// Reads base units from plain digits, the form x402 and our JSON use.
    ///
    /// # Errors
    /// [`BadAmount`] for signs, exponents, prefixes, other scripts' digits, leading zeros, overflow.
    pub fn parse_base_units(text: &str) -> Result<Self, BadAmount> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadAmount::NotDigits);
        }
        if text.len() > 1 && text.starts_with('0') {
            return Err(BadAmount::LeadingZero);
        }
        if text.len() > BASE_UNIT_DIGITS_MAX {
            return Err(BadAmount::TooLarge);
        }
        text.parse().map(Self).map_err(|_| BadAmount::TooLarge)
    }

    /// Reads a decimal such as `0.50` exactly, for an asset with `decimals` places.
    ///
    /// # Errors
    /// [`BadAmount`] as for base units, and for more places than the asset has.
    pub fn parse_decimal(text: &str, decimals: u8) -> Result<Self, BadAmount> {
        if text.len() > AMOUNT_CHARS_MAX {
            return Err(BadAmount::TooLarge);
        }
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(BadAmount::NotDigits),
            Some(parts) => parts,
            None => (text, ""),
        };
        if !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadAmount::NotDigits);
        }
        if fraction.len() > usize::from(decimals) {
            return Err(BadAmount::TooPrecise { decimals });
        }
        let whole = Self::parse_base_units(whole)?;
        let places = usize::from(decimals);
        let fraction: u128 = format!("{fraction:0<places$}0")
            .parse::<u128>()
            .map_err(|_| BadAmount::TooLarge)?
            .checked_div(10)
            .ok_or(BadAmount::TooLarge)?;
        10u128
            .checked_pow(u32::from(decimals))
            .and_then(|scale| whole.0.checked_mul(scale))
            .and_then(|units| units.checked_add(fraction))
            .map(Self)
            .ok_or(BadAmount::TooLarge)
    }

    /// The amount in whole units of an asset with `decimals` places, without needless zeros:
    /// `500000` with six places is `0.5`.
    #[must_use]
    pub fn to_decimal(self, decimals: u8) -> String {
        let places = usize::from(decimals);
        let digits = format!("{:0>width$}", self.0, width = places.saturating_add(1));
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(places));
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
    }

    /// The sum, or nothing on overflow.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The difference, or nothing if it would be negative.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }
}

impl TryFrom<String> for Amount {
    type Error = BadAmount;
    fn try_from(text: String) -> Result<Self, BadAmount> {
        Self::parse_base_units(&text)
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.0.to_string()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn base_units_are_plain_digits() {
        use BadAmount::{LeadingZero, NotDigits, TooLarge};
        let two_to_256 =
            "115792089237316195423570985008687907853269984665640564039457584007913129639936";
        for (text, wrong) in [
            ("", NotDigits),
            ("1e6", NotDigits),
            ("-1", NotDigits),
            ("+1", NotDigits),
            ("0x10", NotDigits),
            ("１", NotDigits),
            (" 1", NotDigits),
            ("1.0", NotDigits),
            ("007", LeadingZero),
            (two_to_256, TooLarge),
            ("340282366920938463463374607431768211456", TooLarge),
        ] {
            assert_eq!(Amount::parse_base_units(text), Err(wrong), "{text}");
        }
        assert_eq!(Amount::parse_base_units("0"), Ok(Amount::ZERO));
        assert_eq!(
            Amount::parse_base_units(&u128::MAX.to_string()),
            Ok(Amount::from_base_units(u128::MAX))
        );
    }

    #[test]
    fn decimals_are_exact() {
        for (text, units) in [("0.50", 500_000), ("10", 10_000_000), ("0.000001", 1), ("0", 0)] {
            assert_eq!(
                Amount::parse_decimal(text, 6),
                Ok(Amount::from_base_units(units)),
                "{text}"
            );
        }
        for text in ["", ".", ".5", "1.", "1..2", "1.2.3", "1,5", "0.0000001", "1e3", "１", "00.5"]
        {
            assert!(Amount::parse_decimal(text, 6).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn decimal_text_and_base_units_are_two_writings_of_one_amount(
            units: u128, decimals in 0u8..19,
        ) {
            let amount = Amount::from_base_units(units);
            let text = amount.to_decimal(decimals);
            prop_assert_eq!(Amount::parse_decimal(&text, decimals), Ok(amount));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}", decimals: u8) {
            let _ = Amount::parse_base_units(&text);
            let _ = Amount::parse_decimal(&text, decimals);
        }
    }
}
