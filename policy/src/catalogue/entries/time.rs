//! Rules about time.

use super::{ALL, TIME};
use crate::catalogue::Entry;

pub(super) const HOURS: Entry = Entry {
    word: "hours",
    group: TIME,
    summary: "The times of the week at which may be paid, by a zone's wall clock.",
    fields: &[
        ("from", "first minute, `\"00:00\"` to `\"23:59\"`"),
        (
            "to",
            "the minute before which it ends, up to `\"24:00\"`; before `from` it runs past \
             midnight and belongs to the day on which it began",
        ),
        ("days", "`mon` to `sun`; all, where none are given"),
        ("zone", "an IANA zone; required"),
    ],
    outcomes: ALL,
    covers: &["TIME_WINDOW", "DAY_OF_WEEK", "active_hours", "business_hours_only"],
    notes: "",
    example: "- hours: { from: \"09:00\", to: \"17:00\", days: [mon, tue, wed, thu, fri], zone: \
              America/New_York }",
};

pub(super) const DATES: Entry = Entry {
    word: "dates",
    group: TIME,
    summary: "From when until when may be paid.",
    fields: &[
        ("from", "the first day or minute"),
        ("until", "the last day, or the minute at which it ends"),
        ("zone", "an IANA zone; required"),
    ],
    outcomes: ALL,
    covers: &["DATE_RANGE", "EXPIRATION"],
    notes: "",
    example: "- dates: { from: 2026-01-01, until: 2026-12-31, zone: Europe/Berlin }",
};

pub(super) const BLACKOUT: Entry = Entry {
    word: "blackout",
    group: TIME,
    summary: "When must not be paid, and why.",
    fields: &[
        ("from", "the first day or minute"),
        ("until", "the last day, or the minute at which it ends"),
        ("zone", "an IANA zone; required"),
        ("reason", "why, for whoever is refused"),
    ],
    outcomes: ALL,
    covers: &["BLACKOUT_PERIOD"],
    notes: "",
    example: "- blackout: { from: 2026-12-24, until: 2026-12-26, zone: Europe/Berlin, reason: \
              holidays }",
};
