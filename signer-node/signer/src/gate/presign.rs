//! Presignatures, made by the everyday pair in the background.
//!
//! Promises: before anything is made, both sides tell each other, under seal, the names of what
//! they have in stock for the wallet, and drop what the other lacks; they make no more than both
//! have room for. What is made is in memory alone, and in no journal.
//! Refuses: wallets that are not ours, are stopped, or whose agent is; more than
//! [`PRESIGN_RUNS_MAX`] in one session.
//! Does not protect against: a peer that claims to have what it has not. It is found out when the
//! presignature is used.

use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use tercet_policy::document::{ContentHash, Enrolment};
use tercet_policy::party::Party;
use tercet_policy::refusal::Refusal;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ceremony::enrolment_bytes;
use super::payment::agree;
use super::{Failure, GateError, Signer};
use crate::channel::SESSION_ID_BYTES;
use crate::session::{Mesh, Nonces, RunTerms, SessionError, SessionWire, context};
use crate::stock::{NAMES_MAX, Shelf, UNMATCHED_GRACE};
use crate::tss::{self, ExecutionFields, Patience, PresignatureId, Protocol, SigningShare};

/// Most presignatures made in one session.
pub const PRESIGN_RUNS_MAX: u8 = 8;
/// Longest wait for a peer that is about to begin the next run, in milliseconds: it finishes the
/// one before, at the lowest priority.
const NEXT_RUN_MS_MAX: u64 = 60_000;

/// Presignatures to make.
#[derive(Debug)]
pub struct PresignRequest {
    /// Names the session; random, used once.
    pub session: [u8; SESSION_ID_BYTES],
    /// The wallet.
    pub wallet: Address,
    /// How many. Of none, the peers only agree on what is in stock.
    pub count: u8,
    /// Whether this side doubts what it has: then all of it goes that the peer does not name.
    pub is_doubtful: bool,
    /// Calls the session off.
    pub cancel: CancellationToken,
}

/// What a side has in stock of a wallet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Holding {
    names: Vec<B256>,
    room: u8,
}

impl Signer {
    /// Agrees with the everyday peer on what is in stock of a wallet, and makes more. Yields how
    /// many were made.
    ///
    /// # Errors
    /// [`GateError`]; what was made before stays in stock.
    pub async fn presign(
        &self,
        request: PresignRequest,
        wire: SessionWire,
    ) -> Result<u8, GateError> {
        let made = Box::pin(self.agree_and_make(request, wire)).await;
        self.mark_if_unfit(made)
    }

    async fn agree_and_make(
        &self,
        request: PresignRequest,
        wire: SessionWire,
    ) -> Result<u8, GateError> {
        self.refuse_after_bug()?;
        let PresignRequest { session, wallet, count, is_doubtful, cancel } = request;
        let peer = self.everyday_peer()?;
        let (enrolment, share) = self.may_presign(wallet).await?;
        let count = count.min(PRESIGN_RUNS_MAX);
        let subject = [wallet.as_slice(), &[count]].concat();
        let context = context("presign", &[&enrolment_bytes(&enrolment)?, &subject]);
        let peers = self.peers_of(&enrolment, &Party::EVERYDAY);
        let mut mesh = self.meet(&peers, (session, context), cancel, wire).await?;
        let grace = if is_doubtful { Duration::ZERO } else { UNMATCHED_GRACE };
        let batch = Batch { session, shelf: Shelf { wallet, peer }, count, grace, share };
        let made = self.make_with(&mut mesh, &enrolment, &batch).await;
        self.end(&mut mesh, Some(wallet), made).await
    }

    async fn may_presign(
        &self,
        wallet: Address,
    ) -> Result<(Enrolment, Arc<SigningShare>), GateError> {
        let roll = self.journal.roll();
        let agent = roll.wallet(&wallet).map(|of| of.agent.clone());
        let agent = agent.ok_or(Failure::NoSuchWallet { wallet })?;
        let enrolment = self.serving(&roll, &agent)?;
        if roll.stopped(&wallet).is_some() {
            return Err(Refusal::PairFrozen { wallet }.into());
        }
        if let Some(reason) = roll.stop_of(&agent).map(str::to_owned) {
            return Err(Refusal::AgentFrozen { agent, reason }.into());
        }
        let share = self.share_of(&roll, wallet, &agent).await?;
        Ok((enrolment, share))
    }

