#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::evidence::VoidProof;
use crate::fixture::{NOW, PAYEE, fees, id, policy, proposal, safe, transfer, units, x402};
use crate::payload::SigningPayload;

const SERVICES: [&str; 3] = ["a.example", "b.example", "c.example"];

/// Rows without the signatures that would lead to them: the ledger looks at none.
static TEMPLATES: std::sync::LazyLock<[SpendRow; 2]> = std::sync::LazyLock::new(|| {
    [x402(1, SERVICES[0], PAYEE), transfer(1, PAYEE)].map(|payment| {
        let proposal = proposal(0, payment, NOW);
        let digest = SigningPayload::of(&proposal).unwrap().digest();
        SpendRow::new(&proposal, &policy("  []"), digest, None, NOW)
    })
});

fn row(n: u64, amount: u128, service: Option<usize>, recipient: u8, at: UnixSeconds) -> SpendRow {
    SpendRow {
        intent: id(n),
        amount: units(amount),
        recipient: Some(Address::repeat_byte(recipient)),
        service: service.map(|service| serde_json::from_value(json!(SERVICES[service])).unwrap()),
        at,
        ..TEMPLATES[usize::from(service.is_none())].clone()
    }
}

fn void(row: &SpendRow) -> OutcomeRow {
    let proof = VoidProof::eip3009(row, false, safe(1, NOW.plus(60))).unwrap();
    OutcomeRow::void(proof, NOW)
}

/// As a journal reads it back; the amount may be less than was reserved.
fn settled(row: &SpendRow, amount: u128) -> OutcomeRow {
    let proof = json!({
        "intent": row.intent,
        "agent": row.agent,
        "amount": amount.to_string(),
        "transaction": alloy_primitives::B256::ZERO,
        "at": safe(1, NOW),
    });
    let outcome = json!({ "state": "settled", "amount": amount.to_string(), "proof": proof });
    let row = json!({
        "intent": row.intent, "agent": row.agent, "outcome": outcome, "at": NOW.0,
    });
    serde_json::from_value(row).unwrap()
}

fn total(ledger: &Ledger) -> (u128, u128) {
    let sum = |measure| ledger.sum(measure, &Scope::Total, UnixSeconds(0));
    (sum(Measure::Amount("USDC")), sum(Measure::Count))
}

#[test]
fn a_reservation_counts_until_an_outcome_changes_it() {
    let mut ledger = Ledger::new();
    let (a, b) = (row(1, 10, Some(0), 1, NOW), row(2, 5, Some(1), 1, NOW));
    ledger.record(&a).unwrap();
    ledger.record(&b).unwrap();
    assert_eq!(total(&ledger), (15, 2));
    ledger.apply(&OutcomeRow::released(&a, NOW)).unwrap();
    assert_eq!(ledger.entry(&a.intent).unwrap().state, SpendState::Spent);
    assert_eq!(total(&ledger), (15, 2));
    ledger.apply(&settled(&a, 7)).unwrap();
    assert_eq!(total(&ledger), (12, 2));
    ledger.apply(&void(&b)).unwrap();
    assert_eq!(total(&ledger), (7, 1));
    let service = Scope::Service(b.service.clone().unwrap());
    assert_eq!(ledger.sum(Measure::Count, &service, UnixSeconds(0)), 0);
    assert_eq!(ledger.sum(Measure::Amount("USDC"), &Scope::Recipient(PAYEE), NOW), 0);
}

#[test]
fn rows_that_cannot_follow_change_nothing() {
    let mut ledger = Ledger::new();
    let (a, b) = (row(1, 10, Some(0), 1, NOW), row(2, 5, Some(1), 1, NOW));
    ledger.record(&a).unwrap();
    let before = ledger.clone();
    assert_eq!(ledger.record(&a), Err(LedgerError::AlreadyRecorded(a.intent)));
    assert_eq!(ledger.apply(&void(&b)), Err(LedgerError::UnknownIntent(b.intent)));
    assert_eq!(ledger.apply(&settled(&a, 11)), Err(LedgerError::SettledTooMuch(a.intent)));
    let full = row(3, u128::MAX, Some(0), 1, NOW);
    assert_eq!(ledger.record(&full), Err(LedgerError::Full));
    assert_eq!(ledger, before);
}

#[test]
fn the_first_final_outcome_stays() {
    let finals: [fn(&SpendRow) -> OutcomeRow; 2] = [|row| settled(row, 4), void];
    for (first, second) in [(0, 1), (1, 0)] {
        let mut ledger = Ledger::new();
        let a = row(1, 10, Some(0), 1, NOW);
        ledger.record(&a).unwrap();
        ledger.apply(&finals[first](&a)).unwrap();
        let before = ledger.clone();
        assert_eq!(ledger.apply(&finals[first](&a)), Ok(()), "the same again");
        assert_eq!(ledger.apply(&OutcomeRow::released(&a, NOW)), Ok(()), "learned of late");
        assert_eq!(ledger.apply(&finals[second](&a)), Err(LedgerError::OutcomeIsFinal(a.intent)));
        assert_eq!(ledger, before);
    }
}

