//! Rules that stop an agent: each trips at the node by what the node itself saw, is durable before
//! anybody is told, and ends by a thaw of the authority above what was known then.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command as Program, Stdio};

use tercet_policy::document::{Freeze, Signed};
use tercet_policy::evidence::{SafeBlock, VoidProof};
use tercet_policy::intent::{Payment, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::proposal::{Proposal, ProposalClaim, terms_without_chain};
use tercet_policy::rules::{PolicyDocument, SignedPolicy};

use super::super::*;
use super::fixture::*;

const DAY: u64 = 86_400;
/// Over what the policy of these tests takes at once.
const TOO_MUCH: u128 = 300_001;

fn stopping(epoch: u64, rule: &str) -> SignedPolicy {
    let rules = format!("  - max_amount: 0.30 USDC\n  - freeze: {rule}\n");
    quorum(PolicyDocument { yaml: policy_text(epoch, "10 USDC") + &rules })
}

async fn with_rule(rule: &str) -> (Place, Journal) {
    let (place, journal) = Place::with_policy("10 USDC").await;
    journal.install_policy(stopping(2, rule)).await.unwrap();
    (place, journal)
}

fn of(n: u32, units: u128, at: UnixSeconds) -> PaymentIntent {
    let mut intent = x402(n);
    (intent.created_at, intent.expires_at) = (at, at.plus(600));
    if let Payment::X402Exact(x) = &mut intent.payment {
        (x.amount, x.valid_before) = (Amount::from_base_units(units), at.plus(60));
    }
    intent
}

fn to(n: u32, payee: u8) -> PaymentIntent {
    let mut intent = x402(n);
    if let Payment::X402Exact(x) = &mut intent.payment {
        x.to = Address::repeat_byte(payee);
    }
    intent
}

/// As a node does at the moment at which the intent was made.
async fn ask(journal: &Journal, intent: PaymentIntent) -> Admitted {
    let at = intent.created_at;
    let opened = Signed::by(intent, &key(10)).unwrap().open_intent(&*journal.roll(), at).unwrap();
    let terms = terms_without_chain(&opened).unwrap();
    let claim = ProposalClaim::honest(&opened, terms, epochs(journal));
    journal.admit(Proposal::assemble(opened, &claim).unwrap(), at).await
}

async fn refuse(journal: &Journal, numbers: std::ops::Range<u32>) {
    for n in numbers {
        assert_eq!(code(&ask(journal, of(n, TOO_MUCH, NOW)).await), "policy");
    }
}

/// The next payment trips the rule, and nothing is paid after it, over a restart too.
async fn trips(place: &Place, journal: Journal, next: PaymentIntent, what: &str) {
    let (rows, at) = (journal.head().rows, next.created_at);
    assert_eq!(journal.roll().all_tripped().count(), 0, "{what}: too early");
    let refused = ask(&journal, next).await;
    let Err(AdmitError::Refused(tercet_policy::refusal::Refusal::Policy(decision))) = &refused
    else {
        panic!("{what}: {refused:?}")
    };
    assert_eq!(decision.violations().filter(|found| found.freezes).count(), 1, "{what}");
    assert_eq!(journal.head().rows, rows + 1, "{what}: one row says so");
    for journal in [journal.clone(), place.reopen(journal).await.unwrap()] {
        let roll = journal.roll();
        let trip = roll.tripped(&agent()).unwrap();
        assert_eq!((trip.at, trip.freeze_epoch), (at, 0), "{what}");
        assert!(trip.reason.contains("freeze"), "{what}: {}", trip.reason);
        if journal.open_holds().await.is_ok() {
            assert_eq!(code(&ask(&journal, of(900, 1, at)).await), "agent_frozen", "{what}");
        }
    }
}

#[tokio::test]
async fn refusals_stop_an_agent() {
    let (place, journal) = with_rule("{ refusals: 3, per: hour }").await;
    refuse(&journal, 0..3).await;
    trips(&place, journal, of(10, 1, NOW), "refusals").await;
}

/// A courier can drop what an agent signs, but not have the agent stopped by repeating it.
#[tokio::test]
async fn one_refused_intent_brought_again_and_again_stops_nobody() {
    let (place, journal) = with_rule("{ refusals: 3, per: hour }").await;
    for _ in 0..10 {
        refuse(&journal, 0..2).await;
    }
    assert_eq!(code(&ask(&journal, of(10, 1, NOW)).await), "ok");
    refuse(&journal, 2..3).await;
    trips(&place, journal, of(11, 1, NOW), "refusals").await;
}

#[tokio::test]
async fn refusals_of_another_hour_stop_nobody() {
    let (_place, journal) = with_rule("{ refusals: 3, per: hour }").await;
    refuse(&journal, 0..3).await;
    assert_eq!(code(&ask(&journal, of(10, 1, NOW.plus(3_601))).await), "ok");
}

#[tokio::test]
async fn failures_stop_an_agent() {
    let (place, journal) = with_rule("{ failures: 2, per: hour }").await;
    for n in 0..2 {
        let row = paid(&journal, n).await;
        journal.record_outcome(void(&row)).await.unwrap();
    }
    trips(&place, journal, of(10, 1, NOW), "failures").await;
}

#[tokio::test]
async fn failures_are_remembered_over_a_restart() {
    let (place, journal) = with_rule("{ failures: 2, per: hour }").await;
    for n in 0..2 {
        let row = paid(&journal, n).await;
        journal.record_outcome(void(&row)).await.unwrap();
    }
    let journal = place.reopen(journal).await.unwrap();
    trips(&place, journal, of(10, 1, NOW), "failures").await;
}

#[tokio::test]
async fn a_spike_stops_an_agent() {
    let rule = "{ spike: 5x, per: day, over: 7, at_least: 0.30 USDC }";
    let (place, journal) = with_rule(rule).await;
    let before = NOW.minus(3 * DAY);
    assert_eq!(code(&ask(&journal, of(0, PRICE, before)).await), "ok");
    assert_eq!(code(&ask(&journal, of(1, PRICE, NOW)).await), "ok", "no more than 0.30");
    trips(&place, journal, of(2, PRICE, NOW), "a spike").await;
}

#[tokio::test]
async fn new_payees_stop_an_agent() {
    let (place, journal) = with_rule("{ new_payees: 2, per: day }").await;
    for n in 1..=2 {
        assert_eq!(code(&ask(&journal, to(u32::from(n), n)).await), "ok");
        assert_eq!(code(&ask(&journal, to(100 + u32::from(n), n)).await), "ok", "known by now");
    }
    trips(&place, journal, to(3, 3), "new payees").await;
}

#[tokio::test]
async fn only_a_thaw_above_what_was_known_then_resumes() {
    let (place, journal) = with_rule("{ refusals: 2, per: hour }").await;
    journal.install_freeze(freeze(4, false)).await.unwrap();
    refuse(&journal, 0..2).await;
    assert_eq!(code(&pay(&journal, 10).await), "policy");
    assert_eq!(journal.roll().tripped(&agent()).unwrap().freeze_epoch, 4);
    let mut one_key = freeze(5, false);
    one_key.signatures.truncate(1);
    let other = quorum(Freeze { reason: "another".into(), ..freeze(4, false).document });
    for (what, thaw) in [
        ("the thaw known then", freeze(4, false)),
        ("another of its epoch", other),
        ("an older one", freeze(3, false)),
        ("one key's", one_key),
    ] {
        drop(journal.install_freeze(thaw).await);
        assert_eq!(code(&pay(&journal, 10).await), "agent_frozen", "{what}");
    }
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(code(&pay(&journal, 10).await), "agent_frozen", "a restart");
    let mut by_one = freeze(5, true);
    by_one.signatures.truncate(1);
    journal.install_freeze(by_one).await.unwrap();
    let same_epoch = journal.install_freeze(freeze(5, false)).await;
    assert!(matches!(same_epoch, Err(JournalError::OldEpoch { pinned: 5, .. })));
    assert_eq!(code(&pay(&journal, 10).await), "agent_frozen", "a freeze of the same epoch");
    journal.install_freeze(freeze(6, false)).await.unwrap();
    assert_eq!(code(&pay(&journal, 10).await), "ok", "what led to the stop is not counted again");
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(code(&pay(&journal, 11).await), "ok");
}

/// A new policy without the rule does not thaw whom the old one stopped.
#[tokio::test]
async fn a_policy_without_the_rule_resumes_nobody() {
    let (_place, journal) = with_rule("{ refusals: 1, per: hour }").await;
    refuse(&journal, 0..1).await;
    assert_eq!(code(&pay(&journal, 10).await), "policy");
    journal.install_policy(policy(3, "10 USDC")).await.unwrap();
    assert_eq!(code(&pay(&journal, 10).await), "agent_frozen");
}

#[tokio::test]
async fn a_rule_of_the_nodes_own_stops_an_agent_and_outlives_the_rule() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    place.close(journal).await;
    let own = policy_text(1, "0.20 USDC") + "  - freeze: { refusals: 2, per: hour }\n";
    let own_policies = vec![Policy::parse(&own).unwrap()];
    let home = Arc::new(Home::open(&place.path()).unwrap());
    let pins = Pins { own_policies, ..pins() };
    let journal = Journal::open(home, pins, NOW).await.unwrap();
    for n in 0..3 {
        assert_eq!(code(&pay(&journal, n).await), "policy");
        assert_eq!(journal.roll().all_tripped().count(), usize::from(n == 2));
    }
    assert_eq!(code(&pay(&journal, 3).await), "agent_frozen");
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(code(&pay(&journal, 3).await), "agent_frozen");
}

