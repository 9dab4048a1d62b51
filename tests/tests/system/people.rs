//! Policies of an organisation and an agent together, in real processes: conditions over what the
//! agent declares, and people who are asked. Whatever the coordinator lets through, the nodes check
//! for themselves.

use anyhow::{Context as _, Result, bail, ensure};
use ed25519_dalek::SigningKey;
use reqwest::Method;
use tercet_api::payment::{AnswerPayment, PaymentStatus, PaymentView};
use tercet_api::problem::ProblemCode;
use tercet_cli::demo::house::{ActError, now};
use tercet_policy::approval::{Approval, SignedApproval};
use tercet_policy::context::{Context, ContextValue, Decimal};
use tercet_policy::document::{Ed25519PublicKey, Signed};
use tercet_policy::intent::PaymentIntent;
use tercet_policy::money::Amount;
use tercet_policy::refusal::Refusal;
use tercet_tests::cluster::{Cluster, FUNDS_UNITS, PAYEE, Plan};
use tercet_tests::invariants::{Before, check};

/// Above 0.20 USDC two of three people are asked.
const ASKED_UNITS: u128 = 300_000;
const SMALL_UNITS: u128 = 100_000;

const ORGANISATION: &str = r#"
policy: house
epoch: 1
applies_to: { organisation: acme }
rules:
  - limit: { amount: 2 USDC, per: day }
  - block: { services: ["*.gambling.example"] }
"#;

/// A TEST-ONLY person.
fn person(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn policy() -> String {
    let key = |seed| Ed25519PublicKey::of(&person(seed));
    format!(
        r#"
policy: research-01
epoch: 1
applies_to: {{ agent: research-01 }}
context: {{ confidence: decimal }}
people:
  alice: {{ key: "{}" }}
  bob: {{ key: "{}" }}
  carol: {{ key: "{}" }}
rules:
  - max_amount: 0.50 USDC
  - allow: {{ services: ["api.search.example"] }}
  - ask: {{ above: 0.20 USDC, approvers: {{ any: 2, of: [alice, bob, carol] }}, expires: 30m }}
  - when: context.confidence.greaterThan(decimal("0.8"))
"#,
        key(1),
        key(2),
        key(3)
    )
}

async fn house() -> Result<(Cluster, alloy_primitives::Address)> {
    let plan = Plan { policy: Some(policy()), ..Plan::default() };
    let (cluster, wallet) = Cluster::with_wallet(plan).await?;
    cluster.house.line()?.install_policy(ORGANISATION).await?;
    Ok((cluster, wallet))
}

fn sure(mut intent: PaymentIntent, confidence: &str) -> Result<PaymentIntent> {
    let value = ContextValue::Decimal(Decimal::parse(confidence)?);
    intent.declared.context = Context::default().with("confidence", value)?;
    Ok(intent)
}

/// What a person says to the question that `view` puts.
fn answer(view: &PaymentView, who: &SigningKey, approves: bool) -> Result<SignedApproval> {
    let asked = view.approval.as_ref().context("nobody is asked")?;
    let approval = Approval {
        intent: asked.payment,
        content_hash: asked.content_hash,
        policies: asked.policies,
        approves,
        at: now(),
    };
    Ok(Signed::by(approval, who)?)
}

async fn bring(
    cluster: &Cluster,
    view: &PaymentView,
    approval: SignedApproval,
) -> Result<PaymentView, ActError> {
    let path = format!("/v1/payments/{}/approvals", view.id);
    cluster.house.line()?.send(Method::POST, &path, &AnswerPayment { approval }).await
}

fn is(result: Result<PaymentView, ActError>, code: ProblemCode) -> Result<()> {
    match result {
        Err(ActError::Problem(problem)) if problem.code == code => Ok(()),
        other => bail!("{code:?} was expected: {other:#?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_people_let_a_payment_through_and_nobody_else_does() -> Result<()> {
    let (cluster, wallet) = house().await?;
    let before = Before { wallet, had: Amount::from_base_units(FUNDS_UNITS) };
    let (alice, bob) = (person(1), person(2));

    let asked = cluster.pay(sure(cluster.x402(wallet, PAYEE, ASKED_UNITS)?, "0.9")?).await?;
    ensure!(asked.status == PaymentStatus::AwaitingApproval, "{asked:#?}");
    ensure!(asked.digest.is_none(), "asked and signed: {asked:#?}");
    is(bring(&cluster, &asked, answer(&asked, &person(9), true)?).await, ProblemCode::Forbidden)?;
    let once = bring(&cluster, &asked, answer(&asked, &alice, true)?).await?;
    ensure!(once.status == PaymentStatus::AwaitingApproval, "{once:#?}");
    // One person is one voice, however often it is heard.
    let twice = bring(&cluster, &asked, answer(&asked, &alice, true)?).await?;
    ensure!(twice.status == PaymentStatus::AwaitingApproval, "{twice:#?}");

    // What was said to one payment says nothing to another.
    let other = sure(cluster.x402(wallet, PAYEE, ASKED_UNITS + 1)?, "0.9")?;
    let other = cluster.pay(other).await?;
    let replayed = answer(&asked, &bob, true)?;
    is(bring(&cluster, &other, replayed.clone()).await, ProblemCode::ApprovalMismatch)?;

    bring(&cluster, &asked, replayed).await?;
    let signed = cluster.payment_when(&asked.id, |view| view.digest.is_some()).await?;
    let refused = bring(&cluster, &other, answer(&other, &bob, false)?).await?;
    let refused = match refused.status {
        PaymentStatus::Refused => refused,
        _ => cluster.payment_when(&other.id, |v| v.status == PaymentStatus::Refused).await?,
    };
    check(&cluster.rpc, before, &[signed, refused], None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_policy_is_asked_and_what_is_not_declared_is_refused() -> Result<()> {
    let (cluster, wallet) = house().await?;
    let unsure = cluster.pay(sure(cluster.x402(wallet, PAYEE, SMALL_UNITS)?, "0.5")?).await?;
    let silent = cluster.pay(cluster.x402(wallet, PAYEE, SMALL_UNITS)?).await?;
    for view in [&unsure, &silent] {
        ensure!(view.status == PaymentStatus::Refused, "{view:#?}");
        let Some(Refusal::Policy(decision)) = view.refusals.first().map(|by| &by.refusal) else {
            bail!("{view:#?}")
        };
        let names: Vec<_> = decision.policies.iter().map(|o| o.policy.as_str()).collect();
        ensure!(names == ["house", "research-01"], "{view:#?}");
        ensure!(decision.violations().all(|found| found.kind == "when"), "{view:#?}");
    }
    let fine = cluster.pay(sure(cluster.x402(wallet, PAYEE, SMALL_UNITS)?, "0.95")?).await?;
    cluster.payment_when(&fine.id, |view| view.digest.is_some()).await?;

    let harsher = ORGANISATION.replace("epoch: 1", "epoch: 2").replace("2 USDC", "0.1 USDC");
    cluster.house.line()?.install_policy(&harsher).await?;
    let over = cluster.pay(sure(cluster.x402(wallet, PAYEE, SMALL_UNITS)?, "0.95")?).await?;
    ensure!(over.status == PaymentStatus::Refused, "{over:#?}");
    let Some(Refusal::Policy(decision)) = over.refusals.first().map(|by| &by.refusal) else {
        bail!("{over:#?}")
    };
    let of_house = decision.objections().all(|(o, f)| o.policy == "house" && f.kind == "limit");
    ensure!(of_house && decision.violations().next().is_some(), "{over:#?}");
    Ok(())
}
