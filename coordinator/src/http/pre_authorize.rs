//! May this be paid from a wallet of the agent's own, and was it: approve, transfer, confirm.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tercet_api::payment::RefusalBy;
use tercet_api::pre_authorization::{
    PreAuthorizationAnswer, PreAuthorizationDecision, PreAuthorizationStatus, PreAuthorizationView,
    PreAuthorize, RecordTransfer,
};
use tercet_api::problem::{Problem, ProblemCode};
use tercet_policy::approval::APPROVALS_MAX;
use tercet_policy::intent::{AuthenticIntent, IntentId, Payment, SignedIntent};
use tercet_policy::ledger::LedgerError;
use tercet_policy::refusal::Refusal;

use super::HttpError;
use super::call::{Call, Look, Named};
use super::payments::conflict;
use crate::app::App;
use crate::payment::hold::SetAside;
use crate::payment::preview;
use crate::pre_authorization::{self, NotRecorded};
use crate::store::{
    NewPreAuthorization, PreAuthorizationFacts, PreAuthorizationRecord, PreAuthorizationState,
};

/// Asks whether a payment from a wallet of the agent's own is within its policies. A yes sets the
/// amount aside until it is recorded or ends. Idempotent on the intent's id. Nothing holds the
/// agent to the answer: no share of that wallet is here.
#[utoipa::path(
    post, path = "/v1/policy/pre-authorize", tag = "policies", request_body = PreAuthorize,
    responses(
        (status = 201, description = "APPROVED: set aside", body = PreAuthorizationDecision),
        (status = 200, description = "DENIED, REQUIRES_APPROVAL, or approved before",
            body = PreAuthorizationDecision),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 403, description = "forbidden", body = Problem),
        (status = 409, description = "id_conflict", body = Problem),
        (status = 410, description = "approval_expired", body = Problem),
        (status = 429, description = "busy", body = Problem),
    )
)]
pub(super) async fn ask(
    State(app): State<App>,
    Call { caller, body }: Call<PreAuthorize>,
) -> Result<(StatusCode, Json<PreAuthorizationDecision>), HttpError> {
    let agent = caller.agent()?;
    let signed = body.intent;
    if signed.document.agent != *agent {
        return Err(HttpError::new(ProblemCode::Forbidden, "the intent is another agent's"));
    }
    if matches!(signed.document.payment, Payment::X402Cancel(_) | Payment::TempoAccessKey(_)) {
        return Err(HttpError::malformed("a cancellation and an access key pay nobody"));
    }
    if body.approvals.len() > APPROVALS_MAX {
        return Err(HttpError::malformed(format!("at most {APPROVALS_MAX} approvals")));
    }
    if let Some(known) = app.store().pre_authorization(&signed.document.id).await? {
        return known_answer(known, &signed).map(|answer| (StatusCode::OK, Json(answer)));
    }
    let opened = match signed.clone().open_intent(app.directory(), app.clock().now()) {
        Ok(opened) => opened,
        Err(refusal) => return Ok((StatusCode::OK, Json(denied(refusal)))),
    };
    check_place(&app, &opened).await?;
    pre_authorization::expire_due(&app).await?;
    let answer = decide(&app, &signed, &opened, &body.approvals).await?;
    let fresh = answer.answer == PreAuthorizationAnswer::Approved;
    Ok((if fresh { StatusCode::CREATED } else { StatusCode::OK }, Json(answer)))
}

/// The same question again has the answer that it had; other content has none.
fn known_answer(
    known: PreAuthorizationRecord,
    signed: &SignedIntent,
) -> Result<PreAuthorizationDecision, HttpError> {
    if known.envelope.document != signed.document {
        return Err(conflict(&signed.document.id));
    }
    if known.state == PreAuthorizationState::Expired {
        return Err(expired(&known));
    }
    Ok(approved(known))
}

