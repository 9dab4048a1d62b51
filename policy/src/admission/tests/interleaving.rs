//! No order of payments, retries, cancellations and outcomes passes a limit.

use proptest::prelude::*;

use super::*;
use crate::intent::Payment;

/// What one step of an interleaving does.
#[derive(Clone, Debug)]
enum Step {
    Pay { amount: u128, service: usize, later: u64 },
    Again(prop::sample::Index),
    Cancel(prop::sample::Index),
    Void(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let pay = (1u128..60, 0usize..3, 0u64..40).prop_map(|(amount, service, later)| Step::Pay {
        amount,
        service,
        later,
    });
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => pay,
        1 => index().prop_map(Step::Again),
        1 => index().prop_map(Step::Cancel),
        2 => index().prop_map(Step::Void),
    ]
}

const SERVICES: [&str; 3] = ["a.inference.example", "b.inference.example", VENDOR];

/// Everything that was admitted and not voided, as (time, amount, service).
fn counted(rows: &[(SpendRow, bool)]) -> impl Iterator<Item = (u64, u128, &str)> {
    let payments = rows.iter().filter(|(row, void)| row.counts() && !void);
    payments.map(|(row, _)| {
        let service = row.service.as_ref().map_or("", |service| service.as_str());
        (row.at.0, row.amount.base_units(), service)
    })
}

fn check_limits(rows: &[(SpendRow, bool)]) -> Result<(), TestCaseError> {
    for (end, _, service) in counted(rows) {
        let window = |seconds: u64| {
            counted(rows).filter(move |(at, ..)| *at <= end && at.saturating_add(seconds) > end)
        };
        let total: u128 = window(60).map(|(_, amount, _)| amount).sum();
        prop_assert!(total <= 100, "{} in a minute", total);
        let of_service: u128 =
            window(3_600).filter(|(_, _, s)| *s == service).map(|(_, amount, _)| amount).sum();
        prop_assert!(of_service <= 150, "{} for {} in an hour", of_service, service);
        prop_assert!(window(60).count() <= 4);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_interleaving_passes_a_limit(steps in prop::collection::vec(step(), 1..40)) {
        let policy = policy(&format!(
            "{ALLOW}  - limit: {{ amount: 0.0001 USDC, per: minute }}\n  \
             - limit: {{ amount: 0.00015 USDC, per: hour, by: service }}\n  \
             - rate: {{ count: 4, per: minute }}"
        ));
        let mut book = Book::new();
        let mut rows: Vec<(SpendRow, bool)> = Vec::new();
        let mut now = NOW;
        for (n, step) in (0u64..).zip(steps) {
            let proposal = match step {
                Step::Pay { amount, service, later } => {
                    now = now.plus(later);
                    Some(proposal(n, x402(amount, SERVICES[service], OTHER), now))
                }
                Step::Again(which) if !rows.is_empty() => {
                    let (row, _) = which.get(&rows);
                    let service = row.service.as_ref().map_or(VENDOR, |service| service.as_str());
                    let payment = x402(row.amount.base_units().max(1), service, OTHER);
                    let again = with_id(row.intent, payment, row.at);
                    Some(again)
                }
                Step::Cancel(which) if !rows.is_empty() => {
                    Some(proposal(n, cancel(which.get(&rows).0.intent), now))
                }
                Step::Void(which) if !rows.is_empty() => {
                    let (row, is_void) = which.get_mut(&mut rows);
                    if let Ok(proof) = VoidProof::eip3009(row, false, safe(1, now.plus(60))) {
                        prop_assert!(book.apply(&OutcomeRow::void(proof, now)).is_ok());
                        *is_void = true;
                    }
                    None
                }
                _ => None,
            };
            let Some(proposal) = proposal else { continue };
            let before = book.clone();
            match admit_at(&policy, proposal, now, &mut book) {
                Ok(reserved) if reserved.same_again() => prop_assert_eq!(&book, &before),
                Ok(reserved) => rows.push((reserved.row().clone(), false)),
                // A refusal is remembered, and changes nothing else.
                Err(_) => prop_assert_eq!(book.ledger(), before.ledger()),
            }
            check_limits(&rows)?;
        }
    }
}

fn with_id(id: IntentId, payment: Payment, at: UnixSeconds) -> Proposal {
    let mut intent = intent(0, payment, at);
    intent.id = id;
    let intent = authentic(intent);
    let terms = crate::proposal::terms_without_chain(&intent).unwrap();
    with_terms(intent, terms)
}
