//! Policies of the organisation, the agent and the wallet, together.

use super::*;
use crate::fixture::{
    AGENT, ORGANISATION, WALLET, admit_under, authority, file, of_wallet, policy_of, previewed,
    registry, set, signed,
};
use crate::intent::{AuthenticIntent, Payment};
use crate::refusal::ClaimField;
use crate::rows::PolicyEpochs;
use crate::subject::Subject;

const SECOND: Address = Address::repeat_byte(0x22);
const THIRD: Address = Address::repeat_byte(0x33);

fn book_of(policies: &PolicySet) -> Rulebook<'_> {
    Rulebook { policies, registry: None, frozen: None }
}

/// An intent of `agent` that pays from `wallet`.
fn by(n: u64, agent: &str, wallet: Address, payment: Payment) -> AuthenticIntent {
    let mut intent = intent(n, payment, NOW);
    (intent.agent, intent.wallet) = (AgentId::new(agent).unwrap(), wallet);
    authentic(intent)
}

/// Whose rules refuse, with what stood against them before.
fn refusing(admitted: &Admitted) -> Vec<(Subject, Option<String>)> {
    let Err(AdmitError::Refused(Refusal::Policy(decision))) = admitted else { return Vec::new() };
    let said = |(opinion, found): (&crate::decision::Opinion, &crate::decision::Finding)| {
        (opinion.subject.clone(), found.current.clone())
    };
    decision.objections().map(said).collect()
}

#[test]
fn each_limit_counts_the_payments_of_its_own_subject() {
    let limit = |amount: &str| format!("{ALLOW}  - limit: {{ amount: {amount} USDC, per: day }}");
    let organisation = policy_of(ORGANISATION, 1, &limit("0.0001"));
    let agent = policy_of(AGENT, 7, &limit("0.00006"));
    let wallet = policy_of(&of_wallet(WALLET), 2, &limit("0.00004"));
    let other = policy_of("{ agent: other }", 4, ALLOW);
    let own = set(&[&organisation, &agent, &wallet]);
    let others = set(&[&organisation, &other]);
    let research = AgentId::new("research-01").unwrap();
    let of = |subject, current: &str| vec![(subject, Some(format!("{current} USDC")))];
    let mut book = Book::new();
    // Whose, from which wallet, how much, and which one limit it would pass.
    let steps = [
        (&own, "research-01", WALLET, 41, of(Subject::Wallet(WALLET), "0")),
        (&own, "research-01", WALLET, 40, vec![]),
        (&own, "research-01", WALLET, 1, of(Subject::Wallet(WALLET), "0.00004")),
        (&own, "research-01", SECOND, 21, of(Subject::Agent(research.clone()), "0.00004")),
        (&own, "research-01", SECOND, 20, vec![]),
        (&own, "research-01", SECOND, 1, of(Subject::Agent(research), "0.00006")),
        (&others, "other", THIRD, 41, of(Subject::Organisation, "0.00006")),
        (&others, "other", THIRD, 40, vec![]),
        (&others, "other", THIRD, 1, of(Subject::Organisation, "0.0001")),
    ];
    for (n, (policies, agent, wallet, amount, expected)) in (1u64..).zip(steps) {
        let intent = by(n, agent, wallet, x402(amount, VENDOR, OTHER));
        let admitted = admit_under(&book_of(policies), intent, vec![], NOW, &mut book);
        assert_eq!(admitted.is_ok(), expected.is_empty(), "{n}: {admitted:?}");
        assert_eq!(refusing(&admitted), expected, "{n}");
    }
}

