//! Payments: ask for one by a signed intent, look at them.
//!
//! A refused payment is answered `422 refused` with every refusal, each time it is asked for; its
//! record can be read like any other.

use alloy_primitives::Address;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tercet_api::payment::{CreatePayment, PaymentPage, PaymentStatus, PaymentView};
use tercet_api::problem::{Problem, ProblemCode};
use tercet_api::relay::{SEALED_PART_BYTES_MAX, SealedBytes};
use tercet_policy::intent::{IntentId, Payment, SignedIntent};
use tercet_policy::party::AgentId;
use tercet_policy::refusal::Refusal;
use tokio::sync::oneshot;

use super::HttpError;
use super::call::{Asked, Call, Look, Named};
use crate::app::App;
use crate::payment::again::{self, NotAgain};
use crate::payment::intake::{self, NotTaken, TakenIn, Wish};
use crate::payment::running::{self, Told};
use crate::payment::state::Kind;
use crate::store::{PageWish, PaymentRecord};

/// Payments on one page unless asked otherwise.
pub(super) const PAGE_DEFAULT: u16 = 50;
/// Most payments on one page.
pub(super) const PAGE_MAX: u16 = 200;

/// Asks for a payment. Idempotent on the intent's id: the same content gives the stored answer,
/// other content `409 id_conflict`. Waits for an outcome up to the configured time.
///
/// With the part of the agent's node, an authorization is signed in one round trip, and `answer` has
/// the operator's part for that node alone: in this answer and nowhere else. Where the part is of no
/// use the nodes sign in rounds; `signed_by` says which it was. A part for what is signed already has
/// it signed again; one for what is being signed is `429 busy`.
///
/// A Tempo transfer or a step of leaving a channel is the coordinator's to bring to the chain. The
/// operator's node hands it the signed transaction then, and there is no `answer`: `transaction`
/// has its hash from `signed` on, and `GET /v1/payments/{id}` tells what becomes of it. Asking
/// again, with or without the part, shows the payment as it stands.
#[utoipa::path(
    post, path = "/v1/payments", tag = "payments", request_body = CreatePayment,
    responses(
        (status = 201, description = "Taken in, and past signing", body = PaymentView),
        (status = 200, description = "It was taken in before", body = PaymentView),
        (status = 202, description = "Taken in; ask for it later", body = PaymentView),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 403, description = "forbidden", body = Problem),
        (status = 409, description = "id_conflict", body = Problem),
        (status = 413, description = "too_large", body = Problem),
        (status = 422, description = "refused", body = Problem),
        (status = 429, description = "busy", body = Problem),
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    Call { caller, body }: Call<CreatePayment>,
) -> Result<(StatusCode, Json<PaymentView>), HttpError> {
    let agent = caller.agent()?;
    if body.intent.document.agent != *agent {
        return Err(HttpError::new(ProblemCode::Forbidden, "the intent is another agent's"));
    }
    check_part(&body)?;
    let CreatePayment { intent: envelope, part } = body;
    let opened = match envelope.clone().open_intent(app.directory(), app.clock().now()) {
        Ok(opened) => opened,
        // Its time may be over and its answer stored all the same.
        Err(refusal) => return known(stored_answer(&app, envelope, refusal).await?, None),
    };
    let content_hash = opened.content_hash();
    match intake::take_in(&app, Wish { envelope, opened, part }).await? {
        TakenIn::Fresh { record, told } => fresh(&app, *record, told).await,
        TakenIn::Known { record, .. } if record.content_hash != content_hash => {
            Err(conflict(&record.id()))
        }
        TakenIn::Known { record, part: Some(part) } if may_be_joined(&record) => {
            let told = Box::pin(again::sign_again(&app, *record, Some(part))).await?;
            known(told.record, told.answer)
        }
        TakenIn::Known { record, .. } => {
            running::wait(&app, &record.id()).await;
            known(app.store().payment(&record.id()).await?.unwrap_or(*record), None)
        }
    }
}

/// Whether a part may belong to what was asked. What it says, the operator's node finds out.
fn check_part(body: &CreatePayment) -> Result<(), HttpError> {
    let Some(part) = &body.part else { return Ok(()) };
    if matches!(body.intent.document.payment, Payment::Transfer(_)) {
        let detail = "a transfer has no part before its terms are fixed";
        return Err(HttpError::malformed(detail));
    }
    match part.sealed.0.len() {
        0 => Err(HttpError::malformed("the part is empty")),
        bytes if bytes > SEALED_PART_BYTES_MAX => {
            let detail = format!("parts end at {SEALED_PART_BYTES_MAX} bytes");
            Err(HttpError::new(ProblemCode::TooLarge, detail))
        }
        _ => Ok(()),
    }
}

