//! A signer node: a book, and the journal it is rebuilt from after a crash. Every answer of the
//! book is checked against a recount of the journal.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use tercet_policy::admission::{AdmitError, Book, RecordSpend, Rulebook, Submission, admit};
use tercet_policy::decision::{Decision, Finding};
use tercet_policy::intent::{IntentId, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::{HoldOutcomeRow, OutcomeRow, SpendRow};
use tercet_policy::time::UnixSeconds;

use crate::recount::{Recount, Stored};
use crate::world::{Bound, NOW, Per, Plan, REGISTRY, Sum, Whose, World};

/// What came of asking a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Admitted { digest: B256, again: bool },
    Refused(Box<Refusal>),
}

pub struct Node {
    pub book: Book,
    pub rows: Vec<Stored>,
    pub now: u64,
    /// Whether it keeps sums ready, which changes no answer.
    watches: bool,
}

impl Node {
    pub fn new(world: &World, watches: bool) -> Self {
        let mut node = Self { book: Book::new(), rows: Vec::new(), now: NOW, watches };
        node.crash(world);
        node
    }

    /// The node's time, as its journal tells it.
    pub fn clock(&self) -> u64 {
        self.book.ledger().unwrap().clamp(UnixSeconds(self.now)).0
    }

    /// All that was in memory is lost, and built anew from what was written.
    pub fn crash(&mut self, world: &World) {
        let mut book = Book::new();
        if self.watches {
            let policies = world.sets.iter().flat_map(|set| set.policies());
            policies.for_each(|policy| book.watch(policy.subject(), policy.lines()));
        }
        for row in &self.rows {
            let text = serde_json::to_string(row).unwrap();
            match serde_json::from_str(&text).unwrap() {
                Stored::Spend(row) => book.record(&row).unwrap(),
                Stored::Outcome(row) => book.apply(&row).unwrap(),
                Stored::Hold(row) => book.hold(&row).unwrap(),
                Stored::HoldOutcome(row) => book.apply_hold(&row).unwrap(),
            }
        }
        self.book = book;
    }

    /// Crashes, and finds all that is known as it was.
    pub fn crash_and_compare(&mut self, world: &World) {
        let before = self.book.clone();
        self.crash(world);
        assert_eq!(self.book.ledger(), before.ledger());
        for row in self.spends() {
            assert_eq!(self.book.intent(&row.intent), before.intent(&row.intent));
            assert_eq!(self.book.slot(&row.slot), before.slot(&row.slot));
        }
    }

    pub fn spends(&self) -> impl Iterator<Item = &SpendRow> {
        self.rows.iter().filter_map(|row| match row {
            Stored::Spend(row) => Some(&**row),
            _ => None,
        })
    }

    /// Asks for a signature. Where the row is not `durable` the node crashes before it is
    /// written, so nothing is signed.
    pub fn ask(
        &mut self,
        world: &World,
        intent: &PaymentIntent,
        terms: &ChainTerms,
        durable: bool,
    ) -> Answer {
        let proposal = world.proposal(intent, terms);
        let (policies, registry) = (world.set(&intent.agent), Some(&*REGISTRY));
        let rulebook = Rulebook { policies, registry, frozen: None };
        let before = Recount::of(&self.rows, world);
        let now = self.now.max(before.last);
        let ledger = self.book.ledger().unwrap().clone();
        let submission = Submission::from(proposal);
        match admit(&rulebook, submission, UnixSeconds(self.now), &mut self.book) {
            Ok(reserved) => {
                let (row, again) = (reserved.row().clone(), reserved.same_again());
                let answer = Answer::Admitted { digest: row.digest, again };
                if again {
                    let held = self.spends().filter(|held| held.slot == row.slot).last();
                    assert_eq!(held.unwrap().digest, row.digest, "one digest for a slot");
                    assert_eq!(self.book.ledger().unwrap(), &ledger);
                } else {
                    self.check_row(&row, world);
                    self.check_decision(&before, world, &row, reserved.decision().unwrap());
                    self.rows.push(Stored::Spend(Box::new(row.clone())));
                    self.check_bounds(world, &row);
                }
                if !durable && !again {
                    self.rows.pop();
                    self.crash(world);
                }
                answer
            }
            Err(AdmitError::Refused(refusal)) => {
                assert_eq!(self.book.ledger().unwrap(), &ledger);
                if let Refusal::Policy(_) = refusal {
                    check_refusal(&before, world, intent, terms, now);
                }
                Answer::Refused(Box::new(refusal))
            }
            Err(AdmitError::Journal(error)) => panic!("{error}"),
        }
    }

    /// A slot has one digest, but for listed replacements; an intent one slot and one payment.
    fn check_row(&self, row: &SpendRow, world: &World) {
        let held = self.spends().filter(|held| held.slot == row.slot).last();
        assert_eq!(held.map(|held| held.digest), row.replaces, "one digest for a slot");
        if let Some(held) = held {
            let taken_back = held.cancels.unwrap_or(held.intent);
            let rises = row.intent == held.intent && row.fee_wei() > held.fee_wei();
            assert!(row.cancels == Some(taken_back) || rises, "a listed replacement");
        }
        let mut own = self.spends().filter(|known| known.intent == row.intent);
        assert!(own.all(|known| known.slot == row.slot && !row.counts()), "an intent pays once");
        if row.counts() {
            let plan = &world.plans[&row.intent];
            assert_eq!(row.amount.base_units(), plan.amount);
            assert_eq!(row.fee_wei().base_units(), plan.fee_wei());
            let category = row.category.as_ref().map(|category| category.as_str());
            assert_eq!(category, plan.category());
        }
    }