#[test]
fn nobody_grants_past_another_s_no_and_somebody_has_to_grant() {
    let allow = "  - allow: { services: vendors }";
    let block = "  - block: { services: vendors }";
    let elsewhere = "  - allow: { services: [elsewhere.example] }";
    let small = "  - max_amount: 0.000009 USDC";
    let quiet = "  - max_amount: 1 USDC";
    for (organisation, agent, wallet, expected) in [
        (Some(quiet), Some(quiet), Some(quiet), "policy"),
        (Some(allow), Some(quiet), Some(quiet), "reserved"),
        (Some(quiet), Some(allow), Some(quiet), "reserved"),
        (Some(quiet), Some(quiet), Some(allow), "reserved"),
        (None, None, Some(allow), "reserved"),
        (Some(block), Some(allow), Some(allow), "policy"),
        (Some(allow), Some(block), Some(allow), "policy"),
        (Some(allow), Some(allow), Some(block), "policy"),
        (Some(elsewhere), Some(allow), Some(allow), "policy"),
        (Some(allow), Some(elsewhere), Some(allow), "policy"),
        (Some(allow), Some(allow), Some(elsewhere), "policy"),
        (Some(small), Some(allow), Some(allow), "policy"),
        (Some(allow), None, Some(small), "policy"),
        (Some(allow), Some("  []"), None, "reserved"),
        (Some("  []"), Some("  []"), Some("  []"), "policy"),
    ] {
        let subjects = [ORGANISATION.to_owned(), AGENT.to_owned(), of_wallet(WALLET)];
        let rules = [organisation, agent, wallet];
        let held: Vec<_> = subjects
            .iter()
            .zip(rules)
            .filter_map(|(subject, rules)| Some(policy_of(subject, 7, rules?)))
            .collect();
        let policies = set(&held.iter().collect::<Vec<_>>());
        let paid = authentic(intent(1, x402(10, VENDOR, OTHER), NOW));
        let mut book = Book::new();
        let admitted = admit_under(&book_of(&policies), paid, vec![], NOW, &mut book);
        assert_eq!(code(&admitted), expected, "{rules:?}: {admitted:?}");
    }
}

#[test]
fn a_policy_that_warns_is_asked_and_decides_nothing() {
    let block = file(ORGANISATION, 3, "  - block: { services: vendors }");
    let warning = signed(format!("mode: warn\n{block}")).open_policy(&authority(1, 1)).unwrap();
    let policies = set(&[&warning, &policy_of(AGENT, 7, ALLOW)]);
    let intent = authentic(intent(1, x402(10, VENDOR, OTHER), NOW));
    let mut book = Book::new();
    let reserved = admit_under(&book_of(&policies), intent, vec![], NOW, &mut book).unwrap();
    let decision = reserved.decision().unwrap();
    let warned: Vec<_> = decision.warnings().map(|(by, found)| (by.epoch, found.rule)).collect();
    assert_eq!((decision.objections().count(), warned), (0, vec![(3, 0)]));
}

#[test]
fn an_agent_without_a_policy_of_its_own_pays_nothing() {
    let open = |applies_to: &str| policy_of(applies_to, 7, ALLOW);
    let organisation = open(ORGANISATION);
    let others = [open("{ agent: other }"), open(&of_wallet(SECOND))];
    let foreign = format!("{{ wallet: \"{WALLET}\", agent: other }}");
    let [other, other_wallet] = &others;
    for policies in [
        set(&[]),
        set(&[&organisation]),
        set(&[&organisation, other]),
        set(&[&organisation, other_wallet]),
        set(&[other, other_wallet]),
        set(&[&organisation, &open(&foreign)]),
    ] {
        let intent = authentic(intent(1, x402(10, VENDOR, OTHER), NOW));
        let mut book = Book::new();
        let admitted = admit_under(&book_of(&policies), intent, vec![], NOW, &mut book);
        assert_eq!(code(&admitted), "no_policy", "{policies:?}");
        assert!(has_no_row(&book));
    }
}

/// A policy of somebody else beside the agent's own is a mistake of the caller, and means no.
#[test]
fn the_policy_of_another_agent_on_its_wallet_refuses() {
    let foreign = format!("{{ wallet: \"{WALLET}\", agent: other }}");
    let policies = set(&[&policy_of(AGENT, 7, ALLOW), &policy_of(&foreign, 7, ALLOW)]);
    let intent = authentic(intent(1, x402(10, VENDOR, OTHER), NOW));
    let admitted = admit_under(&book_of(&policies), intent, vec![], NOW, &mut Book::new());
    assert_eq!(code(&admitted), "policy");
}