#[test]
fn time_does_not_run_backwards() {
    let mut ledger = Ledger::new();
    ledger.record(&row(1, 10, Some(0), 1, NOW)).unwrap();
    ledger.record(&row(2, 5, Some(0), 1, NOW.minus(1_000))).unwrap();
    assert_eq!(ledger.sum(Measure::Count, &Scope::Total, NOW), 2, "an old row counts as of now");
    assert_eq!(ledger.clamp(NOW.minus(5)), NOW);
    assert_eq!(ledger.clamp(NOW.plus(5)), NOW.plus(5));
}

#[test]
fn replacements_and_cancellations_do_not_count() {
    let mut ledger = Ledger::new();
    let first = row(1, 10, None, 1, NOW);
    ledger.record(&first).unwrap();
    let bump = SpendRow { replaces: Some(first.digest), terms: fees(1, 2, 1), ..first.clone() };
    ledger.record(&bump).unwrap();
    assert_eq!(total(&ledger), (10, 1));
}

#[derive(Clone, Debug)]
enum Step {
    Pay { amount: u128, service: Option<usize>, recipient: u8, later: i64 },
    Settle { which: prop::sample::Index, tenths: u128 },
    Void(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let pay = (1u128..1_000, prop::option::of(0usize..3), 1u8..4, -20i64..60).prop_map(
        |(amount, service, recipient, later)| Step::Pay { amount, service, recipient, later },
    );
    let settle = (any::<prop::sample::Index>(), 0u128..=10)
        .prop_map(|(which, tenths)| Step::Settle { which, tenths });
    prop_oneof![5 => pay, 1 => settle, 1 => any::<prop::sample::Index>().prop_map(Step::Void)]
}

/// What a recount keeps of a payment.
struct Plain {
    row: SpendRow,
    at: u64,
    counted: u128,
    void: bool,
    closed: bool,
}

fn play(steps: Vec<Step>) -> (Ledger, Vec<Plain>, Vec<OutcomeRow>) {
    let (mut ledger, mut plain, mut outcomes) = (Ledger::new(), Vec::<Plain>::new(), Vec::new());
    let (mut clock, mut last) = (NOW.0, 0);
    for (n, step) in (0u64..).zip(steps) {
        match step {
            Step::Pay { amount, service, recipient, later } => {
                let now = clock.saturating_add_signed(later);
                let row = row(n, amount, service, recipient, UnixSeconds(now));
                ledger.record(&row).unwrap();
                clock = clock.max(now);
                last = last.max(now);
                plain.push(Plain { row, at: last, counted: amount, void: false, closed: false });
            }
            Step::Settle { which, tenths } if !plain.is_empty() => {
                let entry = which.get_mut(&mut plain);
                let amount = entry.counted * tenths / 10;
                let outcome = settled(&entry.row, amount);
                if !entry.closed {
                    entry.counted = amount;
                    entry.closed = true;
                    ledger.apply(&outcome).unwrap();
                    outcomes.push(outcome);
                }
            }
            Step::Void(which) if !plain.is_empty() => {
                let entry = which.get_mut(&mut plain);
                if !entry.closed && entry.row.service.is_some() {
                    let outcome = void(&entry.row);
                    (entry.counted, entry.void, entry.closed) = (0, true, true);
                    ledger.apply(&outcome).unwrap();
                    outcomes.push(outcome);
                }
            }
            Step::Settle { .. } | Step::Void(_) => {}
        }
    }
    (ledger, plain, outcomes)
}

proptest! {
    #[test]
    fn every_sum_is_that_of_a_recount(
        steps in prop::collection::vec(step(), 0..60),
        back in 0u64..2_000,
    ) {
        let (ledger, plain, outcomes) = play(steps);
        let since = UnixSeconds(ledger.clamp(NOW).0 - back);
        let services = SERVICES.map(|s| Scope::Service(serde_json::from_value(json!(s)).unwrap()));
        let recipients = [1u8, 2, 3].map(|r| Scope::Recipient(Address::repeat_byte(r)));
        let scopes = [Scope::Total, Scope::NoService].into_iter().chain(services).chain(recipients);
        for scope in scopes {
            let here = || {
                plain.iter().filter(|entry| entry.at >= since.0).filter(|entry| match &scope {
                    Scope::Total => true,
                    Scope::NoService => entry.row.service.is_none(),
                    Scope::Service(service) => entry.row.service.as_ref() == Some(service),
                    Scope::Recipient(recipient) => entry.row.recipient == Some(*recipient),
                })
            };
            let amount: u128 = here().map(|entry| entry.counted).sum();
            let count = here().filter(|entry| !entry.void).count() as u128;
            prop_assert_eq!(ledger.sum(Measure::Amount("USDC"), &scope, since), amount);
            prop_assert_eq!(ledger.sum(Measure::Count, &scope, since), count);
        }
        // Rows first, then outcomes: the order between different payments does not matter.
        let mut rebuilt = Ledger::new();
        for entry in &plain {
            let stored = serde_json::to_string(&entry.row).unwrap();
            rebuilt.record(&serde_json::from_str(&stored).unwrap()).unwrap();
        }
        for outcome in &outcomes {
            let stored = serde_json::to_string(outcome).unwrap();
            rebuilt.apply(&serde_json::from_str(&stored).unwrap()).unwrap();
        }
        prop_assert_eq!(rebuilt, ledger);
    }
}
