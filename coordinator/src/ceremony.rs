//! Making a wallet: wait for the three nodes, make aux info if the group has none, make the key,
//! and store the wallet only when all three report the same.
//!
//! Promises: never half a wallet; a stop in the middle leaves a failed ceremony. The key's shares
//! of a failed ceremony are worth nothing: no wallet of theirs is ever paid into by us.

mod run;

use std::sync::PoisonError;

use tercet_api::resource::{CeremonyView, ProgressView};
use tercet_policy::document::{RequestId, Signed, WalletRequest};
use tercet_policy::party::Party;
use tokio::sync::OwnedSemaphorePermit;

use crate::app::App;
use crate::store::{CeremonyRecord, StoreError};

/// Fails what a stop left unfinished.
///
/// # Errors
/// [`StoreError`]
pub async fn fail_unfinished(app: &App) -> Result<(), StoreError> {
    let failed = app.store().fail_open_ceremonies(app.clock().now()).await?;
    if failed > 0 {
        tracing::warn!(ceremonies = failed, "ceremonies were cut off by the last stop");
    }
    Ok(())
}

/// Starts a ceremony that was just stored; it holds its place until it is over.
pub fn begin(app: &App, request: Signed<WalletRequest>, place: OwnedSemaphorePermit) {
    let app_here = app.clone();
    app.tasks().spawn(async move {
        let id = request.document.request;
        let stop = app_here.stop().clone();
        tokio::select! {
            // The next start fails it.
            () = stop.cancelled() => {}
            () = run::run(&app_here, request) => {}
        }
        app_here.progress().lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        drop(place);
    });
}

/// A ceremony as the API shows it.
#[must_use]
pub fn view(app: &App, record: &CeremonyRecord) -> CeremonyView {
    let id = record.request.document.request;
    let progress = app.progress().lock().unwrap_or_else(PoisonError::into_inner);
    CeremonyView {
        request: id,
        agent: record.request.document.agent.clone(),
        status: record.status,
        progress: progress.get(&id).cloned().unwrap_or_default(),
        wallet: record.wallet,
        detail: record.detail.clone(),
    }
}

/// Remembers what a party is doing.
fn note(app: &App, id: RequestId, party: Party, line: (String, u32, u32)) {
    let (stage, done, total) = line;
    let line = ProgressView { party: party.to_string(), stage, done, total };
    let mut progress = app.progress().lock().unwrap_or_else(PoisonError::into_inner);
    let lines = progress.entry(id).or_default();
    match lines.iter_mut().find(|known| known.party == line.party) {
        Some(known) => *known = line,
        None => lines.push(line),
    }
}