#[test]
fn a_claim_names_every_epoch_that_is_held() {
    let held = [policy_of(ORGANISATION, 3, ALLOW), policy_of(AGENT, 7, ALLOW)];
    let wallet = policy_of(&of_wallet(WALLET), 11, ALLOW);
    let policies = set(&[&held[0], &held[1], &wallet]);
    let known = registry(5);
    let rulebook = Rulebook { policies: &policies, registry: Some(&known), frozen: None };
    let right =
        PolicyEpochs { organisation: Some(3), agent: Some(7), wallet: Some(11), registry: Some(5) };
    let mut wrong = Vec::new();
    for other in [None, Some(2), Some(4), Some(6), Some(8), Some(10), Some(12)] {
        wrong.extend([
            PolicyEpochs { organisation: other, ..right },
            PolicyEpochs { agent: other, ..right },
            PolicyEpochs { wallet: other, ..right },
            PolicyEpochs { registry: other, ..right },
        ]);
    }
    wrong.push(PolicyEpochs::default());
    let paid = || authentic(intent(1, x402(10, VENDOR, OTHER), NOW));
    let mut book = Book::new();
    for epochs in wrong {
        let proposal = previewed(paid(), epochs);
        let admitted = admit(&rulebook, Submission::from(proposal), NOW, &mut book);
        let Err(AdmitError::Refused(Refusal::ClaimMismatch { field, actual, claimed })) = admitted
        else {
            panic!("{epochs} was taken");
        };
        let said = (right.to_string(), epochs.to_string());
        assert_eq!((field, actual, claimed), (ClaimField::PolicyEpoch, said.0, said.1));
        assert!(has_no_row(&book));
    }
    let reserved = admit(&rulebook, previewed(paid(), right).into(), NOW, &mut book).unwrap();
    assert_eq!(reserved.row().policies, right);
    assert_eq!(reserved.decision().unwrap().registry_epoch, Some(5));
}

#[test]
fn the_answer_lists_every_rule_of_every_policy_on_approval_and_on_refusal() {
    let held = [
        policy_of(ORGANISATION, 3, "  - limit: { amount: 0.0001 USDC, per: hour }"),
        policy_of(AGENT, 7, &format!("{ALLOW}  - rate: {{ count: 2, per: day, by: service }}")),
        policy_of(&of_wallet(WALLET), 11, "  - max_amount: 0.00005 USDC"),
    ];
    let policies = set(&held.iter().collect::<Vec<_>>());
    let mut book = Book::new();
    let mut pay = |n, amount| {
        let intent = authentic(intent(n, x402(amount, VENDOR, OTHER), NOW));
        match admit_under(&book_of(&policies), intent, vec![], NOW, &mut book) {
            Ok(reserved) => reserved.decision().unwrap().clone(),
            Err(AdmitError::Refused(Refusal::Policy(decision))) => decision,
            Err(other) => panic!("{other}"),
        }
    };
    let said = |decision: &Decision| -> Vec<String> {
        let all = decision.policies.iter().flat_map(|by| by.findings.iter().map(move |f| (by, f)));
        all.map(|(by, found)| {
            let resets_at = found.resets_at.map(|at| at.0 - NOW.0);
            format!("{}@{} {found} {:?} {resets_at:?}", by.subject, by.epoch, found.outcome)
        })
        .collect()
    };
    let first = pay(1, 40);
    assert_eq!(first.verdict, Verdict::Approve);
    assert_eq!(
        said(&first),
        [
            "organisation@3 rule 0 limit: limit 0.0001 USDC per hour, already 0 USDC, asked \
             0.00004 USDC Kept None",
            "agent/research-01@7 rule 0 allow: limit services vendors, asked api.search.example \
             Kept None",
            "agent/research-01@7 rule 1 allow: limit recipients payees, asked \
             0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE Kept None",
            "agent/research-01@7 rule 2 rate: limit 2 per day by service, already 0, asked 1 \
             Kept None",
            &format!(
                "wallet/{WALLET}@11 rule 0 max_amount: limit 0.00005 USDC, asked 0.00004 USDC \
                 Kept None"
            ),
        ]
    );
    assert_eq!(pay(2, 10).verdict, Verdict::Approve);
    let last = pay(3, 60);
    assert_eq!(last.verdict, Verdict::Refuse);
    assert_eq!(last.policies.iter().map(|by| by.findings.len()).collect::<Vec<_>>(), [1, 3, 1]);
    let refused: Vec<_> = last.objections().map(|(by, f)| (by.epoch, f.kind.as_str())).collect();
    assert_eq!(refused, [(3, "limit"), (7, "rate"), (11, "max_amount")]);
    let resets: Vec<_> = last.violations().map(|f| f.resets_at.map(|at| at.0 - NOW.0)).collect();
    assert_eq!(resets, [Some(3_600), Some(86_400), None], "a larger one than the limit never fits");
}
