//! What the coordinator's own copy of the policies says, so that a refusal comes early and with
//! its numbers, and people are asked before a node is. The nodes decide for themselves, on their
//! own journals.

use tercet_policy::admission::Submission;
use tercet_policy::approval::{AuthenticApproval, SignedApproval};
use tercet_policy::ask::Ask;
use tercet_policy::decision::{Decision, Verdict};
use tercet_policy::document::Freeze;
use tercet_policy::intent::{AuthenticIntent, Payment, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::proposal::Proposal;
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::{HoldId, PolicyEpochs, SpendRow, TripRow};
use tercet_policy::rules::Policy;

use super::book::{Bench, Known};
use super::hold::{HoldWish, SetAside};
use super::state::State;
use crate::app::App;
use crate::shelf::Judges;
use crate::store::StoreError;

/// What the preview says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Previewed {
    /// Yes, and why.
    Approved(Box<Decision>),
    /// People have to say yes first.
    Asks(Box<Decision>),
    /// No.
    Refused(Box<Refusal>),
}

/// Whether what is refused counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earnest {
    /// A payment: refusals count for the rules that stop an agent.
    Payment,
    /// A question.
    Question,
}

/// Asks the coordinator's copy of the policies. Reserves nothing.
///
/// # Errors
/// [`StoreError`]
pub async fn preview(
    app: &App,
    ask: Ask<'_>,
    intent: &PaymentIntent,
    said: &[SignedApproval],
    earnest: Earnest,
) -> Result<Previewed, StoreError> {
    if let Some(refusal) = stranger(app, intent).await? {
        return Ok(Previewed::Refused(Box::new(refusal)));
    }
    // Fees are fixed with the terms, and asked about again then.
    let fee_wei = ask.fee_wei.or(Some(Amount::ZERO));
    let ask = Ask { fee_wei, ..ask }.with_step(app.book().step(intent));
    let Some(judges) = app.shelf().judges(&intent.agent, intent.wallet) else {
        return Ok(no_policy(intent));
    };
    let freeze = freeze(app, intent);
    let bench = bench(app, &judges, freeze.as_ref());
    let approvals = opened(said);
    let known = Known { balance: balance(app, intent).await, approvals: &approvals };
    let decision = match app.book().judge(&bench, &ask, &known) {
        Ok(decision) => decision,
        Err(refusal) => return Ok(Previewed::Refused(Box::new(refusal))),
    };
    match (decision.verdict, ask.cancels) {
        (Verdict::Approve, _) => Ok(Previewed::Approved(Box::new(decision))),
        (_, Some(id)) => Ok(Previewed::Refused(Box::new(Refusal::NothingToCancel { id }))),
        (Verdict::AskHuman, None) => Ok(Previewed::Asks(Box::new(decision))),
        (Verdict::Refuse, None) => {
            if earnest == Earnest::Payment {
                let trip = app.book().note_refusal(&bench, &intent.agent, &decision);
                keep_trip(app, trip).await;
            }
            Ok(Previewed::Refused(Box::new(decision.refusal(&ask))))
        }
    }
}

/// Judges a proposal with its terms and reserves it, in one step.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn reserve(
    app: &App,
    proposal: Proposal,
    judges: &Judges,
    said: &[SignedApproval],
) -> Result<Result<SpendRow, Refusal>, StoreError> {
    let intent = proposal.intent().intent().clone();
    let freeze = freeze(app, &intent);
    let balance = balance(app, &intent).await;
    let bench = bench(app, judges, freeze.as_ref());
    let submission = Submission { proposal, approvals: opened(said), balance };
    let tried = app.book().reserve(&bench, submission).map_err(|error| {
        tracing::error!(payment = %intent.id, %error, "the preview's book does not take it");
        StoreError::Unreadable { what: "book" }
    })?;
    keep_trip(app, tried.tripped).await;
    Ok(tried.row)
}

