//! What the policies would say: a question that reserves, stores and counts nothing.

use axum::Json;
use axum::extract::State;
use tercet_api::payment::RefusalBy;
use tercet_api::policy::{AskDecision, DecisionView};
use tercet_api::problem::Problem;
use tercet_policy::ask::Ask;
use tercet_policy::decision::{Decision, Verdict};
use tercet_policy::refusal::Refusal;

use super::HttpError;
use super::call::Call;
use crate::app::App;
use crate::payment::preview::{Earnest, Previewed, preview};

/// Asks the coordinator's copy of the policies about a payment. Nothing is reserved, stored or
/// counted. The nodes decide for themselves when the payment is made.
#[utoipa::path(
    post, path = "/v1/policy/decide", tag = "policies", request_body = AskDecision,
    responses(
        (status = 200, description = "The whole decision, a refusal too", body = DecisionView),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found: the agent", body = Problem),
    )
)]
pub(super) async fn decide(
    State(app): State<App>,
    Call { caller, body }: Call<AskDecision>,
) -> Result<Json<DecisionView>, HttpError> {
    let both = "give exactly one of intent and unsigned";
    let (signed, intent) = match (body.intent, body.unsigned) {
        (Some(signed), None) => (Some(signed.clone()), signed.document),
        (None, Some(intent)) => (None, intent),
        _ => return Err(HttpError::malformed(both)),
    };
    if !caller.sees(&intent.agent) || app.directory().agent(&intent.agent).is_none() {
        return Err(HttpError::not_found("agent"));
    }
    let now = app.clock().now();
    let opened = signed.map(|signed| signed.open_intent(app.directory(), now)).transpose();
    let opened = match opened {
        Ok(opened) => opened,
        Err(refusal) => return Ok(Json(refused(refusal))),
    };
    let ask = match &opened {
        Some(opened) => Ask::from(opened),
        None => match Ask::of(&intent) {
            Ok(ask) => ask,
            Err(unknown) => {
                let (chain, token) = (unknown.chain, unknown.token);
                return Ok(Json(refused(Refusal::UnknownAsset { chain, token })));
            }
        },
    };
    Ok(Json(match preview(&app, ask, &intent, &[], Earnest::Question).await? {
        Previewed::Approved(decision) => said(*decision),
        Previewed::Asks(decision) => said(*decision),
        Previewed::Refused(refusal) => refused(*refusal),
    }))
}

fn said(decision: Decision) -> DecisionView {
    DecisionView { verdict: decision.verdict, decision: Some(decision), refusals: Vec::new() }
}

fn refused(refusal: Refusal) -> DecisionView {
    let decision = match &refusal {
        Refusal::Policy(decision) => Some(decision.clone()),
        _ => None,
    };
    let by = "coordinator".to_owned();
    DecisionView { verdict: Verdict::Refuse, decision, refusals: vec![RefusalBy { by, refusal }] }
}
