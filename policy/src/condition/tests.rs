use alloy_primitives::address;

use super::*;
use crate::context::{Context, ContextValue, Decimal};
use crate::time::UnixSeconds;

fn declared() -> DeclaredContext {
    [
        ("confidence", ContextKind::Decimal),
        ("task", ContextKind::String),
        ("urgent", ContextKind::Bool),
        ("attempts", ContextKind::Long),
    ]
    .into_iter()
    .try_fold(DeclaredContext::default(), |declared, (name, kind)| declared.with(name, kind))
    .unwrap()
}

fn context() -> Context {
    let confidence = ContextValue::Decimal(Decimal::parse("0.93").unwrap());
    Context::default()
        .with("confidence", confidence)
        .and_then(|context| context.with("task", ContextValue::Text("index".to_owned())))
        .and_then(|context| context.with("urgent", ContextValue::Bool(true)))
        .and_then(|context| context.with("attempts", ContextValue::Long(2)))
        .unwrap()
}

/// An x402 payment of half a dollar on a Saturday, 14:xx UTC.
fn facts(context: &Context) -> ConditionFacts<'_> {
    ConditionFacts {
        agent: "research-01",
        wallet: address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C"),
        protocol: "x402",
        chain: "eip155:8453",
        asset: "USDC",
        amount: Amount::from_base_units(500_000),
        recipient: Some(address!("0x036CbD53842c5426634e7929541eC2318f3dCF7e")),
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

fn parse(expression: &str) -> Condition {
    Condition::parse(expression, &declared()).unwrap_or_else(|bad| panic!("{expression}: {bad}"))
}

fn refused(expression: &str) -> String {
    Condition::parse(expression, &declared()).unwrap_err().to_string()
}

fn holds(expression: &str) -> Result<bool, ConditionError> {
    let context = context();
    parse(expression).holds(&facts(&context))
}

#[test]
fn each_fact_and_each_declared_value_can_be_asked_for() {
    for (expression, answer) in [
        (r#"principal == Agent::"research-01""#, true),
        (r#"principal == Agent::"research-02""#, false),
        ("resource.amount == 500000", true),
        ("resource.amount < 500000", false),
        (r#"resource.asset == "USDC" && resource.chain == "eip155:8453""#, true),
        (r#"resource.protocol == "transfer""#, false),
        (r#"resource.wallet == "0x209693bc6afc0c5328ba36faf03c514ef312287c""#, true),
        (
            r#"resource has recipient &&
               resource.recipient == "0x036cbd53842c5426634e7929541ec2318f3dcf7e""#,
            true,
        ),
        (r#"resource has service && resource.service like "*.search.example""#, true),
        (r#"resource has endpoint && resource.endpoint like "/v1/*""#, true),
        (r#"resource has http_method && resource.http_method == "POST""#, false),
        ("resource has category", false),
        (r#"resource has country && ["DE", "FR"].contains(resource.country)"#, true),
        ("resource.trust >= 70 && resource.trust < 71", true),
        ("resource.hour_utc == 14 && resource.weekday_utc == 6", true),
        (r#"context.confidence.greaterThan(decimal("0.8"))"#, true),
        (r#"context.confidence.greaterThan(decimal("0.93"))"#, false),
        (r#"context.task == "index" && context.urgent && context.attempts < 3"#, true),
        ("context.attempts > 2 // tried too often", false),
        ("if context.urgent then context.attempts <= 5 else context.attempts <= 1", true),
    ] {
        assert_eq!(holds(expression), Ok(answer), "{expression}");
    }
}

#[test]
fn a_condition_is_given_only_what_it_names() {
    let condition = parse(r#"resource.trust > 5 && context.task == "index""#);
    assert_eq!(condition.fact_names().collect::<Vec<_>>(), ["trust"]);
    assert_eq!(condition.context_names().collect::<Vec<_>>(), ["task"]);
    let context = Context::default().with("task", ContextValue::Text("index".to_owned())).unwrap();
    assert_eq!(condition.holds(&facts(&context)), Ok(true), "the rest may be missing");
}

#[test]
fn an_expression_over_the_whole_payment_is_given_the_whole_payment() {
    let condition = parse("(if context.urgent then resource else resource).amount > 5");
    assert_eq!(condition.fact_names().count(), FACTS.len());
    assert_eq!(condition.holds(&facts(&context())), Ok(true));
}

#[test]
fn a_missing_or_mistyped_value_is_an_error() {
    let condition = parse("context.attempts < 3");
    let missing = Context::default();
    assert_eq!(
        condition.holds(&facts(&missing)),
        Err(ConditionError::Missing { name: "attempts".to_owned() })
    );
    let text = Context::default().with("attempts", ContextValue::Text("2".to_owned())).unwrap();
    assert_eq!(
        condition.holds(&facts(&text)),
        Err(ConditionError::OtherType {
            name: "attempts".to_owned(),
            expected: ContextKind::Long,
            found: ContextKind::String,
        })
    );
    let asked_for = parse("context has attempts || true");
    assert!(asked_for.holds(&facts(&missing)).is_err(), "asking whether it is there needs it too");
}

#[test]
fn an_amount_beyond_64_bits_is_an_error_where_it_is_looked_at() {
    let context = context();
    let mut facts = facts(&context);
    facts.amount = Amount::from_base_units(CONDITION_AMOUNT_MAX);
    assert_eq!(parse("resource.amount > 0").holds(&facts), Ok(true));
    facts.amount = Amount::from_base_units(CONDITION_AMOUNT_MAX + 1);
    assert!(matches!(
        parse("resource.amount > 0").holds(&facts),
        Err(ConditionError::AmountTooLarge { .. })
    ));
    assert_eq!(parse("resource.trust > 0").holds(&facts), Ok(true));
}

#[test]
fn an_overflow_is_an_error_and_not_an_answer() {
    let context = context();
    let mut facts = facts(&context);
    facts.amount = Amount::from_base_units(CONDITION_AMOUNT_MAX);
    for expression in ["resource.amount + 1 > 0", "!(resource.amount + 1 > 0)"] {
        assert!(
            matches!(parse(expression).holds(&facts), Err(ConditionError::Evaluation { .. })),
            "{expression}"
        );
    }
}

/// Cedar's own answer to a `forbid` that errs: it is skipped, and the payment is allowed.
#[test]
fn an_erroring_cedar_forbid_is_skipped_and_allows() {
    let policies: PolicySet = r"
        permit(principal, action, resource);
        forbid(principal, action, resource) when { context.amount * 2 > 100 };
    "
    .parse()
    .unwrap();
    let amount = cedar_policy::RestrictedExpression::new_long(i64::MAX);
    let context = cedar_policy::Context::from_pairs([("amount".to_owned(), amount)]).unwrap();
    let uid = |text: &str| text.parse::<cedar_policy::EntityUid>().unwrap();
    let request = cedar_policy::Request::new(
        uid(r#"Agent::"a""#),
        uid(r#"Action::"pay""#),
        uid(r#"Payment::"p""#),
        context,
        None,
    )
    .unwrap();
    let response = Authorizer::new().is_authorized(&request, &policies, &Entities::empty());
    assert_eq!(response.decision(), Decision::Allow, "the largest amount passes the forbid");
    assert_eq!(response.diagnostics().errors().count(), 1, "because the forbid erred");
}

/// The same arithmetic in a condition: nothing is skipped.
#[test]
fn an_erroring_condition_refuses_where_cedar_would_allow() {
    let context = context();
    let mut facts = facts(&context);
    facts.amount = Amount::from_base_units(CONDITION_AMOUNT_MAX);
    let condition = parse("!(resource.amount * 2 > 100)");
    let Err(ConditionError::Evaluation { reason }) = condition.holds(&facts) else {
        panic!("an overflow was an answer");
    };
    assert!(reason.contains("overflow"), "{reason}");
}

#[test]
fn bad_expressions_are_refused_at_load_with_a_reason() {
    for (expression, reason) in [
        ("", "not a condition"),
        ("resource.amount >", "not a condition"),
        ("context.confidence > 0.8", ".greaterThan(decimal("),
        (r#"context.confidence > decimal("0.8")"#, ".greaterThan(decimal("),
        (r#"context.confidence.greaterThan(decimal("much"))"#, "does not type-check"),
        ("context.confidance == 1", "confidance"),
        ("resource.amonut > 1", "amonut"),
        (r#"resource.amount > "5""#, "String"),
        ("resource.amount", "Bool"),
        (r#"resource.service == "a""#, "resource has service"),
        (r#"principal == User::"a""#, "User"),
        (r#"action == Action::"sign""#, "sign"),
        ("false", "never hold"),
        ("true }; permit(principal, action, resource) when { true", "not a condition"),
        ("true } unless { false", "not a condition"),
        (
            r#"resource.wallet == "0x209693Bc6afc0C5328bA36FaF03C514EF312287C""#,
            "0x209693bc6afc0c5328ba36faf03c514ef312287c",
        ),
    ] {
        let refused = refused(expression);
        assert!(refused.contains(reason), "{expression}: {refused}");
    }
    let long = format!("resource.amount > {}", "1".repeat(CONDITION_BYTES_MAX));
    assert!(refused(&long).contains("at most 2048 bytes"));
}

/// Test threads have the two megabytes of stack that a server's threads have.
#[test]
fn long_and_deep_expressions_are_refused_or_evaluated_but_never_crash() {
    let chain = |first: &str, more: &str| {
        let times = (CONDITION_BYTES_MAX - first.len()) / more.len();
        format!("{first}{}", more.repeat(times))
    };
    let nested = |open: &str, close: &str, levels| {
        format!("{}true{}", open.repeat(levels), close.repeat(levels))
    };
    let context = context();
    for expression in [
        nested("(", ")", 1_000),
        nested("!(", ")", 600),
        nested("!", "", 2_000),
        nested("if true then ", " else true", 80),
        chain("true", "&&true"),
        chain("true", "||true"),
        chain("resource.amount", "+1") + ">0",
        chain("0<resource.amount", "-1"),
        chain("resource.amount", ".a"),
        chain("1<resource.amount", "*1"),
        chain("true", "==true"),
        chain("if true then true else ", "if true then true else ") + "true",
        chain("[1", ",1") + "].contains(1)",
        chain("", "["),
        chain("", "-"),
    ] {
        let _ = Condition::parse(&expression, &declared())
            .map(|condition| condition.holds(&facts(&context)));
    }
    assert!(refused(&nested("(", ")", CONDITION_DEPTH_MAX + 1)).contains("nests at most 16"));
    assert_eq!(holds(&nested("(", ")", CONDITION_DEPTH_MAX)), Ok(true));
}
