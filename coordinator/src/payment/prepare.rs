//! Before any node is asked: preview, people, terms, and both nodes connected.

use std::time::Duration;

use tercet_api::payment::RefusalBy;
use tercet_policy::ask::Ask;
use tercet_policy::decision::Decision;
use tercet_policy::intent::AuthenticIntent;
use tercet_policy::party::Party;
use tercet_policy::proposal::{ChainTerms, Proposal, ProposalClaim, terms_without_chain};
use tercet_policy::refusal::Refusal;
use tercet_policy::time::UnixSeconds;
use tokio::time::{sleep, timeout};

use super::driver::{Next, everyday};
use super::preview::{self, Earnest, Previewed};
use super::running::Errand;
use super::state::{Event, State};
use crate::app::App;
use crate::relay::Seats;
use crate::shelf::Judges;
use crate::store::{Allocated, Asked, Facts, NonceWish, PaymentRecord, StoreError};

/// How long to wait before something that is not there is looked for again, in seconds.
const LOOK_AGAIN_SECONDS: u64 = 1;

/// Prepares a payment, for as long as its intent lives.
pub(super) async fn prepare(app: &App, record: &PaymentRecord, errand: Option<&Errand>) -> Next {
    loop {
        let short = errand.is_some_and(Errand::has_part);
        let now = app.clock().now();
        if let Some(asked) = unanswered(record, now) {
            return declined(record, Refusal::ApprovalMissing(asked.decision.clone()));
        }
        if now >= record.envelope.document.expires_at {
            return expired(record);
        }
        match attempt(app, record, short).await {
            Ok(next) => return next,
            Err(Missing::Answers) => {
                if let Some(next) = answered(app, record).await {
                    return next;
                }
            }
            Err(Missing::Thing(what)) if record.facts.detail.as_ref() == Some(&what) => {
                sleep(Duration::from_secs(LOOK_AGAIN_SECONDS)).await;
            }
            Err(Missing::Thing(what)) => return Next::noted(record, what),
        }
    }
}

/// The intent's end has come; the last detail says what was waited for.
pub(super) fn expired(record: &PaymentRecord) -> Next {
    let before = record.facts.detail.as_deref().map_or(String::new(), |d| format!(" ({d})"));
    let detail = Some(format!("the intent's time is over{before}"));
    Next::new(Event::Expired, Facts { detail, ..record.facts.clone() })
}

/// The question that nobody answered in time: silence is refusal.
fn unanswered(record: &PaymentRecord, now: UnixSeconds) -> Option<&Asked> {
    let asked = record.facts.asked.as_ref().filter(|_| record.state == State::AwaitingApproval);
    asked.filter(|asked| now >= asked.until)
}

/// Waits for an answer; looks again after a moment, as policies may change meanwhile.
async fn answered(app: &App, record: &PaymentRecord) -> Option<Next> {
    let limit = Duration::from_secs(LOOK_AGAIN_SECONDS);
    let _told = timeout(limit, app.running().wait_for_news(&record.id())).await;
    let newer = app.store().payment(&record.id()).await.ok().flatten()?;
    (newer.version != record.version).then(|| Next::new(Event::Noted, newer.facts))
}

/// What is waited for.
enum Missing {
    /// People's answers.
    Answers,
    /// Something else, for people.
    Thing(String),
}

impl From<StoreError> for Missing {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the preview failed");
        Self::Thing("the coordinator's store does not answer".to_owned())
    }
}

/// What becomes of a payment before it is stored, where that needs no waiting; none where it does.
/// `short` says that it is signed in one round trip, which takes the operator's node alone.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn at_once(
    app: &App,
    draft: &PaymentRecord,
    intent: AuthenticIntent,
    short: bool,
) -> Result<Option<Next>, StoreError> {
    if !app.has_chain(draft.envelope.document.payment.chain()) {
        return Ok(Some(no_chain(draft)));
    }
    if preview::asks_the_chain(app, intent.intent()) {
        return Ok(None);
    }
    match previewed(app, draft, &intent).await {
        Ok(None) => {}
        Ok(decided) => return Ok(decided),
        Err(_waits) => return Ok(None),
    }
    let seats = everyday(app, draft).map(|seats| needed(seats, short));
    let there = seats.is_some_and(|seats| app.relay().are_connected(&seats));
    let Some(terms) = terms_without_chain(&intent).filter(|_| there) else { return Ok(None) };
    match reserved(app, draft, intent, terms).await {
        Ok(next) => Ok(Some(next)),
        Err(_waits) => Ok(None),
    }
}

fn needed(seats: Seats, short: bool) -> Seats {
    if short { seats.only(Party::Operator) } else { seats }
}

fn no_chain(record: &PaymentRecord) -> Next {
    let chain = record.envelope.document.payment.chain();
    let detail = Some(format!("chain {chain} is not configured here"));
    let event = Event::AttemptFailed { clean: true, again: false };
    Next::new(event, Facts { detail, ..record.facts.clone() })
}

