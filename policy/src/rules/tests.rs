use proptest::prelude::*;

use super::*;
use crate::ask::{Ask, Facts};
use crate::decision::{Finding, Outcome};
use crate::document::DocumentError;
use crate::fixture::{agent, authority, key, parsed, policy, signed, yaml};
use crate::party::AgentId;
use crate::subject::Subject;

mod demands;
mod every;
mod judged;
mod outcomes;
mod read;
mod refused;
mod times;
mod trusted;

#[test]
fn a_signed_policy_opens_for_its_authority_alone() {
    let text = yaml(7, "  - allow: { services: vendors }");
    let policy = signed(text.clone()).open_policy(&authority(1, 1)).unwrap();
    assert_eq!((policy.name(), policy.epoch(), policy.agent()), ("research-01", 7, Some(&agent())));
    assert_eq!(policy.policy(), &Policy::parse(&text).unwrap());

    let two_of_three = authority(3, 2);
    let mut document = signed(text.clone());
    assert!(matches!(
        document.clone().open_policy(&two_of_three),
        Err(PolicyError::Document(DocumentError::TooFewSignatures { found: 1, needed: 2, .. }))
    ));
    document.add_signature(&key(3)).unwrap();
    assert!(document.clone().open_policy(&two_of_three).is_ok());
    document.document.yaml.push_str("  - rate: { count: 1, per: day }\n");
    assert!(matches!(document.open_policy(&two_of_three), Err(PolicyError::Document(_))));
}

#[test]
fn epochs_only_rise() {
    let open =
        |epoch, rules: &str| signed(yaml(epoch, rules)).open_policy(&authority(1, 1)).unwrap();
    let (rules, others) = ("  - allow: { services: vendors }", "  []");
    let held = open(7, rules).pin();
    let own = Subject::Agent(agent());
    let follow = |policy: &AuthenticPolicy| policy.may_follow(Some(&held), &own);
    assert_eq!(open(1, rules).may_follow(None, &own), Ok(()));
    assert_eq!(follow(&open(8, others)), Ok(()));
    assert_eq!(follow(&open(7, rules)), Ok(()), "the same again");
    assert_eq!(follow(&open(7, others)), Err(PolicyError::OtherContent { epoch: 7 }));
    assert_eq!(follow(&open(6, rules)), Err(PolicyError::OlderEpoch { offered: 6, held: 7 }));
    let other = Subject::Agent(AgentId::new("other").unwrap());
    assert!(matches!(
        open(8, rules).may_follow(None, &other),
        Err(PolicyError::OtherSubject { .. })
    ));
}

#[test]
fn a_policy_that_can_grant_nothing_says_so() {
    use GrantsNothing::{EmptyLists, NoAllowRule, NoRules, ZeroLimit};
    let allow = "  - allow: { services: vendors }\n";
    for (rules, reason) in [
        ("  []", Some(NoRules)),
        ("  - max_amount: 1 USDC", Some(NoAllowRule)),
        ("  - allow: { assets: [USDC] }", Some(NoAllowRule)),
        ("  - block: { services: vendors }", Some(NoAllowRule)),
        ("  - allow: { services: [] }", Some(EmptyLists)),
        ("  - allow: { services: vendors, chains: [] }", Some(EmptyLists)),
        (&format!("{allow}  - allow: {{ assets: [] }}"), Some(EmptyLists)),
        (&format!("{allow}  - max_amount: 0 USDC"), Some(ZeroLimit { rule: 1 })),
        (&format!("{allow}  - rate: {{ count: 0, per: day }}"), Some(ZeroLimit { rule: 1 })),
        (
            &format!("{allow}  - limit: {{ amount: 0.00 USDC, per: day }}"),
            Some(ZeroLimit { rule: 1 }),
        ),
        (allow, None),
        (&format!("{allow}  - allow: {{ services: [] }}"), None),
    ] {
        assert_eq!(parsed(rules).grants_nothing(), reason, "{rules}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "[ -~\n]{0,300}", rules in "[a-z0-9:{}\\[\\], \"*.&<-]{0,200}") {
        let _ = Policy::parse(&text);
        let _ = Policy::parse(&yaml(1, &rules));
    }
}

#[test]
fn the_documented_file_is_a_policy() {
    let introduction = include_str!("../catalogue/introduction.md");
    let (_, after) = introduction.split_once("```yaml\n").unwrap();
    let (text, _) = after.split_once("```\n").unwrap();
    let read = Policy::parse(text).unwrap();
    assert_eq!((read.name(), read.rules().len(), read.grants_nothing()), ("research-01", 3, None));
    assert_eq!(policy("  - allow: { services: vendors }").grants_nothing(), None);
}
