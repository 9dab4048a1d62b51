//! What counts, told from the rows of a journal in the plainest way: no index, no state that is
//! carried on, and windows told by what a wall clock shows.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use serde::{Deserialize, Serialize};
use tercet_policy::intent::IntentId;
use tercet_policy::rows::{HoldOutcome, HoldOutcomeRow, HoldRow, Outcome, OutcomeRow, SpendRow};

use crate::world::{Bound, OWNERS, Per, Plan, Sum, Whose, World};

/// What a journal keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Stored {
    Spend(Box<SpendRow>),
    Outcome(Box<OutcomeRow>),
    Hold(Box<HoldRow>),
    HoldOutcome(HoldOutcomeRow),
}

/// Something that counts. A fee that rose is one of its own.
#[derive(Debug)]
struct Item<'a> {
    of: IntentId,
    plan: &'a Plan,
    at: u64,
    units: u128,
    fee_wei: u128,
    payments: u128,
    /// What was used of a hold, and whether it has ended.
    used: u128,
    ended: bool,
    is_hold: bool,
}

pub struct Recount<'a> {
    items: Vec<Item<'a>>,
    /// The time of the last row: questions about an earlier time are answered for it.
    pub last: u64,
}

impl<'a> Recount<'a> {
    pub fn of(rows: &[Stored], world: &'a World) -> Self {
        let mut recount = Self { items: Vec::new(), last: 0 };
        rows.iter().for_each(|row| recount.take(row, world));
        recount
    }

    fn take(&mut self, row: &Stored, world: &'a World) {
        match row {
            Stored::Spend(row) => self.spend(row, world),
            Stored::Hold(row) => {
                self.last = self.last.max(row.at.0);
                let (of, units) = (row.hold.into(), row.amount.base_units());
                self.push(of, &world.plans[&of], (units, 0, 1));
                self.item(of).is_hold = true;
            }
            Stored::Outcome(row) => {
                let item = self.item(row.intent());
                match row.outcome() {
                    // No payment here has a fee in its token.
                    Outcome::Released | Outcome::Fee { .. } => {}
                    Outcome::Settled { amount, .. } => item.units = amount.base_units(),
                    Outcome::Void { .. } => (item.units, item.payments) = (0, 0),
                }
            }
            Stored::HoldOutcome(row) => {
                let item = self.item(row.hold.into());
                match row.outcome {
                    HoldOutcome::Used { total } => item.used = item.used.max(total.base_units()),
                    _ => item.ended = true,
                }
                if item.ended {
                    (item.units, item.payments) = (item.used, u128::from(item.used > 0));
                }
            }
        }
    }

    fn spend(&mut self, row: &SpendRow, world: &'a World) {
        self.last = self.last.max(row.at.0);
        let fee = row.fee_wei().base_units();
        match (row.cancels, row.replaces) {
            (Some(_), _) => {}
            (None, None) => {
                let plan = &world.plans[&row.intent];
                self.push(row.intent, plan, (row.amount.base_units(), fee, 1));
            }
            (None, Some(_)) => {
                let more = fee - self.fee_of(row.intent);
                let plan = self.item(row.intent).plan;
                self.push(row.intent, plan, (0, more, 0));
            }
        }
    }

    fn push(&mut self, of: IntentId, plan: &'a Plan, counts: (u128, u128, u128)) {
        let (units, fee_wei, payments) = counts;
        let (at, used, ended, is_hold) = (self.last, 0, false, false);
        self.items.push(Item { of, plan, at, units, fee_wei, payments, used, ended, is_hold });
    }

    fn item(&mut self, of: IntentId) -> &mut Item<'a> {
        self.items.iter_mut().find(|item| item.of == of).unwrap()
    }

    /// What counts of an intent's fees so far.
    pub fn fee_of(&self, of: IntentId) -> u128 {
        self.items.iter().filter(|item| item.of == of).map(|item| item.fee_wei).sum()
    }

    /// What lies in a bound's window at `now`, beside `plan`.
    pub fn sum(&self, (whose, bound): (Whose, &Bound), plan: &Plan, now: u64) -> u128 {
        let now = now.max(self.last);
        let own = self.items.iter().filter(|item| is_whose(whose, item.plan));
        let near = own.filter(|item| {
            value(bound.by, item.plan, item.is_hold) == value(bound.by, plan, false)
        });
        let inside = near.filter(|item| is_inside(bound.per, item.at, now));
        inside
            .map(|item| match bound.sum {
                Sum::Units => item.units,
                Sum::FeeWei => item.fee_wei,
                Sum::Payments => item.payments,
            })
            .sum()
    }
}

fn is_whose(whose: Whose, plan: &Plan) -> bool {
    match whose {
        Whose::Everybody => true,
        Whose::Agent(agent) => OWNERS[plan.wallet] == agent,
        Whose::Wallet(wallet) => plan.wallet == wallet,
    }
}

/// What a payment is counted with along an axis. A hold is for a service, and for none of its
/// endpoints.
fn value(by: Option<&'static str>, plan: &Plan, is_hold: bool) -> String {
    let endpoint = plan.service.map(|service| (service, plan.path)).filter(|_| !is_hold);
    match by {
        None | Some("asset") => String::new(),
        Some("recipient") => plan.payee.to_string(),
        Some("service") => format!("{:?}", plan.service),
        Some("endpoint") => format!("{endpoint:?}"),
        Some("category") => format!("{:?}", plan.category()),
        Some("protocol") => plan.service.is_some().to_string(),
        Some("session") => format!("{:?}", plan.session),
        Some(other) => panic!("{other}"),
    }
}

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

fn is_inside(per: Per, paid: u64, now: u64) -> bool {
    match per {
        Per::Session => true,
        Per::Rolling(_, seconds) => now - paid < seconds,
        Per::Calendar(period, zone) => shown(period, zone, paid) == shown(period, zone, now),
    }
}

/// What a calendar and a clock on the wall tell of a moment. An hour that is shown twice is told
/// apart by its offset.
fn shown(period: &str, zone: &str, moment: u64) -> (i16, i8, i8, i8, i8, i32) {
    let zone = ZONES.get(zone).unwrap();
    let local = Timestamp::from_second(moment.try_into().unwrap()).unwrap().to_zoned(zone);
    let (year, month, day) = (local.year(), local.month(), local.day());
    let (hour, minute) = (local.hour(), local.minute());
    let offset = local.offset().seconds();
    let week = local.date().iso_week_date();
    match period {
        "minute" => (year, month, day, hour, minute, offset),
        "hour" => (year, month, day, hour, 0, offset),
        "day" => (year, month, day, 0, 0, 0),
        "week" => (week.year(), week.week(), 0, 0, 0, 0),
        "month" => (year, month, 0, 0, 0, 0),
        other => panic!("{other}"),
    }
}
