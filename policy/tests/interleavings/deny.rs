//! Deny wins: a rule that refuses is outweighed by nothing, wherever it stands.

use proptest::prelude::*;
use proptest::sample::select;
use tercet_policy::ask::{Ask, Facts};
use tercet_policy::decision::{Verdict, decide};
use tercet_policy::ledger::Ledger;
use tercet_policy::money::Amount;
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;

use crate::world::{AGENTS, NOW, POLICED, Plan, REGISTRY, id, plan, wallet};

/// Rules that most payments keep to or do not keep to, with what follows.
const RULES: [&str; 16] = [
    "allow: { services: [\"*.example\"] }",
    "allow: { services: [a.example, b.example] }",
    "allow: { recipients: [\"0xa0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0\"] }",
    "allow: { assets: [USDC] }",
    "max_amount: 0.000030 USDC",
    "{ max_amount: 0.000010 USDC, then: ask }",
    "{ max_amount: 0.000010 USDC, then: warn }",
    "{ rate: { count: 0, per: hour }, then: ask }",
    "{ limit: { amount: 0.000020 USDC, per: day, by: service }, then: warn }",
    "{ allow: { services: [a.example] }, then: ask }",
    "block: { services: [c.example] }",
    "{ block: { recipients: [\"0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1\"] }, then: warn }",
    "x402: { max_validity: 60s }",
    "{ x402: { session_budget: 0.000030 USDC }, then: ask }",
    "max_fee: 0.0000000002 ETH",
    "hours: { from: \"00:00\", to: \"24:00\", zone: UTC }",
];

/// Rules that no payment of this world keeps to.
const REFUSING: [&str; 6] = [
    "block: { assets: [USDC] }",
    "max_amount: 0 USDC",
    "rate: { count: 0, per: day }",
    "limit: { amount: 0 USDC, per: month, calendar: Europe/Berlin, by: recipient }",
    "dates: { until: 2025-01-01, zone: UTC }",
    "blackout: { from: 2025-03-01, until: 2025-04-30, zone: UTC, reason: audit }",
];

#[derive(Clone, Debug)]
struct Written {
    applies_to: String,
    warns: bool,
    rules: Vec<String>,
}

impl Written {
    fn read(&self) -> Policy {
        let mode = if self.warns { "mode: warn\n" } else { "" };
        let rules: String = self.rules.iter().map(|rule| format!("  - {rule}\n")).collect();
        let rules = if rules.is_empty() { "  []\n".to_owned() } else { rules };
        // The Ed25519 base point stands for a person's key.
        let key = format!("58{}", "66".repeat(31));
        let people = format!(
            "people:\n  alice: {{ key: \"{key}\" }}\napprovals: {{ any: 1, of: [alice] }}\n"
        );
        let yaml = format!(
            "policy: p\nepoch: 1\napplies_to: {}\n{mode}{people}rules:\n{rules}",
            self.applies_to
        );
        Policy::parse(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
    }
}

fn written(applies_to: String) -> impl Strategy<Value = Written> {
    let rules = prop::collection::vec(select(&RULES[..]).prop_map(str::to_owned), 0..6);
    (prop::bool::weighted(0.2), rules).prop_map(move |(warns, rules)| Written {
        applies_to: applies_to.clone(),
        warns,
        rules,
    })
}

/// Policies of the organisation, the agent and the wallet, some of them missing.
fn policies() -> impl Strategy<Value = Vec<Written>> {
    let agent = AGENTS[0];
    let purse = format!("{{ wallet: \"{}\", agent: {agent} }}", wallet(POLICED));
    let some = |text: String| prop::option::weighted(0.8, written(text));
    let all = (
        some("{ organisation: acme }".to_owned()),
        written(format!("{{ agent: {agent} }}")),
        some(purse),
    );
    all.prop_map(|(one, two, three)| one.into_iter().chain([two]).chain(three).collect())
}

fn verdict(policies: &[Written], plan: &Plan) -> Verdict {
    let policies: Vec<_> = policies.iter().map(Written::read).collect();
    let policies: Vec<_> = policies.iter().collect();
    let intent = plan.intent(id(1), NOW);
    let fee_wei = Some(Amount::from_base_units(plan.fee_wei()));
    let ask = Ask { fee_wei, ..Ask::of(&intent).unwrap() };
    let ledger = Ledger::new();
    let registry = Some(REGISTRY.registry());
    let facts = Facts { registry, ..Facts::of(&ledger, UnixSeconds(NOW)) };
    decide(&policies, &ask, &facts).verdict
}

const fn strictness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Approve => 0,
        Verdict::AskHuman => 1,
        Verdict::Refuse => 2,
    }
}

proptest! {
    #[test]
    fn a_rule_that_refuses_wins_wherever_it_stands(
        policies in policies(),
        plan in plan(),
        refusing in select(&REFUSING[..]),
        other in select(&RULES[..]),
    ) {
        let plan = Plan { wallet: POLICED, ..plan };
        let without = verdict(&policies, &plan);
        for n in 0..policies.len() {
            for place in 0..=policies[n].rules.len() {
                let with = |rule: &str| {
                    let mut policies = policies.clone();
                    policies[n].rules.insert(place, rule.to_owned());
                    verdict(&policies, &plan)
                };
                if policies[n].warns {
                    prop_assert_eq!(with(refusing), without, "it says what it would do, no more");
                    prop_assert_eq!(with(other), without, "it says what it would do, no more");
                    continue;
                }
                prop_assert_eq!(with(refusing), Verdict::Refuse);
                let loosens = strictness(with(other)) < strictness(without);
                prop_assert!(!loosens || other.contains("allow"), "only a grant loosens");
            }
        }
    }

    #[test]
    fn no_policy_that_binds_means_no(policies in policies(), plan in plan()) {
        let plan = Plan { wallet: POLICED, ..plan };
        let mut silent = policies;
        silent.iter_mut().for_each(|policy| policy.warns = true);
        prop_assert_eq!(verdict(&silent, &plan), Verdict::Refuse);
        prop_assert_eq!(verdict(&[], &plan), Verdict::Refuse);
    }
}
