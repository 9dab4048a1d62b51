//! `hours`: the times of the week at which may be paid.

use jiff::ToSpan as _;
use jiff::civil::{Date, Time, Weekday};
use serde::Deserialize;

use crate::rules::{Judgement, View};
use crate::time::UnixSeconds;
use crate::window::Zone;

const MINUTES_PER_HOUR: u16 = 60;
const MINUTES_PER_DAY: u16 = 1_440;
/// An opening is never further away than a week, and another week where the clock skips the one
/// opening of the first.
const OPENING_DAYS_MAX: i64 = 15;
const OPENING_SECONDS_MAX: u64 = 1_296_000;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    pub(super) const ALL: [Self; 7] =
        [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    const fn of(weekday: Weekday) -> Self {
        match weekday {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }
}

/// A time of day on the wall clock, `"00:00"` to `"24:00"`, to the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Clock {
    minutes: u16,
}

/// A text that is not a time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a time of day from \"00:00\" to \"24:00\"")]
pub(super) struct BadClock {
    given: String,
}

impl TryFrom<String> for Clock {
    type Error = BadClock;
    fn try_from(text: String) -> Result<Self, BadClock> {
        minutes(&text)
            .map(|minutes| Self { minutes })
            .ok_or_else(|| BadClock { given: text.chars().take(16).collect() })
    }
}

impl Clock {
    /// The time of day; nothing for the end of the day.
    pub(super) fn time(self) -> Option<Time> {
        let hour = i8::try_from(self.minutes.div_euclid(MINUTES_PER_HOUR)).ok()?;
        let minute = i8::try_from(self.minutes.rem_euclid(MINUTES_PER_HOUR)).ok()?;
        Time::new(hour, minute, 0, 0).ok()
    }
}

fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !(two_digits(hour) && two_digits(minute)) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let minutes = hour.checked_mul(MINUTES_PER_HOUR)?.checked_add(minute)?;
    (minute < MINUTES_PER_HOUR && minutes <= MINUTES_PER_DAY).then_some(minutes)
}

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hour = self.minutes.div_euclid(MINUTES_PER_HOUR);
        write!(f, "{hour:02}:{:02}", self.minutes.rem_euclid(MINUTES_PER_HOUR))
    }
}

/// Minutes of one day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Monday 1 to Sunday 7.
    pub(crate) day: u8,
    /// The first minute of the day.
    pub(crate) from_minute: u16,
    /// The first minute after the end.
    pub(crate) to_minute: u16,
}

/// When may be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    from: Clock,
    to: Clock,
    days: Vec<Day>,
    zone: Zone,
    text: String,
}

impl Hours {
    /// Nothing where the hours would never open.
    pub(super) fn new(from: Clock, to: Clock, mut days: Vec<Day>, zone: Zone) -> Option<Self> {
        if from == to || days.is_empty() || from.minutes == MINUTES_PER_DAY {
            return None;
        }
        days.sort_unstable();
        days.dedup();
        let words: Vec<_> = days.iter().map(|day| day.word()).collect();
        let text = format!("{from} to {to} on {} in {zone}", words.join(", "));
        Some(Self { from, to, days, zone, text })
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let now = view.facts.now;
        let local = self.zone.at(now);
        let kept = self.is_open_at(now);
        let asked = local.map_or_else(
            || now.to_string(),
            |local| {
                let day = Day::of(local.weekday()).word();
                format!("{day} {:02}:{:02}", local.hour(), local.minute())
            },
        );
        let resets_at = if kept { None } else { self.opens_after(now) };
        Judgement { kept, limit: self.text.clone(), asked, resets_at, ..Judgement::default() }
    }

    /// Whether these hours are open only when those of `wide` are, by the same clock.
    pub(crate) fn is_within(&self, wide: &Self) -> bool {
        self.zone == wide.zone && {
            let (mine, theirs) = (self.week(), wide.week());
            mine.iter().zip(&theirs).all(|(mine, theirs)| !mine || *theirs)
        }
    }

    /// The zone whose wall clock it goes by.
    pub(crate) const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// When it is open, day by day.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let (from, to) = (self.from.minutes, self.to.minutes);
        let day =
            |day: &Day| Day::ALL.iter().zip(1_u8..).find_map(|(d, n)| (d == day).then_some(n));
        let mut spans = Vec::new();
        for day in self.days.iter().filter_map(day) {
            if from < to {
                spans.push(Span { day, from_minute: from, to_minute: to });
                continue;
            }
            spans.push(Span { day, from_minute: from, to_minute: MINUTES_PER_DAY });
            let next = if day == 7 { 1 } else { day.saturating_add(1) };
            spans.push(Span { day: next, from_minute: 0, to_minute: to });
        }
        spans
    }

    /// Whether it is open in each minute of a week that begins on Monday.
    fn week(&self) -> Vec<bool> {
        let opens = |day: usize| self.days.iter().any(|open| Day::ALL.get(day) == Some(open));
        let minutes = (0..MINUTES_PER_DAY).map(|minute| {
            let (from, to) = (self.from.minutes, self.to.minutes);
            let past_midnight = to <= from;
            let today = if past_midnight { minute >= from } else { (from..to).contains(&minute) };
            (today, past_midnight && minute < to)
        });
        let minutes: Vec<_> = minutes.collect();
        let day = |day: usize| {
            let (on, before) = (opens(day), opens(day.checked_sub(1).unwrap_or(6)));
            minutes.iter().map(move |(today, yesterday)| (on && *today) || (before && *yesterday))
        };
        (0..Day::ALL.len()).flat_map(day).collect()
    }

    /// Whether it is open at that moment.
    pub(crate) fn is_open_at(&self, at: UnixSeconds) -> bool {
        self.zone.at(at).is_some_and(|local| self.is_open(local.date(), local.time()))
    }

    fn is_open(&self, date: Date, time: Time) -> bool {
        let minute = minute_of_day(time);
        let on = |date: Date| self.days.contains(&Day::of(date.weekday()));
        if self.from < self.to {
            return on(date) && (self.from.minutes..self.to.minutes).contains(&minute);
        }
        let began_today = on(date) && minute >= self.from.minutes;
        let began_yesterday = minute < self.to.minutes && date.yesterday().is_ok_and(on);
        began_today || began_yesterday
    }

    /// The next moment at which it is open. It opens at `from` or when the clock jumps: over
    /// `from`, back to before the end, or to another day.
    fn opens_after(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let today = self.zone.at(now)?.date();
        let from = self.from.time()?;
        let dates = (0..=OPENING_DAYS_MAX).filter_map(|ahead| today.checked_add(ahead.days()).ok());
        let begins = dates.filter_map(|date| self.zone.moments(date.to_datetime(from)));
        let horizon = now.plus(OPENING_SECONDS_MAX);
        let jumps = self.zone.jumps_after(now).take_while(|jump| *jump <= horizon);
        begins
            .flat_map(|at| [at.first, at.last])
            .chain(jumps)
            .filter(|at| *at > now)
            .filter(|at| self.zone.at(*at).is_some_and(|at| self.is_open(at.date(), at.time())))
            .min()
    }
}

fn minute_of_day(time: Time) -> u16 {
    let part = |value: i8| u16::try_from(value).unwrap_or_default();
    part(time.hour()).saturating_mul(MINUTES_PER_HOUR).saturating_add(part(time.minute()))
}