/// That the wallet is the agent's own affair, and the id is free.
async fn check_place(app: &App, opened: &AuthenticIntent) -> Result<(), HttpError> {
    let intent = opened.intent();
    if app.store().wallet(intent.wallet).await?.is_some() {
        let detail = "the signer nodes pay from this wallet: POST /v1/payments";
        return Err(HttpError::new(ProblemCode::Forbidden, detail));
    }
    if app.store().payment(&intent.id).await?.is_some() {
        return Err(conflict(&intent.id));
    }
    let open = app.store().pre_authorizations_open(&intent.agent).await?;
    if open >= app.limits().payments_open_per_agent_max {
        return Err(HttpError::new(ProblemCode::Busy, "too many approvals are open"));
    }
    Ok(())
}

async fn decide(
    app: &App,
    signed: &SignedIntent,
    opened: &AuthenticIntent,
    approvals: &[tercet_policy::approval::SignedApproval],
) -> Result<PreAuthorizationDecision, HttpError> {
    let (decision, hold) = match preview::set_aside(app, opened, approvals).await {
        Ok(SetAside::Held { decision, hold }) => (decision, *hold),
        Ok(SetAside::Asks(decision)) => {
            return Ok(PreAuthorizationDecision {
                answer: PreAuthorizationAnswer::RequiresApproval,
                policies: preview::epochs(app, opened.intent()),
                content_hash: Some(opened.content_hash()),
                decision: Some(decision),
                refusals: Vec::new(),
                approval: None,
            });
        }
        Ok(SetAside::Refused(decision)) => return Ok(denied(Refusal::Policy(decision))),
        Ok(SetAside::Not(LedgerError::AlreadyRecorded(_))) => {
            let detail = "the same is being approved now; ask again";
            return Err(HttpError::new(ProblemCode::Busy, detail));
        }
        Ok(SetAside::Not(error)) => {
            return Err(HttpError::new(ProblemCode::Busy, error.to_string()));
        }
        Err(refusal) => return Ok(denied(refusal)),
    };
    let facts =
        PreAuthorizationFacts { hold, decision, recorded: None, expired_at: None, detail: None };
    let content_hash = opened.content_hash();
    let new = NewPreAuthorization { envelope: signed, content_hash, facts: &facts };
    match app.store().insert_pre_authorization(&new).await {
        Ok(record) => Ok(approved(record)),
        Err(error) => {
            app.book().drop_hold(&facts.hold);
            Err(error.into())
        }
    }
}

fn denied(refusal: Refusal) -> PreAuthorizationDecision {
    let decision = match &refusal {
        Refusal::Policy(decision) => Some(decision.clone()),
        _ => None,
    };
    let by = "coordinator".to_owned();
    PreAuthorizationDecision {
        answer: PreAuthorizationAnswer::Denied,
        decision,
        refusals: vec![RefusalBy { by, refusal }],
        approval: None,
        content_hash: None,
        policies: tercet_policy::rows::PolicyEpochs::default(),
    }
}

fn approved(record: PreAuthorizationRecord) -> PreAuthorizationDecision {
    PreAuthorizationDecision {
        answer: PreAuthorizationAnswer::Approved,
        decision: Some(record.facts.decision.clone()),
        refusals: Vec::new(),
        content_hash: Some(record.content_hash),
        policies: record.facts.hold.policies,
        approval: Some(view(record)),
    }
}

fn expired(record: &PreAuthorizationRecord) -> HttpError {
    let detail = format!("the approval ended at {}", record.facts.hold.expires_at);
    HttpError::new(ProblemCode::ApprovalExpired, detail)
}

/// Shows an approval that was given beforehand.
#[utoipa::path(
    get, path = "/v1/policy/pre-authorize/{id}", tag = "policies",
    params(("id" = String, Path, description = "The intent's id")),
    responses(
        (status = 200, body = PreAuthorizationView),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    Named(id): Named<IntentId>,
    Look(caller): Look,
) -> Result<Json<PreAuthorizationView>, HttpError> {
    pre_authorization::expire_due(&app).await?;
    let found = app.store().pre_authorization(&id).await?;
    let found = found.filter(|found| caller.sees(&found.envelope.document.agent));
    found.map(view).map(Json).ok_or_else(|| HttpError::not_found("pre-authorization"))
}

