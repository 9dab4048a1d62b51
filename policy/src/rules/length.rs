//! Lengths of time, as policies write them: `30s`, `5m`, `8h`, `10d`.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// Each unit in seconds, the longest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
/// Longest length that is read: 366 days.
const LENGTH_SECONDS_MAX: u64 = 31_622_400;

/// A length of time: at least a second, at most 366 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Length {
    seconds: u64,
}

/// A text that is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a length of time from 1s to 366d, such as \"30s\", \"5m\" or \"8h\"")]
pub struct BadLength {
    /// What was given, cut to a printable length.
    pub given: String,
}

impl Length {
    pub(super) const fn of_seconds(seconds: u64) -> Self {
        Self { seconds }
    }

    /// So many seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.seconds
    }
}

fn seconds(text: &str) -> Option<u64> {
    let (number, unit) =
        UNITS.iter().find_map(|(unit, size)| Some((text.strip_suffix(*unit)?, *size)))?;
    let plain = !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
    let seconds = number.parse::<u64>().ok().filter(|_| plain)?.checked_mul(unit)?;
    (1..=LENGTH_SECONDS_MAX).contains(&seconds).then_some(seconds)
}

impl std::str::FromStr for Length {
    type Err = BadLength;
    fn from_str(text: &str) -> Result<Self, BadLength> {
        let bad = || BadLength { given: text.chars().take(16).collect() };
        seconds(text).map(|seconds| Self { seconds }).ok_or_else(bad)
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// In the largest unit that leaves no rest.
impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(unit, size): (char, u64)| {
            let number = self.seconds.checked_div(size)?;
            (number.checked_mul(size) == Some(self.seconds)).then_some((number, unit))
        };
        let (number, unit) = UNITS.into_iter().find_map(whole).unwrap_or((self.seconds, 's'));
        write!(f, "{number}{unit}")
    }
}
