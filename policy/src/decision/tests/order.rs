//! The order in which anything is written or put together decides nothing.

use std::sync::Arc;

use super::*;
use crate::fixture::{
    AGENT, EPOCHS, ORGANISATION, WALLET, authentic, file, of_wallet, opened, policy_of, yes,
};
use crate::rows::PolicyEpochs;
use crate::rules::PolicySet;

/// What was found, without the places of the rules, in an order of its own.
fn found(decision: &Decision) -> Vec<String> {
    let all = decision.policies.iter().flat_map(|opinion| {
        opinion.findings.iter().map(move |found| {
            let found = Finding { rule: 0, ..found.clone() };
            format!("{} {} {:?} {found:?}", opinion.policy, opinion.subject, opinion.mode)
        })
    });
    let mut all: Vec<_> = all.collect();
    all.sort();
    all
}

/// Rules of every outcome: [`rule`] and those that ask or warn.
fn any_rule() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => rule(),
        1 => (1u32..4).prop_map(|n| format!("{{ max_amount: {n} USDC, then: ask }}")),
        1 => (1u32..4).prop_map(|n| format!("{{ max_amount: {n} USDC, then: warn }}")),
        1 => Just("ask: { above: 2 USDC, approvers: { any: 1, of: [bob, carol] } }".to_owned()),
    ]
}

/// Up to six rules, and the same in another order.
fn shuffled() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    prop::collection::vec(any_rule(), 0..6)
        .prop_flat_map(|rules| (Just(rules.clone()), Just(rules).prop_shuffle()))
}

fn with_rules(applies_to: &str, rules: &[String]) -> Policy {
    let text: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
    let text = if rules.is_empty() { "  []".to_owned() } else { text };
    Policy::parse(&file(applies_to, 7, &text)).unwrap()
}

proptest! {
    #[test]
    fn order_decides_nothing(
        rules in prop::collection::vec(shuffled(), 3),
        order in Just([0usize, 1, 2]).prop_shuffle(),
        payment in payment(),
        answers in prop::collection::vec((11u8..15, any::<bool>(), 0u64..100), 0..5)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let intent = authentic(intent(9, payment, NOW));
        let ledger = one_payment();
        let subjects = [ORGANISATION.to_owned(), AGENT.to_owned(), of_wallet(WALLET)];
        let decided = |policies: [Policy; 3], order: [usize; 3], answers: &[(u8, bool, u64)]| {
            let answers: Vec<_> = answers.iter().map(|&(seed, approves, ago)| {
                let said = yes(&intent, EPOCHS, NOW.minus(ago));
                opened(crate::approval::Approval { approves, ..said }, seed)
            }).collect();
            let facts = Facts { approvals: &answers, epochs: EPOCHS, ..Facts::of(&ledger, NOW) };
            decide(&order.map(|place| &policies[place]), &Ask::from(&intent), &facts)
        };
        let policies = |second: bool| {
            [0, 1, 2].map(|n| {
                let (one, other) = &rules[n];
                with_rules(&subjects[n], if second { other } else { one })
            })
        };
        let one = decided(policies(false), [0, 1, 2], &answers.0);
        let other = decided(policies(true), order, &answers.1);
        prop_assert_eq!(one.verdict, other.verdict, "{} / {}", one, other);
        prop_assert_eq!(found(&one), found(&other));
    }
}

#[test]
fn the_order_in_which_documents_come_decides_nothing() {
    let allow = "  - allow: { services: vendors }";
    let documents = [
        policy_of(ORGANISATION, 3, "  - max_amount: 1 USDC"),
        policy_of(AGENT, 7, allow),
        policy_of(&of_wallet(WALLET), 11, "  - rate: { count: 3, per: day }"),
        policy_of(&of_wallet(OTHER), 12, "  - max_amount: 0 USDC"),
    ];
    let documents = documents.map(Arc::new);
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]];
    let sets = orders.map(|order| {
        let add = |set: PolicySet, place: &usize| set.with(Arc::clone(&documents[*place]));
        order.iter().fold(PolicySet::default(), add)
    });
    let epochs =
        PolicyEpochs { organisation: Some(3), agent: Some(7), wallet: Some(11), registry: None };
    for set in &sets {
        assert_eq!(set, &sets[0]);
        assert_eq!(set.epochs(&WALLET, None), epochs);
        let subjects: Vec<_> = set.applying(&WALLET).iter().map(|p| p.subject()).collect();
        let widest_first = [&documents[0], &documents[1], &documents[2]].map(|p| p.subject());
        assert_eq!(subjects, widest_first, "and no wallet's but its own");
    }
}
