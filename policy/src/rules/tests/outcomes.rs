//! What follows where a rule is not kept: `then`, `mode` and `applies_to`.

use alloy_primitives::Address;

use super::*;
use crate::decision::{Verdict, decide};
use crate::fixture::{NOW, VENDOR, WALLET, intent, x402};
use crate::ledger::Ledger;

const ALLOW: &str = "  - allow: { services: vendors }\n";
const PEOPLE: &str = "people:\n  alice: { key: \"PUBLIC\" }\napprovals: { any: 1, of: [alice] }\n";

fn with_people(rules: &str) -> String {
    let key = hex::encode(key(9).verifying_key().to_bytes());
    let people = PEOPLE.replace("PUBLIC", &key);
    yaml(7, rules).replace("lists:", &format!("{people}lists:"))
}

fn decided(text: &str) -> (Verdict, Outcome) {
    let policy = Policy::parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let intent = intent(1, x402(2_000_000, VENDOR, Address::repeat_byte(0xee)), NOW);
    let ledger = Ledger::new();
    let decision = decide(&[&policy], &Ask::of(&intent).unwrap(), &Facts::of(&ledger, NOW));
    (decision.verdict, decision.policies[0].findings[1].outcome)
}

/// One rule of each sort that two dollars to a vendor over x402 do not keep to.
const BROKEN: [&str; 15] = [
    "max_amount: 1 USDC",
    "max_share_of_balance: 25%",
    "limit: { amount: 1 USDC, per: day }",
    "limit: { amount: 1 USDC, per: 90m, by: endpoint }",
    "rate: { count: 0, per: day, calendar: UTC, by: protocol }",
    "hours: { from: \"00:00\", to: \"01:00\", zone: UTC }",
    "dates: { until: 2025-01-01, zone: UTC }",
    "blackout: { from: 2025-02-27, until: 2025-02-27, zone: UTC, reason: audit }",
    "x402: { schemes: [upto] }",
    "x402: { transfer_methods: [permit2] }",
    "x402: { flows: [authorization] }",
    "x402: { max_validity: 59s }",
    "x402: { session_budget: 5 USDC }",
    "price_ceiling: { x402: 1 USDC }",
    "block: { services: vendors }",
];

#[test]
fn each_rule_refuses_asks_or_warns_as_it_says() {
    for rule in BROKEN {
        let then = |then: &str| with_people(&format!("{ALLOW}  - {{ {rule}, then: {then} }}"));
        let silent = with_people(&format!("{ALLOW}  - {rule}"));
        assert_eq!(decided(&silent), (Verdict::Refuse, Outcome::Refuses), "{rule}");
        assert_eq!(decided(&then("refuse")), (Verdict::Refuse, Outcome::Refuses), "{rule}");
        assert_eq!(decided(&then("warn")), (Verdict::Approve, Outcome::Warns), "{rule}");
        let hard = rule.starts_with("price_ceiling") || rule.starts_with("block:");
        if hard {
            assert!(Policy::parse(&then("ask")).is_err(), "{rule}");
        } else {
            assert_eq!(decided(&then("ask")), (Verdict::AskHuman, Outcome::Asks), "{rule}");
        }
    }
}

#[test]
fn nobody_can_be_asked_where_nobody_is_named() {
    let text = yaml(7, &format!("{ALLOW}  - {{ max_amount: 1 USDC, then: ask }}"));
    let refused = Policy::parse(&text);
    assert!(matches!(refused, Err(PolicyError::Malformed { line: 9, .. })), "{refused:?}");
}

#[test]
fn a_policy_that_warns_neither_refuses_nor_grants() {
    let intent = intent(1, x402(2_000_000, VENDOR, Address::repeat_byte(0xee)), NOW);
    let (ask, ledger) = (Ask::of(&intent).unwrap(), Ledger::new());
    let facts = Facts::of(&ledger, NOW);
    let warning = |rules: &str| {
        let text = yaml(7, rules).replace("lists:", "mode: warn\nlists:");
        Policy::parse(&text).unwrap()
    };
    let strict = warning(&format!("{ALLOW}  - max_amount: 1 USDC"));
    let open = parsed(ALLOW);
    assert_eq!(decide(&[&open, &strict], &ask, &facts).verdict, Verdict::Approve);
    assert_eq!(decide(&[&warning(ALLOW)], &ask, &facts).verdict, Verdict::Refuse);
    let warnings = decide(&[&open, &strict], &ask, &facts);
    assert_eq!(warnings.warnings().count(), 1);
}

#[test]
fn a_policy_is_for_an_organisation_an_agent_or_a_wallet() {
    let with = |applies_to: &str| {
        let text = yaml(7, ALLOW).replace("{ agent: research-01 }", applies_to);
        Policy::parse(&text)
    };
    let intent = intent(1, x402(1, VENDOR, Address::repeat_byte(0xee)), NOW);
    let ask = Ask::of(&intent).unwrap();
    let wallet = format!("{{ wallet: \"{WALLET}\", agent: research-01 }}");
    let other = "{ wallet: \"0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\", agent: research-01 }";
    for (text, subject, applies) in [
        ("{ organisation: acme }", Subject::Organisation, true),
        ("{ agent: research-01 }", Subject::Agent(agent()), true),
        ("{ agent: other }", Subject::Agent(AgentId::new("other").unwrap()), false),
        (wallet.as_str(), Subject::Wallet(WALLET), true),
        (other, Subject::Wallet(Address::repeat_byte(0xee)), false),
    ] {
        let policy = with(text).unwrap();
        assert_eq!(policy.subject(), &subject, "{text}");
        assert_eq!(policy.applies_to(&ask), applies, "{text}");
    }
    for bad in ["{}", "{ organisation: a, agent: b }", "{ organisation: A }", "[]", "{ wallet: x }"]
    {
        assert!(with(bad).is_err(), "{bad}");
    }
}
