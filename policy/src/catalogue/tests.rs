use std::collections::BTreeSet;

use super::*;
use crate::rules::{Policy, Then};

const HEAD: &str = "policy: p\nepoch: 1\napplies_to: { agent: research-01 }\n\
    lists:\n  vendors: [api.search.example]\ncontext: { confidence: decimal }\npeople:\n  \
    alice: { key: \"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c\" }\n\
    approvals: { any: 1, of: [alice] }\n\
    rules:\n";

/// The keys of an entry of `rules`, by the schema that is derived from what is read.
fn keys() -> BTreeSet<String> {
    let schema = Policy::json_schema();
    let properties = schema["$defs"]["RuleFile"]["properties"].as_object().unwrap();
    let beside = ["then", "approvers", "expires"];
    properties.keys().filter(|key| !beside.contains(&key.as_str())).cloned().collect()
}

#[test]
fn the_catalogue_names_the_rules_that_are_read_and_no_other() {
    let named: BTreeSet<_> = entries().iter().map(|entry| entry.word.to_owned()).collect();
    assert_eq!(named, keys());
    assert_eq!(named.len(), entries().len(), "a word is there twice");
}

#[test]
fn every_example_is_a_rule_of_its_kind_with_each_of_its_outcomes() {
    for entry in entries() {
        if entry.outcomes.is_empty() {
            let text = format!("{HEAD}  {}\n", entry.example);
            assert_eq!(Policy::parse(&text).unwrap().rules()[0].kind().word(), entry.word);
        }
        for outcome in ["refuse", "ask", "warn"] {
            let indented = entry.example.replace('\n', "\n  ");
            let text = format!("{HEAD}  {indented}\n    then: {outcome}\n");
            let read = Policy::parse(&text);
            assert_eq!(read.is_ok(), entry.outcomes.contains(&outcome), "{text}\n{read:?}");
            let Ok(policy) = read else { continue };
            let [rule] = policy.rules() else { panic!("{text}") };
            assert!(rule.kind().word().starts_with(entry.word), "{text}");
            assert_eq!(rule.then().word(), outcome);
        }
    }
    assert_eq!(Then::default().word(), "refuse");
}

/// What other engines call their rules.
const ELSEWHERE: [&str; 62] = [
    "MAX_AMOUNT",
    "SINGLE_AMOUNT",
    "tx_limit",
    "max_transaction",
    "X402_MAX_PER_REQUEST",
    "MPP_MAX_PER_REQUEST",
    "X402_PRICE_CEILING",
    "MPP_PRICE_CEILING",
    "DAILY_LIMIT",
    "WEEKLY_LIMIT",
    "MONTHLY_LIMIT",
    "daily_limit",
    "BUDGET_CAP",
    "per_recipient_limits",
    "X402_MAX_PER_SERVICE",
    "MPP_MAX_PER_SERVICE",
    "X402_MAX_PER_ENDPOINT",
    "MPP_MAX_PER_ENDPOINT",
    "BUDGET_ALLOCATION",
    "VELOCITY_LIMIT",
    "rate_cap",
    "X402_VELOCITY_PER_ENDPOINT",
    "MPP_VELOCITY_PER_ENDPOINT",
    "max_transactions_per_hour",
    "ALLOWED_COUNTERPARTIES",
    "BLOCKED_COUNTERPARTIES",
    "recipient_allowlist",
    "blacklist",
    "X402_ALLOWED_SERVICES",
    "X402_BLOCKED_SERVICES",
    "MPP_ALLOWED_SERVICES",
    "MPP_BLOCKED_SERVICES",
    "CONTRACT_ALLOWLIST",
    "ALLOWED_CATEGORIES",
    "BLOCKED_CATEGORIES",
    "new-recipient approval",
    "x402 dynamic payTo",
    "TRUST_SCORE",
    "COUNTERPARTY_STATUS",
    "GEOGRAPHIC_RESTRICTION",
    "TIME_WINDOW",
    "DAY_OF_WEEK",
    "active_hours",
    "business_hours_only",
    "DATE_RANGE",
    "BLACKOUT_PERIOD",
    "EXPIRATION",
    "allowed_tokens",
    "allowed_chains",
    "X402_SESSION_BUDGET",
    "MPP_SESSION_BUDGET",
    "MPP_MAX_SESSION_DEPOSIT",
    "MPP_MAX_CONCURRENT_SESSIONS",
    "MPP_MAX_SESSION_DURATION",
    "MPP_BLOCK_SESSION_INTENT",
    "MPP_ALLOWED_METHODS",
    "conditional rules",
    "COMPOSITE",
    "REQUIRE_APPROVAL_ABOVE",
    "require_human_approval_above",
    "approval workflows",
    "auto-freeze",
];

#[test]
fn whoever_comes_from_another_engine_finds_each_of_its_rules_once() {
    let mut covered: Vec<_> = entries().iter().flat_map(|entry| entry.covers).copied().collect();
    let mut wanted = ELSEWHERE.to_vec();
    covered.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(covered, wanted);
}

#[test]
fn the_reference_in_the_repository_is_what_is_printed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/REFERENCE.md");
    if std::env::var_os("REPRINT").is_some() {
        std::fs::write(path, markdown()).unwrap();
    }
    let held = std::fs::read_to_string(path).unwrap();
    assert_eq!(held, markdown(), "write it anew: tercet policy reference > policy/REFERENCE.md");
}
