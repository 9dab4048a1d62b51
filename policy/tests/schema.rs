//! The JSON Schema of policy files, held to what is read: by another implementation, what is a
//! policy has to fit the schema, and what breaks it is no policy.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that is wrong may stop"
)]

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;
use tercet_policy::catalogue;
use tercet_policy::rules::Policy;

const HEAD: &str = "policy: p\nepoch: 1\napplies_to: { agent: research-01 }\n\
    lists:\n  vendors: [api.search.example]\ncontext: { confidence: decimal }\n\
    people:\n  alice: { key: \"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c\" }\n\
    approvals: { any: 1, of: [alice] }\nrules:\n";
const RULE: &str = "  - max_amount: 1 USDC\n";

fn schema() -> Validator {
    jsonschema::draft202012::new(&Policy::json_schema()).unwrap()
}

fn value(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

#[track_caller]
fn fits(schema: &Validator, text: &str) {
    let errors: Vec<_> = schema.iter_errors(&value(text)).map(|bad| bad.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{text}");
    assert!(Policy::parse(text).is_ok(), "{:?}\n{text}", Policy::parse(text));
}

#[test]
fn the_schema_is_one() {
    let schema = Policy::json_schema();
    assert!(jsonschema::meta::is_valid(&schema));
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn every_example_of_the_reference_fits_with_each_of_its_outcomes() {
    let schema = schema();
    for entry in catalogue::entries() {
        let example = entry.example.replace('\n', "\n  ");
        fits(&schema, &format!("{HEAD}  {example}\n"));
        for then in entry.outcomes {
            fits(&schema, &format!("{HEAD}  {example}\n    then: {then}\n"));
        }
    }
    let reference = catalogue::markdown();
    let (_, file) = reference.split_once("```yaml\n").unwrap();
    fits(&schema, file.split_once("```\n").unwrap().0);
}

/// Files below a folder that begin, comments aside, as policies do.
fn policies(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(policies(&path));
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.extend(text.lines().any(|line| line.starts_with("policy:")).then_some(path));
        }
    }
    found
}

#[test]
fn every_policy_that_is_delivered_fits() {
    let schema = schema();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/config");
    let found = policies(&folder);
    assert!(!found.is_empty(), "no policy in {}", folder.display());
    for path in found {
        fits(&schema, &std::fs::read_to_string(&path).unwrap());
    }
}

#[test]
fn rules_in_every_form_fit() {
    let schema = schema();
    for rule in [
        "limit: { amount: 0.000001 USDC, per: 90m, by: endpoint }",
        "rate: { count: 0, per: month, calendar: America/New_York, by: category }",
        "max_fee: 0.000000000000000001 ETH",
        "max_share_of_balance: 12.5%",
        "hours: { from: \"22:00\", to: \"24:00\", days: [sat, sun], zone: Etc/UTC }",
        "dates: { until: 2026-11-21T09:00, zone: UTC }",
        "payee_pinning: {}",
        "x402: { schemes: [exact, batch-settlement], flows: [escrow], transfer_methods: [permit2] }",
        "mpp: { max_concurrent_sessions: 3, max_session_duration: 8h, http_methods: [GET] }",
        "freeze: { spike: 5x, per: day, over: 7, at_least: 1 USDC }",
        "ask: { new_payee: true, approvers: { sequence: [alice], expires: 5m } }",
        "{ trust: { min: 0 }, then: ask, approvers: { any: 1, of: [alice], \
         escalate: { after: 1h, to: { any: 1, of: [alice] } } }, expires: 30m }",
        "allow: { services: vendors, recipients: [], contracts: [], categories: [data] }",
    ] {
        fits(&schema, &format!("{HEAD}  - {rule}\n"));
    }
}

/// Rules that neither reading nor the schema takes.
const BROKEN: [&str; 46] = [
    "max_amout: 1 USDC",
    "max_amount: 1",
    "max_amount: 1 DOGE",
    "max_amount: -1 USDC",
    "max_amount: 0.0000001 USDC",
    "{ max_amount: 1 USDC, rate: { count: 1, per: day } }",
    "{ then: warn }",
    "{}",
    "{ max_amount: 1 USDC, then: maybe }",
    "limit: { amount: 1 USDC }",
    "limit: { amount: 1 USDC, per: 0m }",
    "limit: { amount: 1 USDC, per: year }",
    "limit: { amount: 1 USDC, per: day, by: session }",
    "limit: { amount: 1 USDC, per: day, colour: red }",
    "rate: { count: -1, per: day }",
    "rate: { count: 1.5, per: day }",
    "price_ceiling: {}",
    "price_ceiling: { ap2: 1 USDC }",
    "max_share_of_balance: 25",
    "max_fee: 1 USDC",
    "allow: {}",
    "allow: { services: 7 }",
    "payee_pinning: { changed: allow }",
    "trust: { min: 101 }",
    "trust: {}",
    "country: {}",
    "country: { allow: [DE], block: [FR] }",
    "hours: { from: \"9:00\", to: \"17:00\", zone: UTC }",
    "hours: { from: \"09:00\", to: \"17:00\" }",
    "hours: { from: \"09:00\", to: \"17:00\", days: [], zone: UTC }",
    "dates: { zone: UTC }",
    "dates: { from: 2025-1-1, zone: UTC }",
    "blackout: { from: 2025-01-01, until: 2025-01-02, zone: UTC }",
    "x402: {}",
    "x402: { schemes: [] }",
    "x402: { max_validity: 0s }",
    "mpp: {}",
    "mpp: { voucher_signer: agent }",
    "mpp: { max_concurrent_sessions: -1 }",
    "ask: {}",
    "ask: { above: 1 }",
    "ask: { above: 1 USDC, approvers: { any: 0, of: [alice] } }",
    "freeze: { per: hour }",
    "freeze: { refusals: 0, per: hour }",
    "freeze: { spike: 5, per: day, over: 7 }",
    "when: 7",
];

#[test]
fn what_is_broken_is_refused_by_both() {
    let schema = schema();
    let rules = BROKEN.map(|rule| format!("{HEAD}  - {rule}\n"));
    let good = format!("{HEAD}{RULE}");
    let heads = [
        ("policy: p", "policy: Big Spender"),
        ("policy: p", "name: p"),
        ("epoch: 1", "epoch: 0"),
        ("epoch: 1\n", ""),
        ("epoch: 1", "epoch: 9007199254740992"),
        ("applies_to: { agent: research-01 }\n", ""),
        ("applies_to: { agent: research-01 }", "applies_to: { team: a }"),
        ("applies_to: { agent: research-01 }", "applies_to: {}"),
        ("epoch: 1", "epoch: 1\nmode: dry"),
        ("confidence: decimal", "confidence: float"),
        ("key: \"8a88", "key: \"8a"),
        ("any: 1", "any: 0"),
        ("vendors: [api.search.example]", "vendors: api.search.example"),
    ];
    fits(&schema, &good);
    let heads = heads.map(|(from, to)| {
        assert!(good.contains(from), "{from}");
        good.replace(from, to)
    });
    for text in rules.iter().chain(&heads) {
        assert!(Policy::parse(text).is_err(), "read: {text}");
        assert!(!schema.is_valid(&value(text)), "fits: {text}");
    }
}

#[test]
fn what_takes_a_look_at_two_places_only_reading_refuses() {
    let schema = schema();
    for rule in [
        "allow: { services: nobody }",
        "limit: { amount: 1 USDC, per: day, calendar: Mars/Olympus }",
        "{ block: { services: vendors }, then: ask }",
        "ask: { above: 1 USDC, approvers: { any: 2, of: [alice] } }",
        "when: 'context.mood == 1'",
    ] {
        let text = format!("{HEAD}  - {rule}\n");
        assert!(schema.is_valid(&value(&text)), "{rule}");
        assert!(Policy::parse(&text).is_err(), "{rule}");
    }
}