/// Records the transaction that paid what was approved. It has to show a transfer from that wallet
/// to that payee, in that token, of no more than was approved; where a chain is not read here the
/// agent's word stands, and `status` says `unchecked`. A transaction that is not mined yet is taken
/// and looked for. The same again is the same answer; an approval is used once, and so is a
/// transfer.
#[utoipa::path(
    post, path = "/v1/policy/pre-authorize/{id}/record", tag = "policies",
    request_body = RecordTransfer,
    params(("id" = String, Path, description = "The intent's id")),
    responses(
        (status = 200, description = "Settled, or unchecked", body = PreAuthorizationView),
        (status = 202, description = "Named; looked for on chain", body = PreAuthorizationView),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 403, description = "forbidden", body = Problem),
        (status = 404, description = "not_found", body = Problem),
        (status = 409, description = "approval_used", body = Problem),
        (status = 410, description = "approval_expired", body = Problem),
        (status = 422, description = "approval_mismatch", body = Problem),
        (status = 503, description = "chain_unavailable", body = Problem),
    )
)]
pub(super) async fn record(
    State(app): State<App>,
    Named(id): Named<IntentId>,
    Call { caller, body }: Call<RecordTransfer>,
) -> Result<(StatusCode, Json<PreAuthorizationView>), HttpError> {
    let agent = caller.agent()?;
    pre_authorization::expire_due(&app).await?;
    let found = app.store().pre_authorization(&id).await?;
    let found = found.filter(|found| found.envelope.document.agent == *agent);
    let found = found.ok_or_else(|| HttpError::not_found("pre-authorization"))?;
    let recorded = pre_authorization::record(&app, found, body.transaction).await;
    let record = recorded.map_err(|not| match not {
        NotRecorded::Store(error) => error.into(),
        NotRecorded::Chain(error) => error.into(),
        NotRecorded::Mismatch(_) => HttpError::new(ProblemCode::ApprovalMismatch, not.to_string()),
        NotRecorded::Expired(_) => HttpError::new(ProblemCode::ApprovalExpired, not.to_string()),
        NotRecorded::Used(_) => HttpError::new(ProblemCode::ApprovalUsed, not.to_string()),
        NotRecorded::Busy => HttpError::new(ProblemCode::Busy, not.to_string()),
    })?;
    let claimed = record.state == PreAuthorizationState::Claimed;
    let status = if claimed { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(view(record))))
}

fn view(record: PreAuthorizationRecord) -> PreAuthorizationView {
    let PreAuthorizationRecord { envelope, state, facts, .. } = record;
    let intent = envelope.document;
    let status = match state {
        PreAuthorizationState::Open => PreAuthorizationStatus::Open,
        PreAuthorizationState::Claimed => PreAuthorizationStatus::Claimed,
        PreAuthorizationState::Settled => PreAuthorizationStatus::Settled,
        PreAuthorizationState::Unchecked => PreAuthorizationStatus::Unchecked,
        PreAuthorizationState::Expired => PreAuthorizationStatus::Expired,
    };
    let known =
        matches!(status, PreAuthorizationStatus::Settled | PreAuthorizationStatus::Unchecked);
    PreAuthorizationView {
        id: intent.id,
        agent: intent.agent,
        wallet: intent.wallet,
        payment: intent.payment,
        status,
        amount: facts.hold.amount,
        used: facts.recorded.filter(|_| known).map(|recorded| recorded.amount),
        transaction: facts.recorded.map(|recorded| recorded.transaction),
        block: facts.recorded.and_then(|recorded| recorded.block),
        detail: facts.detail,
        created_at: facts.hold.at,
        expires_at: facts.hold.expires_at,
    }
}
