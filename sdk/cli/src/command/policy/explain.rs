//! `tercet policy explain`: every rule's answer to one payment.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy_primitives::{Address, B256, address};
use serde::Deserialize;
use serde_json::json;
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::decision::{Ask, Decision, Finding, Verdict, decide};
use tercet_policy::document::ContentHash;
use tercet_policy::intent::{
    INTENT_VERSION, IntentId, Payment, PaymentIntent, Service, SignedIntent, Transfer, X402Exact,
};
use tercet_policy::ledger::Ledger;
use tercet_policy::money::Amount;
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::rows::{PaymentKind, SpendRow};
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;

use super::{json_of, parse, policy_text};
use crate::answer::Answer;
use crate::args::{Explain, PayKind};
use crate::error::CliError;
use crate::exit::Exit;
use crate::file::{read_json, read_text};

const USDC: &str = "USDC";
/// Stands for any wallet: policies do not look at it.
const ANY_WALLET: Address = address!("0x0000000000000000000000000000000000000001");
const VALIDITY_SECONDS: u64 = 60;

/// A payment of the past, as `--ledger` lists them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastPayment {
    /// In USDC: `"0.50"`.
    pub amount: String,
    /// Who was paid.
    pub to: Address,
    /// The service, for x402.
    #[serde(default)]
    pub service: Option<Service>,
    /// When, Unix seconds.
    pub at: UnixSeconds,
}

/// Runs the command. A refusal is an answer, and ends with [`Exit::Refused`].
///
/// # Errors
/// [`CliError`].
pub(super) fn run(ask: &Explain) -> Result<Answer, CliError> {
    let policy = parse(&ask.file, &policy_text(&ask.file)?)?;
    let now = ask.at.map_or_else(now, UnixSeconds);
    let intent = match &ask.intent {
        Some(file) => read_intent(file)?,
        None => intent_of(ask, &policy, now)?,
    };
    let ledger = match &ask.ledger {
        Some(file) => ledger(read_json(file, "a list of past payments")?, &policy, ask.chain)?,
        None => Ledger::new(),
    };
    let asked = Ask::of(&intent).map_err(|unknown| CliError::Usage(unknown.to_string()))?;
    let decision = decide(&policy, &asked, &ledger, now);
    Ok(answer(&decision, &asked, &policy))
}

fn answer(decision: &Decision, asked: &Ask<'_>, policy: &Policy) -> Answer {
    let approved = decision.verdict == Verdict::Approve;
    let mut lines = vec![format!(
        "{}: policy {} (epoch {})",
        if approved { "approved" } else { "refused" },
        decision.policy,
        decision.epoch
    )];
    if policy.agent() != asked.agent {
        lines.push(format!("  the policy is for agent {}, not {}", policy.agent(), asked.agent));
    }
    lines.extend(decision.findings.iter().map(line));
    if !approved && decision.violations().next().is_none() {
        lines.push("  no rule grants this, and silence is refusal".into());
    }
    let exit = if approved { Exit::Ok } else { Exit::Refused };
    let json = json!({ "approved": approved, "decision": json_of(decision) });
    Answer::new(lines.join("\n"), json).ending(exit)
}

fn line(finding: &Finding) -> String {
    let mark = match (finding.kept, finding.grants) {
        (false, _) => "NO ",
        (true, true) => "yes",
        (true, false) => "ok ",
    };
    format!("  {mark}  {finding}")
}

fn read_intent(file: &Path) -> Result<PaymentIntent, CliError> {
    let text = read_text(file)?;
    let signed = serde_json::from_str::<SignedIntent>(&text).map(|signed| signed.document);
    signed.or_else(|_| serde_json::from_str(&text)).map_err(|error| CliError::Form {
        path: file.into(),
        expected: "a payment intent",
        detail: error.to_string(),
    })
}

fn intent_of(ask: &Explain, policy: &Policy, now: UnixSeconds) -> Result<PaymentIntent, CliError> {
    let (Some(amount), Some(to)) = (&ask.amount, ask.to) else {
        return Err(CliError::Usage("give --amount and --to, or --intent".into()));
    };
    let asset = usdc(ask.chain)?;
    let amount = usdc_amount(amount, asset)?;
    let (chain, token) = (asset.chain, asset.token);
    let payment = match ask.pay {
        PayKind::Transfer => Payment::Transfer(Transfer { chain, token, to, amount }),
        PayKind::X402 => {
            let resource = resource(ask.service.as_deref())?;
            let service =
                Service::of(&resource).map_err(|refusal| CliError::Usage(refusal.to_string()))?;
            let valid_before = now.plus(VALIDITY_SECONDS);
            Payment::X402Exact(X402Exact {
                chain,
                token,
                to,
                amount,
                valid_before,
                resource,
                service,
            })
        }
    };
    Ok(PaymentIntent {
        version: INTENT_VERSION,
        id: IntentId([0; 32]),
        agent: policy.agent().clone(),
        wallet: ANY_WALLET,
        payment,
        created_at: now,
        expires_at: now.plus(VALIDITY_SECONDS),
    })
}

/// A URL as given; a bare host stands for its `https` root.
fn resource(service: Option<&str>) -> Result<String, CliError> {
    match service {
        Some(url) if url.contains("://") => Ok(url.to_owned()),
        Some(host) => Ok(format!("https://{host}/")),
        None => Err(CliError::Usage(
            "an x402 payment is for a service: give --service URL, or --pay transfer".into(),
        )),
    }
}

fn usdc(chain: Chain) -> Result<&'static Asset, CliError> {
    Asset::by_symbol(chain, USDC)
        .ok_or_else(|| CliError::Usage(format!("there is no {USDC} on {chain}")))
}

fn usdc_amount(text: &str, asset: &Asset) -> Result<Amount, CliError> {
    Amount::parse_decimal(text, asset.decimals)
        .map_err(|source| CliError::Amount { given: text.to_owned(), source })
}

fn ledger(past: Vec<PastPayment>, policy: &Policy, chain: Chain) -> Result<Ledger, CliError> {
    let mut past = past;
    past.sort_by_key(|payment| payment.at);
    let mut ledger = Ledger::new();
    for (place, payment) in past.into_iter().enumerate() {
        let row = row(payment, place, policy, usdc(chain)?)?;
        ledger.record(&row).map_err(|error| CliError::Failed(error.to_string()))?;
    }
    Ok(ledger)
}

fn row(
    past: PastPayment,
    place: usize,
    policy: &Policy,
    asset: &'static Asset,
) -> Result<SpendRow, CliError> {
    let mut id = [0xff; 32];
    for (byte, place) in id.iter_mut().zip(place.to_be_bytes()) {
        *byte = place;
    }
    let (chain, token) = (asset.chain, asset.token);
    let kind = if past.service.is_some() { PaymentKind::X402Exact } else { PaymentKind::Transfer };
    let nonce = B256::from(id);
    Ok(SpendRow {
        intent: IntentId(id),
        content_hash: ContentHash(id),
        agent: policy.agent().clone(),
        wallet: ANY_WALLET,
        kind,
        chain,
        token,
        amount: usdc_amount(&past.amount, asset)?,
        recipient: Some(past.to),
        service: past.service,
        cancels: None,
        slot: Slot::Eip3009 { wallet: ANY_WALLET, chain, token, nonce },
        digest: nonce,
        replaces: None,
        terms: ChainTerms::Eip3009 { nonce, valid_after: UnixSeconds(0), valid_before: past.at },
        policy: policy.name().to_owned(),
        policy_epoch: policy.epoch(),
        at: past.at,
    })
}

fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(since.as_secs())
}
