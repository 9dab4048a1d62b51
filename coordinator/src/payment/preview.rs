//! What the coordinator's own copy of the policy says, so that a refusal comes early and with its
//! numbers. The nodes decide for themselves, on their own journals.

use alloy_primitives::B256;
use tercet_policy::decision::{Ask, Verdict, decide};
use tercet_policy::intent::{AuthenticIntent, IntentId, Payment};
use tercet_policy::ledger::Ledger;
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::{PaymentKind, SpendRow};
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;

use super::state::State;
use crate::app::App;
use crate::store::{PaymentRecord, StoreError};

/// How far back payments are looked at, in seconds: longer than any window, a month.
const LOOK_BACK_SECONDS: u64 = 40 * 24 * 3_600;

/// What the preview says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Previewed {
    /// The policy of this epoch approves.
    Approved {
        /// Its epoch.
        policy_epoch: u64,
    },
    /// No.
    Refused(Box<Refusal>),
}

impl From<Refusal> for Previewed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// Asks the coordinator's copy of the policy.
///
/// # Errors
/// [`StoreError`]
pub async fn preview(app: &App, intent: &AuthenticIntent) -> Result<Previewed, StoreError> {
    let asked = intent.intent();
    let agent = &asked.agent;
    let wallet = app.store().wallet(asked.wallet).await?;
    if wallet.is_none_or(|wallet| wallet.agent != *agent) {
        let refusal = Refusal::UnknownWallet { wallet: asked.wallet, agent: agent.clone() };
        return Ok(refusal.into());
    }
    let freeze = app.directory().agent(agent).and_then(|record| record.freeze);
    if let Some(freeze) = freeze.filter(|freeze| freeze.document.frozen) {
        let reason = freeze.document.reason;
        return Ok(Refusal::AgentFrozen { agent: agent.clone(), reason }.into());
    }
    if let Some(refusal) = nothing_to_cancel(app, &asked.payment, intent).await? {
        return Ok(refusal.into());
    }
    let Some(policy) = app.store().policy(agent).await? else {
        return Ok(Refusal::NoPolicy { agent: agent.clone() }.into());
    };
    let policy = Policy::parse(&policy.document.document.yaml)
        .map_err(|_| StoreError::Unreadable { what: "policy" })?;
    let now = app.clock().now();
    let past = app.store().counting_payments(agent, now.minus(LOOK_BACK_SECONDS)).await?;
    let ledger = ledger(&past, &asked.id);
    let decision = decide(&policy, &Ask::from(intent), &ledger, now);
    Ok(match decision.verdict {
        Verdict::Approve => Previewed::Approved { policy_epoch: policy.epoch() },
        Verdict::Refuse => Refusal::Policy(decision).into(),
    })
}

async fn nothing_to_cancel(
    app: &App,
    payment: &Payment,
    intent: &AuthenticIntent,
) -> Result<Option<Refusal>, StoreError> {
    let Payment::X402Cancel(cancel) = payment else { return Ok(None) };
    let found = app.store().payment(&cancel.cancels).await?.filter(|found| {
        let original = &found.envelope.document;
        let alike = matches!(original.payment, Payment::X402Exact(_))
            && original.payment.chain() == cancel.chain
            && original.payment.token() == cancel.token;
        alike
            && original.wallet == intent.intent().wallet
            && original.agent == intent.intent().agent
            && !matches!(found.state, State::Received | State::Refused | State::Failed)
    });
    Ok(found.is_none().then_some(Refusal::NothingToCancel { id: cancel.cancels }))
}

/// The spending that the payments table shows, without the payment that is asked about. A row that
/// does not fit counts nothing here; the nodes' journals count it.
fn ledger(past: &[PaymentRecord], asked: &IntentId) -> Ledger {
    let mut ledger = Ledger::new();
    for record in past.iter().filter(|record| record.id() != *asked) {
        if let Some(Err(error)) = row(record).map(|row| ledger.record(&row)) {
            tracing::warn!(payment = %record.id(), %error, "left out of the preview");
        }
    }
    ledger
}

fn row(record: &PaymentRecord) -> Option<SpendRow> {
    let intent = &record.envelope.document;
    let claim = record.facts.claim.as_ref()?;
    let payment = &intent.payment;
    Some(SpendRow {
        intent: intent.id,
        content_hash: record.content_hash,
        agent: intent.agent.clone(),
        wallet: intent.wallet,
        kind: PaymentKind::of(payment),
        chain: payment.chain(),
        token: payment.token(),
        amount: payment.amount(),
        recipient: payment.payee(),
        service: payment.service().cloned(),
        cancels: match payment {
            Payment::X402Cancel(cancel) => Some(cancel.cancels),
            Payment::Transfer(_) | Payment::X402Exact(_) => None,
        },
        slot: slot(record, &claim.terms),
        digest: record.facts.digest.unwrap_or(B256::ZERO),
        replaces: None,
        terms: claim.terms.clone(),
        policy: String::new(),
        policy_epoch: claim.policy_epoch,
        at: UnixSeconds(record.created_at.0),
    })
}

fn slot(record: &PaymentRecord, terms: &ChainTerms) -> Slot {
    let intent = &record.envelope.document;
    let (wallet, chain) = (intent.wallet, intent.payment.chain());
    match *terms {
        ChainTerms::Eip3009 { nonce, .. } => {
            Slot::Eip3009 { wallet, chain, token: intent.payment.token(), nonce }
        }
        ChainTerms::Eip1559 { nonce, .. } => Slot::Account { wallet, chain, nonce },
    }
}
