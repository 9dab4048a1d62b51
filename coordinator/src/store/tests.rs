mod group;
mod old;

use tercet_policy::decision::Outcome;
use tercet_policy::party::AgentId;
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::subject::Subject;

use super::*;

#[tokio::test]
async fn the_store_is_durable_and_events_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("c.sqlite")).await.unwrap();
    let synchronous: i64 =
        sqlx::query_scalar("PRAGMA synchronous").fetch_one(&store.writer).await.unwrap();
    assert_eq!(synchronous, 2);
    assert_eq!(store.check_payment_events().await.unwrap(), 0);
    let read_only = sqlx::query("DELETE FROM agents").execute(&store.readers).await;
    assert!(read_only.is_err());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    std::fs::write(&path, "this is no database, and long enough to be looked at".repeat(40))
        .unwrap();
    let opened = Store::open(&path).await;
    assert!(opened.is_err());
}

/// A database as the first migration made it, with an agent, its policies, and a payment that was
/// refused and one that was signed, is read by this version.
#[tokio::test]
async fn a_database_of_the_first_shape_is_brought_to_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    old::make(&path).await;
    let store = Store::open(&path).await.unwrap();
    let agent: AgentId = "research-01".parse().unwrap();
    let subject = Subject::Agent(agent.clone());
    assert_eq!(store.policy(&subject).await.unwrap().unwrap().epoch, 7);
    let wish = PolicyWish { subject: Some(subject), limit: 9, ..PolicyWish::default() };
    let history = store.policies(&wish).await.unwrap();
    let epochs: Vec<_> = history.iter().map(|p| (p.record.epoch, p.in_force)).collect();
    assert_eq!(epochs, [(7, true), (3, false)]);
    assert!(history.iter().all(|placed| placed.record.agent.as_ref() == Some(&agent)));

    let signed = store.payment(&old::SIGNED).await.unwrap().unwrap();
    let claim = signed.facts.claim.unwrap();
    assert_eq!(claim.policies, PolicyEpochs { agent: Some(7), ..PolicyEpochs::default() });
    let refused = store.payment(&old::REFUSED).await.unwrap().unwrap();
    let Refusal::Policy(decision) = &refused.facts.refusals[0].refusal else {
        panic!("{:?}", refused.facts.refusals);
    };
    let opinion = &decision.policies[0];
    assert_eq!((opinion.policy.as_str(), opinion.epoch), ("test", 7));
    assert_eq!(opinion.subject, Subject::Agent(agent));
    let outcomes: Vec<_> = opinion.findings.iter().map(|found| found.outcome).collect();
    assert_eq!(outcomes, [Outcome::Refuses, Outcome::Kept]);
    assert!(matches!(refused.facts.refusals[1].refusal, Refusal::BadSignature));
    assert_eq!(store.check_payment_events().await.unwrap(), 0);
    assert!(store.registry().await.unwrap().is_none());
}
