//! `tercet fetch` and `transfer`: the wallet's share is in this process while it pays.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use reqwest::Request;
use serde_json::{Value, json};
use tercet::rules::Price;
use tercet::{Declaration, Fetched, Receipt, Wallet, WalletConfig};
use tercet_policy::chain::{Asset, Chain, Family};

use crate::answer::Answer;
use crate::args::{Args, Fetch, Transfer};
use crate::console::Console;
use crate::error::CliError;
use crate::exit::Exit;
use crate::file::write_private_bytes;

/// Largest answer that is held, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The asset of Base, and of prices without one.
const USDC: &str = "USDC";
/// The asset of Tempo where none is named.
const PATH_USD: &str = "pathUSD";

/// Fetches, and pays once if that is asked for.
///
/// # Errors
/// [`CliError`].
pub async fn fetch(fetch: &Fetch, args: &Args, console: &Console) -> Result<Answer, CliError> {
    let request = request(fetch)?;
    let declaration = declaration(fetch)?;
    let mut config = WalletConfig::read(&args.home)?;
    config.wallet = fetch.wallet.or(config.wallet);
    config.start.insecure_crash_at = fetch.insecure_crash_at;
    if let Some(at_most) = &fetch.at_most {
        config.rules.max_price = lower(&config.rules.max_price, &price(at_most, USDC)?);
    }
    let bar = console.bar("fetch", 0);
    bar.set_message(fetch.url.to_string());
    let wallet = Wallet::open_with(config).await?;
    let fetched = wallet.fetch_declaring(request, declaration).await;
    let answer = match fetched {
        Ok(fetched) => fetched_answer(fetched, fetch).await,
        Err(error) => Err(error.into()),
    };
    wallet.close().await;
    bar.finish_and_clear();
    answer
}

fn request(fetch: &Fetch) -> Result<Request, CliError> {
    let mut request = Request::new(fetch.method.clone(), fetch.url.clone());
    for header in &fetch.headers {
        let bad = || CliError::Usage(format!("{header:?} is no header: write `name: value`"));
        let (name, value) = header.split_once(':').ok_or_else(bad)?;
        let name: HeaderName = name.trim().parse().map_err(|_| bad())?;
        let value: HeaderValue = value.trim().parse().map_err(|_| bad())?;
        request.headers_mut().append(name, value);
    }
    if let Some(data) = &fetch.data {
        *request.body_mut() = Some(data.clone().into());
    }
    Ok(request)
}

fn declaration(fetch: &Fetch) -> Result<Declaration, CliError> {
    let given = fetch.context.as_deref().unwrap_or("{}");
    let context =
        serde_json::from_str(given).map_err(|bad| CliError::Usage(format!("--context: {bad}")))?;
    Ok(Declaration { session: fetch.session.clone(), context })
}

fn price(amount: &str, symbol: &str) -> Result<Price, CliError> {
    let price: Result<Price, _> = format!("{amount} {symbol}").parse();
    price.map_err(|error| CliError::Usage(format!("{amount:?} {symbol}: {error}")))
}

/// The lower of two prices; what cannot be compared stays as the rules have it.
fn lower(rules: &Price, asked: &Price) -> Price {
    let units = |price: &Price| {
        Asset::by_symbol(Chain::Base, USDC).and_then(|asset| price.in_units_of(asset))
    };
    match (units(rules), units(asked)) {
        (Some(rule), Some(ask)) if ask < rule => asked.clone(),
        _ => rules.clone(),
    }
}

async fn fetched_answer(fetched: Fetched, fetch: &Fetch) -> Result<Answer, CliError> {
    let Fetched { mut response, receipt } = fetched;
    let status = response.status();
    let mut body = Vec::new();
    let broken = |error: reqwest::Error| CliError::Unreachable {
        what: fetch.url.to_string(),
        detail: error.to_string(),
    };
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_BYTES_MAX {
            return Err(CliError::Failed(format!("the answer is over {BODY_BYTES_MAX} bytes")));
        }
    }
    let mut json = json!({ "status": status.as_u16(), "receipt": receipt, "bytes": body.len() });
    let mut lines: Vec<String> = receipt.iter().map(receipt_text).collect();
    match (&fetch.output, String::from_utf8(body)) {
        (Some(file), body) => {
            write_private_bytes(file, &body.map_or_else(|e| e.into_bytes(), String::into_bytes))?;
            lines.push(format!("written to {}", file.display()));
        }
        (None, Ok(text)) => {
            set(&mut json, "body", Value::String(text.clone()));
            lines.push(text);
        }
        (None, Err(binary)) => {
            let bytes = binary.into_bytes();
            lines.push(format!("{} bytes that are no text; use --output FILE", bytes.len()));
            set(&mut json, "body_base64", Value::String(STANDARD.encode(bytes)));
        }
    }
    let exit = if status.is_success() { Exit::Ok } else { Exit::Failure };
    Ok(Answer::new(lines.join("\n"), json).ending(exit))
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}