/// Whether a part that comes for a stored payment is looked at: not where people are asked or it
/// is over; what moves nothing is over with its signature, which may have been lost. What we bring
/// to the chain is never signed again: whoever asks is shown where it stands.
fn may_be_joined(record: &PaymentRecord) -> bool {
    let status = record.state.status();
    let kind = Kind::of(&record.envelope.document.payment);
    let statement = kind == Kind::Statement;
    let over = status.is_terminal() && !(statement && status == PaymentStatus::Settled);
    !over && status != PaymentStatus::AwaitingApproval && kind != Kind::Transfer
}

async fn fresh(
    app: &App,
    record: PaymentRecord,
    told: oneshot::Receiver<Told>,
) -> Result<(StatusCode, Json<PaymentView>), HttpError> {
    let (record, sealed) = match running::within_limits(app, told).await {
        Some(Ok(Told { record, answer })) => (record, answer),
        // Out of time, or stopping: the store knows.
        _ => (app.store().payment(&record.id()).await?.unwrap_or(record), None),
    };
    shown(record, sealed, StatusCode::CREATED)
}

fn known(
    record: PaymentRecord,
    sealed: Option<SealedBytes>,
) -> Result<(StatusCode, Json<PaymentView>), HttpError> {
    shown(record, sealed, StatusCode::OK)
}

fn shown(
    record: PaymentRecord,
    sealed: Option<SealedBytes>,
    past_signing: StatusCode,
) -> Result<(StatusCode, Json<PaymentView>), HttpError> {
    let status = match record.state.status() {
        PaymentStatus::Received | PaymentStatus::AwaitingApproval | PaymentStatus::Signing => {
            StatusCode::ACCEPTED
        }
        _ => past_signing,
    };
    let view = answer(record)?;
    Ok((status, Json(PaymentView { answer: sealed, ..view })))
}

impl From<NotTaken> for HttpError {
    fn from(not: NotTaken) -> Self {
        match not {
            NotTaken::Full => Self::new(ProblemCode::Busy, "too many payments are open"),
            NotTaken::Crowded => {
                Self::new(ProblemCode::Busy, "too many payments are being signed at once")
            }
            NotTaken::Store(error) => error.into(),
        }
    }
}

impl From<NotAgain> for HttpError {
    fn from(not: NotAgain) -> Self {
        match not {
            NotAgain::Over => {
                Self::new(ProblemCode::Forbidden, "there is nothing here to sign again")
            }
            NotAgain::Busy => Self::new(ProblemCode::Busy, "it is being signed now"),
            NotAgain::Refused(refusals) => {
                Self::refused("a node refuses to sign it again", refusals)
            }
            NotAgain::Failed(detail) => Self::new(ProblemCode::NodeUnavailable, detail),
            NotAgain::Store(error) => error.into(),
        }
    }
}

async fn stored_answer(
    app: &App,
    signed: SignedIntent,
    refusal: Refusal,
) -> Result<PaymentRecord, HttpError> {
    let id = signed.document.id;
    let key = app.directory().agent(&signed.document.agent);
    let key = key.map(|agent| agent.enrolment.document.agent_node.signing);
    let opened = key.and_then(|key| signed.open_by(&key).ok());
    let Some(opened) = opened else { return Err(HttpError::refused_here(refusal)) };
    match app.store().payment(&id).await? {
        Some(known) if known.content_hash == opened.content_hash() => Ok(known),
        Some(_) => Err(conflict(&id)),
        None => Err(HttpError::refused_here(refusal)),
    }
}

pub(super) fn conflict(id: &IntentId) -> HttpError {
    let detail = format!("intent {id} was used before, for something else");
    HttpError::new(ProblemCode::IdConflict, detail)
}

fn answer(record: PaymentRecord) -> Result<PaymentView, HttpError> {
    if record.state.status() == PaymentStatus::Refused {
        let detail = record.facts.refusals.first().map(|r| format!("{}: {}", r.by, r.refusal));
        return Err(HttpError::refused(detail.unwrap_or_default(), record.facts.refusals));
    }
    Ok(view(record))
}

/// Shows a payment.
#[utoipa::path(
    get, path = "/v1/payments/{id}", tag = "payments",
    params(("id" = String, Path, description = "The intent's id")),
    responses(
        (status = 200, body = PaymentView),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    Named(id): Named<IntentId>,
    Look(caller): Look,
) -> Result<Json<PaymentView>, HttpError> {
    let found = app.store().payment(&id).await?;
    let found = found.filter(|found| caller.sees(&found.envelope.document.agent));
    found.map(view).map(Json).ok_or_else(|| HttpError::not_found("payment"))
}

