//! `hours`, `dates` and `blackout` where clocks jump and years leap.

use alloy_primitives::Address;

use super::*;
use crate::decision::decide;
use crate::fixture::{VENDOR, intent, x402};
use crate::ledger::Ledger;
use crate::time::UnixSeconds;

fn at(text: &str) -> UnixSeconds {
    let moment: jiff::Timestamp = text.parse().unwrap();
    UnixSeconds(moment.as_second().try_into().unwrap())
}

fn found(rule: &str, now: &str) -> Finding {
    let policy = parsed(&format!("  - {rule}"));
    let intent = intent(1, x402(1, VENDOR, Address::repeat_byte(0xee)), at(now));
    let ledger = Ledger::new();
    let facts = Facts::of(&ledger, at(now));
    decide(&[&policy], &Ask::of(&intent).unwrap(), &facts).policies.remove(0).findings.remove(0)
}

fn check(rule: &str, table: &[(&str, bool, Option<&str>)]) {
    for (now, kept, resets_at) in table {
        let finding = found(rule, now);
        assert_eq!(finding.kept(), *kept, "{rule} at {now}");
        assert_eq!(finding.resets_at, resets_at.map(at), "{rule} at {now}");
    }
}

#[test]
fn hours_open_when_a_clock_jumps_into_them() {
    // Clocks go from 02:00 to 03:00 at 07:00 UTC.
    check(
        "hours: { from: \"02:30\", to: \"04:00\", zone: America/New_York }",
        &[("2025-03-09T06:59:59Z", false, Some("2025-03-09T07:00:00Z"))],
    );
    // The whole opening is skipped: the next one is a week later.
    check(
        "hours: { from: \"02:15\", to: \"02:45\", days: [sun], zone: America/New_York }",
        &[("2025-03-09T06:59:59Z", false, Some("2025-03-16T06:15:00Z"))],
    );
    // Clocks go from 02:00 back to 01:00 at 06:00 UTC: what is shown twice is open twice.
    check(
        "hours: { from: \"01:30\", to: \"02:00\", zone: America/New_York }",
        &[
            ("2025-11-02T05:30:00Z", true, None),
            ("2025-11-02T06:00:00Z", false, Some("2025-11-02T06:30:00Z")),
            ("2025-11-02T06:30:00Z", true, None),
        ],
    );
    // Closed at 01:45, and back inside when the clock goes back.
    check(
        "hours: { from: \"00:00\", to: \"01:45\", zone: America/New_York }",
        &[("2025-11-02T05:45:00Z", false, Some("2025-11-02T06:00:00Z"))],
    );
}

#[test]
fn dates_are_whole_days_and_date_times_are_moments() {
    check(
        "dates: { from: 2025-03-09, until: 2025-03-09, zone: America/New_York }",
        &[
            ("2025-03-09T04:59:59Z", false, Some("2025-03-09T05:00:00Z")),
            ("2025-03-09T05:00:00Z", true, None),
            // A day of 23 hours.
            ("2025-03-10T03:59:59Z", true, None),
            ("2025-03-10T04:00:00Z", false, None),
        ],
    );
    check(
        "dates: { from: 2024-02-29T12:00, until: 2024-02-29T13:00, zone: UTC }",
        &[
            ("2024-02-29T11:59:59Z", false, Some("2024-02-29T12:00:00Z")),
            ("2024-02-29T12:00:00Z", true, None),
            ("2024-02-29T12:59:59Z", true, None),
            ("2024-02-29T13:00:00Z", false, None),
        ],
    );
    // Midnight does not exist in Cairo on that day.
    check(
        "dates: { from: 2025-04-25, zone: Africa/Cairo }",
        &[("2025-04-24T21:59:59Z", false, Some("2025-04-24T22:00:00Z"))],
    );
    check("dates: { until: 2024-02-29, zone: UTC }", &[("2024-02-29T23:59:59Z", true, None)]);
    check("dates: { until: 2024-02-29, zone: UTC }", &[("2024-03-01T00:00:00Z", false, None)]);
}

#[test]
fn blackouts_refuse_from_begin_to_end_and_say_why() {
    let rule = "blackout: { from: 2025-10-26, until: 2025-10-26, zone: Europe/Berlin, \
                reason: year-end audit }";
    check(
        rule,
        &[
            ("2025-10-25T21:59:59Z", true, None),
            ("2025-10-25T22:00:00Z", false, Some("2025-10-26T23:00:00Z")),
            // A day of 25 hours.
            ("2025-10-26T22:59:59Z", false, Some("2025-10-26T23:00:00Z")),
            ("2025-10-26T23:00:00Z", true, None),
        ],
    );
    assert!(found(rule, "2025-10-26T12:00:00Z").limit.contains("year-end audit"));
    // 01:30 is shown twice: a blackout takes both, dates take neither.
    let span = "from: 2025-11-02T01:30, until: 2025-11-02T01:30, zone: America/New_York";
    check(
        &format!("blackout: {{ {span}, reason: x }}"),
        &[
            ("2025-11-02T05:29:59Z", true, None),
            ("2025-11-02T05:30:00Z", false, Some("2025-11-02T06:30:00Z")),
            ("2025-11-02T06:30:00Z", true, None),
        ],
    );
    assert!(Policy::parse(&yaml(7, &format!("  - dates: {{ {span} }}"))).is_err());
}

#[test]
fn spans_of_time_that_are_none_are_refused() {
    for rule in [
        "dates: { zone: UTC }",
        "dates: { from: 2025-01-01 }",
        "dates: { from: 2025-02-29, zone: UTC }",
        "dates: { from: 2025-1-1, zone: UTC }",
        "dates: { from: 2025-01-01T24:00, zone: UTC }",
        "dates: { from: 2025-01-01T9:00, zone: UTC }",
        "dates: { from: \"2025-01-01T09:00Z\", zone: UTC }",
        "dates: { from: 2025-01-02, until: 2025-01-01, zone: UTC }",
        "dates: { from: 1969-12-31, zone: UTC }",
        "dates: { from: 2025-01-01, zone: Mars/Olympus }",
        "blackout: { from: 2025-01-01, until: 2025-01-02, zone: UTC }",
        "blackout: { from: 2025-01-01, until: 2025-01-02, zone: UTC, reason: \"\" }",
        "blackout: { from: 2025-01-01T09:00, until: 2025-01-01T09:00, zone: UTC, reason: x }",
    ] {
        let refused = Policy::parse(&yaml(7, &format!("  - {rule}")));
        assert!(
            matches!(refused, Err(PolicyError::Malformed { line: 8, .. })),
            "{rule}: {refused:?}"
        );
    }
}
