//! Windows over years of wall clocks, second by second where clocks jump, against labels that are
//! counted from the zone's offsets alone; rolling windows at every pair of moments of a small
//! world.

use std::collections::BTreeSet;

use super::*;

/// What a wall clock shows: the period that is on, and, for hours and minutes, the stretch between
/// two jumps of the clock, since an hour that is shown twice is two hours.
type Label = (i64, usize);

/// A zone's offsets, and the moments at which they change, over some years.
struct Clock {
    zone: Zone,
    jumps: Vec<i64>,
}

/// Zone, first and last year: clocks that jump an hour, half an hour, over a midnight, over a
/// whole day, backwards into the day before, for a month a year, and never.
const CLOCKS: [(&str, i16, i16); 10] = [
    ("UTC", 2023, 2025),
    ("America/New_York", 2023, 2025),
    ("Europe/London", 2023, 2025),
    ("Australia/Lord_Howe", 2023, 2025),
    ("Africa/Casablanca", 2023, 2025),
    ("Pacific/Apia", 2011, 2012),
    ("Africa/Cairo", 2024, 2025),
    ("America/Havana", 2024, 2025),
    ("Asia/Kathmandu", 2024, 2024),
    ("America/Sao_Paulo", 2018, 2019),
];
const PERIODS: [Period; 5] =
    [Period::Minute, Period::Hour, Period::Day, Period::Week, Period::Month];
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

fn moment(seconds: i64) -> UnixSeconds {
    UnixSeconds(seconds.try_into().unwrap())
}

fn new_year(year: i16) -> i64 {
    at(&format!("{year}-01-01T00:00:00Z")).0.try_into().unwrap()
}

/// Year and month of a day since 1970-01-01, after Howard Hinnant's `civil_from_days`.
fn month_of(day: i64) -> i64 {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (month, late) = if mp < 10 { (mp + 3, 0) } else { (mp - 9, 1) };
    (yoe + era * 400 + late) * 12 + month
}

impl Clock {
    fn new(name: &str, from: i64, to: i64) -> Self {
        let zone = Zone::find(name).unwrap();
        let begin = Timestamp::from_second(from - 40 * DAY).unwrap();
        let jumps = zone.zone.following(begin).map(|jump| jump.timestamp().as_second());
        let jumps = jumps.take_while(|jump| *jump < to + 40 * DAY);
        let offset = |t| zone.zone.to_offset(Timestamp::from_second(t).unwrap());
        let jumps = jumps.filter(|jump| offset(*jump) != offset(*jump - 1)).collect();
        Self { zone, jumps }
    }

    fn shown(&self, t: i64) -> i64 {
        let offset = self.zone.zone.to_offset(Timestamp::from_second(t).unwrap());
        t + i64::from(offset.seconds())
    }

    fn label(&self, period: Period, t: i64) -> Label {
        let shown = self.shown(t);
        let day = shown.div_euclid(DAY);
        let stretch = self.jumps.partition_point(|jump| *jump <= t);
        match period {
            Period::Minute => (shown.div_euclid(60), stretch),
            Period::Hour => (shown.div_euclid(HOUR), stretch),
            Period::Day => (day, 0),
            // 1970-01-01 was a Thursday.
            Period::Week => ((day + 3).div_euclid(7), 0),
            _ => (month_of(day), 0),
        }
    }

    /// The windows of a stretch of time, each by its own word the next one of the last; all that
    /// lies in one is asked for at `step`, and at both of its ends.
    fn walk(&self, period: Period, from: i64, to: i64, step: i64) -> BTreeSet<i64> {
        let window = Window::calendar(period, self.zone.clone()).unwrap();
        let mut lengths = BTreeSet::new();
        let mut begin = window.since(moment(from));
        while begin < moment(to) {
            let what = format!("{window} from {begin}");
            let end = window.leaves_at(begin, begin).unwrap();
            let (first, last): (i64, i64) =
                (begin.0.try_into().unwrap(), end.0.try_into().unwrap());
            let label = self.label(period, first);
            assert!(first < last, "{what} has a length");
            assert_ne!(self.label(period, first - 1), label, "{what} begins no later");
            assert_ne!(self.label(period, last), label, "{what} ends no later");
            let inside = (0..).map(|n| first + n * step).take_while(|t| *t < last);
            for t in inside.chain([last - 1]) {
                assert_eq!(self.label(period, t), label, "{what} at {t}");
                assert_eq!(window.since(moment(t)), begin, "{what} at {t}");
                assert_eq!(window.leaves_at(begin, moment(t)), Some(end), "{what} at {t}");
            }
            assert_eq!(window.before(end), begin, "{what}");
            lengths.insert(last - first);
            begin = end;
        }
        lengths
    }
}

