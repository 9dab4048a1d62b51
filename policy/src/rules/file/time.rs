//! Rules about time, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::rules::dates::Moment;
use crate::rules::file::schema;
use crate::rules::hours::{Clock, Day};
use crate::rules::{Blackout, Dates, Hours, RuleKind};
use crate::window::Zone;

/// The times of the week at which may be paid.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HoursFile {
    /// First minute, by the zone's wall clock.
    #[schemars(schema_with = "schema::clock")]
    from: Clock,
    /// The minute before which it ends; before `from` where it runs past midnight.
    #[schemars(schema_with = "schema::clock")]
    to: Clock,
    /// The days on which it begins; all, where none are given.
    #[serde(default)]
    #[schemars(schema_with = "schema::days")]
    days: Option<Vec<Day>>,
    /// The zone of the wall clock.
    #[schemars(schema_with = "schema::zone")]
    zone: Zone,
}

/// From when until when may be paid.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 2))]
pub(super) struct DatesFile {
    /// The first day, or the first minute.
    #[serde(default)]
    #[schemars(schema_with = "schema::moment")]
    from: Option<Moment>,
    /// The last day, or the minute at which it ends.
    #[serde(default)]
    #[schemars(schema_with = "schema::moment")]
    until: Option<Moment>,
    /// The zone of the wall clock.
    #[schemars(schema_with = "schema::zone")]
    zone: Zone,
}

/// When must not be paid, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BlackoutFile {
    /// The first day, or the first minute.
    #[schemars(schema_with = "schema::moment")]
    from: Moment,
    /// The last day, or the minute at which it ends.
    #[schemars(schema_with = "schema::moment")]
    until: Moment,
    /// The zone of the wall clock.
    #[schemars(schema_with = "schema::zone")]
    zone: Zone,
    /// Why, for whoever is refused.
    reason: String,
}

impl DatesFile {
    pub(super) fn read(self) -> Result<RuleKind, String> {
        Dates::new(self.from, self.until, self.zone).map(RuleKind::Dates)
    }
}

impl BlackoutFile {
    pub(super) fn read(self) -> Result<RuleKind, String> {
        Blackout::new(self.from, self.until, self.zone, &self.reason).map(RuleKind::Blackout)
    }
}

impl HoursFile {
    pub(super) fn read(self) -> Result<RuleKind, String> {
        let Self { from, to, days, zone } = self;
        let days = days.unwrap_or_else(|| Day::ALL.to_vec());
        let never = "these hours never open: from and to differ, from is before 24:00, and there \
                     is a day";
        Hours::new(from, to, days, zone).map(RuleKind::Hours).ok_or_else(|| never.to_owned())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::find(&name).map_err(serde::de::Error::custom)
    }
}
