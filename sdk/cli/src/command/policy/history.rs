//! Payments of the past: from a file that people wrote, or as the coordinator recorded them.

use std::path::Path;

use serde::Deserialize;
use tercet::client::{Client, PaymentsAsked};
use tercet_api::payment::{PaymentPage, PaymentStatus, PaymentView};
use tercet_policy::declared::Declared;
use tercet_policy::intent::{INTENT_VERSION, Payment, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::refusal::Refusal;
use tercet_policy::time::UnixSeconds;

use super::file::{form, read_history};
use super::payment::{Asked, PaymentFile, Who, money};
use crate::error::CliError;

/// Payments on a page of the coordinator's.
const PAGE_PAYMENTS: u16 = 200;
/// Most pages that are fetched: two million payments.
const PAGES_MAX: usize = 10_000;

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
}

/// A payment of the past.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) asked: Asked,
    pub(super) fate: Fate,
    /// Base units that count: what was settled, where that is known.
    pub(super) counted: Amount,
}

/// Payments of the past, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) payments: Vec<Past>,
    /// Payments that no policy had the last word on: expired, unsigned, cancellations.
    pub(super) left_out: usize,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum HistoryFile {
    Page(PaymentPage),
    Views(Vec<PaymentView>),
    Written(Vec<PastFile>),
}

/// A payment of the past as a file writes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PastFile {
    /// `paid`, `refused` or `void`.
    #[serde(default)]
    state: Fate,
    /// What was settled of it.
    #[serde(default)]
    settled: Option<String>,
    /// So many of the kind, at the same moment.
    #[serde(default)]
    times: Option<u32>,
    #[serde(flatten)]
    payment: PaymentFile,
}

/// Most repetitions of one written payment.
const TIMES_MAX: u32 = 100_000;

/// The payments of a file: the API's pages, or `[{"amount","to","service","at"}]`.
pub(super) fn read(path: &Path, who: &Who) -> Result<History, CliError> {
    let history = match read_history::<serde_json::Value>(path)? {
        // Told apart by what only the API writes, so that errors speak of the right form.
        value if is_api(&value) => {
            let file = serde_json::from_value(value);
            let file = file.map_err(|e| form(path, "a page of payments", e.to_string()))?;
            match file {
                HistoryFile::Page(page) => of_views(page.payments),
                HistoryFile::Views(views) => of_views(views),
                HistoryFile::Written(_) => History::default(),
            }
        }
        _ => {
            let written: Vec<PastFile> = read_history(path)?;
            of_written(&written, who).map_err(|reason| form(path, "a list of payments", reason))?
        }
    };
    Ok(history)
}

fn is_api(value: &serde_json::Value) -> bool {
    value.get("payments").is_some()
        || value.get(0).is_some_and(|first| first.get("status").is_some())
}

/// Written payments, the oldest first; one without a time is an error.
pub(super) fn of_written(written: &[PastFile], who: &Who) -> Result<History, String> {
    let mut payments = Vec::new();
    for (place, file) in written.iter().enumerate() {
        let named = |reason: String| format!("payment {}: {reason}", place.saturating_add(1));
        let past = past(file, who).map_err(named)?;
        let times = file.times.unwrap_or(1);
        if times > TIMES_MAX {
            return Err(named(format!("times is at most {TIMES_MAX}")));
        }
        payments.extend((0..times).map(|_| past.clone()));
    }
    payments.sort_by_key(|past| past.asked.at);
    Ok(History { payments, left_out: 0 })
}

fn past(file: &PastFile, who: &Who) -> Result<Past, String> {
    let missing = || "a payment of the past has a time: write at".to_owned();
    let at = file.payment.at.ok_or_else(missing)?;
    let asked = file.payment.asked(who, at.0)?;
    let settled = file.settled.as_deref().map(money).transpose()?;
    let counted = settled.map_or_else(|| asked.intent.payment.amount(), |money| money.amount);
    Ok(Past { asked, fate: file.state, counted })
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
    let counted = view.payment.amount();
    let intent = PaymentIntent {
        version: INTENT_VERSION,
        id: view.id,
        agent: view.agent,
        wallet: view.wallet,
        payment: view.payment,
        declared: Declared::default(),
        created_at: view.created_at,
        expires_at: view.created_at,
    };
    let asked = Asked::of(intent, view.created_at);
    Some(Past { asked, fate, counted })
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
        PaymentStatus::Void => Some(Fate::Void),
        _ => Some(Fate::Paid),
    }
}