    async fn make_with(
        &self,
        mesh: &mut Mesh,
        enrolment: &Enrolment,
        batch: &Batch,
    ) -> Result<u8, GateError> {
        let peers = self.peers_of(enrolment, &Party::EVERYDAY);
        let mut greeting = self.greeting(&peers).await?;
        greeting.aux = Some(ContentHash(batch.share.card().aux_hash.0));
        let (nonces, hellos) = mesh.greet(|nonce, to| greeting.hello(nonce, to)).await?;
        self.heed(&peers, &hellos).await?;
        for (peer, hello) in &hellos {
            agree(*peer, hello.aux == greeting.aux, "the group's parameters")?;
        }
        let room = self.agree_on_stock(mesh, batch).await?;
        let mut nonces = Some(nonces);
        let mut made = 0u8;
        while made < room.min(batch.count) {
            let fresh = match nonces.take() {
                Some(first) => first,
                None => mesh.nonces(made, &[batch.shelf.peer], NEXT_RUN_MS_MAX).await?,
            };
            self.make_one(mesh, batch, (made, fresh)).await?;
            made = made.saturating_add(1);
            self.vault.note_presignature(&enrolment.agent);
        }
        Ok(made)
    }

    /// Tells what is in stock, drops what the peer lacks, and yields for how many both have room.
    async fn agree_on_stock(&self, mesh: &mut Mesh, batch: &Batch) -> Result<u8, GateError> {
        let shelf = batch.shelf;
        let (names, room) = self.stock().told(shelf, Instant::now());
        let room = u8::try_from(room).unwrap_or(u8::MAX);
        let ours = Holding { names: names.into_iter().map(|name| name.0).collect(), room };
        let bytes = serde_json::to_vec(&ours).map_err(|_| SessionError::Bug("names"))?;
        let theirs = mesh.tell_stock(&bytes).await?;
        let out_of_place = SessionError::OutOfPlace { peer: shelf.peer };
        let theirs: Holding = match serde_json::from_slice(&theirs) {
            Ok(theirs) => theirs,
            Err(_) => return Err(out_of_place.into()),
        };
        if theirs.names.len() > NAMES_MAX {
            return Err(out_of_place.into());
        }
        let names: Vec<_> = theirs.names.into_iter().map(PresignatureId).collect();
        self.stock().keep_only(shelf, &names, (Instant::now(), batch.grace));
        Ok(room.min(theirs.room))
    }

    async fn make_one(
        &self,
        mesh: &mut Mesh,
        batch: &Batch,
        (run, nonces): (u8, Nonces),
    ) -> Result<(), GateError> {
        let card = batch.share.card();
        let fields = ExecutionFields {
            protocol: Protocol::Presign,
            wallet: Some(card.address),
            key_epoch: card.key_epoch,
            session: &batch.session,
            parties: &Party::EVERYDAY,
            attempt: u32::from(run),
            aux_hash: Some(card.aux_hash),
        };
        let terms = RunTerms { fields, patience: Patience::PRESIGN, run };
        let execution = self.execution(mesh, &terms, nonces).await?;
        let share = Arc::clone(&batch.share);
        let begun = Instant::now();
        let made =
            mesh.run(execution, &terms, |run| tss::presign(&self.threads, run, share)).await?;
        if let Err(why) = self.stock().put(made, Instant::now()) {
            tracing::debug!(wallet = %card.address, %why, "a presignature is dropped");
        }
        self.stock().took(begun.elapsed());
        Ok(())
    }
}

/// What one session makes.
struct Batch {
    session: [u8; SESSION_ID_BYTES],
    shelf: Shelf,
    count: u8,
    grace: Duration,
    share: Arc<SigningShare>,
}
