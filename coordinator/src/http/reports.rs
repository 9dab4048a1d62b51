//! What agents report of their payments: refused by the merchant, not delivered, disputed.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tercet_api::problem::{Problem, ProblemCode};
use tercet_api::registry::ReportPayment;
use tercet_api::relay::ToNode;
use tercet_policy::intent::IntentId;
use tercet_policy::party::Party;
use tercet_policy::report::{ReportError, SignedReport};

use super::HttpError;
use super::call::{Call, Look, Named};
use crate::app::App;
use crate::payment::book;
use crate::store::ReportRecord;

/// Takes an agent's report of its own payment, and hands it to the operator's node. It lowers the
/// trust in who was paid and changes no amount. Each kind counts once for a payment.
#[utoipa::path(
    post, path = "/v1/payments/{id}/reports", tag = "payments", request_body = ReportPayment,
    params(("id" = String, Path, description = "The intent's id")),
    responses(
        (status = 201, description = "Taken", body = Object),
        (status = 200, description = "It was reported before", body = Object),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 403, description = "forbidden", body = Problem),
        (status = 404, description = "not_found", body = Problem),
        (status = 422, description = "bad_document", body = Problem),
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    Named(id): Named<IntentId>,
    Call { caller, body }: Call<ReportPayment>,
) -> Result<(StatusCode, Json<SignedReport>), HttpError> {
    let agent = caller.agent()?;
    let document = body.report;
    if document.document.intent != id {
        return Err(HttpError::malformed("the report is of another payment than the path"));
    }
    let found = app.store().payment(&id).await?;
    let found = found.filter(|found| found.envelope.document.agent == *agent);
    let record = found.ok_or_else(|| HttpError::not_found("payment"))?;
    let never = "nothing was let through for this payment, so there is nothing to report";
    let row = book::row(&record);
    let row = row.ok_or_else(|| HttpError::new(ProblemCode::Forbidden, never))?;
    let now = app.clock().now();
    let opened = document.clone().open_report(app.directory(), &row, now).map_err(bad_report)?;
    let report = ReportRecord { document: document.clone(), row: opened };
    let fresh = app.store().put_report(&report).await?;
    if fresh {
        app.book().lock().report(&report.row);
    }
    if let Some(enrolled) = app.directory().agent(agent) {
        let node = &enrolled.enrolment.document.keys(Party::Operator).id;
        // The same again changes nothing; a node that is away gets it when it connects.
        let _ = app.relay().send(node, ToNode::Report { document: document.clone() });
    }
    Ok((if fresh { StatusCode::CREATED } else { StatusCode::OK }, Json(document)))
}

fn bad_report(error: ReportError) -> HttpError {
    HttpError::new(ProblemCode::BadDocument, error.to_string())
}

/// Lists what was reported of a payment.
#[utoipa::path(
    get, path = "/v1/payments/{id}/reports", tag = "payments",
    params(("id" = String, Path, description = "The intent's id")),
    responses(
        (status = 200, body = Vec<Object>),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Named(id): Named<IntentId>,
    Look(caller): Look,
) -> Result<Json<Vec<SignedReport>>, HttpError> {
    let found = app.store().payment(&id).await?;
    let found = found.filter(|found| caller.sees(&found.envelope.document.agent));
    found.ok_or_else(|| HttpError::not_found("payment"))?;
    let reports = app.store().reports(Some(&id)).await?;
    Ok(Json(reports.into_iter().map(|report| report.document).collect()))
}
