//! Unknown agents, other tenants' wallets, intents that are none: each gets a typed answer, and
//! nothing moves.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tercet_api::payment::PaymentStatus;
use tercet_api::problem::ProblemCode;
use tercet_cli::demo::house::{ActError, House};
use tercet_policy::chain::ASSETS;
use tercet_policy::intent::{IntentId, Payment};
use tercet_policy::party::AgentId;
use tercet_tests::cluster::{Cluster, FUNDS_UNITS, PAYEE, Plan, random};

const TWO_TO_256: &str =
    "115792089237316195423570985008687907853269984665640564039457584007913129639936";

fn code(answer: Result<Value, ActError>) -> Option<ProblemCode> {
    match answer {
        Err(ActError::Problem(problem)) => Some(problem.code),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_intent_of_ours_moves_nothing() -> Result<()> {
    let (cluster, wallet) = Cluster::with_wallet(Plan::default()).await?;
    malformed(&cluster, wallet).await?;
    changed_after_signing(&cluster, wallet).await?;
    one_id_for_two_contents(&cluster, wallet).await?;
    look_alikes(&cluster, wallet).await?;
    strangers(&cluster, wallet).await?;
    let has = cluster.rpc.usdc(wallet).await?;
    ensure!(has.base_units() == FUNDS_UNITS, "the wallet has {has}");
    ensure!(cluster.rpc.moved_from(wallet).await?.is_empty(), "something moved");
    Ok(())
}

/// Amounts, kinds and fields that no reading makes an intent of.
async fn malformed(cluster: &Cluster, wallet: alloy_primitives::Address) -> Result<()> {
    let line = cluster.house.line()?;
    let good = cluster.house.sign_intent(cluster.x402(wallet, PAYEE, 10_000)?)?;
    let good = json!({ "intent": good });
    let amounts = ["1e6", "-1", "0x10", "１", TWO_TO_256, "", " 1", "1.0", "007", "+1"];
    let mut bad: Vec<(&str, Value)> =
        amounts.iter().map(|amount| ("/intent/document/payment/amount", json!(amount))).collect();
    bad.extend([
        ("/intent/document/payment/amount", json!(10_000)),
        ("/intent/document/payment/kind", json!("loan")),
        ("/intent/document/payment/chain", json!("eip155:1")),
        ("/intent/document/payment/chain", json!("base")),
        ("/intent/document/payment/to", json!("0x1234")),
        ("/intent/document/id", json!("ab")),
        ("/intent/document/version", json!("1")),
        ("/intent/document", json!({})),
        ("/intent/signatures", json!("none")),
        ("/intent", Value::Null),
    ]);
    for (place, value) in bad {
        let mut body = good.clone();
        *body.pointer_mut(place).expect("a place of a good intent") = value.clone();
        let answer = line.send(reqwest::Method::POST, "/v1/payments", &body).await;
        ensure!(code(answer) == Some(ProblemCode::Malformed), "{place} = {value}");
    }
    let mut extra = good.clone();
    extra["intent"]["document"]["tip"] = json!("1");
    let answer = line.send(reqwest::Method::POST, "/v1/payments", &extra).await;
    ensure!(code(answer) == Some(ProblemCode::Malformed), "an unknown field was taken");
    let huge = json!({ "intent": "x".repeat(1024 * 1024) });
    let answer = line.send(reqwest::Method::POST, "/v1/payments", &huge).await;
    ensure!(code(answer) == Some(ProblemCode::TooLarge), "an oversized body was read");
    Ok(())
}

/// A good signature over something else.
async fn changed_after_signing(cluster: &Cluster, wallet: alloy_primitives::Address) -> Result<()> {
    let mut signed = cluster.house.sign_intent(cluster.x402(wallet, PAYEE, 10_000)?)?;
    if let Payment::X402Exact(x) = &mut signed.document.payment {
        x.amount = tercet_policy::money::Amount::from_base_units(20_000);
    }
    let answer = cluster.house.line()?.pay(signed).await;
    let Err(ActError::Problem(problem)) = answer else { anyhow::bail!("{answer:?}") };
    ensure!(problem.code == ProblemCode::Refused && !problem.refusals.is_empty(), "{problem}");
    let mut expired = cluster.x402(wallet, PAYEE, 10_000)?;
    expired.created_at = expired.created_at.minus(1_000);
    expired.expires_at = expired.created_at.plus(10);
    let answer = cluster.house.line()?.pay(cluster.house.sign_intent(expired)?).await;
    let Err(ActError::Problem(problem)) = answer else { anyhow::bail!("{answer:?}") };
    ensure!(problem.to_string().contains("expired"), "{problem}");
    Ok(())
}

async fn one_id_for_two_contents(
    cluster: &Cluster,
    wallet: alloy_primitives::Address,
) -> Result<()> {
    let first = cluster.x402(wallet, PAYEE, 600_000)?;
    let second = cluster.x402(wallet, PAYEE, 600_001)?;
    let id: IntentId = first.id;
    let refused = cluster.pay(first).await?;
    ensure!(refused.status == PaymentStatus::Refused, "{refused:#?}");
    let second = tercet_policy::intent::PaymentIntent { id, ..second };
    let answer = cluster.house.line()?.pay(cluster.house.sign_intent(second)?).await;
    let Err(ActError::Problem(problem)) = answer else { anyhow::bail!("{answer:?}") };
    ensure!(problem.code == ProblemCode::IdConflict, "{problem}");
    Ok(())
}

/// The other chain's token, a token of nobody, and a service that is not the host.
async fn look_alikes(cluster: &Cluster, wallet: alloy_primitives::Address) -> Result<()> {
    type Change = fn(&mut tercet_policy::intent::X402Exact);
    let changes: [Change; 3] = [
        |x| x.token = ASSETS[1].token,
        |x| x.token = alloy_primitives::Address::repeat_byte(0x83),
        |x| x.resource = "https://api.search.example.evil.example/report".into(),
    ];
    for change in changes {
        let mut intent = cluster.x402(wallet, PAYEE, 10_000)?;
        if let Payment::X402Exact(x) = &mut intent.payment {
            change(x);
        }
        let answer = cluster.house.line()?.pay(cluster.house.sign_intent(intent)?).await;
        let Err(ActError::Problem(problem)) = answer else { anyhow::bail!("{answer:?}") };
        ensure!(problem.code == ProblemCode::Refused, "{problem}");
    }
    Ok(())
}

/// An agent nobody enrolled, and an enrolled one that names somebody else's wallet.
async fn strangers(cluster: &Cluster, wallet: alloy_primitives::Address) -> Result<()> {
    let folder = cluster.folder().join("stranger");
    let stranger = AgentId::new("stranger-01")?;
    let mut house = House::lay_out(&folder, &stranger, cluster.rpc.url())?;
    house.coordinator = cluster.coordinator_address();
    let mut intent = cluster.x402(wallet, PAYEE, 10_000)?;
    intent.agent = stranger.clone();
    intent.id = IntentId(random()?);
    let answer = house.line()?.pay(house.sign_intent(intent.clone())?).await;
    let Err(ActError::Problem(problem)) = answer else { anyhow::bail!("{answer:?}") };
    ensure!(problem.code == ProblemCode::Unauthenticated, "{problem}");

    let mut enrolment = cluster.house.enrolment();
    enrolment.agent = stranger;
    enrolment.agent_node = house.identity.public().clone();
    let enrolment =
        tercet_policy::document::Signed::by(enrolment, cluster.house.authority.expose())?;
    let body = tercet_api::resource::EnrolAgent { enrolment };
    let _: Value = house.line()?.send(reqwest::Method::POST, "/v1/agents", &body).await?;
    let line = house.line()?;
    let answer = line.get(&format!("/v1/wallets/{wallet}")).await;
    ensure!(code(answer) == Some(ProblemCode::NotFound), "another tenant's wallet was shown");
    let answer = line.pay(house.sign_intent(intent)?).await;
    let Err(ActError::Problem(problem)) = answer else { anyhow::bail!("{answer:?}") };
    ensure!(problem.code == ProblemCode::Refused, "{problem}");
    let policy = tercet_tests::cluster::POLICY.replace("research-01", "stranger-01");
    let document = tercet_policy::rules::PolicyDocument { yaml: policy };
    let signed = tercet_policy::document::Signed::by(document, cluster.house.authority.expose())?;
    let _: Value =
        line.send(reqwest::Method::PUT, "/v1/agents/stranger-01/policy", &signed).await?;
    let mut again = cluster.x402(wallet, PAYEE, 10_000)?;
    again.agent = house.agent.clone();
    let answer = line.pay(house.sign_intent(again)?).await;
    let Err(ActError::Problem(problem)) = answer else { anyhow::bail!("{answer:?}") };
    ensure!(problem.code == ProblemCode::Refused, "{problem}");
    Ok(())
}