/// Judges a payment from a wallet of the agent's own and sets its amount aside, in one step. No
/// fee is asked about: that wallet's chain fees are nobody's here.
///
/// # Errors
/// A [`Refusal`] where no policy is asked.
pub async fn set_aside(
    app: &App,
    opened: &AuthenticIntent,
    said: &[SignedApproval],
) -> Result<SetAside, Refusal> {
    let intent = opened.intent();
    let no_policy = || Refusal::NoPolicy { agent: intent.agent.clone() };
    let judges = app.shelf().judges(&intent.agent, intent.wallet).ok_or_else(no_policy)?;
    let freeze = freeze(app, intent);
    let approvals = self::opened(said);
    let known = Known { balance: balance(app, intent).await, approvals: &approvals };
    let bench = bench(app, &judges, freeze.as_ref());
    let ask = Ask { fee_wei: Some(Amount::ZERO), ..Ask::from(opened) };
    let wish = HoldWish { id: HoldId(intent.id.0), expires_at: intent.expires_at };
    let came = app.book().set_aside(&bench, &ask, &known, wish)?;
    if let SetAside::Refused(decision) = &came {
        let trip = app.book().note_refusal(&bench, &intent.agent, decision);
        keep_trip(app, trip).await;
    }
    Ok(came)
}

/// The epochs by which a payment would be judged now.
#[must_use]
pub fn epochs(app: &App, intent: &PaymentIntent) -> PolicyEpochs {
    let judges = app.shelf().judges(&intent.agent, intent.wallet);
    judges.map(|judges| judges.epochs(intent.wallet)).unwrap_or_default()
}

fn bench<'a>(app: &App, judges: &'a Judges, frozen: Option<&'a Freeze>) -> Bench<'a> {
    Bench { judges, frozen, now: app.clock().now() }
}

fn freeze(app: &App, intent: &PaymentIntent) -> Option<Freeze> {
    let freeze = app.directory().agent(&intent.agent).and_then(|record| record.freeze);
    freeze.map(|freeze| freeze.document)
}

fn no_policy(intent: &PaymentIntent) -> Previewed {
    Previewed::Refused(Box::new(Refusal::NoPolicy { agent: intent.agent.clone() }))
}

/// What people said, where the signatures are good.
pub(super) fn opened(said: &[SignedApproval]) -> Vec<AuthenticApproval> {
    said.iter().filter_map(|approval| approval.clone().open_approval().ok()).collect()
}

/// What the wallet holds; a chain that does not answer leaves it unknown, and a rule that needs it
/// is then not kept.
async fn balance(app: &App, intent: &PaymentIntent) -> Option<Amount> {
    if !asks_the_chain(app, intent) {
        return None;
    }
    let (chain, token) = (intent.payment.chain(), intent.payment.token());
    app.clerk().token_balance(chain, token, intent.wallet).await.ok()
}

/// Whether judging a payment waits for the chain.
pub(super) fn asks_the_chain(app: &App, intent: &PaymentIntent) -> bool {
    let judges = app.shelf().judges(&intent.agent, intent.wallet);
    let looks = |policies: Vec<&Policy>| policies.into_iter().any(looks_at_balance);
    judges.is_some_and(|judges| looks(judges.policies.applying(&intent.wallet)))
}

fn looks_at_balance(policy: &Policy) -> bool {
    policy.rules().iter().any(|rule| rule.kind().word() == "max_share_of_balance")
}

async fn keep_trip(app: &App, trip: Option<TripRow>) {
    let Some(trip) = trip else { return };
    tracing::warn!(agent = %trip.agent, reason = %trip.reason, "a rule stopped the agent");
    if let Err(error) = app.store().put_trip(&trip).await {
        tracing::error!(%error, "cannot remember that the agent was stopped");
    }
}

/// A wallet of somebody else, or a cancellation of what this coordinator never saw signed.
async fn stranger(app: &App, intent: &PaymentIntent) -> Result<Option<Refusal>, StoreError> {
    let owner = app.store().wallet_agent(intent.wallet).await?;
    if owner.is_none_or(|owner| owner != intent.agent) {
        let (wallet, agent) = (intent.wallet, intent.agent.clone());
        return Ok(Some(Refusal::UnknownWallet { wallet, agent }));
    }
    let Payment::X402Cancel(cancel) = &intent.payment else { return Ok(None) };
    let found = app.store().payment(&cancel.cancels).await?.filter(|found| {
        let original = &found.envelope.document;
        let alike = matches!(original.payment, Payment::X402Exact(_))
            && original.payment.chain() == cancel.chain
            && original.payment.token() == cancel.token;
        let unsigned = matches!(
            found.state,
            State::Received | State::AwaitingApproval | State::Refused | State::Failed
        );
        alike && original.wallet == intent.wallet && original.agent == intent.agent && !unsigned
    });
    Ok(found.is_none().then_some(Refusal::NothingToCancel { id: cancel.cancels }))
}
