use crate::ask::{Ask, Facts};
use crate::context::{Context, ContextValue};
use crate::decision::{Decision, Outcome, Verdict, decide};
use crate::fixture::{intent, x402};
use crate::ledger::Ledger;
use crate::rules::Policy;
use crate::time::UnixSeconds;
use alloy_primitives::Address;

const NOW: UnixSeconds = UnixSeconds(1_763_822_400);

fn policy(rules: &str) -> Policy {
    let yaml = format!(
        "policy: p\nepoch: 1\napplies_to: {{ agent: research-01 }}\n\
         context: {{ attempts: long, confidence: decimal }}\n\
         rules:\n  - allow: {{ services: [api.search.example] }}\n{rules}{}",
        crate::fixture::people(),
    );
    Policy::parse(&yaml).unwrap_or_else(|error| panic!("{error}"))
}

fn decided(rule: &str, context: Context) -> Decision {
    let mut intent = intent(1, x402(500_000, "api.search.example", Address::repeat_byte(9)), NOW);
    intent.declared.context = context;
    let (policy, ledger) = (policy(rule), Ledger::default());
    decide(&[&policy], &Ask::of(&intent).unwrap(), &Facts::of(&ledger, NOW))
}

fn attempts(value: ContextValue) -> Context {
    Context::default().with("attempts", value).unwrap()
}

#[test]
fn each_outcome_of_a_condition() {
    let long = |n| attempts(ContextValue::Long(n));
    let text = attempts(ContextValue::Text("2".to_owned()));
    let none = Context::default;
    for (then, context, verdict, outcome, asked) in [
        ("refuse", long(2), Verdict::Approve, Outcome::Kept, "it holds"),
        ("refuse", long(3), Verdict::Refuse, Outcome::Refuses, "it does not hold"),
        ("ask", long(3), Verdict::AskHuman, Outcome::Asks, "it does not hold"),
        ("warn", long(3), Verdict::Approve, Outcome::Warns, "it does not hold"),
        ("refuse", none(), Verdict::Refuse, Outcome::Refuses, "carries no context value"),
        ("ask", none(), Verdict::Refuse, Outcome::Refuses, "carries no context value"),
        ("ask", text, Verdict::Refuse, Outcome::Refuses, "is a string"),
        ("ask", long(i64::from(u32::MAX)), Verdict::AskHuman, Outcome::Asks, "does not hold"),
        ("warn", none(), Verdict::Approve, Outcome::Warns, "carries no context value"),
    ] {
        let rule = format!("  - when: 'context.attempts < 3'\n    then: {then}\n");
        let decision = decided(&rule, context.clone());
        let found = &decision.policies[0].findings[1];
        assert_eq!((decision.verdict, found.outcome), (verdict, outcome), "{then} {context:?}");
        assert!(found.asked.contains(asked), "{}", found.asked);
        assert_eq!((found.kind.as_str(), found.limit.as_str()), ("when", "context.attempts < 3"));
    }
}

#[test]
fn a_condition_sees_the_payment() {
    for (when, verdict) in [
        ("resource.amount <= 500000", Verdict::Approve),
        ("resource.amount < 500000", Verdict::Refuse),
        ("resource.protocol == \"x402\"", Verdict::Approve),
        ("resource has service && resource.service == \"api.search.example\"", Verdict::Approve),
        ("resource.trust > 0", Verdict::Refuse),
        ("principal == Agent::\"research-01\"", Verdict::Approve),
        ("principal == Agent::\"research-02\"", Verdict::Refuse),
    ] {
        let decision = decided(&format!("  - when: '{when}'\n"), Context::default());
        assert_eq!(decision.verdict, verdict, "{when}");
    }
}

#[test]
fn a_bad_condition_is_refused_with_its_line() {
    for (lines, line, reason) in [
        ("  - when: 'context.attempt < 3'", 7, "attempt"),
        (
            "  - max_amount: 1 USDC\n  - when: 'context.confidence > decimal(\"0.8\")'",
            8,
            ".greaterThan(",
        ),
        ("  - when: 'resource.amount >'", 7, "not a condition"),
    ] {
        let yaml = format!(
            "policy: p\nepoch: 1\napplies_to: {{ agent: a }}\n\
             context: {{ attempts: long, confidence: decimal }}\nrules:\n  \
             - allow: {{ services: [a.example] }}\n{lines}\n"
        );
        let error = Policy::parse(&yaml).unwrap_err().to_string();
        assert!(error.starts_with(&format!("line {line}: ")) && error.contains(reason), "{error}");
    }
}
