//! The steps of one ceremony.

use std::time::Duration;

use tercet_api::relay::{Outcome, ToNode};
use tercet_api::resource::CeremonyStatus;
use tercet_policy::document::{Enrolment, RequestId, Signed, WalletRequest};
use tercet_policy::party::Party;
use tokio::time::timeout;

use super::note;
use crate::app::App;
use crate::relay::{CannotOpen, NotConnected, Report, Seats};
use crate::store::{StoreError, WalletRecord};

/// Longest part of a node's own words that is kept, in characters.
const STAGE_CHARS_MAX: usize = 80;

/// Why a ceremony failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("nodes did not connect in time: {0}")]
    Away(String),
    #[error("the agent is not enrolled")]
    NoAgent,
    #[error("{0}")]
    NotOpened(#[from] CannotOpen),
    #[error("{0}")]
    Left(#[from] NotConnected),
    #[error("the {party} {what}")]
    Party { party: Party, what: String },
    #[error("the nodes did not end within {0} s")]
    TooLong(u64),
    #[error("the three nodes report different results; nothing of it is used")]
    Differ,
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Runs a ceremony to its end and stores what came of it.
pub(super) async fn run(app: &App, request: Signed<WalletRequest>) {
    let id = request.document.request;
    let Err(failure) = steps(app, request).await else { return };
    tracing::warn!(request = %id, %failure, "ceremony failed");
    let (status, now) = (CeremonyStatus::Failed, app.clock().now());
    let stored = app.store().set_ceremony(&id, status, Some(&failure.to_string()), now).await;
    if let Err(error) = stored {
        tracing::error!(request = %id, %error, "cannot store that the ceremony failed");
    }
}

async fn steps(app: &App, request: Signed<WalletRequest>) -> Result<(), Failure> {
    let WalletRequest { agent, request: id, label, .. } = request.document.clone();
    let record = app.directory().agent(&agent).ok_or(Failure::NoAgent)?;
    let enrolment = record.enrolment.document;
    let seats = Seats::of(&enrolment, &Party::ALL);
    wait_for(app, &seats).await?;
    if record.aux.is_none() {
        prepare(app, id, &enrolment, &seats).await?;
    }
    move_to(app, &id, CeremonyStatus::Keygen).await?;
    let limit = app.limits().keygen_seconds_max;
    let run = Session { app, id, seats: &seats, limit_seconds: limit };
    let made = run.agreed(|session| ToNode::Keygen { session, request: request.clone() }).await?;
    let Outcome::WalletMade { address, transcript } = made else { return Err(Failure::Differ) };
    let created_at = app.clock().now();
    let wallet = WalletRecord { address, agent, label, request: id, transcript, created_at };
    app.store().finish_ceremony(&wallet).await?;
    tracing::info!(%address, agent = %wallet.agent, "wallet made");
    Ok(())
}

async fn wait_for(app: &App, seats: &Seats) -> Result<(), Failure> {
    let nodes = seats.nodes();
    let limit = Duration::from_secs(app.limits().ceremony_nodes_seconds_max);
    if timeout(limit, app.relay().wait_for(&nodes)).await.is_ok() {
        return Ok(());
    }
    let away = nodes.iter().filter(|node| !app.relay().is_connected(node));
    Err(Failure::Away(away.map(ToString::to_string).collect::<Vec<_>>().join(", ")))
}

async fn move_to(app: &App, id: &RequestId, status: CeremonyStatus) -> Result<(), StoreError> {
    app.store().set_ceremony(id, status, None, app.clock().now()).await
}

async fn prepare(
    app: &App,
    id: RequestId,
    enrolment: &Enrolment,
    seats: &Seats,
) -> Result<(), Failure> {
    move_to(app, &id, CeremonyStatus::Preparing).await?;
    let agent = enrolment.agent.clone();
    let run = Session { app, id, seats, limit_seconds: app.limits().prepare_seconds_max };
    let made = run.agreed(|session| ToNode::Prepare { session, agent: agent.clone() }).await?;
    let Outcome::Prepared { aux } = made else { return Err(Failure::Differ) };
    app.store().put_aux(&enrolment.agent, aux).await?;
    app.directory().put_aux(&enrolment.agent, aux);
    Ok(())
}

struct Session<'a> {
    app: &'a App,
    id: RequestId,
    seats: &'a Seats,
    limit_seconds: u64,
}

impl Session<'_> {
    /// Runs a session of all three and yields the outcome that all three report alike.
    async fn agreed(
        &self,
        frame: impl Fn(tercet_api::relay::SessionId) -> ToNode,
    ) -> Result<Outcome, Failure> {
        let limit = Duration::from_secs(self.limit_seconds);
        timeout(limit, self.collect(frame))
            .await
            .unwrap_or(Err(Failure::TooLong(self.limit_seconds)))
    }

    async fn collect(
        &self,
        frame: impl Fn(tercet_api::relay::SessionId) -> ToNode,
    ) -> Result<Outcome, Failure> {
        let mut session = self.app.relay().open(self.seats.clone())?;
        for party in Party::ALL {
            session.begin(party, frame(session.id))?;
        }
        let mut outcomes: Vec<Outcome> = Vec::new();
        while outcomes.len() < Party::ALL.len() {
            let Some((party, report)) = session.next().await else {
                return Err(Failure::Differ);
            };
            let failed = |what: String| Failure::Party { party, what };
            match report {
                Report::Progress { stage, done, total } => {
                    let stage = stage.chars().take(STAGE_CHARS_MAX).collect();
                    note(self.app, self.id, party, (stage, done, total));
                }
                Report::Admitted => {}
                Report::Part(_) => return Err(Failure::Differ),
                Report::Done(outcome) => outcomes.push(outcome),
                Report::Refused(refusal) => return Err(failed(format!("refused: {refusal}"))),
                Report::Failed { detail, .. } => return Err(failed(format!("failed: {detail}"))),
                Report::Lost => return Err(failed("is gone".to_owned())),
            }
        }
        let first = outcomes.pop().ok_or(Failure::Differ)?;
        if outcomes.iter().all(|outcome| *outcome == first) {
            Ok(first)
        } else {
            Err(Failure::Differ)
        }
    }
}