fn walked(period: Period, step: i64) -> Vec<(&'static str, BTreeSet<i64>)> {
    let walk = |(zone, first, last)| {
        let (from, to) = (new_year(first), new_year(last + 1));
        (zone, Clock::new(zone, from, to).walk(period, from, to, step))
    };
    CLOCKS.into_iter().map(walk).collect()
}

#[test]
fn days_weeks_and_months_part_the_years_of_every_clock() {
    for (zone, hours) in walked(Period::Day, HOUR) {
        let halves: Vec<_> = hours.into_iter().map(|seconds| seconds * 2 / HOUR).collect();
        let expected: &[i64] = match zone {
            "UTC" | "Asia/Kathmandu" => &[48],
            "Australia/Lord_Howe" => &[47, 48, 49],
            _ => &[46, 48, 50],
        };
        assert_eq!(halves, expected, "{zone}");
    }
    for (zone, lengths) in walked(Period::Week, HOUR) {
        let days: BTreeSet<_> = lengths.into_iter().map(|seconds| (seconds + HOUR) / DAY).collect();
        // The week of Apia without a Friday.
        let expected = if zone == "Pacific/Apia" { BTreeSet::from([6, 7]) } else { [7].into() };
        assert_eq!(days, expected, "{zone}");
    }
    for (zone, lengths) in walked(Period::Month, HOUR) {
        let days: Vec<_> = lengths.into_iter().map(|seconds| (seconds + HOUR) / DAY).collect();
        let shortest = if matches!(zone, "Pacific/Apia" | "America/Sao_Paulo") { 28 } else { 29 };
        assert!(days.contains(&31) && days.contains(&30), "{zone}");
        assert!(days.contains(&shortest) || days.contains(&29), "{zone}");
    }
}

#[test]
fn hours_part_the_years_of_every_clock() {
    for (zone, lengths) in walked(Period::Hour, HOUR / 2) {
        let cut = BTreeSet::from([HOUR / 2, HOUR]);
        let expected = if zone == "Australia/Lord_Howe" { cut } else { [HOUR].into() };
        assert_eq!(lengths, expected, "{zone}");
    }
}

#[test]
fn every_second_around_a_jump_lies_in_one_window() {
    for (zone, first, last) in CLOCKS {
        let (from, to) = (new_year(first), new_year(last + 1));
        let clock = Clock::new(zone, from, to);
        for jump in clock.jumps.iter().filter(|jump| (from..to).contains(*jump)) {
            clock.walk(Period::Minute, jump - 2 * HOUR, jump + 2 * HOUR, 1);
            clock.walk(Period::Hour, jump - 3 * HOUR, jump + 3 * HOUR, 1);
            clock.walk(Period::Day, jump - DAY, jump + DAY, 61);
        }
    }
}

#[test]
fn every_zone_of_the_database_parts_the_years_to_come() {
    let (from, to) = (new_year(2026), new_year(2028));
    for name in TimeZoneDatabase::bundled().available() {
        let Ok(zone) = Zone::find(name.as_str()) else { continue };
        let clock = Clock::new(zone.name(), from, to);
        for period in [Period::Day, Period::Week, Period::Month] {
            clock.walk(period, from, to, 5 * DAY);
        }
        for jump in clock.jumps.iter().filter(|jump| (from..to).contains(*jump)) {
            clock.walk(Period::Hour, jump - 3 * HOUR, jump + 3 * HOUR, HOUR / 4);
            clock.walk(Period::Day, jump - DAY, jump + DAY, HOUR / 4);
        }
    }
}

/// A payment is in the window while it is younger than the window is long, and leaves at the
/// first moment at which it is not.
fn check_rolling(window: &Window, paid: UnixSeconds, now: UnixSeconds) {
    let length = window.period.seconds();
    let counts = window.since(now) <= paid;
    assert_eq!(counts, now.0 - paid.0 < length, "{window}: paid at {paid}, asked at {now}");
    let leaves = window.leaves_at(paid, now).unwrap();
    assert_eq!(leaves.0 > now.0, counts, "{window}: paid at {paid}, asked at {now}");
}

#[test]
fn a_rolling_window_counts_what_is_younger_than_it_is_long() {
    let lengths = ["1m", "2m", "1h", "1d"].map(|text| text.parse::<Period>().unwrap());
    for period in PERIODS.into_iter().chain(lengths) {
        let window = Window::rolling(period);
        for paid in 0..130 {
            (paid..260).for_each(|now| check_rolling(&window, UnixSeconds(paid), UnixSeconds(now)));
        }
        let length = period.seconds();
        for base in [1_700_000_000, u64::from(u32::MAX), u64::MAX - 2 * length] {
            for age in (0..5).chain(length - 3..length + 3) {
                check_rolling(&window, UnixSeconds(base), UnixSeconds(base + age));
            }
        }
        assert_eq!(window.before(UnixSeconds(5 * length)), UnixSeconds(4 * length));
    }
}
