//! What people are asked, and what they answer.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tercet_api::payment::{
    AnswerPayment, AnswerView, ApprovalPage, ApprovalView, PaymentStatus, PaymentView,
};
use tercet_api::problem::{Problem, ProblemCode};
use tercet_policy::approval::{APPROVALS_MAX, AuthenticApproval, SignedApproval};
use tercet_policy::intent::IntentId;
use tercet_policy::rules::Approvers;

use super::HttpError;
use super::call::{Asked, Call, Look, Named};
use super::payments::{PAGE_DEFAULT, PAGE_MAX, cursor, place};
use crate::app::App;
use crate::payment::state::{Event, State as PaymentState};
use crate::store::{Change, Facts, PageWish, PaymentRecord, StoreError};

/// How often an answer is stored that somebody else overtook.
const OVERTAKEN_MAX: u32 = 8;

/// Brings one person's signed answer. Its signature is the credential: anybody who may see the
/// payment may bring it, a holder of a bearer token too. Whose word counts, the policies say; the
/// nodes look at every answer themselves. The same answer again is the same answer.
#[utoipa::path(
    post, path = "/v1/payments/{id}/approvals", tag = "payments", request_body = AnswerPayment,
    params(("id" = String, Path, description = "The intent's id")),
    responses(
        (status = 200, description = "Taken; the payment goes on by itself", body = PaymentView),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 403, description = "forbidden: nobody asked that key", body = Problem),
        (status = 404, description = "not_found", body = Problem),
        (status = 409, description = "not_awaiting", body = Problem),
        (status = 422, description = "bad_document, approval_mismatch", body = Problem),
        (status = 429, description = "busy", body = Problem),
    )
)]
pub(super) async fn answer(
    State(app): State<App>,
    Named(id): Named<IntentId>,
    Call { caller, body }: Call<AnswerPayment>,
) -> Result<Json<PaymentView>, HttpError> {
    let missing = || HttpError::not_found("payment");
    for _ in 0..OVERTAKEN_MAX {
        let found = app.store().payment(&id).await?;
        let found = found.filter(|found| caller.sees(&found.envelope.document.agent));
        let record = found.ok_or_else(missing)?;
        match take(&app, &record, &body.approval).await {
            Ok(record) => {
                app.running().news(&id);
                return Ok(Json(super::payments::view(record)));
            }
            Err(Untaken::Overtaken) => {}
            Err(Untaken::Problem(problem)) => return Err(problem),
        }
    }
    Err(HttpError::new(ProblemCode::Busy, "the payment changes too fast"))
}

enum Untaken {
    Overtaken,
    Problem(HttpError),
}

impl From<HttpError> for Untaken {
    fn from(problem: HttpError) -> Self {
        Self::Problem(problem)
    }
}

async fn take(
    app: &App,
    record: &PaymentRecord,
    approval: &SignedApproval,
) -> Result<PaymentRecord, Untaken> {
    if record.facts.approvals.contains(approval) {
        return Ok(record.clone());
    }
    let opened = approval.clone().open_approval().map_err(HttpError::from)?;
    check(app, record, &opened)?;
    let mut facts = record.facts.clone();
    facts.approvals.push(approval.clone());
    let (event, state, at) = (Event::Answered, record.state, app.clock().now());
    match app.store().change_payment(record, Change { event, state, facts, at }).await {
        Ok(record) => Ok(record),
        Err(StoreError::Changed) => Err(Untaken::Overtaken),
        Err(error) => Err(Untaken::Problem(error.into())),
    }
}

