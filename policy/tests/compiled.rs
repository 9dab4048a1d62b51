//! Holds the typed evaluator and the compiled policies together, on random payments under random
//! policies, and shows that a wrong translation would be noticed.
//!
//! `TERCET_REQUESTS` sets how many payments are tried.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test on made-up data: a wrong assumption shall stop it"
)]

#[path = "compiled/made.rs"]
mod made;
#[path = "compiled/mutants.rs"]
mod mutants;

use made::{Chance, NOW};
use mutants::{MUTANTS, QUESTIONS, Spoilt};
use tercet_policy::ask::{Ask, Facts};
use tercet_policy::compile::{CompileError, Compiled, CompiledAsk, UNITS_MAX};
use tercet_policy::decision::{Verdict, decide};
use tercet_policy::ledger::Ledger;
use tercet_policy::money::Amount;
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;

const REQUESTS_DEFAULT: usize = 200_000;
const REQUESTS_PER_POLICY: usize = 250;
/// Within so many payments every wrong translation has to be noticed.
const REQUESTS_PER_MUTANT: usize = 200_000;

/// One payment under one set of policies.
struct Case<'a> {
    compiled: &'a Compiled,
    asked: CompiledAsk,
    verdict: Verdict,
}

/// Makes up so many payments, and stops where `each` says so.
fn cases(
    seed: u64,
    wanted: usize,
    mut begin: impl FnMut(&Compiled),
    mut each: impl FnMut(&Case<'_>) -> bool,
) {
    let mut chance = Chance(seed);
    let registry = made::registry();
    let mut done = 0;
    while done < wanted {
        let policies = made::policies(&mut chance);
        let policies: Vec<_> = policies.iter().collect();
        let compiled = Compiled::of(&policies).unwrap();
        let (ledger, health) = (made::ledger(&mut chance), made::health(&mut chance));
        begin(&compiled);
        for _ in 0..REQUESTS_PER_POLICY.min(wanted - done) {
            let now = made::moment(&mut chance);
            let intent = made::intent(&mut chance, now);
            let ask = made::ask(&mut chance, &intent);
            let facts = Facts {
                registry: (chance.below(8) > 0).then_some(&registry),
                balance: (chance.below(2) > 0).then(|| Amount::from_base_units(2_000)),
                health: &health,
                ..Facts::of(&ledger, UnixSeconds(now))
            };
            let verdict = decide(&policies, &ask, &facts).verdict;
            let asked = compiled.ask(&ask, &facts).unwrap();
            done += 1;
            if each(&Case { compiled: &compiled, asked, verdict }) {
                return;
            }
        }
    }
}

/// Whether it is approved, and whether it is not refused.
fn expected(verdict: Verdict) -> [bool; 2] {
    [verdict == Verdict::Approve, verdict != Verdict::Refuse]
}

#[test]
fn the_typed_and_the_compiled_policies_answer_alike() {
    let wanted = std::env::var("TERCET_REQUESTS").ok();
    let wanted = wanted.map_or(REQUESTS_DEFAULT, |text| text.parse().unwrap());
    let mut verdicts = [0_usize; 3];
    let domain = std::cell::RefCell::new(cedar_policy::PolicySet::new());
    let begin = |compiled: &Compiled| {
        let text = format!("permit(principal, action, resource) when {{ {} }};", compiled.domain());
        *domain.borrow_mut() = text.parse().unwrap();
    };
    cases(0x5eed_7e2c_e75e_ed01, wanted, begin, |case| {
        let answers = QUESTIONS.map(|question| case.compiled.answer(question, &case.asked));
        let said = || {
            let (text, asked) = (case.compiled.policies_text(QUESTIONS[1]), &case.asked);
            format!("{:?}\n{text}\n{asked:?}\n{}", case.verdict, case.compiled.schema_text())
        };
        assert_eq!(answers, expected(case.verdict), "{}", said());
        assert!(case.asked.is_allowed_by(&domain.borrow()), "not in the domain: {}", said());
        verdicts[case.verdict as usize] += 1;
        false
    });
    let least = wanted / 100;
    assert!(verdicts.iter().all(|count| *count >= least), "one-sided: {verdicts:?}");
    println!("{wanted} payments agree; approved, asked, refused: {verdicts:?}");
}

#[test]
fn every_wrong_translation_is_noticed() {
    let missed = std::cell::RefCell::new((0..MUTANTS.len()).collect::<Vec<_>>());
    let spoilt = std::cell::RefCell::new(Vec::new());
    let begin = |compiled: &Compiled| {
        *spoilt.borrow_mut() = Spoilt::all(compiled, &missed.borrow());
    };
    cases(0x0dd_ba11, REQUESTS_PER_MUTANT, begin, |case| {
        spoilt.borrow_mut().retain(|one| {
            let noticed = one.answers(&case.asked) != expected(case.verdict);
            if noticed {
                missed.borrow_mut().retain(|missed| *missed != one.mutant);
            }
            !noticed
        });
        missed.borrow().is_empty()
    });
    let missed: Vec<_> = missed.borrow().iter().map(|missed| MUTANTS[*missed]).collect();
    assert!(missed.is_empty(), "not noticed: {missed:#?}");
}

fn policy(rules: &str) -> Policy {
    let key = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
    let people =
        format!("people: {{ alice: {{ key: \"{key}\" }} }}\napprovals: {{ any: 1, of: [alice] }}");
    let context = format!("{people}\ncontext: {{ attempts: long }}");
    let allow = "  - allow: { recipients: [\"0x0000000000000000000000000000000000000001\"] }\n";
    Policy::parse(&format!(
        "policy: p\nepoch: 1\napplies_to: {{ agent: agent-1 }}\n{context}\nrules:\n{allow}{rules}"
    ))
    .unwrap()
}

fn transfer(amount: u128, context: &serde_json::Value) -> tercet_policy::intent::PaymentIntent {
    let asset = &tercet_policy::chain::ASSETS[0];
    serde_json::from_value(serde_json::json!({
        "version": 1, "id": format!("{:064x}", 1), "agent": "agent-1",
        "wallet": format!("0x{:040x}", 77), "created_at": NOW, "expires_at": NOW + 60,
        "payment": { "kind": "transfer", "chain": asset.chain, "token": asset.token,
            "to": format!("0x{:040x}", 1), "amount": amount.to_string() },
        "declared": { "context": context },
    }))
    .unwrap()
}

/// An overflow, a value that is missing and one of another type: nothing of it is skipped, by
/// neither evaluator, whatever follows where the rule is not kept.
#[test]
fn an_error_refuses_in_both_evaluators() {
    let ledger = Ledger::default();
    let facts = Facts::of(&ledger, UnixSeconds(NOW));
    let (none, text) = (serde_json::json!({}), serde_json::json!({ "attempts": "2" }));
    for (condition, amount, context) in [
        ("resource.amount * 4611686018427387904 > 0", 3, &none),
        ("!(resource.amount * 4611686018427387904 > 0)", 3, &none),
        ("context.attempts < 3", 3, &none),
        ("!(context.attempts < 3)", 3, &none),
        ("context.attempts < 3", 3, &text),
        ("resource.amount + 4611686018427387905 > 0", u128::from(UNITS_MAX), &none),
    ] {
        for then in ["refuse", "ask"] {
            let policy = policy(&format!("  - when: '{condition}'\n    then: {then}\n"));
            let intent = transfer(amount, context);
            let ask = Ask::of(&intent).unwrap();
            let verdict = decide(&[&policy], &ask, &facts).verdict;
            assert_eq!(verdict, Verdict::Refuse, "{condition} then {then}");
            let compiled = Compiled::of(&[&policy]).unwrap();
            let asked = compiled.ask(&ask, &facts).unwrap();
            let answers = QUESTIONS.map(|question| compiled.answer(question, &asked));
            assert_eq!(answers, [false, false], "{condition} then {then}");
        }
    }
}

#[test]
fn numbers_that_are_not_analysed_are_no_answer() {
    let ledger = Ledger::default();
    let policy = policy("");
    let compiled = Compiled::of(&[&policy]).unwrap();
    let asked = |amount, now| {
        let intent = transfer(amount, &serde_json::json!({}));
        let facts = Facts::of(&ledger, UnixSeconds(now));
        compiled.ask(&Ask::of(&intent).unwrap(), &facts).map(drop)
    };
    let most = u128::from(UNITS_MAX);
    assert_eq!(asked(most, NOW), Ok(()));
    for (amount, now) in [(most + 1, NOW), (u128::MAX, NOW), (1, u64::MAX)] {
        let out = asked(amount, now);
        assert!(matches!(out, Err(CompileError::OutOfRange { .. })), "{amount} at {now}: {out:?}");
    }
}

#[test]
fn what_is_not_translated_is_said() {
    let policy =
        policy("  - max_amount: 1 USDC\n  - max_share_of_balance: 5%\n  - trust: { min: 1 }\n");
    let compiled = Compiled::of(&[&policy]).unwrap();
    let said: Vec<_> = compiled.unmodelled().map(|rule| (rule.word, rule.line)).collect();
    assert_eq!(said, [("max_share_of_balance", 10)]);
}
