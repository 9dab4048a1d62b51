//! Policies of an organisation, an agent and a wallet: all of them hold, over restarts and
//! whatever the courier says.

use tercet_policy::document::{AuthorityConfig, Ed25519PublicKey, Signed};
use tercet_policy::proposal::{Proposal, ProposalClaim, terms_without_chain};
use tercet_policy::registry::RegistryDocument;
use tercet_policy::report::{Report, ReportKind, SignedReport};
use tercet_policy::rows::{PolicyEpochs, TripRow};
use tercet_policy::rules::{PolicyDocument, SignedPolicy};
use tercet_policy::subject::Subject;

use super::super::*;
use super::fixture::*;

/// A policy that allows everything here up to `daily`, for whomever `applies_to` names.
fn of(applies_to: &str, epoch: u64, daily: &str) -> SignedPolicy {
    let yaml = policy_text(epoch, daily)
        .replace("policy: research-01", "policy: other")
        .replace("{ agent: research-01 }", applies_to);
    quorum(PolicyDocument { yaml })
}

fn organisation(epoch: u64, daily: &str) -> SignedPolicy {
    of("{ organisation: acme }", epoch, daily)
}

fn wallet(epoch: u64, daily: &str) -> SignedPolicy {
    of(&format!("{{ wallet: \"{WALLET}\", agent: research-01 }}"), epoch, daily)
}

/// A payment that a courier claims was previewed with these epochs.
async fn pay_claiming(journal: &Journal, n: u32, policies: PolicyEpochs) -> Admitted {
    let signed = Signed::by(x402(n), &key(10)).unwrap();
    let opened = signed.open_intent(&*journal.roll(), NOW).unwrap();
    let terms = terms_without_chain(&opened).unwrap();
    let claim = ProposalClaim::honest(&opened, terms, policies);
    journal.admit(Proposal::assemble(opened, &claim).unwrap(), NOW).await
}

#[tokio::test]
async fn every_policy_that_applies_holds_over_restarts_too() {
    for stricter in [organisation(1, "0.25 USDC"), wallet(1, "0.25 USDC")] {
        let (place, journal) = Place::with_policy("10 USDC").await;
        journal.install_policy(stricter.clone()).await.unwrap();
        assert_eq!(code(&pay(&journal, 1).await), "ok");
        assert_eq!(code(&pay(&journal, 2).await), "policy", "{}", stricter.document.yaml);
        let journal = place.reopen(journal).await.unwrap();
        assert_eq!(code(&pay(&journal, 2).await), "policy", "after reopening");
        assert!(pay(&journal, 1).await.unwrap().same_again());
    }
}

#[tokio::test]
async fn a_courier_that_hides_a_policy_or_restates_other_epochs_is_refused() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    journal.install_policy(organisation(3, "10 USDC")).await.unwrap();
    let journal = place.reopen(journal).await.unwrap();
    let held = PolicyEpochs { organisation: Some(3), agent: Some(1), ..PolicyEpochs::default() };
    let lies = [
        PolicyEpochs { organisation: None, ..held },
        PolicyEpochs { organisation: Some(2), ..held },
        PolicyEpochs { agent: Some(2), ..held },
        PolicyEpochs { wallet: Some(1), ..held },
        PolicyEpochs { registry: Some(1), ..held },
    ];
    let rows = journal.head().rows;
    for lie in lies {
        assert_eq!(code(&pay_claiming(&journal, 1, lie).await), "claim_mismatch", "{lie}");
    }
    assert_eq!(journal.head().rows, rows, "nothing was recorded");
    assert_eq!(code(&pay_claiming(&journal, 1, held).await), "ok");
}

#[tokio::test]
async fn a_policy_that_is_not_taken_leaves_the_old_one_in_force() {
    let (_place, journal) = Place::with_policy("10 USDC").await;
    journal.install_policy(organisation(5, "0.25 USDC")).await.unwrap();
    let head = journal.head();
    let mut one_key = organisation(6, "10 USDC");
    one_key.signatures.truncate(1);
    let elsewhere =
        "{ wallet: \"0x0909090909090909090909090909090909090909\", agent: research-01 }";
    let another = format!("{{ wallet: \"{WALLET}\", agent: other-02 }}");
    let cases = [
        (organisation(4, "10 USDC"), "epoch 4; epoch 5 is pinned"),
        (organisation(5, "10 USDC"), "epoch 5; epoch 5 is pinned"),
        (one_key, "1 of the 2"),
        (of(elsewhere, 1, "10 USDC"), "not one of this node's"),
        (of(&another, 1, "10 USDC"), "belongs to agent research-01"),
    ];
    for (policy, reason) in cases {
        let refused = journal.install_policy(policy).await.unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    assert_eq!(journal.head(), head);
    assert_eq!(journal.roll().policy(&Subject::Organisation).unwrap().epoch(), 5);
    assert_eq!(code(&pay(&journal, 1).await), "ok");
    assert_eq!(code(&pay(&journal, 2).await), "policy");
}

/// What a former authority forbade for everybody is not known any more, so nothing is paid until
/// the authority of today says what holds.
#[tokio::test]
async fn an_organisations_policy_that_lost_its_force_forbids_everything() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    journal.install_policy(organisation(1, "10 USDC")).await.unwrap();
    place.close(journal).await;
    let keys = [4, 5].map(|n| Ed25519PublicKey::of(&key(n))).to_vec();
    let authority = AuthorityConfig { keys, threshold: 1 }.try_into().unwrap();
    let home = Arc::new(Home::open(&place.path()).unwrap());
    let pins = Pins { authority, own_policies: Vec::new() };
    let journal = Journal::open(home, pins, NOW).await.unwrap();
    let by_today = |signed: SignedPolicy| Signed::by(signed.document, &key(4)).unwrap();
    let enrolled = Signed::by(enrolment(2).document, &key(4)).unwrap();
    journal.install_enrolment(enrolled).await.unwrap();
    journal.install_policy(by_today(policy(2, "10 USDC"))).await.unwrap();
    assert_eq!(code(&pay(&journal, 1).await), "no_policy");
    journal.install_policy(by_today(organisation(2, "10 USDC"))).await.unwrap();
    assert_eq!(code(&pay(&journal, 1).await), "ok");
}

