//! Every combination of what policies can say, against an oracle that knows nothing of rules.

use std::collections::BTreeMap;

use super::*;
use crate::fixture::{AGENT, ORGANISATION, WALLET, file, of_wallet};

/// What the rules of one policy make of two dollars to a vendor.
#[derive(Clone, Copy, Debug)]
struct Says {
    refuses: bool,
    asks: bool,
    warns: bool,
    allows: Allows,
    binds: bool,
}

/// What its rules that can grant make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allows {
    /// There are none.
    Nothing,
    /// One matches.
    This,
    /// One is there, and matches something else.
    Other,
    /// There are both.
    Both,
}

const ALLOWS: [Allows; 4] = [Allows::Nothing, Allows::This, Allows::Other, Allows::Both];

fn everything_a_policy_can_say() -> Vec<Says> {
    let mut all = Vec::new();
    for bits in 0u8..16 {
        let bit = |n: u8| bits & (1 << n) != 0;
        for allows in ALLOWS {
            all.push(Says { refuses: bit(0), asks: bit(1), warns: bit(2), allows, binds: bit(3) });
        }
    }
    all
}

impl Says {
    fn policy(self, applies_to: &str, epoch: u64) -> Policy {
        let rules = [
            (true, "max_amount: 3 USDC"),
            (self.refuses, "max_amount: 1 USDC"),
            (self.asks, "{ max_amount: 1 USDC, then: ask }"),
            (self.warns, "{ max_amount: 1 USDC, then: warn }"),
            (matches!(self.allows, Allows::Other | Allows::Both), "allow: { services: [a.test] }"),
            (matches!(self.allows, Allows::This | Allows::Both), "allow: { services: vendors }"),
        ];
        let there = rules.iter().filter(|(there, _)| *there);
        let rules: String = there.map(|(_, rule)| format!("  - {rule}\n")).collect();
        let mode = if self.binds { "mode: enforce\n" } else { "mode: warn\n" };
        Policy::parse(&format!("{mode}{}", file(applies_to, epoch, &rules))).unwrap()
    }

    /// What each rule is to come to, in the order of the file.
    fn outcomes(self) -> Vec<(Outcome, bool)> {
        let other = if self.allows == Allows::Both { Outcome::Kept } else { Outcome::Refuses };
        [
            (true, Outcome::Kept, false),
            (self.refuses, Outcome::Refuses, false),
            (self.asks, Outcome::Asks, false),
            (self.warns, Outcome::Warns, false),
            (matches!(self.allows, Allows::Other | Allows::Both), other, false),
            (matches!(self.allows, Allows::This | Allows::Both), Outcome::Kept, true),
        ]
        .into_iter()
        .filter_map(|(there, outcome, grants)| there.then_some((outcome, grants)))
        .collect()
    }
}

/// The table of the module's text, over whole policies.
fn oracle(said: &[Says]) -> Verdict {
    let (mut no, mut yes, mut ask) = (false, false, false);
    for policy in said {
        if !policy.binds {
            continue;
        }
        no |= policy.refuses || policy.allows == Allows::Other;
        yes |= policy.allows == Allows::This || policy.allows == Allows::Both;
        ask |= policy.asks;
    }
    if no || !yes {
        return Verdict::Refuse;
    }
    if ask { Verdict::AskHuman } else { Verdict::Approve }
}

/// What a policy says with what is expected of its findings, ready to be asked.
struct Ready {
    says: Says,
    policy: Policy,
    outcomes: Vec<(Outcome, bool)>,
}

/// Nothing, and everything that a policy of this subject can say.
fn ready(applies_to: &str, epoch: u64) -> Vec<Option<Ready>> {
    let ready = |says: Says| Ready {
        says,
        policy: says.policy(applies_to, epoch),
        outcomes: says.outcomes(),
    };
    let all = everything_a_policy_can_say().into_iter().map(|says| Some(ready(says)));
    std::iter::once(None).chain(all).collect()
}

fn check(decision: &Decision, present: &[&Ready]) {
    let said: Vec<_> = present.iter().map(|ready| ready.says).collect();
    assert_eq!(decision.verdict, oracle(&said), "{said:?}");
    assert_eq!(decision.policies.len(), present.len(), "{said:?}");
    for (opinion, ready) in decision.policies.iter().zip(present) {
        let policy = &ready.policy;
        assert_eq!((opinion.epoch, opinion.mode), (policy.epoch(), policy.mode()), "{said:?}");
        assert_eq!(&opinion.subject, policy.subject(), "{said:?}");
        let found = opinion.findings.iter().map(|found| (found.outcome, found.grants));
        assert!(found.eq(ready.outcomes.iter().copied()), "{said:?}: {opinion:?}");
    }
}

/// 65 states of each of three policies: 274,625 decisions, some seconds. What one policy says is
/// nothing, or any of: a rule refuses, one asks, one warns, and which rules could grant; in both
/// modes.
#[test]
fn every_combination_of_three_policies() {
    let organisation = ready(ORGANISATION, 3);
    let agent = ready(AGENT, 7);
    let wallet = ready(&of_wallet(WALLET), 11);
    let intent = intent(9, x402(2_000_000, VENDOR, OTHER), NOW);
    let (ask, ledger) = (Ask::of(&intent).unwrap(), Ledger::new());
    let facts = Facts::of(&ledger, NOW);
    let mut verdicts = BTreeMap::new();
    for first in &organisation {
        for second in &agent {
            for third in &wallet {
                let present: Vec<_> = [first, second, third].into_iter().flatten().collect();
                let policies: Vec<_> = present.iter().map(|ready| &ready.policy).collect();
                let decision = decide(&policies, &ask, &facts);
                check(&decision, &present);
                let word = match decision.verdict {
                    Verdict::Approve => "approve",
                    Verdict::AskHuman => "ask",
                    Verdict::Refuse => "refuse",
                };
                *verdicts.entry(word).or_insert(0u32) += 1;
            }
        }
    }
    // Of the 65 states of one policy 35 add nothing (absent; 32 that only warn; 2 that bind and
    // neither refuse, ask nor grant), 4 grant, 2 ask, 4 do both, and the other 20 refuse.
    let some_grant = |none: u32, all: u32| all.pow(3) - none.pow(3);
    let granted = some_grant(35 + 2, 35 + 4 + 2 + 4);
    let approve = some_grant(35, 35 + 4);
    let counts = [("approve", approve), ("ask", granted - approve), ("refuse", 274_625 - granted)];
    assert_eq!(verdicts, BTreeMap::from(counts));
}
