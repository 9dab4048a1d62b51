//! What one session may cost so far, by our own count.
//!
//! ```text
//! ceiling = delivered + lost + price, and never above the deposit
//! ```
//! Promises: no voucher above the ceiling, whatever a service demands, and none below one that was
//! signed. What a service claims raises nothing.

use serde::{Deserialize, Serialize};
use tercet_policy::money::Amount;

/// The count of one session. Amounts are base units in all since the channel was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// Of one unit, frozen when the channel was opened.
    pub unit_price: Amount,
    /// Put in.
    pub deposit: Amount,
    /// The highest voucher that was signed: what the service can take.
    pub signed: Amount,
    /// What was delivered.
    pub delivered: Amount,
    /// What was paid for and not delivered.
    pub lost: Amount,
    /// What the service said it used, where that can be true. It never raises anything.
    pub claimed: Option<Amount>,
}

/// A service wants more than its deliveries are worth, or more than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("a voucher of {asked} base units was asked for, and {allowed} are allowed")]
pub struct Overdemand {
    /// What was asked for.
    pub asked: Amount,
    /// Most that may be signed now.
    pub allowed: Amount,
}

impl Meter {
    /// A session that begins.
    #[must_use]
    pub const fn new(unit_price: Amount, deposit: Amount) -> Self {
        let zero = Amount::ZERO;
        Self { unit_price, deposit, signed: zero, delivered: zero, lost: zero, claimed: None }
    }

    /// What is owed by our own count: delivered or given up.
    #[must_use]
    pub fn owed(&self) -> Amount {
        sum(self.delivered, self.lost)
    }

    /// Most that may be signed now, whether or not it is deposited: what is owed and one unit.
    #[must_use]
    pub fn ceiling(&self) -> Amount {
        sum(self.owed(), self.unit_price)
    }

    /// The voucher that pays for one unit more. A unit that was paid before and is not delivered
    /// is not paid again, and what was delivered without being asked for is not paid unasked.
    #[must_use]
    pub fn next_voucher(&self) -> Amount {
        self.ceiling().min(sum(self.signed, self.unit_price)).max(self.signed)
    }

    /// Whether a unit is paid for that has not come.
    #[must_use]
    pub fn has_unit_ahead(&self) -> bool {
        self.signed > self.owed()
    }

    /// Whether a service that demands `required` in all counts a unit as used that was paid for and
    /// has not come, and wants the next one paid.
    #[must_use]
    pub fn counts_unit_ahead_as_used(&self, required: Amount) -> bool {
        let next = sum(self.signed, self.unit_price);
        self.has_unit_ahead() && required > self.ceiling() && required <= next
    }

    /// The voucher for a service that demands `required` in all and may get `units_max` units at a
    /// time; nothing where an earlier one covers it.
    ///
    /// # Errors
    /// [`Overdemand`]
    pub fn demanded(&self, required: Amount, units_max: u32) -> Result<Option<Amount>, Overdemand> {
        if required <= self.signed {
            return Ok(None);
        }
        let step = times(self.unit_price, units_max);
        let allowed = self.ceiling().min(sum(self.signed, step));
        if required > allowed {
            return Err(Overdemand { asked: required, allowed });
        }
        Ok(Some(required))
    }

    /// A unit came. One that was given up too early is lost no longer. What comes beyond what is paid counts for no more than one voucher of
    /// `units_max` units can add: a service that sends much unasked gets no credit for it.
    pub fn deliver(&mut self, units_max: u32) {
        let is_beyond_what_is_paid = self.ceiling() > self.signed;
        if is_beyond_what_is_paid && let Some(lost) = self.lost.checked_sub(self.unit_price) {
            self.lost = lost;
        }
        let paid = self.signed.checked_sub(self.lost).unwrap_or_default();
        let most = sum(paid, times(self.unit_price, units_max.max(1)));
        let delivered = sum(self.delivered, self.unit_price);
        self.delivered = delivered.min(most).max(self.delivered);
    }

    /// Gives up on what was paid and did not come; `false` where so much is lost that no more is
    /// given up.
    #[must_use]
    pub fn concede(&mut self, units_max: u32) -> bool {
        let missing = self.signed.checked_sub(self.owed()).unwrap_or_default();
        let lost = sum(self.lost, missing);
        if lost > times(self.unit_price, units_max) {
            return false;
        }
        self.lost = lost;
        true
    }

    /// What the session is closed at: what is owed, or what the service says it used where that is
    /// more, as its word is older than what came since. Never more than was signed.
    #[must_use]
    pub fn close_at(&self) -> Amount {
        self.claimed.unwrap_or_default().max(self.owed()).min(self.signed)
    }
}

/// The largest amount stands for more than there is, which no limit allows.
fn sum(a: Amount, b: Amount) -> Amount {
    a.checked_add(b).unwrap_or(Amount::from_base_units(u128::MAX))
}