async fn attempt(app: &App, record: &PaymentRecord, short: bool) -> Result<Next, Missing> {
    if !app.has_chain(record.envelope.document.payment.chain()) {
        return Ok(no_chain(record));
    }
    // Opened as of when it was taken in: it was good then, and its end is looked at elsewhere.
    let opened = record.envelope.clone().open_intent(app.directory(), record.created_at);
    let intent = match opened {
        Ok(intent) => intent,
        Err(refusal) => return Ok(declined(record, refusal)),
    };
    if let Some(next) = previewed(app, record, &intent).await? {
        return Ok(next);
    }
    wait_for_nodes(app, record, short).await?;
    let terms = terms(app, record, &intent).await?;
    reserved(app, record, intent, terms).await
}

/// What the preview says, where that is not a plain yes.
async fn previewed(
    app: &App,
    record: &PaymentRecord,
    intent: &AuthenticIntent,
) -> Result<Option<Next>, Missing> {
    let (said, asked) = (&record.facts.approvals, intent.intent());
    match preview::preview(app, Ask::from(intent), asked, said, Earnest::Payment).await? {
        Previewed::Approved(_) => Ok(None),
        Previewed::Asks(decision) => asks(app, record, *decision).map(Some),
        Previewed::Refused(refusal) => Ok(Some(declined(record, *refusal))),
    }
}

/// Reserves the payment with its terms: others may have been let through meanwhile.
async fn reserved(
    app: &App,
    record: &PaymentRecord,
    intent: AuthenticIntent,
    terms: ChainTerms,
) -> Result<Next, Missing> {
    let asked = intent.intent();
    let Some(judges) = app.shelf().judges(&asked.agent, asked.wallet) else {
        return Ok(declined(record, Refusal::NoPolicy { agent: asked.agent.clone() }));
    };
    let claim = claim(&intent, terms, &judges);
    let proposal = match Proposal::assemble(intent, &claim) {
        Ok(proposal) => proposal,
        Err(refusal) => return Ok(declined(record, refusal)),
    };
    let slot = Some(proposal.slot().to_string());
    let row = match preview::reserve(app, proposal, &judges, &record.facts.approvals).await? {
        Ok(row) => row,
        Err(Refusal::ApprovalMissing(decision)) => return asks(app, record, decision),
        Err(refusal) => return Ok(declined(record, refusal)),
    };
    let facts = Facts {
        slot,
        asks: Some(row.digest),
        claim: Some(claim),
        deadline: Some(deadline(record)),
        detail: None,
        reserved_at: Some(row.at),
        category: row.category,
        ..record.facts.clone()
    };
    Ok(Next::new(Event::Prepared, facts))
}

fn claim(intent: &AuthenticIntent, terms: ChainTerms, judges: &Judges) -> ProposalClaim {
    ProposalClaim::honest(intent, terms, judges.epochs(intent.intent().wallet))
}

/// Asks people, anew where other policies ask than before; else waits for them.
fn asks(app: &App, record: &PaymentRecord, decision: Decision) -> Result<Next, Missing> {
    let intent = &record.envelope.document;
    let judges = app.shelf().judges(&intent.agent, intent.wallet);
    let policies = judges.map(|judges| judges.epochs(intent.wallet)).unwrap_or_default();
    let known = record.facts.asked.as_ref().is_some_and(|asked| asked.policies == policies);
    if known && record.state == State::AwaitingApproval {
        return Err(Missing::Answers);
    }
    let until = intent.expires_at;
    let asked = Some(Asked { decision, policies, until });
    let detail = Some("waiting for people to approve it".to_owned());
    Ok(Next::new(Event::Asked, Facts { asked, detail, ..record.facts.clone() }))
}

fn declined(record: &PaymentRecord, refusal: Refusal) -> Next {
    let mut facts = Facts { detail: None, ..record.facts.clone() };
    facts.refusals.push(RefusalBy { by: "coordinator".to_owned(), refusal });
    Next::new(Event::Declined, facts)
}

/// When an unknown outcome is known at the latest: an authorization's end, and for the others the
/// intent's, after which no honest node signs any more.
fn deadline(record: &PaymentRecord) -> UnixSeconds {
    let intent = &record.envelope.document;
    intent.payment.valid_before().unwrap_or(intent.expires_at)
}

async fn wait_for_nodes(app: &App, record: &PaymentRecord, short: bool) -> Result<(), Missing> {
    let seats =
        everyday(app, record).ok_or_else(|| Missing::Thing("the agent is gone".to_owned()))?;
    connected(app, &seats, short).await.map_err(Missing::Thing)
}

/// Waits a moment for nodes; names one that is missing.
pub(super) async fn connected(app: &App, seats: &Seats, short: bool) -> Result<(), String> {
    let nodes = needed(seats.clone(), short).nodes();
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
    let unavailable = |error: crate::clerk::ClerkError| Missing::Thing(error.to_string());
    let next = app.clerk().next_nonce(chain, wallet).await.map_err(unavailable)?;
    let wish = NonceWish { wallet, chain, next, payment: record.id() };
    let allocated = app.store().allocate_nonce(wish).await.map_err(|error| {
        tracing::error!(%error, "cannot allocate an account nonce");
        Missing::Thing("the coordinator's store does not answer".to_owned())
    })?;
    match allocated {
        Allocated::Yours(nonce) => {
            app.clerk().transfer_terms(chain, nonce).await.map_err(unavailable)
        }
        Allocated::Busy(other) => Err(Missing::Thing(format!(
            "waiting for payment {other}, which holds the account nonce"
        ))),
    }
}
