//! `tercet fetch`, `transfer`, `payment`: the wallet's share is in this process while it pays.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use reqwest::Request;
use serde_json::{Value, json};
use tercet::client::PaymentsAsked;
use tercet::rules::Price;
use tercet::{Declaration, Fetched, Receipt, Wallet, WalletConfig};
use tercet_api::payment::PaymentView;
use tercet_policy::chain::{Asset, Chain};

use crate::answer::Answer;
use crate::args::{Args, Fetch, Payment, Transfer};
use crate::console::Console;
use crate::error::CliError;
use crate::exit::Exit;
use crate::file::write_private_bytes;
use crate::line;

/// Largest answer that is held, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

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
        config.rules.max_price = lower(&config.rules.max_price, &price(at_most)?);
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

fn price(amount: &str) -> Result<Price, CliError> {
    let price: Result<Price, _> = format!("{amount} USDC").parse();
    price.map_err(|error| CliError::Usage(format!("{amount:?}: {error}")))
}

/// The lower of two prices; what cannot be compared stays as the rules have it.
fn lower(rules: &Price, asked: &Price) -> Price {
    let units = |price: &Price| {
        Asset::by_symbol(Chain::Base, "USDC").and_then(|asset| price.in_units_of(asset))
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

/// Sends USDC and waits for it.
///
/// # Errors
/// [`CliError`].
pub async fn transfer(
    transfer: &Transfer,
    args: &Args,
    console: &Console,
) -> Result<Answer, CliError> {
    let price = price(&transfer.amount)?;
    let mut config = WalletConfig::read(&args.home)?;
    config.wallet = transfer.wallet.or(config.wallet);
    config.start.insecure_crash_at = transfer.insecure_crash_at;
    let bar = console.bar("transfer", 0);
    let wallet = Wallet::open_with(config).await?;
    let receipt = wallet.transfer(transfer.chain, transfer.to, &price).await;
    wallet.close().await;
    bar.finish_and_clear();
    let receipt = receipt?;
    Ok(Answer::new(receipt_text(&receipt).trim_end(), json!({ "receipt": receipt })))
}

/// Looks at payments.
///
/// # Errors
/// [`CliError`].
pub async fn payment(command: &Payment, args: &Args) -> Result<Answer, CliError> {
    let client = line::open(args)?;
    match command {
        Payment::Show { id } => {
            let view = client.payment(id).await?;
            Ok(Answer::of(payment_text(&view), &view))
        }
        Payment::List { cursor, limit } => {
            let asked = PaymentsAsked {
                cursor: cursor.clone(),
                limit: Some(*limit),
                ..PaymentsAsked::default()
            };
            let page = client.payments(&asked).await?;
            let mut lines: Vec<_> = page.payments.iter().map(payment_line).collect();
            if lines.is_empty() {
                lines.push("no payments".into());
            }
            if let Some(next) = &page.next_cursor {
                lines.push(format!("more: --cursor {next}"));
            }
            Ok(Answer::of(lines.join("\n"), &page))
        }
    }
}

fn status_word(view: &PaymentView) -> String {
    let word = serde_json::to_value(view.status).ok();
    word.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn amount_text(view: &PaymentView) -> String {
    let payment = &view.payment;
    match Asset::find(payment.chain(), payment.token()) {
        Ok(asset) => format!("{} {}", payment.amount().to_decimal(asset.decimals), asset.symbol),
        Err(_) => payment.amount().to_string(),
    }
}

fn payment_line(view: &PaymentView) -> String {
    let payee = view.payment.payee().map_or("-".into(), |payee| payee.to_string());
    format!("{}  {:<9} {:>14}  {payee}", view.id, status_word(view), amount_text(view))
}

fn payment_text(view: &PaymentView) -> String {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let mut lines = vec![
        format!("payment     {}", view.id),
        format!("status      {}", status_word(view)),
        format!("amount      {}", amount_text(view)),
        format!("wallet      {}", view.wallet),
        format!("payee       {}", or_none(view.payment.payee().map(|p| p.to_string()))),
        format!("service     {}", or_none(view.payment.service().map(ToString::to_string))),
        format!("transaction {}", or_none(view.transaction.map(|tx| tx.to_string()))),
        format!("slot        {}", or_none(view.slot.clone())),
    ];
    lines.extend(view.refusals.iter().map(|r| format!("refused     {}: {}", r.by, r.refusal)));
    lines.extend(view.deadline.map(|at| format!("deadline    {at}")));
    lines.extend(view.detail.iter().map(|detail| format!("detail      {detail}")));
    lines.join("\n")
}