/// A child process is killed as soon as it says that the rule has tripped.
#[tokio::test]
async fn a_stop_that_was_answered_is_there_after_a_kill() {
    const CHILD: &str = "TERCET_TEST_STOPPED_CHILD";
    if let Some(home) = std::env::var_os(CHILD) {
        let journal = open_at(Path::new(&home)).await.unwrap();
        refuse(&journal, 0..3).await;
        println!("answered {}", code(&pay(&journal, 10).await));
        std::future::pending::<()>().await;
    }
    let (place, journal) = with_rule("{ refusals: 3, per: hour }").await;
    place.close(journal).await;
    let mut child = Program::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("journal::tests::stops::a_stop_that_was_answered_is_there_after_a_kill")
        .env(CHILD, place.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).find(|line| line.contains("answered"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said.is_some_and(|line| line.ends_with("answered policy")));
    let journal = place.open().await.unwrap();
    assert_eq!(journal.roll().all_tripped().count(), 1);
    assert_eq!(code(&pay(&journal, 10).await), "agent_frozen");
}

fn void(row: &SpendRow) -> OutcomeRow {
    let block =
        SafeBlock { number: 1, hash: alloy_primitives::B256::ZERO, timestamp: NOW.plus(61) };
    OutcomeRow::void(VoidProof::eip3009(row, false, block).unwrap(), NOW)
}