fn receipt_text(receipt: &Receipt) -> String {
    let transaction = receipt.transaction.map_or("not seen yet".into(), |tx| tx.to_string());
    let payee = receipt.payee.map_or_else(String::new, |payee| format!(" to {payee}"));
    let seen = if receipt.verified { "verified on chain" } else { "not verified on chain" };
    format!("paid {}{payee}\ntransaction {transaction}, {seen}\n", receipt.price)
}

/// Sends USDC, or a stablecoin of Tempo, and waits for it.
///
/// # Errors
/// [`CliError`].
pub async fn transfer(
    transfer: &Transfer,
    args: &Args,
    console: &Console,
) -> Result<Answer, CliError> {
    let price = asked(transfer)?;
    let mut config = WalletConfig::read(&args.home)?;
    config.wallet = transfer.wallet.or(config.wallet);
    config.start.insecure_crash_at = transfer.insecure_crash_at;
    let bar = console.bar("transfer", 0);
    let wallet = Wallet::open_with(config).await?;
    let (chain, to) = (transfer.chain, transfer.to);
    let receipt = match transfer.memo {
        Some(memo) => wallet.transfer_with_memo(chain, to, &price, memo).await,
        None => wallet.transfer(chain, to, &price).await,
    };
    wallet.close().await;
    bar.finish_and_clear();
    let receipt = receipt?;
    Ok(Answer::new(receipt_text(&receipt).trim_end(), json!({ "receipt": receipt })))
}

/// What is sent; a mistake is found before a wallet is opened.
fn asked(transfer: &Transfer) -> Result<Price, CliError> {
    let chain = transfer.chain;
    let usual = match chain.family() {
        Family::Base => USDC,
        Family::Tempo => PATH_USD,
    };
    let symbol = transfer.asset.as_deref().unwrap_or(usual);
    let asked = price(&transfer.amount, symbol)?;
    if asked.on(chain).is_none() {
        return Err(CliError::Usage(format!("{chain} has no {symbol}")));
    }
    if transfer.memo.is_some() && chain.family() == Family::Base {
        return Err(CliError::Usage(format!("transfers on {chain} carry no memo")));
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Command;

    fn asked_by(words: &str) -> Result<String, CliError> {
        let words = format!("tercet transfer 0x209693Bc6afc0C5328bA36FaF03C514EF312287C {words}");
        let Command::Transfer(transfer) = Args::parse_from(words.split(' ')).command else {
            panic!("{words} is no transfer");
        };
        asked(&transfer).map(|price| price.to_string())
    }

    #[test]
    fn the_asset_is_the_usual_one_of_the_chain_unless_it_is_named() {
        let memo = format!("0x{}", "07".repeat(32));
        for (words, price) in [
            ("0.50", "0.50 USDC"),
            ("0.50 --chain eip155:4217", "0.50 pathUSD"),
            (&format!("0.50 --chain eip155:4217 --memo {memo}"), "0.50 pathUSD"),
            ("0.50 --chain eip155:42431 --asset BetaUSD", "0.50 BetaUSD"),
        ] {
            assert_eq!(asked_by(words).unwrap(), price, "{words}");
        }
        for words in [
            "0.50 --asset pathUSD".to_owned(),
            "0.50 --chain eip155:4217 --asset USDC".to_owned(),
            "0.50 --chain eip155:4217 --asset FakeUSD".to_owned(),
            "0.0000001 --chain eip155:4217".to_owned(),
            format!("0.50 --memo {memo}"),
        ] {
            assert!(matches!(asked_by(&words), Err(CliError::Usage(_))), "{words}");
        }
    }
}
