//! `tercet fence`: keys that Tempo lets open MPP channels for the wallet.

use alloy_primitives::Address;
use serde_json::json;
use tercet::rules::Price;
use tercet::{Fence as Granted, Receipt, Wallet, WalletConfig};
use tercet_policy::chain::{Asset, Chain, Family};
use tercet_policy::rules::Length;

use crate::answer::Answer;
use crate::args::{Args, Fence, FenceAuthorize, FenceRevoke};
use crate::console::Console;
use crate::error::CliError;

/// Shortest life of a key, in seconds: the chain may take a quarter of it to authorize it.
const LASTS_SECONDS_MIN: u64 = 3_600;

/// Authorizes a key, or revokes it, and waits for the chain.
///
/// # Errors
/// [`CliError`].
pub async fn run(fence: &Fence, args: &Args, console: &Console) -> Result<Answer, CliError> {
    match fence {
        Fence::Authorize(wish) => authorize(wish, args, console).await,
        Fence::Revoke(wish) => revoke(wish, args, console).await,
    }
}

async fn authorize(
    wish: &FenceAuthorize,
    args: &Args,
    console: &Console,
) -> Result<Answer, CliError> {
    let granted = granted(wish)?;
    let wallet = open(wish.wallet, args).await?;
    let bar = console.bar("fence", 0);
    let receipt = wallet.authorize_access_key(&granted).await;
    wallet.close().await;
    bar.finish_and_clear();
    let receipt = receipt?;
    let what = format!(
        "the chain lets {} take {} of the wallet in all, for MPP channels only; that is counted as \
         spent",
        wish.key, receipt.price
    );
    Ok(answer(&what, wish.key, &receipt))
}

async fn revoke(wish: &FenceRevoke, args: &Args, console: &Console) -> Result<Answer, CliError> {
    known(wish.chain, &wish.asset)?;
    let wallet = open(wish.wallet, args).await?;
    let bar = console.bar("fence", 0);
    let receipt = wallet.revoke_access_key(wish.chain, wish.key, &wish.asset).await;
    wallet.close().await;
    bar.finish_and_clear();
    let what = format!("the chain lets {} take nothing any more", wish.key);
    Ok(answer(&what, wish.key, &receipt?))
}

async fn open(wallet: Option<Address>, args: &Args) -> Result<Wallet, CliError> {
    let mut config = WalletConfig::read(&args.home)?;
    config.wallet = wallet.or(config.wallet);
    Ok(Wallet::open_with(config).await?)
}

fn answer(what: &str, key: Address, receipt: &Receipt) -> Answer {
    let transaction = receipt.transaction.map_or("not seen yet".into(), |tx| tx.to_string());
    let seen = if receipt.verified { "verified on chain" } else { "not verified on chain" };
    let text = format!("{what}\ntransaction {transaction}, {seen}");
    Answer::new(text, json!({ "key": key, "receipt": receipt }))
}

/// What is asked for; a mistake is found before a wallet is opened.
fn granted(wish: &FenceAuthorize) -> Result<Granted, CliError> {
    known(wish.chain, &wish.asset)?;
    let limit: Result<Price, _> = format!("{} {}", wish.limit, wish.asset).parse();
    let limit = limit
        .map_err(|error| CliError::Usage(format!("{:?} {}: {error}", wish.limit, wish.asset)))?;
    if limit.on(wish.chain).is_none() {
        return Err(CliError::Usage(format!("{limit} is no amount on {}", wish.chain)));
    }
    let lasts_seconds = wish.lasts.seconds();
    if lasts_seconds < LASTS_SECONDS_MIN {
        return Err(CliError::Usage("--lasts: a key lasts an hour or more".to_owned()));
    }
    Ok(Granted {
        chain: wish.chain,
        key: wish.key,
        limit,
        period_seconds: wish.every.map_or(0, Length::seconds),
        lasts_seconds,
    })
}

fn known(chain: Chain, asset: &str) -> Result<(), CliError> {
    if chain.family() != Family::Tempo {
        return Err(CliError::Usage(format!("{chain} has no access keys; Tempo's chains have")));
    }
    match Asset::by_symbol(chain, asset) {
        Some(_) => Ok(()),
        None => Err(CliError::Usage(format!("{chain} has no {asset}"))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Command;

    fn asked(words: &str) -> Result<Granted, CliError> {
        let key = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";
        let words = format!("tercet fence authorize {key} {words}");
        let command = Args::parse_from(words.split(' ')).command;
        let Command::Fence(Fence::Authorize(wish)) = command else { panic!("{words}") };
        granted(&wish)
    }

    #[test]
    fn a_fence_is_asked_for_as_it_is_written() {
        let once = asked("20 --lasts 12h").unwrap();
        assert_eq!((once.period_seconds, once.lasts_seconds), (0, 43_200));
        assert_eq!((once.limit.to_string().as_str(), once.chain), ("20 pathUSD", Chain::Tempo));
        let daily = asked("2.50 --every 1d --lasts 7d").unwrap();
        assert_eq!((daily.period_seconds, daily.lasts_seconds), (86_400, 604_800));
        for words in [
            "20 --lasts 7d --chain eip155:8453",
            "20 --lasts 7d --asset FakeUSD",
            "0.0000001 --lasts 7d",
        ] {
            assert!(matches!(asked(words), Err(CliError::Usage(_))), "{words}");
        }
    }
}
