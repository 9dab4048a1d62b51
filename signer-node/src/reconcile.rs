//! The journal against the chain, by this node's own endpoints.
//!
//! Promises: a payment is called settled or void only by a proof that the chain crate read from a
//! quorum at a safe block; a deposit, when its channel has ended, with what the payee got of it. One
//! that a quorum showed in its channel is written down, and never called void after. What the chain
//! took as a fee comes with that proof, or by itself for a step of leaving a channel.
//! The courier's word changes nothing here, and neither does a clock, but for pre-authorizations,
//! which end by it: for payments the local one only says when to ask.
//! Does not protect against: endpoints that lie together.

use std::sync::Arc;
use std::time::Duration;

use tercet_chain::Fate;
use tercet_policy::money::Amount;
use tercet_policy::rows::SpendRow;
use tercet_signer::gate::Signer;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::chains::Chains;
use crate::config::NodeConfig;
use crate::relay::now;

/// Most payments that are asked about in one look.
pub(crate) const RECONCILE_ROWS_MAX: usize = 128;

/// Follows unsettled payments to their end.
pub(crate) struct Reconciler {
    signer: Arc<Signer>,
    chains: Chains,
    every: Duration,
    /// Where the next look begins, so that no row waits for ever behind others.
    next: usize,
}

impl Reconciler {
    /// A reconciler over the configured chains; none if none is configured.
    pub(crate) fn new(config: &NodeConfig, chains: Chains, signer: &Arc<Signer>) -> Option<Self> {
        let every = Duration::from_secs(config.limits.reconcile_seconds);
        let signer = Arc::clone(signer);
        (!chains.is_empty()).then_some(Self { signer, chains, every, next: 0 })
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut tick = interval(self.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look() => {}
            }
        }
    }

    async fn look(&mut self) {
        match self.signer.expire_holds(now()).await {
            Ok(0) => {}
            Ok(count) => info!(count, "pre-authorizations expired"),
            Err(error) => warn!(%error, "pre-authorizations were not ended"),
        }
        let rows = match self.signer.unsettled().await {
            Ok(rows) => rows,
            Err(error) => return warn!(%error, "the journal cannot be reconciled"),
        };
        let from = if self.next < rows.len() { self.next } else { 0 };
        self.next = from.saturating_add(RECONCILE_ROWS_MAX);
        for row in rows.iter().skip(from).take(RECONCILE_ROWS_MAX) {
            self.follow(row).await;
        }
    }

    async fn follow(&self, row: &SpendRow) {
        let Some(reader) = self.chains.reader(row.chain) else { return };
        let intent = row.intent;
        let recorded = match reader.fate(row, &[]).await {
            Ok(Fate::Settled(proof)) => {
                let (transaction, amount) = (proof.transaction(), proof.amount());
                let fee = proof.fee().map(Amount::base_units);
                info!(%intent, %transaction, %amount, fee, "settled");
                self.signer.settle(proof, now()).await
            }
            Ok(Fate::Void(proof)) => {
                info!(%intent, reason = ?proof.reason(), "void");
                self.signer.void(proof, now()).await
            }
            // Known for good, whatever the endpoints have lost when the channel has ended.
            Ok(Fate::Deposited(proof)) => self.signer.deposited(proof).await,
            Ok(Fate::Charged(proof)) => {
                info!(%intent, fee = %proof.units(), "its fee is known");
                self.signer.settle_fee(row, proof, now()).await
            }
            Ok(Fate::Alarm { tx, misfit }) => {
                error!(%intent, %tx, %misfit, "a slot was used for something else: look at it");
                Ok(())
            }
            Ok(Fate::Seen { .. } | Fate::Open) => Ok(()),
            Err(error) => {
                debug!(%intent, %error, "the chain does not tell");
                Ok(())
            }
        };
        if let Err(error) = recorded {
            warn!(%intent, %error, "an outcome was not recorded");
        }
    }
}