/// Asks both nodes to sign the same once more, for an agent that lost its signature before it used
/// it. The bytes are the same, so the chain takes them at most once. Not for transfers: the
/// coordinator has theirs. Only before the intent's end.
#[utoipa::path(
    post, path = "/v1/payments/{id}/sign", tag = "payments",
    params(("id" = String, Path, description = "The intent's id")),
    responses(
        (status = 200, description = "Signed again", body = PaymentView),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 403, description = "forbidden", body = Problem),
        (status = 404, description = "not_found", body = Problem),
        (status = 422, description = "refused", body = Problem),
        (status = 429, description = "busy", body = Problem),
        (status = 503, description = "node_unavailable", body = Problem),
    )
)]
pub(super) async fn sign_again(
    State(app): State<App>,
    Named(id): Named<IntentId>,
    Look(caller): Look,
) -> Result<Json<PaymentView>, HttpError> {
    let agent = caller.agent()?;
    let found = app.store().payment(&id).await?;
    let found = found.filter(|found| found.envelope.document.agent == *agent);
    let found = found.ok_or_else(|| HttpError::not_found("payment"))?;
    let told = Box::pin(again::sign_again(&app, found, None)).await?;
    Ok(Json(view(told.record)))
}

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PaymentsAsked {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Payments on the page, at most 200.
    limit: Option<u16>,
    /// Of this agent.
    #[param(value_type = Option<String>)]
    agent: Option<AgentId>,
    /// Of this wallet.
    #[param(value_type = Option<String>)]
    wallet: Option<Address>,
    /// In this status.
    status: Option<PaymentStatus>,
}

/// Lists payments, newest first; an agent sees its own.
#[utoipa::path(
    get, path = "/v1/payments", tag = "payments", params(PaymentsAsked),
    responses(
        (status = 200, body = PaymentPage),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Asked(asked): Asked<PaymentsAsked>,
    Look(caller): Look,
) -> Result<Json<PaymentPage>, HttpError> {
    let limit = asked.limit.unwrap_or(PAGE_DEFAULT);
    if limit == 0 || limit > PAGE_MAX {
        return Err(HttpError::malformed(format!("limit is 1 to {PAGE_MAX}")));
    }
    if asked.agent.as_ref().is_some_and(|agent| !caller.sees(agent)) {
        return Ok(Json(PaymentPage { payments: Vec::new(), next_cursor: None }));
    }
    let wish = PageWish {
        agent: caller.only().cloned().or(asked.agent),
        wallet: asked.wallet,
        status: asked.status,
        before: asked.cursor.as_deref().map(place).transpose()?,
        limit: i64::from(limit).saturating_add(1),
    };
    let mut records = app.store().payments(&wish).await?;
    let more = records.len() > usize::from(limit);
    records.truncate(usize::from(limit));
    let next_cursor = records.last().filter(|_| more).map(|last| cursor(last.serial));
    Ok(Json(PaymentPage { payments: records.into_iter().map(view).collect(), next_cursor }))
}

pub(super) fn cursor(serial: i64) -> String {
    URL_SAFE_NO_PAD.encode(serial.to_be_bytes())
}

pub(super) fn place(cursor: &str) -> Result<i64, HttpError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let bytes: Option<[u8; 8]> = bytes.and_then(|bytes| bytes.try_into().ok());
    bytes.map(i64::from_be_bytes).ok_or_else(|| HttpError::malformed("this is no cursor of ours"))
}

pub(super) fn view(record: PaymentRecord) -> PaymentView {
    let approval = super::approvals::view(&record).map(Box::new);
    let PaymentRecord { envelope, state, facts, created_at, updated_at, .. } = record;
    let intent = envelope.document;
    // Nothing is taken for what was not signed.
    let signable = !matches!(state.status(), PaymentStatus::Refused | PaymentStatus::Failed);
    let ceiling = intent.payment.token_fee().filter(|_| signable);
    PaymentView {
        id: intent.id,
        agent: intent.agent,
        wallet: intent.wallet,
        payment: intent.payment,
        status: state.status(),
        refusals: facts.refusals,
        approval,
        slot: facts.slot.filter(|_| facts.digest.is_some()),
        digest: facts.digest,
        signed_by: facts.signed_by,
        answer: None,
        transaction: facts.transaction,
        block: facts.block,
        deadline: facts.deadline.filter(|_| !state.is_terminal()),
        settled_amount: facts.settled_amount,
        fee: facts.fee.or(ceiling),
        fee_taken: facts.fee.is_some(),
        detail: facts.detail,
        created_at,
        updated_at,
    }
}