fn times(a: Amount, b: u32) -> Amount {
    Amount::from_base_units(a.base_units().saturating_mul(b.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn units(units: u128) -> Amount {
        Amount::from_base_units(units)
    }

    fn meter() -> Meter {
        Meter::new(units(1_000), units(1_000_000))
    }

    #[test]
    fn one_unit_is_paid_ahead_of_what_was_delivered() {
        let mut meter = meter();
        for unit in 1..=3 {
            assert_eq!(meter.next_voucher(), units(unit * 1_000));
            meter.signed = meter.next_voucher();
            meter.deliver(1);
        }
        assert_eq!((meter.owed(), meter.signed), (units(3_000), units(3_000)));
    }

    /// Measured on the official client: after one message of 0.001 it signed 0.90.
    #[test]
    fn an_inflated_demand_is_not_signed() {
        let mut meter = meter();
        meter.signed = units(1_000);
        meter.deliver(1);
        assert_eq!(meter.demanded(units(2_000), 1), Ok(Some(units(2_000))));
        let refused = Overdemand { asked: units(900_000), allowed: units(2_000) };
        assert_eq!(meter.demanded(units(900_000), 1), Err(refused));
        assert_eq!(
            meter.demanded(units(2_001), 900),
            Err(Overdemand { asked: units(2_001), allowed: units(2_000) })
        );
        assert_eq!(meter.demanded(units(1_000), 1), Ok(None), "paid already");
    }

    #[test]
    fn one_voucher_adds_no_more_than_its_cap() {
        let mut meter = meter();
        for _ in 0..10 {
            meter.deliver(2);
        }
        let refused = Overdemand { asked: units(5_000), allowed: units(2_000) };
        assert_eq!(meter.demanded(units(5_000), 2), Err(refused));
        assert_eq!(meter.demanded(units(2_000), 2), Ok(Some(units(2_000))));
    }

    #[test]
    fn what_comes_unasked_gives_credit_for_one_voucher() {
        let mut meter = meter();
        meter.signed = units(1_000);
        for _ in 0..900 {
            meter.deliver(1);
        }
        assert_eq!(meter.delivered, units(2_000));
        for paid in [2_000, 3_000] {
            assert_eq!(meter.demanded(units(paid), 1), Ok(Some(units(paid))));
            meter.signed = units(paid);
        }
        let refused = Overdemand { asked: units(4_000), allowed: units(3_000) };
        assert_eq!(meter.demanded(units(4_000), 1), Err(refused), "something must come first");
    }

    #[test]
    fn a_unit_that_did_not_come_is_not_paid_twice_until_it_is_given_up() {
        let mut meter = meter();
        meter.signed = meter.next_voucher();
        assert_eq!(meter.next_voucher(), units(1_000), "the same voucher");
        assert!(meter.concede(2));
        assert_eq!((meter.lost, meter.next_voucher()), (units(1_000), units(2_000)));
        meter.signed = units(2_000);
        assert!(meter.concede(2));
        meter.signed = units(3_000);
        assert!(!meter.concede(2), "no third unit is given up");
        assert_eq!(meter.next_voucher(), units(3_000));
    }

    #[test]
    fn a_unit_that_comes_after_it_was_given_up_is_delivered() {
        let mut meter = meter();
        meter.signed = units(1_000);
        assert!(meter.concede(3));
        meter.signed = meter.next_voucher();
        assert_eq!((meter.lost, meter.signed), (units(1_000), units(2_000)));
        meter.deliver(1);
        meter.deliver(1);
        assert_eq!((meter.delivered, meter.lost), (units(2_000), units(0)));
        assert_eq!(meter.owed(), meter.signed, "and nothing is paid for it again");
    }

    #[test]
    fn only_the_next_unit_can_be_wanted_for_one_that_did_not_come() {
        let mut meter = meter();
        meter.signed = units(1_000);
        assert!(meter.counts_unit_ahead_as_used(units(2_000)));
        for other in [1_000, 2_001, 900_000] {
            assert!(!meter.counts_unit_ahead_as_used(units(other)), "{other}");
        }
        meter.deliver(1);
        assert!(!meter.counts_unit_ahead_as_used(units(2_000)), "nothing is ahead");
    }

    #[test]
    fn a_session_ends_at_what_was_used() {
        let mut meter = meter();
        meter.signed = units(3_000);
        meter.delivered = units(2_000);
        assert_eq!(meter.close_at(), units(2_000), "not at the high-water mark");
        meter.claimed = Some(units(1_000));
        assert_eq!(meter.close_at(), units(2_000), "a unit came since");
        meter.claimed = Some(units(2_500));
        assert_eq!(meter.close_at(), units(2_500), "used, and did not come");
        meter.claimed = Some(units(9_000));
        assert_eq!(meter.close_at(), units(3_000), "never above what was signed");
    }
}