    /// What is spent and reserved with the new row passes no limit.
    fn check_bounds(&self, world: &World, row: &SpendRow) {
        let after = Recount::of(&self.rows, world);
        if row.cancels.is_some() {
            return;
        }
        let plan = &world.plans[&row.intent];
        for (whose, _, bounds) in world.bounds.of(plan.wallet) {
            for bound in bounds.iter().filter(|bound| is_asked(bound, row.counts(), plan)) {
                let sum = after.sum((whose, bound), plan, after.last);
                assert!(sum <= bound.most, "{sum} passes {bound:?} of {whose:?}");
            }
        }
    }

    /// What the decision says is spent before is what a recount finds.
    fn check_decision(
        &self,
        before: &Recount<'_>,
        world: &World,
        row: &SpendRow,
        decision: &Decision,
    ) {
        if !row.counts() {
            return;
        }
        let plan = &world.plans[&row.intent];
        for (n, (whose, first, bounds)) in world.bounds.of(plan.wallet).into_iter().enumerate() {
            for (place, bound) in (first..).zip(bounds) {
                let said = current(bound, &decision.policies[n].findings[place]);
                let found = before.sum((whose, bound), plan, row.at.0);
                let asked = is_asked(bound, true, plan);
                assert_eq!(said.filter(|_| asked), Some(found).filter(|_| asked), "{bound:?}");
            }
        }
    }

    /// Takes in what became of a payment; what cannot follow is not written.
    pub fn outcome(&mut self, row: OutcomeRow) {
        if self.book.apply(&row).is_ok() {
            self.rows.push(Stored::Outcome(Box::new(row)));
        }
    }

    pub fn hold_outcome(&mut self, row: HoldOutcomeRow) {
        if self.book.apply_hold(&row).is_ok() {
            self.rows.push(Stored::HoldOutcome(row));
        }
    }

    /// Takes in the payments of another journal that this one does not know.
    pub fn merge(&mut self, others: &[Stored]) {
        for row in others {
            let is_new = match row {
                Stored::Spend(row) => row.counts() && self.has_room_for(row),
                Stored::Outcome(row) => self.book.state(&row.intent()).is_some(),
                Stored::Hold(_) | Stored::HoldOutcome(_) => false,
            };
            let taken = is_new
                && match row {
                    Stored::Spend(row) => self.book.record(row).is_ok(),
                    Stored::Outcome(row) => self.book.apply(row).is_ok(),
                    Stored::Hold(_) | Stored::HoldOutcome(_) => false,
                };
            if taken {
                self.rows.push(row.clone());
            }
        }
    }

    fn has_room_for(&self, row: &SpendRow) -> bool {
        self.book.intent(&row.intent).unwrap().is_none()
            && self.book.slot(&row.slot).unwrap().is_none()
    }

    /// The digest that each slot came to hold.
    pub fn digests(&self) -> BTreeMap<Slot, Vec<(B256, IntentId)>> {
        let mut digests: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for row in self.spends() {
            digests.entry(row.slot.clone()).or_default().push((row.digest, row.intent));
        }
        digests
    }
}

/// Whether a payment is judged by a bound: a higher fee by those of fees alone, a transfer not by
/// what is for x402.
fn is_asked(bound: &Bound, is_new: bool, plan: &Plan) -> bool {
    let concerns = bound.per != Per::Session || plan.service.is_some();
    concerns && (is_new || bound.sum == Sum::FeeWei)
}

/// Nothing is refused for the sake of a limit that it would keep.
fn check_refusal(
    before: &Recount<'_>,
    world: &World,
    intent: &PaymentIntent,
    terms: &ChainTerms,
    now: u64,
) {
    let plan = &world.plans[&intent.id];
    let counted = before.fee_of(intent.id);
    let is_new = plan.service.is_some() || counted == 0;
    let fee = if plan.service.is_some() { 0 } else { terms.fee_wei().base_units() };
    let all = world.bounds.of(plan.wallet);
    let passed = |whose: Whose, bound: &Bound| {
        let asked = match bound.sum {
            Sum::Units => plan.amount,
            Sum::Payments => 1,
            Sum::FeeWei => fee.saturating_sub(counted),
        };
        let unnamed = bound.per == Per::Session && plan.session.is_none();
        unnamed || before.sum((whose, bound), plan, now) + asked > bound.most
    };
    let passes = all.iter().any(|(whose, _, bounds)| {
        let mut asked = bounds.iter().filter(|bound| is_asked(bound, is_new, plan));
        asked.any(|bound| passed(*whose, bound))
    });
    assert!(passes, "refused for nothing: {plan:?} at {now}");
}

fn current(bound: &Bound, found: &Finding) -> Option<u128> {
    let text = found.current.as_ref()?;
    let decimal = |unit: &str, places| {
        let number = text.strip_suffix(unit).unwrap();
        Some(Amount::parse_decimal(number, places).unwrap().base_units())
    };
    match bound.sum {
        Sum::Units => decimal(" USDC", 6),
        Sum::FeeWei => decimal(" ETH", 18),
        Sum::Payments => Some(text.parse().unwrap()),
    }
}
