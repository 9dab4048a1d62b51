//! The kinds of rule.

mod money;
mod parties;
mod people;
mod protocols;
mod time;

use crate::catalogue::Entry;

const ALL: &[&str] = &["refuse", "ask", "warn"];
const HARD: &[&str] = &["refuse", "warn"];
const REFUSES: &[&str] = &["refuse"];
/// What follows is said by the rule itself, so `then` is not written.
const OWN: &[&str] = &[];

const AMOUNTS: &str = "Amounts";
const FEES: &str = "Fees";
const PROTOCOLS: &str = "Protocols";
const PEOPLE: &str = "People and health";
const VELOCITY: &str = "Velocity";
const PARTIES: &str = "Parties";
const TIME: &str = "Time";
const CONDITIONS: &str = "Conditions";

const PER: (&str, &str) = ("per", "the window: `minute` to `month`, or `90m`, `12h`, `10d`");
const BY: (&str, &str) = (
    "by",
    "counts apart for each `recipient`, `service`, `endpoint`, `category`, `protocol`, `asset`",
);

/// Every kind of rule, group by group.
#[must_use]
pub fn entries() -> Vec<Entry> {
    vec![
        money::MAX_AMOUNT,
        money::PRICE_CEILING,
        money::MAX_SHARE,
        money::LIMIT,
        money::RATE,
        parties::ALLOW,
        parties::BLOCK,
        parties::PINNING,
        parties::TRUST,
        parties::COUNTRY,
        time::HOURS,
        time::DATES,
        time::BLACKOUT,
        money::MAX_FEE,
        protocols::X402,
        protocols::MPP,
        protocols::V1_CHANNELS,
        protocols::ACCESS_KEY,
        people::ASK,
        people::FREEZE,
        people::WHEN,
    ]
}
