//! `tercet session`: look at MPP sessions, and end them.
//!
//! Promises: what is listed and shown is what this wallet's own journal holds, without asking
//! anybody; `close` and `reconcile` open the wallet and say where each session stands afterwards;
//! `exit` says so of a channel that is no session of ours, once the chain shows it.
//!
//! Does not protect against: a service that does not give a deposit back at once. Leaving it by
//! force takes the reserve's grace period, and `reconcile` again after it.

use alloy_primitives::Address;
use serde_json::json;
use tercet::journal::Journal;
use tercet::mpp::{Session as Kept, Tended};
use tercet::wallet::V1Exit;
use tercet::{Wallet, WalletConfig};
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::intent::ExitStep;
use tercet_policy::money::Amount;

use super::table::{lines, or_dash};
use crate::answer::Answer;
use crate::args::{Args, ExitWord, Session};
use crate::error::CliError;

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(command: &Session, args: &Args) -> Result<Answer, CliError> {
    let config = WalletConfig::read(&args.home)?;
    match command {
        Session::List { limit } => {
            let sessions = journal(&config).await?.sessions(*limit).await;
            Ok(list(&sessions.map_err(tercet::Error::from)?))
        }
        Session::Show { channel } => {
            let found = journal(&config).await?.session(channel).await;
            let none = || CliError::Usage(format!("there is no session on channel {channel}"));
            Ok(show(&found.map_err(tercet::Error::from)?.ok_or_else(none)?))
        }
        Session::Close { channel } => {
            let wallet = Wallet::open_with(config).await?;
            let closed = wallet.close_session(channel).await;
            wallet.close().await;
            Ok(show(&closed?))
        }
        Session::Exit(exit) => {
            let config = WalletConfig { wallet: exit.wallet.or(config.wallet), ..config };
            let wallet = Wallet::open_with(config).await?;
            let step = match exit.step {
                ExitWord::RequestClose => ExitStep::RequestClose,
                ExitWord::Withdraw => ExitStep::Withdraw,
            };
            let left = Box::pin(wallet.leave_v1(exit.chain, exit.channel, step)).await;
            wallet.close().await;
            Ok(exited(&left?))
        }
        Session::Reconcile => {
            let wallet = Wallet::open_with(config).await?;
            let tended = wallet.tend_sessions().await;
            wallet.close().await;
            Ok(reconciled(&tended?))
        }
    }
}

async fn journal(config: &WalletConfig) -> Result<Journal, CliError> {
    Ok(Journal::open(&config.purchases).await.map_err(tercet::Error::from)?)
}

fn list(sessions: &[Kept]) -> Answer {
    let rows: Vec<_> = sessions.iter().map(row).collect();
    let text = match rows.is_empty() {
        true => "no sessions".to_owned(),
        false => {
            lines(["channel", "state", "service", "deposit", "used", "signed"], &rows).join("\n")
        }
    };
    Answer::new(text, json!({ "sessions": sessions }))
}

fn row(session: &Kept) -> [String; 6] {
    let meter = &session.meter;
    [
        session.channel.to_string(),
        session.state.to_string(),
        session.service.to_string(),
        price(session, meter.deposit),
        price(session, session.settled.unwrap_or_else(|| meter.close_at())),
        price(session, meter.signed),
    ]
}

fn show(session: &Kept) -> Answer {
    let meter = &session.meter;
    let lines = [
        ("channel", session.channel.to_string()),
        ("state", session.state.to_string()),
        ("service", session.service.to_string()),
        ("resource", session.resource.clone()),
        ("chain", session.chain.to_string()),
        ("payee", session.descriptor.payee.to_string()),
        ("unit", price(session, meter.unit_price)),
        ("deposit", price(session, meter.deposit)),
        ("delivered", price(session, meter.delivered)),
        ("lost", price(session, meter.lost)),
        ("signed", price(session, meter.signed)),
        ("settled", or_dash(session.settled.map(|settled| price(session, settled)))),
        ("opened", session.opened_at.to_string()),
        ("ends", session.ends_at.to_string()),
    ];
    let lines = lines.map(|(name, value)| format!("{name:<10}  {value}"));
    Answer::of(lines.join("\n"), session)
}

fn reconciled(tended: &[Tended]) -> Answer {
    let line = |one: &Tended| match &one.trouble {
        None => format!("{}  {}", one.channel, one.state),
        Some(trouble) => format!("{}  {}: {trouble}", one.channel, one.state),
    };
    let text = match tended {
        [] => "no session has money in its channel".to_owned(),
        some => some.iter().map(line).collect::<Vec<_>>().join("\n"),
    };
    Answer::new(text, json!({ "sessions": tended }))
}

fn exited(exit: &V1Exit) -> Answer {
    let left = price_in(exit.chain, exit.token, exit.left);
    let said = match (exit.step, exit.withdraw_from) {
        (ExitStep::RequestClose, Some(from)) => format!(
            "its end is asked for; the payee may settle until {from}, and from then on what is \
             left of {left} comes back with --step withdraw"
        ),
        (ExitStep::RequestClose, None) => "it has ended".to_owned(),
        (ExitStep::Withdraw, _) => {
            format!("it has ended, and what the payee had not settled came back: {left} by then")
        }
    };
    let transaction = or_dash(exit.transaction.map(|transaction| transaction.to_string()));
    let text = format!("channel {}: {said}\ntransaction {transaction}", exit.channel);
    Answer::of(text, exit)
}

fn price(session: &Kept, amount: Amount) -> String {
    price_in(session.chain, session.descriptor.token, amount)
}

fn price_in(chain: Chain, token: Address, amount: Amount) -> String {
    match Asset::find(chain, token) {
        Ok(asset) => format!("{} {}", amount.to_decimal(asset.decimals), asset.symbol),
        Err(_) => amount.to_string(),
    }
}