#[tokio::test]
async fn an_agent_that_a_rule_stopped_stays_stopped_until_it_is_thawed() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    let reason = "too many refusals".to_owned();
    let trip = TripRow { agent: agent(), reason, freeze_epoch: 0, at: NOW };
    for _ in 0..2 {
        let event = Event::Trip(trip.clone());
        journal.append(event, Opened::Nothing).await.unwrap();
    }
    let head = journal.head();
    assert_eq!(code(&pay(&journal, 1).await), "agent_frozen");
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(journal.head(), head, "stopped once, however often a rule says so");
    assert_eq!(journal.roll().all_tripped().collect::<Vec<_>>(), [&trip]);
    assert_eq!(code(&pay(&journal, 1).await), "agent_frozen");
    journal.install_freeze(freeze(1, false)).await.unwrap();
    assert_eq!(journal.roll().all_tripped().count(), 0);
    assert_eq!(code(&pay(&journal, 1).await), "ok");
    let again = TripRow { freeze_epoch: 1, ..trip };
    journal.append(Event::Trip(again), Opened::Nothing).await.unwrap();
    assert_eq!(code(&pay(&journal, 2).await), "agent_frozen");
}

fn registry(epoch: u64) -> tercet_policy::registry::SignedRegistry {
    let yaml = format!(
        "registry: acme\nepoch: {epoch}\ncounterparties:\n  - name: search\n    \
         services: [api.search.example]\n    trust: 80\n"
    );
    quorum(RegistryDocument { yaml })
}

#[tokio::test]
async fn a_registry_is_held_over_restarts_and_its_epoch_only_rises() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    journal.install_registry(registry(2)).await.unwrap();
    let journal = place.reopen(journal).await.unwrap();
    assert_eq!(journal.roll().registry().unwrap().epoch(), 2);
    let mut one_key = registry(3);
    one_key.signatures.truncate(1);
    assert!(matches!(journal.install_registry(one_key).await, Err(JournalError::Registry(_))));
    let older = journal.install_registry(registry(1)).await;
    assert!(matches!(older, Err(JournalError::OldEpoch { pinned: 2, .. })), "{older:?}");
    assert_eq!(code(&pay(&journal, 1).await), "ok");
    let hidden = PolicyEpochs { agent: Some(1), ..PolicyEpochs::default() };
    assert_eq!(code(&pay_claiming(&journal, 2, hidden).await), "claim_mismatch");
}

fn report(row: &SpendRow, by: u8) -> SignedReport {
    let report = Report {
        agent: agent(),
        intent: row.intent,
        content_hash: row.content_hash,
        outcome: ReportKind::Undelivered,
        at: NOW,
    };
    Signed::by(report, &key(by)).unwrap()
}

#[tokio::test]
async fn an_agents_report_of_its_own_payment_is_one_row() {
    let (place, journal) = Place::with_policy("10 USDC").await;
    let row = paid(&journal, 1).await;
    let head = journal.head();
    let forged = journal.install_report(report(&row, 11), NOW).await;
    assert!(matches!(forged, Err(JournalError::Report(_))), "{forged:?}");
    let unknown = SpendRow { intent: intent_id(9), ..row.clone() };
    let unknown = journal.install_report(report(&unknown, 10), NOW).await;
    assert!(matches!(unknown, Err(JournalError::Report(_))), "{unknown:?}");
    assert_eq!(journal.head(), head);
    journal.install_report(report(&row, 10), NOW).await.unwrap();
    let once = journal.head();
    assert_eq!(once.rows, head.rows + 1);
    let journal = place.reopen(journal).await.unwrap();
    journal.install_report(report(&row, 10), NOW).await.unwrap();
    assert_eq!(journal.head().rows, once.rows);
}
