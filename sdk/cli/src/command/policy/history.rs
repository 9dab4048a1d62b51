//! Payments of the past: from a file that people wrote, or as the coordinator recorded them.

use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;
use tercet::client::{Client, PaymentsAsked};
use tercet_api::payment::{PaymentPage, PaymentStatus, PaymentView};
use tercet_policy::declared::Declared;
use tercet_policy::intent::{INTENT_VERSION, Payment, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::refusal::Refusal;
use tercet_policy::time::UnixSeconds;

use super::file::{Bad, form, read_history, yaml};
use super::payment::{Asked, PaymentFile, Who};
use crate::error::CliError;

const WHAT: &str = "a list of payments";
/// Payments on a page of the coordinator's.
const PAGE_PAYMENTS: u16 = 200;
/// Most pages that are fetched: two million payments.
const PAGES_MAX: usize = 10_000;
/// Most repetitions of one written payment.
const TIMES_MAX: u32 = 100_000;

/// What became of a payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fate {
    /// It was signed; it counts.
    #[default]
    Paid,
    /// A policy said no.
    Refused,
    /// It was admitted, and never happened.
    Void,
    /// People are asked; nothing was signed.
    Asked,
}

/// What became of a payment that was made, for the trust in who was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Became {
    /// It is on chain.
    Settled,
    /// The merchant did not take it.
    MerchantRefused,
    /// It was paid and nothing came.
    Undelivered,
    /// It was paid and is disputed.
    Disputed,
}

/// A payment of the past.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) asked: Asked,
    pub(super) fate: Fate,
    /// Base units that count: what was settled, where that is known.
    pub(super) counted: Amount,
    pub(super) became: Option<Became>,
    /// Whether people were asked about it.
    pub(super) by_people: bool,
}

/// Payments of the past, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) payments: Vec<Past>,
    /// Payments that no policy had the last word on: expired, unsigned, cancellations.
    pub(super) left_out: usize,
}

/// The payments of a file: the API's page, or `[{"amount","to","service","at"}]`, as JSON or YAML.
pub(super) fn read(path: &Path, who: &Who) -> Result<History, CliError> {
    let text = read_history(path)?;
    if let Some(views) = of_api(path, &text)? {
        return Ok(of_views(views));
    }
    let written: Vec<Spanned<PaymentFile>> = yaml(path, &text, WHAT)?;
    of_written(&written, who).map_err(|bad| bad.of(path, WHAT))
}

/// Told apart by what only the API writes, so that errors speak of the right form.
fn of_api(path: &Path, text: &str) -> Result<Option<Vec<PaymentView>>, CliError> {
    let bad = |error: serde_json::Error| form(path, "a page of payments", error.to_string());
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return Ok(None) };
    if value.get("payments").is_some() {
        let page: PaymentPage = serde_json::from_str(text).map_err(bad)?;
        return Ok(Some(page.payments));
    }
    if value.get(0).is_some_and(|first| first.get("status").is_some()) {
        return serde_json::from_str(text).map(Some).map_err(bad);
    }
    Ok(None)
}

/// Written payments, the oldest first; one without a time is an error.
pub(super) fn of_written(written: &[Spanned<PaymentFile>], who: &Who) -> Result<History, Bad> {
    let mut payments = Vec::new();
    for file in written {
        let bad = |reason| Bad { line: file.referenced.line(), reason };
        let past = past(&file.value, who).map_err(bad)?;
        let times = file.value.times.unwrap_or(1);
        if times > TIMES_MAX {
            return Err(bad(format!("times is at most {TIMES_MAX}")));
        }
        payments.extend((0..times).map(|_| past.clone()));
    }
    payments.sort_by_key(|past| past.asked.at);
    Ok(History { payments, left_out: 0 })
}

fn past(file: &PaymentFile, who: &Who) -> Result<Past, String> {
    let asked = file.past(who)?;
    let counted = file.settled.map_or_else(|| asked.intent.payment.amount(), |sum| sum.0.amount);
    let fate = file.state.unwrap_or_default();
    if fate != Fate::Paid && (file.settled.is_some() || file.became.is_some()) {
        return Err("settled and became are for payments that were paid".into());
    }
    if counted > asked.intent.payment.amount() {
        return Err("settled is at most the amount".into());
    }
    Ok(Past { asked, fate, counted, became: file.became, by_people: fate == Fate::Asked })
}

/// The coordinator's payments of an agent since a moment, the oldest first.
pub(super) async fn fetch(
    client: &Client,
    agent: Option<AgentId>,
    since: UnixSeconds,
) -> Result<History, CliError> {
    let mut views = Vec::new();
    let mut asked = PaymentsAsked { agent, limit: Some(PAGE_PAYMENTS), ..PaymentsAsked::default() };
    for _ in 0..PAGES_MAX {
        let page = client.payments(&asked).await?;
        let reached = page.payments.last().is_none_or(|last| last.created_at < since);
        views.extend(page.payments.into_iter().filter(|view| view.created_at >= since));
        asked.cursor = page.next_cursor;
        if reached || asked.cursor.is_none() {
            return Ok(of_views(views));
        }
    }
    Err(CliError::Failed(format!("there are more than {PAGES_MAX} pages; give --since")))
}

fn of_views(views: Vec<PaymentView>) -> History {
    let mut history = History::default();
    for view in views {
        match of_view(view) {
            Some(past) => history.payments.push(past),
            None => history.left_out = history.left_out.saturating_add(1),
        }
    }
    history.payments.sort_by_key(|past| past.asked.at);
    history
}

fn of_view(view: PaymentView) -> Option<Past> {
    let fate = fate(&view)?;
    if matches!(view.payment, Payment::X402Cancel(_)) {
        return None;
    }
    let (counted, by_people) = (view.payment.amount(), view.approval.is_some());
    let became = (view.status == PaymentStatus::Settled).then_some(Became::Settled);
    let at = view.created_at;
    let intent = view.approval.map(|approval| approval.intent.document);
    let intent = intent.unwrap_or_else(|| PaymentIntent {
        version: INTENT_VERSION,
        id: view.id,
        agent: view.agent,
        wallet: view.wallet,
        payment: view.payment,
        declared: Declared::default(),
        created_at: at,
        expires_at: at,
    });
    // No record holds these, and what is not known would break the rules that ask for it.
    let (fee_wei, balance) = (Some(Amount::ZERO), Some(Amount::from_base_units(u128::MAX)));
    let asked = Asked { fee_wei, balance, ..Asked::of(intent, at) };
    Some(Past { asked, fate, counted, became, by_people })
}

/// What became of a recorded payment; nothing where a policy had not the last word.
fn fate(view: &PaymentView) -> Option<Fate> {
    let by_policy = |refusal: &Refusal| {
        matches!(
            refusal,
            Refusal::Policy(_) | Refusal::ApprovalMissing { .. } | Refusal::NoPolicy { .. }
        )
    };
    match view.status {
        PaymentStatus::Refused if view.refusals.iter().all(|by| by_policy(&by.refusal)) => {
            Some(Fate::Refused)
        }
        PaymentStatus::Refused | PaymentStatus::Received | PaymentStatus::Failed => None,
        PaymentStatus::AwaitingApproval => Some(Fate::Asked),
        PaymentStatus::Void => Some(Fate::Void),
        PaymentStatus::Signing
        | PaymentStatus::Signed
        | PaymentStatus::Submitted
        | PaymentStatus::Unknown
        | PaymentStatus::Settled => Some(Fate::Paid),
    }
}
