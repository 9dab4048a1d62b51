//! How long a condition takes to be evaluated. Prints one JSON line per figure.
//!
//! Run it in release: `cargo run --release -p tercet-policy --example bench-condition`.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement on made-up data: it prints, and a wrong assumption shall stop it"
)]

use std::hint::black_box;
use std::time::Instant;

use alloy_primitives::Address;
use hdrhistogram::Histogram;
use serde_json::json;
use tercet_policy::condition::{Condition, ConditionFacts};
use tercet_policy::context::{Context, ContextKind, ContextValue, Decimal, DeclaredContext};
use tercet_policy::money::Amount;
use tercet_policy::time::UnixSeconds;

const EVALUATIONS: u32 = 100_000;
const CONDITIONS: [(&str, &str); 3] = [
    ("context", r#"context.confidence.greaterThan(decimal("0.8"))"#),
    ("payment", r#"resource.protocol == "x402" && resource.amount <= 500000"#),
    (
        "both",
        r#"context.confidence.greaterThan(decimal("0.8")) && resource.amount <= 500000 &&
           resource has service && resource.service like "*.search.example" &&
           (resource.trust >= 50 || context.urgent)"#,
    ),
];

fn main() {
    let declared = DeclaredContext::default()
        .with("confidence", ContextKind::Decimal)
        .and_then(|declared| declared.with("urgent", ContextKind::Bool))
        .expect("good names");
    let confidence = Decimal::parse("0.93").expect("a decimal");
    let context = Context::default()
        .with("confidence", ContextValue::Decimal(confidence))
        .and_then(|context| context.with("urgent", ContextValue::Bool(true)))
        .expect("good values");
    for (name, expression) in CONDITIONS {
        let condition = Condition::parse(expression, &declared).expect("a condition");
        let histogram = measure(&condition, &facts(&context));
        for (rank, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let value = histogram.value_at_quantile(quantile) as f64 / 1_000.0;
            let name = format!("policy_condition_{name}_{rank}_us");
            println!("{}", json!({ "name": name, "value": value, "unit": "us" }));
        }
    }
}

fn measure(condition: &Condition, facts: &ConditionFacts<'_>) -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("three digits");
    for _ in 0..EVALUATIONS {
        let begun = Instant::now();
        let answer = black_box(condition).holds(black_box(facts));
        let taken = begun.elapsed();
        assert_eq!(answer, Ok(true));
        histogram.record(u64::try_from(taken.as_nanos()).expect("short")).expect("in range");
    }
    histogram
}

fn facts(context: &Context) -> ConditionFacts<'_> {
    ConditionFacts {
        agent: "research-01",
        wallet: Address::repeat_byte(1),
        protocol: "x402",
        chain: "eip155:8453",
        asset: "USDC",
        amount: Amount::from_base_units(500_000),
        recipient: Some(Address::repeat_byte(2)),
        service: Some("api.search.example"),
        endpoint: Some("/v1/search"),
        http_method: Some("GET"),
        category: None,
        country: Some("DE"),
        trust: 70,
        now: UnixSeconds(1_763_822_400),
        context,
    }
}
