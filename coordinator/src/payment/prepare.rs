//! Before any node is asked: preview, terms, and both nodes connected.

use std::time::Duration;

use tercet_api::payment::RefusalBy;
use tercet_policy::intent::{AuthenticIntent, Payment};
use tercet_policy::proposal::{ChainTerms, Proposal, ProposalClaim, terms_without_chain};
use tercet_policy::refusal::Refusal;
use tercet_policy::time::UnixSeconds;
use tokio::time::{sleep, timeout};

use super::driver::{Next, everyday};
use super::preview::{self, Previewed};
use super::state::Event;
use crate::app::App;
use crate::relay::Seats;
use crate::store::{Allocated, Facts, NonceWish, PaymentRecord};

/// How long to wait before something that is not there is looked for again, in seconds.
const LOOK_AGAIN_SECONDS: u64 = 1;

/// Prepares a payment, for as long as its intent lives.
pub(super) async fn prepare(app: &App, record: &PaymentRecord) -> Next {
    loop {
        if app.clock().now() >= record.envelope.document.expires_at {
            return expired(record);
        }
        match attempt(app, record).await {
            Ok(next) => return next,
            Err(Missing(what)) if record.facts.detail.as_ref() == Some(&what) => {
                sleep(Duration::from_secs(LOOK_AGAIN_SECONDS)).await;
            }
            Err(Missing(what)) => return Next::noted(record, what),
        }
    }
}

/// The intent's end has come; the last detail says what was waited for.
pub(super) fn expired(record: &PaymentRecord) -> Next {
    let before = record.facts.detail.as_deref().map_or(String::new(), |d| format!(" ({d})"));
    let detail = Some(format!("the intent's time is over{before}"));
    Next::new(Event::Expired, Facts { detail, ..record.facts.clone() })
}

/// What is waited for, for people.
struct Missing(String);

async fn attempt(app: &App, record: &PaymentRecord) -> Result<Next, Missing> {
    let chain = record.envelope.document.payment.chain();
    if !app.has_chain(chain) {
        let detail = Some(format!("chain {chain} is not configured here"));
        let event = Event::AttemptFailed { clean: true, again: false };
        return Ok(Next::new(event, Facts { detail, ..record.facts.clone() }));
    }
    // Opened as of when it was taken in: it was good then, and its end is looked at elsewhere.
    let opened = record.envelope.clone().open_intent(app.directory(), record.created_at);
    let intent = match opened {
        Ok(intent) => intent,
        Err(refusal) => return Ok(declined(record, refusal)),
    };
    if let Err(refusal) = approved(app, &intent).await? {
        return Ok(declined(record, refusal));
    }
    wait_for_nodes(app, record).await?;
    // Others may have been let through meanwhile; from here on none is.
    let turn = app.running().turn(&intent.intent().agent).await;
    let policy_epoch = match approved(app, &intent).await? {
        Ok(policy_epoch) => policy_epoch,
        Err(refusal) => return Ok(declined(record, refusal)),
    };
    let terms = terms(app, record, &intent).await?;
    let claim = ProposalClaim::honest(&intent, terms, policy_epoch);
    let proposal = match Proposal::assemble(intent, &claim) {
        Ok(proposal) => proposal,
        Err(refusal) => return Ok(declined(record, refusal)),
    };
    let facts = Facts {
        slot: Some(proposal.slot().to_string()),
        claim: Some(claim),
        deadline: Some(deadline(record)),
        detail: None,
        ..record.facts.clone()
    };
    Ok(Next::new(Event::Prepared, facts).in_turn(turn))
}

/// The epoch of the policy that says yes, or why it says no.
async fn approved(app: &App, intent: &AuthenticIntent) -> Result<Result<u64, Refusal>, Missing> {
    match preview::preview(app, intent).await {
        Ok(Previewed::Approved { policy_epoch }) => Ok(Ok(policy_epoch)),
        Ok(Previewed::Refused(refusal)) => Ok(Err(*refusal)),
        Err(error) => {
            tracing::error!(%error, "the preview failed");
            Err(Missing("the coordinator's store does not answer".to_owned()))
        }
    }
}

fn declined(record: &PaymentRecord, refusal: Refusal) -> Next {
    let mut facts = Facts { detail: None, ..record.facts.clone() };
    facts.refusals.push(RefusalBy { by: "coordinator".to_owned(), refusal });
    Next::new(Event::Declined, facts)
}

/// When an unknown outcome is known at the latest: an authorization's end, and for the others the
/// intent's, after which no honest node signs any more.
fn deadline(record: &PaymentRecord) -> UnixSeconds {
    match &record.envelope.document.payment {
        Payment::X402Exact(x) => x.valid_before,
        Payment::Transfer(_) | Payment::X402Cancel(_) => record.envelope.document.expires_at,
    }
}

async fn wait_for_nodes(app: &App, record: &PaymentRecord) -> Result<(), Missing> {
    let seats = everyday(app, record).ok_or_else(|| Missing("the agent is gone".to_owned()))?;
    connected(app, &seats).await.map_err(Missing)
}

/// Waits a moment for nodes; names one that is missing.
pub(super) async fn connected(app: &App, seats: &Seats) -> Result<(), String> {
    let nodes = seats.nodes();
    let limit = Duration::from_secs(LOOK_AGAIN_SECONDS);
    if timeout(limit, app.relay().wait_for(&nodes)).await.is_ok() {
        return Ok(());
    }
    let missing = nodes.iter().find(|node| !app.relay().is_connected(node));
    missing.map_or(Ok(()), |node| Err(format!("waiting for node {node} to connect")))
}

async fn terms(
    app: &App,
    record: &PaymentRecord,
    intent: &AuthenticIntent,
) -> Result<ChainTerms, Missing> {
    if let Some(terms) = terms_without_chain(intent) {
        return Ok(terms);
    }
    let (wallet, chain) = (intent.intent().wallet, intent.intent().payment.chain());
    let unavailable = |error: crate::clerk::ClerkError| Missing(error.to_string());
    let next = app.clerk().next_nonce(chain, wallet).await.map_err(unavailable)?;
    let wish = NonceWish { wallet, chain, next, payment: record.id() };
    let allocated = app.store().allocate_nonce(wish).await.map_err(|error| {
        tracing::error!(%error, "cannot allocate an account nonce");
        Missing("the coordinator's store does not answer".to_owned())
    })?;
    match allocated {
        Allocated::Yours(nonce) => {
            app.clerk().transfer_terms(chain, nonce).await.map_err(unavailable)
        }
        Allocated::Busy(other) => {
            Err(Missing(format!("waiting for payment {other}, which holds the account nonce")))
        }
    }
}
