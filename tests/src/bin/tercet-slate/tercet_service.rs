//! Tercet as a service, over its public SDK: intent in, authorization out. Everything that a payment
//! goes through is in it: the agent's signed intent, both nodes' decisions and durable records, the
//! signature by two, its verification.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tercet::{Paid, Wallet};
use tercet_policy::chain::Chain;
use tercet_policy::intent::{Payment, Service, X402Exact};
use tercet_policy::money::Amount;
use tercet_policy::time::UnixSeconds;
use tercet_tests::cluster::RESOURCE;

use crate::wire::{Answered, Asked, Ready, Signed, asked, say};

/// How long the coordinator may take to be reached.
const CONNECT_MAX: Duration = Duration::from_secs(30);

/// Opens the wallet of an agent's configuration and answers until its input ends. Payments are said
/// to be for `resource`, which the policy must allow.
pub(crate) async fn serve(config: &str, resource: Option<&str>) -> Result<()> {
    let wallet = Wallet::open(config).await?;
    wallet.wait_connected(CONNECT_MAX).await?;
    say(&Ready { service: "tercet".to_owned(), wallet: wallet.address() })?;
    let resource = resource.unwrap_or(RESOURCE);
    for asked in asked() {
        let asked = asked?;
        let id = asked.id;
        let answer = sign(&wallet, asked, resource).await;
        say(&answer.unwrap_or_else(|error| Answered::Failed { id, error: format!("{error:#}") }))?;
    }
    wallet.close().await;
    Ok(())
}

async fn sign(wallet: &Wallet, asked: Asked, resource: &str) -> Result<Answered> {
    ensure!(asked.chain_id == Chain::Base.id(), "this service pays on Base");
    let draft = wallet.draft(Payment::X402Exact(X402Exact {
        chain: Chain::Base,
        token: asked.token,
        to: asked.to,
        amount: Amount::from_base_units(asked.value.parse().context("value")?),
        valid_before: UnixSeconds(asked.valid_before),
        service: Service::of(resource)?,
        resource: resource.to_owned(),
    }))?;
    let begun = Instant::now();
    let paid = wallet.pay(draft).await?;
    let api_latency_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    let Paid::Authorization(paid) = paid else { bail!("no authorization: {paid:?}") };
    Ok(Answered::Signed(Box::new(Signed {
        id: asked.id,
        valid_after: paid.authorization.valid_after.0,
        nonce: paid.authorization.nonce,
        signature: paid.signature.to_rsv().to_vec().into(),
        api_latency_ms,
    })))
}
