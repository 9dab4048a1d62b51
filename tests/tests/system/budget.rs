//! A node's own, narrower policy under pressure: payments side by side that the authority and the
//! coordinator approve, and that the operator's node alone lets through or refuses. Exactly as many
//! as fit are signed, and the others are refused with the operator's numbers.

use anyhow::{Result, ensure};
use futures_util::future::join_all;
use tercet_api::payment::{PaymentStatus, PaymentView};
use tercet_cli::demo::house::ActError;
use tercet_policy::decision::{Finding, Opinion};
use tercet_policy::intent::{IntentId, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::party::Party;
use tercet_policy::refusal::Refusal;
use tercet_tests::cluster::{Cluster, FUNDS_UNITS, PAYEE, Plan};
use tercet_tests::invariants::{Before, check};

const OWN_POLICY: &str = r#"
policy: operators-own
epoch: 1
applies_to: { agent: research-01 }
rules:
  - limit: { amount: 0.35 USDC, per: day }
  - allow: { services: ["api.search.example"] }
  - allow: { recipients: ["0x209693Bc6afc0C5328bA36FaF03C514EF312287C"] }
"#;
const LIMIT_UNITS: u128 = 350_000;
/// What one payment is about: three fit.
const ABOUT_UNITS: u128 = 100_000;
const FIT: usize = 3;

/// Gives the operator's node a policy of its own.
async fn narrow(cluster: &mut Cluster) -> Result<()> {
    cluster.stop_node(Party::Operator).await;
    let seat = cluster.house.seat(Party::Operator);
    std::fs::write(seat.folder.join("own.yaml"), OWN_POLICY)?;
    let config = std::fs::read_to_string(seat.config())?;
    std::fs::write(seat.config(), format!("own_policy = \"own.yaml\"\n{config}"))?;
    cluster.start_node(Party::Operator, &[]).await
}

/// Posts all at once, and follows each to where `until` holds.
async fn pay_all(
    cluster: &Cluster,
    intents: Vec<PaymentIntent>,
    until: impl Fn(&PaymentView) -> bool + Copy,
) -> Result<Vec<PaymentView>> {
    let line = cluster.house.line()?;
    let ids: Vec<IntentId> = intents.iter().map(|intent| intent.id).collect();
    let signed: Result<Vec<_>, _> =
        intents.into_iter().map(|intent| cluster.house.sign_intent(intent)).collect();
    for answer in join_all(signed?.into_iter().map(|intent| line.pay(intent))).await {
        if let Err(error) = answer {
            let refused = matches!(&error, ActError::Problem(p) if !p.refusals.is_empty());
            ensure!(refused, "{error}");
        }
    }
    let mut views = Vec::new();
    for id in &ids {
        views.push(cluster.payment_when(id, until).await?);
    }
    Ok(views)
}

/// Checks that all refusals are the operator's, over its own limit and with its numbers.
fn refused_with_numbers(views: &[PaymentView]) -> Result<usize> {
    let refused = views.iter().filter(|view| view.status == PaymentStatus::Refused);
    let mut count = 0;
    for view in refused {
        ensure!(!view.refusals.is_empty(), "{view:#?}");
        for by in &view.refusals {
            let Refusal::Policy(decision) = &by.refusal else { anyhow::bail!("{view:#?}") };
            ensure!(by.by == "operator", "{view:#?}");
            let limit = |(opinion, f): (&Opinion, &Finding)| {
                opinion.policy == "operators-own"
                    && f.kind == "limit"
                    && f.limit == "0.35 USDC"
                    && f.resets_at.is_some()
            };
            ensure!(decision.objections().all(limit), "{view:#?}");
            ensure!(decision.objections().next().is_some(), "{view:#?}");
        }
        ensure!(view.digest.is_none(), "refused and signed: {view:#?}");
        count += 1;
    }
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn authorizations_beyond_an_operators_own_limit_are_not_signed() -> Result<()> {
    const ASKED: usize = 12;
    let (mut cluster, wallet) = Cluster::with_wallet(Plan::default()).await?;
    narrow(&mut cluster).await?;
    let intents: Result<Vec<_>> =
        (0..ASKED).map(|_| cluster.x402(wallet, PAYEE, ABOUT_UNITS)).collect();
    let over = |view: &PaymentView| view.digest.is_some() || view.status.is_terminal();
    let views = pay_all(&cluster, intents?, over).await?;
    let signed = views.iter().filter(|view| view.digest.is_some()).count();
    let refused = refused_with_numbers(&views)?;
    ensure!((signed, refused) == (FIT, ASKED - FIT), "{signed} signed, {refused} refused");
    ensure!(cluster.rpc.moved_from(wallet).await?.is_empty(), "nobody brought one to the chain");
    Ok(())
}

/// Each transfer takes an account nonce; one that is refused must give it back, or the next waits
/// for ever.
#[tokio::test(flavor = "multi_thread")]
async fn transfers_beyond_an_operators_own_limit_do_not_hold_the_others_up() -> Result<()> {
    const ASKED: u128 = 6;
    let (mut cluster, wallet) = Cluster::with_wallet(Plan::default()).await?;
    narrow(&mut cluster).await?;
    let intents: Result<Vec<_>> =
        (1..=ASKED).map(|i| cluster.transfer(wallet, PAYEE, ABOUT_UNITS + i)).collect();
    let views = pay_all(&cluster, intents?, |view| view.status.is_terminal()).await?;
    let settled = views.iter().filter(|view| view.status == PaymentStatus::Settled).count();
    let refused = refused_with_numbers(&views)?;
    ensure!((settled, refused) == (FIT, views.len() - FIT), "{settled} settled, {views:#?}");
    let had = Amount::from_base_units(FUNDS_UNITS);
    let limit = Some(Amount::from_base_units(LIMIT_UNITS));
    check(&cluster.rpc, Before { wallet, had }, &views, limit).await
}
