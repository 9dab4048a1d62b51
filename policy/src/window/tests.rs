#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

mod exhaustive;

use super::*;

fn at(text: &str) -> UnixSeconds {
    let timestamp: Timestamp = text.parse().unwrap();
    UnixSeconds(timestamp.as_second().try_into().unwrap())
}

fn calendar(period: Period, zone: &str) -> Window {
    Window::calendar(period, Zone::find(zone).unwrap()).unwrap()
}

#[test]
fn a_rolling_window_is_open_at_its_far_end() {
    for period in [Period::Minute, Period::Hour, Period::Day, Period::Week, Period::Month] {
        let window = Window::rolling(period);
        let now = UnixSeconds(10_000_000);
        let since = window.since(now);
        assert_eq!(since, UnixSeconds(10_000_000 - period.seconds() + 1));
        // The oldest payment that still counts leaves one second later.
        assert_eq!(window.leaves_at(since, now), Some(now.plus(1)));
    }
    let young = Window::rolling(Period::Month);
    assert_eq!(young.since(UnixSeconds(5)), UnixSeconds(0));
}

/// Period, zone, now, and the window's begin and end.
const CALENDAR: [(Period, &str, &str, &str, &str); 11] = [
    // An ordinary day.
    (Period::Day, "UTC", "2025-02-27T16:01:29Z", "2025-02-27T00:00:00Z", "2025-02-28T00:00:00Z"),
    // Clocks go forward: 23 hours.
    (
        Period::Day,
        "America/New_York",
        "2025-03-09T20:00:00Z",
        "2025-03-09T05:00:00Z",
        "2025-03-10T04:00:00Z",
    ),
    // Clocks go back: 25 hours.
    (
        Period::Day,
        "Europe/Berlin",
        "2025-10-26T12:00:00Z",
        "2025-10-25T22:00:00Z",
        "2025-10-26T23:00:00Z",
    ),
    // Midnight does not exist: the day begins at one o'clock.
    (
        Period::Day,
        "Africa/Cairo",
        "2025-04-25T12:00:00Z",
        "2025-04-24T22:00:00Z",
        "2025-04-25T21:00:00Z",
    ),
    // A week begins on Monday and may have 167 hours.
    (
        Period::Week,
        "America/New_York",
        "2025-03-09T20:00:00Z",
        "2025-03-03T05:00:00Z",
        "2025-03-10T04:00:00Z",
    ),
    // The first second of a week belongs to it.
    (Period::Week, "UTC", "2025-03-03T00:00:00Z", "2025-03-03T00:00:00Z", "2025-03-10T00:00:00Z"),
    // Months have the days they have.
    (
        Period::Month,
        "Europe/Berlin",
        "2024-02-29T22:59:59Z",
        "2024-01-31T23:00:00Z",
        "2024-02-29T23:00:00Z",
    ),
    (
        Period::Month,
        "Europe/Berlin",
        "2024-03-30T23:30:00Z",
        "2024-02-29T23:00:00Z",
        "2024-03-31T22:00:00Z",
    ),
    (Period::Month, "UTC", "2025-12-31T23:59:59Z", "2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    // Hours of a zone that is off by three quarters.
    (
        Period::Hour,
        "Asia/Kathmandu",
        "2025-02-27T16:01:29Z",
        "2025-02-27T15:15:00Z",
        "2025-02-27T16:15:00Z",
    ),
    (
        Period::Minute,
        "Asia/Kathmandu",
        "2025-02-27T16:01:29Z",
        "2025-02-27T16:01:00Z",
        "2025-02-27T16:02:00Z",
    ),
];

#[test]
fn calendar_windows_begin_and_end_with_the_zone() {
    for (period, zone, now, begin, end) in CALENDAR {
        let window = calendar(period, zone);
        assert_eq!(window.since(at(now)), at(begin), "{window} at {now} begins");
        assert_eq!(window.leaves_at(at(begin), at(now)), Some(at(end)), "{window} at {now} ends");
    }
}

#[test]
fn every_second_lies_in_exactly_one_calendar_window() {
    for zone in ["America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "America/Sao_Paulo"] {
        for period in [Period::Day, Period::Week, Period::Month] {
            let window = calendar(period, zone);
            let mut begin = window.since(at("2017-01-01T12:00:00Z"));
            for _ in 0..400 {
                let end = window.leaves_at(begin, begin).unwrap();
                assert!(end > begin, "{window}");
                assert_eq!(window.since(end.minus(1)), begin, "{window}");
                assert_eq!(window.since(end), end, "{window}");
                begin = end;
            }
        }
    }
}

#[test]
fn zones_are_those_of_the_database_to_the_letter() {
    for good in ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"] {
        assert_eq!(Zone::find(good).unwrap().name(), good);
    }
    for bad in ["", "Mars/Olympus", "europe/berlin", "+02:00", "CEST", "Europe/Berlin ", "../UTC"] {
        assert!(Zone::find(bad).is_err(), "{bad}");
    }
    assert_eq!(TZDB_VERSION.len(), "2026e".len());
}

#[test]
fn beyond_the_calendar_everything_counts() {
    let window = calendar(Period::Day, "UTC");
    assert_eq!(window.since(UnixSeconds(u64::MAX)), UnixSeconds(0));
    assert_eq!(window.leaves_at(UnixSeconds(0), UnixSeconds(u64::MAX)), None);
}
