//! A tightening approves nothing more: held against every kind of rule, in many states of what is
//! known, alone and beside an organisation's policy, and for a higher fee.

use super::states::World;
use super::versions::{COUNT, Chance, Version, word};
use super::*;
use crate::ask::{Ask, Facts};
use crate::decision::{Verdict, decide, decide_higher_fee};

const PAIRS_PER_KIND: usize = 160;
const QUESTIONS_PER_PAIR: usize = 40;

const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Refuse => 0,
        Verdict::AskHuman => 1,
        Verdict::Approve => 2,
    }
}

/// How often versions of a kind were tightened, and how often that decided a payment.
#[derive(Debug, Default)]
struct Seen {
    tightened: usize,
    decided: usize,
}

fn ranks(policies: &[&Policy], ask: &Ask<'_>, facts: &Facts<'_>) -> [u8; 2] {
    let fee = decide_higher_fee(policies, ask, facts).verdict;
    [rank(decide(policies, ask, facts).verdict), rank(fee)]
}

#[test]
fn a_tightening_approves_nothing_more_whatever_the_rules() {
    let (mut chance, world) = (Chance(0x9e37_79b9_7f4a_7c15), World::new());
    let read = |version: &Version| Policy::parse(&version.text("{ agent: research-01 }")).unwrap();
    let beside = [
        "  - allow: { services: [\"*.example\"] }\n",
        "  - allow: { recipients: [\"0x209693bc6afc0c5328ba36faf03c514ef312287c\"] }\n  \
         - max_amount: 3 USDC\n",
    ];
    let beside = beside.map(|rules| {
        let head = "policy: o\nepoch: 1\napplies_to: { organisation: o }\nrules:\n";
        Policy::parse(&format!("{head}{rules}")).unwrap()
    });
    for kind in 0..COUNT {
        let mut seen = Seen::default();
        for _ in 0..PAIRS_PER_KIND {
            let before = Version::random(&mut chance, kind);
            let after = before.next(&mut chance);
            let (old, new) = (read(&before), read(&after));
            if !is_tightening(&old, &new) {
                continue;
            }
            let is_changed = before.of_kind(kind) != after.of_kind(kind);
            seen.tightened += usize::from(is_changed);
            for _ in 0..QUESTIONS_PER_PAIR {
                let question = world.question(&mut chance);
                let (ask, facts) = (&question.ask, &question.facts);
                for others in [&[][..], &[&beside[0]], &[&beside[1]]] {
                    let said = |own| ranks(&[others, &[own]].concat(), ask, facts);
                    let (was, is) = (said(&old), said(&new));
                    assert!(
                        is[0] <= was[0] && is[1] <= was[1],
                        "{was:?} became {is:?}\n{}\n{}\n{ask:?}\n{}\n{}",
                        before.text("a"),
                        after.text("a"),
                        decide(&[others, &[&old]].concat(), ask, facts),
                        decide(&[others, &[&new]].concat(), ask, facts),
                    );
                    seen.decided += usize::from(is_changed && is != was);
                }
            }
        }
        assert!(seen.tightened > 2 && seen.decided > 0, "{} is not held: {seen:?}", word(kind));
    }
}
