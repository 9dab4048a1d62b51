//! Exact decimals with at most four places, the precision of the condition language.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Most places behind the point.
pub const DECIMAL_PLACES_MAX: usize = 4;
/// Longest decimal, in characters: a sign, fifteen digits, a point and four places.
pub const DECIMAL_CHARS_MAX: usize = 21;

/// An exact decimal such as `0.93`, kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(String);

/// Why a text is not a decimal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} is not a decimal: write plain digits with at most four places, such as \"0.93\", \
     and at most 922337203685476"
)]
pub struct BadDecimal {
    /// What was given, cut to a printable length.
    pub given: String,
}

impl Decimal {
    /// Reads a decimal.
    ///
    /// # Errors
    /// [`BadDecimal`] for exponents, leading zeros, more than four places, and numbers that four
    /// places and 64 bits do not hold.
    pub fn parse(text: &str) -> Result<Self, BadDecimal> {
        if is_decimal(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadDecimal { given: text.chars().take(DECIMAL_CHARS_MAX).collect() })
        }
    }

    /// The decimal as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the condition language writes it: with at least one place.
    pub(crate) fn with_point(&self) -> String {
        if self.0.contains('.') { self.0.clone() } else { format!("{}.0", self.0) }
    }
}

/// The largest whole part with which every fraction of four places fits 64 bits.
const WHOLE_MAX: u64 = 922_337_203_685_476;

fn is_decimal(text: &str) -> bool {
    if text.len() > DECIMAL_CHARS_MAX {
        return false;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let plain = whole == "0" || !whole.starts_with('0');
    all_digits(whole)
        && all_digits(fraction)
        && plain
        && fraction.len() <= DECIMAL_PLACES_MAX
        && whole.parse::<u64>().is_ok_and(|whole| whole <= WHOLE_MAX)
}

impl TryFrom<String> for Decimal {
    type Error = BadDecimal;
    fn try_from(text: String) -> Result<Self, BadDecimal> {
        Self::parse(&text)
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.0
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
