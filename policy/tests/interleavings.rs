//! Whatever happens in whatever order, on one node and on two: what is spent and reserved passes
//! no limit, a payment is counted once, a slot has one digest, and a crash changes no answer.
//!
//! All of it goes through the crate's public door; what is right is told by `recount`, which
//! shares nothing with the ledger.
//!
//! `PROPTEST_CASES` sets how many interleavings are tried.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test on made-up data: a wrong assumption shall stop it"
)]

#[path = "interleavings/deny.rs"]
mod deny;
#[path = "interleavings/node.rs"]
mod node;
#[path = "interleavings/recount.rs"]
mod recount;
#[path = "interleavings/rows.rs"]
mod rows;
#[path = "interleavings/world.rs"]
mod world;

use std::collections::BTreeMap;

use alloy_primitives::B256;
use node::{Answer, Node};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use recount::Stored;
use rows::{hold_row, settled, void};
use tercet_policy::admission::RecordSpend as _;
use tercet_policy::ask::{Ask, Facts};
use tercet_policy::decision::{Verdict, decide};
use tercet_policy::intent::{IntentId, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::{HoldId, HoldOutcome, HoldOutcomeRow, HoldRow, OutcomeRow, SpendRow};
use tercet_policy::time::UnixSeconds;
use world::{Bounds, Plan, REGISTRY, World, bounds, cancellation, id, plan, wallet};

/// What one step does; `to` names the nodes that hear of it, by bits.
#[derive(Clone, Debug)]
enum Step {
    Pay { plan: Plan, to: u8, durable: bool },
    Again { which: Index, to: u8 },
    OtherContent { which: Index, plan: Plan, to: u8 },
    HigherFee { which: Index, more: u128, to: u8 },
    Cancel { which: Index, to: u8 },
    Released { which: Index, to: u8 },
    Settled { which: Index, tenths: u128, to: u8 },
    Void { which: Index, to: u8 },
    Hold { plan: Plan, to: u8 },
    HoldOutcome { which: Index, tenths: u128, how: u8, to: u8 },
    Crash { to: u8 },
    Clock { by: i64, to: u8 },
    Merge { to: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let (which, to) = (any::<Index>, || 1u8..4);
    let clock = prop_oneof![
        8 => 0i64..60,
        4 => 60i64..3_600,
        1 => 3_600i64..40_000,
        1 => 86_400i64..200_000,
        2 => -4_000i64..0,
    ];
    let durable = || prop::bool::weighted(0.9);
    prop_oneof![
        14 => (plan(), to(), durable()).prop_map(|(plan, to, durable)| {
            Step::Pay { plan, to, durable }
        }),
        3 => (which(), to()).prop_map(|(which, to)| Step::Again { which, to }),
        1 => (which(), plan(), to()).prop_map(|(which, plan, to)| {
            Step::OtherContent { which, plan, to }
        }),
        2 => (which(), 1u128..3_000, to()).prop_map(|(which, more, to)| {
            Step::HigherFee { which, more, to }
        }),
        1 => (which(), to()).prop_map(|(which, to)| Step::Cancel { which, to }),
        1 => (which(), to()).prop_map(|(which, to)| Step::Released { which, to }),
        2 => (which(), 0u128..=10, to()).prop_map(|(which, tenths, to)| {
            Step::Settled { which, tenths, to }
        }),
        2 => (which(), to()).prop_map(|(which, to)| Step::Void { which, to }),
        2 => (plan(), to()).prop_map(|(plan, to)| Step::Hold { plan, to }),
        2 => (which(), 0u128..=10, 0u8..4, to()).prop_map(|(which, tenths, how, to)| {
            Step::HoldOutcome { which, tenths, how, to }
        }),
        2 => to().prop_map(|to| Step::Crash { to }),
        6 => (clock, to()).prop_map(|(by, to)| Step::Clock { by, to }),
        1 => to().prop_map(|to| Step::Merge { to }),
    ]
}

/// Some nodes under one set of policies.
struct Run {
    world: World,
    nodes: Vec<Node>,
    /// What was asked for, with the latest terms of each.
    asked: Vec<(PaymentIntent, ChainTerms)>,
    holds: Vec<HoldRow>,
    /// Which nodes released a signature over a digest.
    signed: BTreeMap<B256, u8>,
    next: u64,
}

impl Run {
    fn new(bounds: Bounds, nodes: usize) -> Self {
        let world = World::new(bounds);
        let nodes = (0..nodes).map(|n| Node::new(&world, n == 0)).collect();
        let (asked, holds, signed) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { world, nodes, asked, holds, signed, next: 0 }
    }

    fn next_id(&mut self) -> IntentId {
        self.next += 1;
        id(self.next)
    }

    fn hearing(&self, to: u8) -> Vec<usize> {
        (0..self.nodes.len()).filter(|n| self.nodes.len() == 1 || to & (1 << n) != 0).collect()
    }

    fn ask(&mut self, (intent, terms): &(PaymentIntent, ChainTerms), to: u8, durable: bool) {
        for n in self.hearing(to) {
            let answer = self.nodes[n].ask(&self.world, intent, terms, durable);
            if let Answer::Admitted { digest, again } = answer
                && (durable || again)
            {
                *self.signed.entry(digest).or_default() |= 1 << n;
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pay { plan, to, durable } => self.pay(plan, to, durable),
            Step::Again { which, to } if !self.asked.is_empty() => {
                let again = which.get(&self.asked).clone();
                self.ask(&again, to, true);
            }
            Step::OtherContent { which, plan, to } if !self.asked.is_empty() => {
                self.other_content(which, &plan, to);
            }
            Step::HigherFee { which, more, to } => self.higher_fee(which, more, to),
            Step::Cancel { which, to } if !self.asked.is_empty() => {
                let (taken_back, _) = which.get(&self.asked).clone();
                let paying = (0..3).find(|n| wallet(*n) == taken_back.wallet).unwrap();
                let (id, at) = (self.next_id(), self.clock(to));
                let cancel = cancellation(id, paying, taken_back.id, at);
                let terms = ChainTerms::Eip3009 {
                    nonce: B256::ZERO,
                    valid_after: UnixSeconds(0),
                    valid_before: UnixSeconds(0),
                };
                self.ask(&(cancel, terms), to, true);
            }
            Step::Released { which, to } => {
                self.outcome(which, to, |row| OutcomeRow::released(row, row.at));
            }
            Step::Settled { which, tenths, to } => {
                self.outcome(which, to, |row| settled(row, row.amount.base_units() * tenths / 10))
            }
            Step::Void { which, to } => self.outcome(which, to, void),
            Step::Hold { plan, to } => self.hold(plan, to),
            Step::HoldOutcome { which, tenths, how, to } if !self.holds.is_empty() => {
                self.hold_outcome(which, tenths, how, to);
            }
            Step::Crash { to } => {
                for n in self.hearing(to) {
                    self.nodes[n].crash_and_compare(&self.world);
                }
            }
            Step::Clock { by, to } => {
                for n in self.hearing(to) {
                    self.nodes[n].now = self.nodes[n].now.saturating_add_signed(by);
                }
            }
            Step::Merge { to } if self.nodes.len() == 2 => {
                let to = usize::from(to % 2);
                let others = self.nodes[1 - to].rows.clone();
                self.nodes[to].merge(&others);
            }
            _ => {}
        }
    }

    /// The time of the first node that hears, as its journal tells it.
    fn clock(&self, to: u8) -> u64 {
        self.hearing(to).first().map_or(world::NOW, |n| self.nodes[*n].clock())
    }

    fn pay(&mut self, plan: Plan, to: u8, durable: bool) {
        let id = self.next_id();
        let asked = (plan.intent(id, self.clock(to)), plan.terms());
        self.world.plans.insert(id, plan);
        self.asked.push(asked.clone());
        self.ask(&asked, to, durable);
    }

    /// An id stands for what was first asked under it, however long ago.
    fn other_content(&mut self, which: Index, plan: &Plan, to: u8) {
        let (first, _) = which.get(&self.asked).clone();
        let other = plan.intent(first.id, self.clock(to) + 1);
        for n in self.hearing(to) {
            let node = &mut self.nodes[n];
            if node.spends().any(|row| row.intent == first.id) {
                let answer = node.ask(&self.world, &other, &plan.terms(), true);
                assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
            }
        }
    }

    fn higher_fee(&mut self, which: Index, more: u128, to: u8) {
        let is_transfer = |(n, asked): (usize, &(PaymentIntent, ChainTerms))| {
            asked.0.payment.service().is_none().then_some(n)
        };
        let places: Vec<_> = self.asked.iter().enumerate().filter_map(is_transfer).collect();
        if places.is_empty() {
            return;
        }
        let place = *which.get(&places);
        let (intent, mut terms) = self.asked[place].clone();
        if let ChainTerms::Eip1559 { max_fee_per_gas, .. } = &mut terms {
            *max_fee_per_gas = Amount::from_base_units(max_fee_per_gas.base_units() + more);
        }
        // A first row at the higher fee is a payment as well as any.
        if self.nodes.iter().all(|node| node.spends().any(|row| row.intent == intent.id)) {
            self.asked[place].1 = terms.clone();
            self.ask(&(intent, terms), to, true);
        }
    }

    fn outcome(&mut self, which: Index, to: u8, of: impl Fn(&SpendRow) -> OutcomeRow) {
        for n in self.hearing(to) {
            let node = &mut self.nodes[n];
            let payments: Vec<_> = node.spends().filter(|row| row.counts()).cloned().collect();
            if !payments.is_empty() {
                node.outcome(of(which.get(&payments)));
            }
        }
    }

    /// Sets an amount aside where a payment of it would be approved.
    fn hold(&mut self, plan: Plan, to: u8) {
        let (hold, at) = (HoldId(self.next_id().0), self.clock(to));
        let intent = plan.intent(hold.into(), at);
        let row = hold_row(hold, &plan, at);
        self.world.plans.insert(hold.into(), plan);
        for n in self.hearing(to) {
            let node = &mut self.nodes[n];
            let facts = Facts {
                registry: Some(REGISTRY.registry()),
                ..Facts::known_to(&node.book, &intent.agent, UnixSeconds(node.now)).unwrap()
            };
            let ask = Ask::of(&intent).unwrap();
            let policies = self.world.set(&intent.agent).applying(&intent.wallet);
            let ask = Ask { fee_wei: Some(Amount::ZERO), endpoint: None, ..ask };
            if decide(&policies, &ask, &facts).verdict == Verdict::Approve {
                node.book.hold(&row).unwrap();
                node.rows.push(Stored::Hold(Box::new(row.clone())));
            }
        }
        self.holds.push(row);
    }

    fn hold_outcome(&mut self, which: Index, tenths: u128, how: u8, to: u8) {
        let hold = which.get(&self.holds).clone();
        let total = Amount::from_base_units(hold.amount.base_units() * tenths / 10);
        let outcome = match how {
            0 => HoldOutcome::Closed,
            1 => HoldOutcome::Void,
            2 => HoldOutcome::Expired,
            _ => HoldOutcome::Used { total },
        };
        let at = hold.expires_at;
        let row = HoldOutcomeRow { hold: hold.hold, agent: hold.agent, outcome, at };
        for n in self.hearing(to) {
            self.nodes[n].hold_outcome(row.clone());
        }
    }
}

proptest! {
    /// `Node` checks each answer; see there for what holds.
    #[test]
    fn on_one_node_no_interleaving_passes_a_limit(
        bounds in bounds(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut run = Run::new(bounds, 1);
        steps.into_iter().for_each(|step| run.step(step));
        run.nodes[0].crash_and_compare(&run.world);
    }

    /// A signature needs both nodes, so it needs a place within the limits of both journals; and
    /// what both signed for a slot is one digest, but for listed replacements of it.
    #[test]
    fn on_two_nodes_what_both_sign_is_within_the_limits_of_both(
        bounds in bounds(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut run = Run::new(bounds, 2);
        let steps = steps.into_iter().filter(|step| !matches!(step, Step::Merge { .. }));
        steps.for_each(|step| run.step(step));
        let [one, two] = [0, 1].map(|n| run.nodes[n].digests());
        for (digest, _) in run.signed.iter().filter(|(_, nodes)| **nodes == 3) {
            let holds = |digests: &BTreeMap<Slot, Vec<(B256, IntentId)>>| {
                let mut slots = digests.iter().filter(|(_, all)| all.iter().any(|d| d.0 == *digest));
                slots.next().map(|(slot, _)| slot.clone())
            };
            prop_assert!(holds(&one).is_some());
            prop_assert_eq!(holds(&one), holds(&two), "a row of each journal");
        }
    }

    /// A node that takes in the rows of another approves nothing that does not fit beside all.
    #[test]
    fn on_nodes_that_merge_journals_nothing_new_passes_a_limit(
        bounds in bounds(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut run = Run::new(bounds, 2);
        steps.into_iter().for_each(|step| run.step(step));
        for n in [0, 1] {
            run.nodes[n].crash_and_compare(&run.world);
        }
    }
}

/// The intent is forgotten an hour after its payment is final; the payment is not.
#[test]
fn an_id_of_a_forgotten_intent_is_refused_for_other_content() {
    let transfer = |nonce| Plan {
        wallet: 0,
        amount: 1,
        service: None,
        path: 0,
        payee: 0,
        session: None,
        gas_price: 1_000,
        nonce,
    };
    let mut run = Run::new(Bounds::default(), 1);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let which = any::<Index>().new_tree(&mut runner).unwrap().current();
    let pay = |nonce| Step::Pay { plan: transfer(nonce), to: 1, durable: true };
    for step in [
        pay(0),
        Step::Settled { which, tenths: 10, to: 1 },
        Step::Clock { by: 3_660, to: 1 },
        pay(1),
    ] {
        run.step(step);
    }
    assert_eq!(run.nodes[0].book.intent(&id(1)), Ok(None), "it is forgotten");
    let other = transfer(2).intent(id(1), run.clock(1));
    let answer = run.nodes[0].ask(&run.world, &other, &transfer(2).terms(), true);
    let reused = Refusal::IntentReused { id: id(1) };
    assert_eq!(answer, Answer::Refused(Box::new(reused)));
}
