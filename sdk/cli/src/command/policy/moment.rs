//! Times as people write them: Unix seconds or RFC 3339, and lengths such as `30d`.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde::Deserialize;
use tercet_policy::time::UnixSeconds;

use crate::error::CliError;

/// A moment in a file: whole Unix seconds, or RFC 3339 text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Moment(pub(super) UnixSeconds);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Seconds(u64),
    Text(String),
}

impl TryFrom<Written> for Moment {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Seconds(seconds) => Ok(Self(UnixSeconds(seconds))),
            Written::Text(text) => parse(&text).map(Self),
        }
    }
}

/// The moment a text names.
pub(super) fn parse(text: &str) -> Result<UnixSeconds, String> {
    let bad = || {
        let given: String = text.chars().take(64).collect();
        format!("{given:?} is not a time: write Unix seconds, or \"2026-03-02T09:00:00Z\"")
    };
    if let Ok(seconds) = text.parse() {
        return Ok(UnixSeconds(seconds));
    }
    let stamp: Timestamp = text.parse().map_err(|_| bad())?;
    u64::try_from(stamp.as_second()).map(UnixSeconds).map_err(|_| bad())
}

/// The moment an option names, or now.
pub(super) fn given_or_now(given: Option<&str>) -> Result<UnixSeconds, CliError> {
    given.map_or_else(|| Ok(now()), |text| parse(text).map_err(CliError::Usage))
}

/// A length: a number and `m`, `h`, `d` or `w`, in seconds.
pub(super) fn length_seconds(text: &str) -> Result<u64, CliError> {
    let bad = || {
        let given: String = text.chars().take(64).collect();
        CliError::Usage(format!("{given:?} is not a length of time: write 30d, 12h or 4w"))
    };
    let unit: u64 = match text.chars().last() {
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        Some('w') => 604_800,
        _ => return Err(bad()),
    };
    let number = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    let number: u64 = number.parse().map_err(|_| bad())?;
    number.checked_mul(unit).filter(|seconds| *seconds > 0).ok_or_else(bad)
}

/// As people read it: RFC 3339 in UTC.
pub(super) fn text(moment: UnixSeconds) -> String {
    let second = i64::try_from(moment.0).ok();
    let stamp = second.and_then(|second| Timestamp::from_second(second).ok());
    stamp.map_or_else(|| moment.to_string(), |stamp| stamp.to_string())
}

pub(super) fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_lengths_are_read_as_written() {
        assert_eq!(parse("1700000000"), Ok(UnixSeconds(1_700_000_000)));
        assert_eq!(parse("2023-11-14T22:13:20Z"), Ok(UnixSeconds(1_700_000_000)));
        assert_eq!(parse("2023-11-14T23:13:20+01:00"), Ok(UnixSeconds(1_700_000_000)));
        assert_eq!(text(UnixSeconds(1_700_000_000)), "2023-11-14T22:13:20Z");
        for bad in ["", "yesterday", "2023-11-14", "-1", "2023-11-14T22:13:20"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(length_seconds("30d").unwrap(), 2_592_000);
        for bad in ["", "d", "30", "0d", "-1d", "30y", "99999999999999999999d"] {
            assert!(length_seconds(bad).is_err(), "{bad}");
        }
    }
}
