//! What the sessions' tests do and look at: purchases, refusals, ends, and the command line.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tercet::mpp::{Session, SessionState};
use tercet::{Error, Wallet};
use tercet_api::payment::PaymentView;
use tercet_cli::demo::house::now;
use tercet_cli::demo::process::program;
use tercet_policy::intent::{
    ExitChannel, ExitStep, INTENT_VERSION, IntentId, MppExit, Payment, PaymentIntent, TempoNonce,
    TempoTerms,
};
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::tempo::gas;
use tercet_tests::cluster::{PATIENCE, random};
use tercet_tests::mpp_peers::MerchantChannel;
use tercet_tests::mpp_shop::{MppShop, session_in};
use tokio::process::Command;

use super::GRACE_SECONDS;

/// The step that the wallet takes sixteen minutes after the first, dated for the chain's clock.
pub(super) fn withdrawal(session: &Session) -> Result<PaymentIntent> {
    let created_at = now();
    let valid_before = created_at.plus(GRACE_SECONDS - 5);
    let token = session.descriptor.token;
    let exit = MppExit {
        chain: session.chain,
        token,
        channel: ExitChannel::V2 { descriptor: session.descriptor },
        step: ExitStep::Withdraw,
        terms: TempoTerms {
            nonce: TempoNonce::Lane,
            valid_before,
            gas_limit: gas::WITHDRAW_GAS,
            max_fee_per_gas: Amount::from_base_units(gas::MAX_FEE_PER_GAS),
            max_priority_fee_per_gas: Amount::from_base_units(gas::MAX_PRIORITY_FEE_PER_GAS),
            fee_token: Some(token),
        },
    };
    Ok(PaymentIntent {
        version: INTENT_VERSION,
        id: IntentId(random()?),
        agent: session.opened_by.agent.clone(),
        wallet: session.opened_by.wallet,
        payment: Payment::MppExit(exit),
        declared: session.opened_by.declared.clone(),
        created_at,
        expires_at: valid_before,
    })
}

pub(super) async fn buys(shop: &MppShop, wallet: &Wallet, path: &str) -> Result<()> {
    let fetched = wallet.get(shop.seller.route(path)).await.context(path.to_owned())?;
    let status = fetched.response.status();
    let text = fetched.response.text().await?;
    ensure!(text.contains("what you paid for"), "{path}: {status}, {text}");
    Ok(())
}

/// How many words of a stream came.
pub(super) async fn words(wallet: &Wallet, shop: &MppShop, path: &str) -> Result<usize> {
    let fetched = wallet.get(shop.seller.route(path)).await?;
    Ok(fetched.response.text().await?.matches("data: word").count())
}

pub(super) async fn refused_by(
    shop: &MppShop,
    wallet: &Wallet,
    path: &str,
    rule: &str,
) -> Result<()> {
    match wallet.get(shop.seller.route(path)).await {
        Err(Error::Refused { refusals, .. }) => {
            let said = serde_json::to_string(&refusals)?;
            ensure!(said.contains(rule), "{path}: {said}");
            Ok(())
        }
        other => anyhow::bail!("{path} was to be refused by {rule}: {other:?}"),
    }
}

pub(super) async fn close(wallet: &Wallet, channel: &ChannelId) -> Result<Session> {
    let closing = wallet.close_session(channel).await?;
    ensure!(closing.state != SessionState::Exiting, "the merchant closes: {closing:?}");
    session_in(wallet, channel, SessionState::Closed, PATIENCE).await
}

pub(super) fn settled(session: &Session) -> Option<u128> {
    session.settled.map(Amount::base_units)
}

pub(super) fn share(view: &PaymentView) -> Option<u128> {
    view.settled_amount.map(Amount::base_units)
}

/// The newest session that was not refused.
pub(super) async fn newest(wallet: &Wallet) -> Result<Session> {
    let sessions = wallet.sessions(9).await?;
    let real = sessions.into_iter().find(|session| session.state != SessionState::Void);
    real.context("no session")
}

/// The only channel that the merchant knows.
pub(super) async fn the_channel(shop: &MppShop) -> Result<MerchantChannel> {
    let channels = shop.seller.channels().await?;
    ensure!(channels.len() == 1, "{channels:?}");
    channels.into_iter().next().context("no channel")
}

pub(super) fn tercet(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program("tercet"));
    command.arg("--json").arg("--home").arg(home).args(words);
    command
}

/// What `tercet --json` answers.
pub(super) async fn answer(home: &Path, words: &[&str]) -> Result<Value> {
    let output = tercet(home, words).output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "tercet {words:?}: {said}\n{wrong}");
    Ok(serde_json::from_str(&said)?)
}