/// That the answer is to this very question, by somebody who was asked.
fn check(app: &App, record: &PaymentRecord, opened: &AuthenticApproval) -> Result<(), HttpError> {
    let Facts { asked, approvals, .. } = &record.facts;
    let asked = asked.as_ref().filter(|_| record.state == PaymentState::AwaitingApproval);
    let closed = || HttpError::new(ProblemCode::NotAwaiting, "nobody is asked about this payment");
    let asked = asked.ok_or_else(closed)?;
    let answer = opened.approval();
    if (answer.intent, answer.content_hash) != (record.id(), record.content_hash) {
        let detail = "the answer is to another payment";
        return Err(HttpError::new(ProblemCode::ApprovalMismatch, detail));
    }
    if answer.policies != asked.policies {
        let detail = format!(
            "the answer is for the policies {}; those that ask are {}",
            answer.policies, asked.policies
        );
        return Err(HttpError::new(ProblemCode::ApprovalMismatch, detail));
    }
    if !is_asked(app, record, opened) {
        let detail = "no policy that asks names this key";
        return Err(HttpError::new(ProblemCode::Forbidden, detail));
    }
    if approvals.len() >= APPROVALS_MAX {
        let detail = format!("a payment carries at most {APPROVALS_MAX} answers");
        return Err(HttpError::new(ProblemCode::Busy, detail));
    }
    Ok(())
}

/// Whether a policy that applies names the key. The agent's own never counts.
fn is_asked(app: &App, record: &PaymentRecord, opened: &AuthenticApproval) -> bool {
    let intent = &record.envelope.document;
    let own = app.directory().agent(&intent.agent);
    if own.is_some_and(|own| own.enrolment.document.agent_node.signing == opened.key()) {
        return false;
    }
    let judges = app.shelf().judges(&intent.agent, intent.wallet);
    judges.is_some_and(|judges| {
        let policies = judges.policies.applying(&intent.wallet);
        let rules = policies.iter().flat_map(|policy| policy.rules());
        let mut people = rules.filter_map(|rule| rule.approvers()).flat_map(Approvers::people);
        people.any(|who| who.key == opened.key())
    })
}

/// Which questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Openness {
    /// Those that wait for an answer.
    #[default]
    Open,
}

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ApprovalsAsked {
    /// `open`, which is also what is listed without it.
    #[serde(default)]
    #[param(inline)]
    state: Openness,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Questions on the page, at most 200.
    limit: Option<u16>,
}

/// Lists what people are asked now, newest first; an agent sees its own payments.
#[utoipa::path(
    get, path = "/v1/approvals", tag = "payments", params(ApprovalsAsked),
    responses(
        (status = 200, body = ApprovalPage),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Asked(asked): Asked<ApprovalsAsked>,
    Look(caller): Look,
) -> Result<Json<ApprovalPage>, HttpError> {
    let limit = asked.limit.unwrap_or(PAGE_DEFAULT);
    if limit == 0 || limit > PAGE_MAX {
        return Err(HttpError::malformed(format!("limit is 1 to {PAGE_MAX}")));
    }
    let Openness::Open = asked.state;
    let wish = PageWish {
        agent: caller.only().cloned(),
        status: Some(PaymentStatus::AwaitingApproval),
        before: asked.cursor.as_deref().map(place).transpose()?,
        limit: i64::from(limit).saturating_add(1),
        ..PageWish::default()
    };
    let mut records = app.store().payments(&wish).await?;
    let more = records.len() > usize::from(limit);
    records.truncate(usize::from(limit));
    let next_cursor = records.last().filter(|_| more).map(|last| cursor(last.serial));
    Ok(Json(ApprovalPage { approvals: records.iter().filter_map(view).collect(), next_cursor }))
}

/// What people are or were asked about a payment.
pub(super) fn view(record: &PaymentRecord) -> Option<ApprovalView> {
    let asked = record.facts.asked.as_ref()?;
    let answer = |signed: &SignedApproval| {
        let key = signed.signatures.first()?.key;
        Some(AnswerView { key, approves: signed.document.approves, at: signed.document.at })
    };
    Some(ApprovalView {
        payment: record.id(),
        intent: record.envelope.clone(),
        content_hash: record.content_hash,
        policies: asked.policies,
        decision: asked.decision.clone(),
        answers: record.facts.approvals.iter().filter_map(answer).collect(),
        open: record.state == PaymentState::AwaitingApproval,
        until: asked.until,
    })
}
