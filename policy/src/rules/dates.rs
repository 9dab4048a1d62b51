//! `dates` and `blackout`: from when until when may be paid, and when not.
//!
//! Promises: a date-time is the moment at which the zone's wall clock shows it; `from` is included
//! and `until` is not. A date is the whole day, as `from` and as `until`. Where the clock shows
//! a time twice, `dates` takes the shorter span and `blackout` the longer one; a time that the
//! clock skips is the moment of the skip.
//!
//! Refuses: spans that hold no moment, and years outside of 1970 to 9999.

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Time};
use serde::Deserialize;

use crate::rules::hours::Clock;
use crate::rules::{Judgement, View};
use crate::time::UnixSeconds;
use crate::window::Zone;

/// Longest reason of a blackout, in characters.
pub const BLACKOUT_REASON_CHARS_MAX: usize = 200;
const DATE_CHARS: usize = 10;

/// A date, `2026-11-21`, or a date-time to the minute, `2026-11-21T09:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) enum Moment {
    Day(Date),
    Minute(DateTime),
}

/// A text that is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a date such as 2026-11-21, or a date-time such as 2026-11-21T09:00")]
pub(super) struct BadMoment {
    given: String,
}

impl TryFrom<String> for Moment {
    type Error = BadMoment;
    fn try_from(text: String) -> Result<Self, BadMoment> {
        moment(&text).ok_or_else(|| BadMoment { given: text.chars().take(32).collect() })
    }
}

fn moment(text: &str) -> Option<Moment> {
    let (date, clock) = text.split_once('T').map_or((text, None), |(d, clock)| (d, Some(clock)));
    let plain = |(place, byte): (usize, u8)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    if date.len() != DATE_CHARS || !date.bytes().enumerate().all(plain) {
        return None;
    }
    let date: Date = date.parse().ok()?;
    let Some(clock) = clock else { return Some(Moment::Day(date)) };
    let time = Clock::try_from(clock.to_owned()).ok()?.time()?;
    Some(Moment::Minute(date.to_datetime(time)))
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Day(date) => date.fmt(f),
            Self::Minute(at) => {
                write!(f, "{} {:02}:{:02}", at.date(), at.hour(), at.minute())
            }
        }
    }
}

impl Moment {
    /// The wall clock's time of the first moment.
    fn begin(self) -> DateTime {
        match self {
            Self::Day(date) => date.to_datetime(Time::midnight()),
            Self::Minute(at) => at,
        }
    }

    /// The wall clock's time of the first moment that is not in it any more.
    fn end(self) -> Option<DateTime> {
        match self {
            Self::Day(date) => Some(date.checked_add(1.day()).ok()?.to_datetime(Time::midnight())),
            Self::Minute(at) => Some(at),
        }
    }
}

const OUT_OF_TIME: &str = "dates lie in the years 1970 to 9999";
const NEVER: &str = "this span holds no moment: from lies before until";

/// The dates within which may be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dates {
    from: Option<UnixSeconds>,
    until: Option<UnixSeconds>,
    zone: Zone,
    text: String,
}

impl Dates {
    pub(super) fn new(
        from: Option<Moment>,
        until: Option<Moment>,
        zone: Zone,
    ) -> Result<Self, String> {
        let first = |from: Moment| zone.moments(from.begin()).map(|at| at.last);
        let end = |until: Moment| zone.moments(until.end()?).map(|at| at.first);
        let known = |at: Option<UnixSeconds>| at.ok_or_else(|| OUT_OF_TIME.to_owned());
        let begins = from.map(|from| known(first(from))).transpose()?;
        let ends = until.map(|until| known(end(until))).transpose()?;
        let text = match (from, until) {
            (Some(from), Some(until)) => format!("from {from} until {until}"),
            (Some(from), None) => format!("from {from}"),
            (None, Some(until)) => format!("until {until}"),
            (None, None) => return Err("dates have a from, an until, or both".to_owned()),
        };
        if begins.zip(ends).is_some_and(|(begins, ends)| begins >= ends) {
            return Err(NEVER.to_owned());
        }
        let text = format!("{text} in {zone}");
        Ok(Self { from: begins, until: ends, zone, text })
    }

    /// The first moment; none where there is no beginning.
    #[must_use]
    pub const fn from(&self) -> Option<UnixSeconds> {
        self.from
    }

    /// The first moment after the end; none where there is no end.
    #[must_use]
    pub const fn until(&self) -> Option<UnixSeconds> {
        self.until
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let now = view.facts.now;
        let early = self.from.filter(|from| now < *from);
        let late = self.until.is_some_and(|until| now >= until);
        Judgement {
            kept: early.is_none() && !late,
            limit: self.text.clone(),
            asked: shown(now, &self.zone),
            resets_at: early,
            ..Judgement::default()
        }
    }
}

/// A time in which must not be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blackout {
    from: UnixSeconds,
    until: UnixSeconds,
    zone: Zone,
    text: String,
}

impl Blackout {
    pub(super) fn new(
        from: Moment,
        until: Moment,
        zone: Zone,
        reason: &str,
    ) -> Result<Self, String> {
        let chars = reason.chars().count();
        if !(1..=BLACKOUT_REASON_CHARS_MAX).contains(&chars) || reason.contains(char::is_control) {
            return Err(format!(
                "the reason of a blackout is one line of 1 to {BLACKOUT_REASON_CHARS_MAX} \
                 characters"
            ));
        }
        let begins = zone.moments(from.begin()).map(|at| at.first);
        let ends = until.end().and_then(|end| zone.moments(end)).map(|at| at.last);
        let (begins, ends) = begins.zip(ends).ok_or_else(|| OUT_OF_TIME.to_owned())?;
        if begins >= ends {
            return Err(NEVER.to_owned());
        }
        let text = format!("nothing from {from} until {until} in {zone}: {reason}");
        Ok(Self { from: begins, until: ends, zone, text })
    }

    /// The first moment.
    #[must_use]
    pub const fn from(&self) -> UnixSeconds {
        self.from
    }

    /// The first moment after the end.
    #[must_use]
    pub const fn until(&self) -> UnixSeconds {
        self.until
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let now = view.facts.now;
        let within = (self.from..self.until).contains(&now);
        Judgement {
            kept: !within,
            limit: self.text.clone(),
            asked: shown(now, &self.zone),
            resets_at: within.then_some(self.until),
            ..Judgement::default()
        }
    }
}

/// A moment as the zone's wall clock shows it.
fn shown(now: UnixSeconds, zone: &Zone) -> String {
    let at =
        |local: jiff::Zoned| format!("{} {:02}:{:02}", local.date(), local.hour(), local.minute());
    zone.at(now).map_or_else(|| now.to_string(), at)
}
