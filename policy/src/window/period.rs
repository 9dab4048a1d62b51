//! How long a window is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MINUTE_SECONDS: u64 = 60;
const HOUR_SECONDS: u64 = 3_600;
const DAY_SECONDS: u64 = 86_400;
const WEEK_SECONDS: u64 = 604_800;
/// A rolling month is thirty days.
const MONTH_SECONDS: u64 = 2_592_000;

/// Longest window of a custom length: 31 days.
pub const PERIOD_SECONDS_MAX: u64 = 2_678_400;
/// Longest text of a period that is looked at.
const PERIOD_TEXT_BYTES_MAX: usize = 16;

/// The lengths a window can have, as policies write them: `minute`, `hour`, `day`, `week`,
/// `month`, or a number of minutes, hours or days, as `90m`, `12h`, `10d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Period {
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// Rolling: 86,400 seconds. Calendar: from midnight to midnight in the zone.
    Day,
    /// Rolling: seven times 86,400 seconds. Calendar: from Monday to Monday (ISO 8601).
    Week,
    /// Rolling: thirty times 86,400 seconds. Calendar: from the first to the first.
    Month,
    /// So many seconds: whole minutes, at most [`PERIOD_SECONDS_MAX`]. Always rolls.
    Custom {
        /// The length.
        seconds: u32,
    },
}

/// A text that is not a period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPeriod {
    /// Neither a word nor a number with a unit.
    #[error(
        "{given:?} is not a period: minute, hour, day, week, month, or a number of minutes, \
         hours or days, such as \"90m\", \"12h\" or \"10d\""
    )]
    Unknown {
        /// What was given, cut to a printable length.
        given: String,
    },
    /// A window of no length.
    #[error("a period of zero holds nothing")]
    Zero,
    /// Longer than is remembered.
    #[error("{given:?} is longer than 31 days, the longest period")]
    TooLong {
        /// What was given, cut to a printable length.
        given: String,
    },
}

impl Period {
    /// Length of the rolling window, in seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Minute => MINUTE_SECONDS,
            Self::Hour => HOUR_SECONDS,
            Self::Day => DAY_SECONDS,
            Self::Week => WEEK_SECONDS,
            Self::Month => MONTH_SECONDS,
            Self::Custom { seconds } => seconds as u64,
        }
    }
}

impl FromStr for Period {
    type Err = BadPeriod;
    fn from_str(text: &str) -> Result<Self, BadPeriod> {
        match text {
            "minute" => Ok(Self::Minute),
            "hour" => Ok(Self::Hour),
            "day" => Ok(Self::Day),
            "week" => Ok(Self::Week),
            "month" => Ok(Self::Month),
            _ => custom(text),
        }
    }
}

fn custom(text: &str) -> Result<Period, BadPeriod> {
    let given = || text.chars().take(PERIOD_TEXT_BYTES_MAX).collect::<String>();
    let units = [('m', MINUTE_SECONDS), ('h', HOUR_SECONDS), ('d', DAY_SECONDS)];
    let split = |(letter, seconds)| text.strip_suffix(letter).map(|number| (number, seconds));
    let (number, unit) =
        units.into_iter().find_map(split).ok_or_else(|| BadPeriod::Unknown { given: given() })?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (number.len() > 1 && number.starts_with('0')) {
        return Err(BadPeriod::Unknown { given: given() });
    }
    // A number that fits no integer is too long as well.
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    match seconds.filter(|seconds| *seconds <= PERIOD_SECONDS_MAX).map(u32::try_from) {
        Some(Ok(0)) => Err(BadPeriod::Zero),
        Some(Ok(seconds)) => Ok(Period::Custom { seconds }),
        Some(Err(_)) | None => Err(BadPeriod::TooLong { given: given() }),
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Custom { seconds } => return write_custom(u64::from(*seconds), f),
        })
    }
}

/// In the largest unit that leaves no rest.
fn write_custom(seconds: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let units = [(DAY_SECONDS, 'd'), (HOUR_SECONDS, 'h'), (MINUTE_SECONDS, 'm')];
    let whole = |(unit, letter): (u64, char)| {
        (seconds.checked_rem(unit) == Some(0)).then(|| (seconds.checked_div(unit), letter))
    };
    match units.into_iter().find_map(whole) {
        Some((Some(number), letter)) => write!(f, "{number}{letter}"),
        _ => write!(f, "{seconds} s"),
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
