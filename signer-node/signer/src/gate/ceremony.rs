//! Ceremonies of all three parties: a group's parameters, and wallets that rest on them.
//!
//! # What is proved when
//!
//! CGGMP24's library accepts parameters in which a peer's modulus is wrong; what comes of it shows
//! only when a signature is made. A signature costs more than half a second of each of its two
//! parties, and a wallet is to be made in a tenth of one. So the proof is split:
//!
//! - **With the group's parameters, once**: all three compare the hash over every public value,
//!   make a throw-away key, and each of the three pairs signs the text of a wallet proof with it.
//!   Only then are the parameters kept.
//! - **With each wallet**: all three compare the hash over the public key, every public share and
//!   the hash of those parameters. That each share belongs to its public share, and that the
//!   public shares interpolate to the key, was checked by each party when the share was made.
//!   Equal hashes thus say that any two shares are shares of this key, under parameters with which
//!   every pair has signed. No signature is made.
//!
//! A wallet is announced when all three have said that its share rests on their disk.

use std::sync::Arc;

use alloy_primitives::Address;
use tercet_policy::document::{ContentHash, Enrolment, NodeKeys, RequestId, Signed, WalletRequest};
use tercet_policy::party::{AgentId, Party};
use tercet_policy::payload::SigningPayload;
use tercet_policy::refusal::Refusal;
use tercet_policy::time::UnixSeconds;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::payment::agree;
use super::{Failure, GateError, Signer};
use crate::channel::SESSION_ID_BYTES;
use crate::primes::{self, PRIMES_COUNT, Progress, SafePrimes};
use crate::session::{
    CLOSING_MS_MAX, Mesh, Nonces, PRIMES_MS_MAX, RunTerms, SessionError, SessionWire, context,
};
use crate::tss::{
    self, AuxHash, ExecutionFields, ExecutionId, GroupAux, Patience, Protocol, SigningShare,
    TssError, WalletShare,
};
use crate::vault::{Vault, VaultError};

const AUX_RUN: u8 = 0;
const TEST_KEY_RUN: u8 = 1;
const PROOF_RUN: u8 = 2;
const KEPT_RUN: u8 = 9;
/// The pairs that prove the parameters, in this order at every party.
const PAIRS: [[Party; 2]; 3] = [
    [Party::Agent, Party::Operator],
    [Party::Agent, Party::Recovery],
    [Party::Operator, Party::Recovery],
];

/// How far a ceremony is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CeremonyStep {
    /// What is being done, for people.
    pub stage: &'static str,
    /// Steps done.
    pub done: u32,
    /// Steps in all.
    pub total: u32,
}

/// Where a ceremony reports its steps.
pub type Report<'a> = &'a (dyn Fn(CeremonyStep) + Send + Sync);

/// A wallet that all three parties hold shares of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeWallet {
    /// Its address.
    pub address: Address,
    /// Hash over all public values of its ceremony.
    pub transcript: ContentHash,
}

/// The session of a ceremony.
#[derive(Debug)]
pub struct Ceremony {
    /// Names the session; random, used once.
    pub session: [u8; SESSION_ID_BYTES],
    /// Our time.
    pub now: UnixSeconds,
    /// Calls the session off.
    pub cancel: CancellationToken,
}

impl Signer {
    /// Makes the parameters of an agent's group with the other two parties and proves them, or
    /// finds that all three hold the same already. Minutes of CPU at first, milliseconds then.
    ///
    /// # Errors
    /// [`GateError`]; [`Failure::AuxInUse`] where wallets rest on parameters that a party lost.
    pub async fn prepare_group(
        &self,
        agent: &AgentId,
        ceremony: Ceremony,
        wire: SessionWire,
        report: Report<'_>,
    ) -> Result<ContentHash, GateError> {
        let prepared = Box::pin(self.prepare(agent, ceremony, wire, report)).await;
        self.mark_if_unfit(prepared)
    }

    /// Makes a wallet for an agent with the other two parties. The same request twice makes one
    /// wallet.
    ///
    /// # Errors
    /// [`GateError::Refused`] for an agent that is unknown or frozen; [`GateError::Failed`].
    pub async fn create_wallet(
        &self,
        request: Signed<WalletRequest>,
        ceremony: Ceremony,
        wire: SessionWire,
    ) -> Result<MadeWallet, GateError> {
        let made = Box::pin(self.make_wallet(request, ceremony, wire)).await;
        self.mark_if_unfit(made)
    }

    async fn prepare(
        &self,
        agent: &AgentId,
        ceremony: Ceremony,
        wire: SessionWire,
        report: Report<'_>,
    ) -> Result<ContentHash, GateError> {
        self.refuse_after_bug()?;
        let enrolment = self.serving(&self.journal.roll(), agent)?;
        let Ceremony { session, now, cancel } = ceremony;
        let context = context("prepare", &[&enrolment_bytes(&enrolment)?]);
        let peers = self.peers_of(&enrolment, &Party::ALL);
        let mut mesh = self.meet(&peers, (session, context), cancel, wire).await?;
        let prepared = self.prepare_with(&mut mesh, (agent, &peers), (session, now), report).await;
        self.end(&mut mesh, None, prepared).await
    }

    async fn prepare_with(
        &self,
        mesh: &mut Mesh,
        (agent, peers): (&AgentId, &[(Party, NodeKeys)]),
        (session, now): ([u8; SESSION_ID_BYTES], UnixSeconds),
        report: Report<'_>,
    ) -> Result<ContentHash, GateError> {
        let mut greeting = self.greeting(peers).await?;
        greeting.aux = self.aux_hash(agent)?;
        let (_unused, hellos) = mesh.greet(|nonce, to| greeting.hello(nonce, to)).await?;
        self.heed(peers, &hellos).await?;
        if let Some(aux) = greeting.aux
            && hellos.iter().all(|(_, hello)| hello.aux == Some(aux))
        {
            return Ok(aux);
        }
        self.refuse_under_wallets(agent)?;
        let primes = self.find_primes(mesh.cancel().clone(), report).await?;
        let aux = self.make_aux(mesh, session, primes, report).await?;
        self.prove(mesh, session, &aux, report).await?;
        let hash = ContentHash(aux.aux_hash().0);
        self.keep_parameters(agent, aux, now).await?;
        mesh.kept(KEPT_RUN).await?;
        Ok(hash)
    }

    /// Keeps new parameters, unless a wallet was made while they were: a share is of no use without
    /// the parameters it was made under, and the making takes minutes.
    pub(super) async fn keep_parameters(
        &self,
        agent: &AgentId,
        aux: GroupAux,
        now: UnixSeconds,
    ) -> Result<(), GateError> {
        let _alone = self.keeping.lock().await;
        self.refuse_under_wallets(agent)?;
        let agent = agent.clone();
        self.off_runtime(move |vault| vault.keep_aux(&agent, aux, now).map(drop)).await
    }

    fn refuse_under_wallets(&self, agent: &AgentId) -> Result<(), Failure> {
        if self.journal.roll().wallets().any(|(_, of)| of.agent == *agent) {
            return Err(Failure::AuxInUse { agent: agent.clone() });
        }
        Ok(())
    }

    async fn find_primes(
        &self,
        cancel: CancellationToken,
        report: Report<'_>,
    ) -> Result<SafePrimes, GateError> {
        let total = u32::try_from(PRIMES_COUNT).unwrap_or(u32::MAX);
        let step = |done| CeremonyStep { stage: "searching safe primes", done, total };
        report(step(0));
        let _turn = tokio::select! {
            () = cancel.cancelled() => return Err(SessionError::CalledOff { by: None }.into()),
            turn = self.searching_primes.acquire() => turn,
        };
        let begin = Progress::Searching { found: 0, wanted: PRIMES_COUNT, candidates_tested: 0 };
        let (progress, mut seen) = watch::channel(begin);
        let mut searching = std::pin::pin!(primes::generate_apart(cancel, progress));
        let mut last = 0;
        let found = loop {
            tokio::select! {
                found = &mut searching => break found,
                Ok(()) = seen.changed() => {
                    if let Progress::Searching { found, .. } = *seen.borrow_and_update() {
                        let done = u32::try_from(found).unwrap_or(total);
                        if done != last {
                            report(step(done));
                        }
                        last = done;
                    }
                }
            }
        };
        match found {
            Ok(primes) => {
                report(step(total));
                Ok(primes)
            }
            Err(primes::PrimesError::Cancelled) => Err(SessionError::CalledOff { by: None }.into()),
            Err(error) => Err(SessionError::Tss(TssError::from(error)).into()),
        }
    }

    async fn make_aux(
        &self,
        mesh: &mut Mesh,
        session: [u8; SESSION_ID_BYTES],
        primes: SafePrimes,
        report: Report<'_>,
    ) -> Result<GroupAux, GateError> {
        let step = |done| CeremonyStep { stage: "proving the group's parameters", done, total: 1 };
        report(step(0));
        let peers = mesh.peers();
        let nonces = mesh.nonces(AUX_RUN, &peers, PRIMES_MS_MAX).await?;
        let fields = fields(Protocol::GroupAux, &session, &Party::ALL);
        let terms = RunTerms { fields, patience: Patience::GROUP_AUX, run: AUX_RUN };
        let execution = self.execution(mesh, &terms, nonces).await?;
        let start = |run| tss::make_group_aux(&self.threads, run, primes);
        let aux = mesh.run(execution, &terms, start).await?;
        let hash = ContentHash(aux.aux_hash().0);
        mesh.compare(AUX_RUN, hash, "the group's parameters").await?;
        report(step(1));
        Ok(aux)
    }

    /// Signs with every pair this party is in, under a key that is then forgotten.
    async fn prove(
        &self,
        mesh: &mut Mesh,
        session: [u8; SESSION_ID_BYTES],
        aux: &GroupAux,
        report: Report<'_>,
    ) -> Result<(), GateError> {
        let peers = mesh.peers();
        let nonces = mesh.nonces(TEST_KEY_RUN, &peers, CLOSING_MS_MAX).await?;
        let share = self.keygen(mesh, (session, TEST_KEY_RUN), aux, nonces).await?;
        let share = share.assemble(aux).map_err(TssError::from).map_err(SessionError::from)?;
        let mine = || PAIRS.iter().zip(PROOF_RUN..).filter(|(pair, _)| pair.contains(&self.role));
        let total = u32::try_from(mine().count()).unwrap_or(u32::MAX);
        let step = |done| CeremonyStep { stage: "signing with each party", done, total };
        for ((pair, run), done) in mine().zip(0..) {
            report(step(done));
            self.prove_pair(mesh, (session, run), *pair, Arc::clone(&share)).await?;
        }
        report(step(total));
        Ok(())
    }

    async fn prove_pair(
        &self,
        mesh: &mut Mesh,
        (session, run): ([u8; SESSION_ID_BYTES], u8),
        pair: [Party; 2],
        share: Arc<SigningShare>,
    ) -> Result<(), GateError> {
        let peer: Vec<_> = pair.into_iter().filter(|party| *party != self.role).collect();
        let nonces = mesh.nonces(run, &peer, CLOSING_MS_MAX).await?;
        let card = share.card();
        let fields = ExecutionFields {
            wallet: Some(card.address),
            aux_hash: Some(card.aux_hash),
            key_epoch: card.key_epoch,
            ..fields(Protocol::Sign, &session, &pair)
        };
        let terms = RunTerms { fields, patience: Patience::SIGN, run };
        let execution = self.execution(mesh, &terms, nonces).await?;
        let text = context("wallet-proof", &[&session]);
        let payload = SigningPayload::wallet_proof(card.address, &text.0, pair);
        let start = |run| tss::sign(&self.threads, run, share, payload);
        mesh.run(execution, &terms, start).await?;
        Ok(())
    }

    async fn make_wallet(
        &self,
        request: Signed<WalletRequest>,
        ceremony: Ceremony,
        wire: SessionWire,
    ) -> Result<MadeWallet, GateError> {
        self.refuse_after_bug()?;
        let roll = self.journal.roll();
        let enrolment = self.serving(&roll, &request.document.agent)?;
        let request = request.open_by(&enrolment.agent_node.signing)?;
        let agent = request.agent.clone();
        if let Some(freeze) = roll.freeze(&agent).filter(|freeze| freeze.frozen) {
            let reason = freeze.reason.clone();
            return Err(Refusal::AgentFrozen { agent, reason }.into());
        }
        if let Some(address) = roll.wallet_for(&request.request) {
            let transcript = self.off_runtime(move |vault| vault.transcript(address)).await?;
            return Ok(MadeWallet { address, transcript });
        }
        let Ceremony { session, now, cancel } = ceremony;
        let subject = request.content_hash();
        let context = context("wallet", &[&enrolment_bytes(&enrolment)?, &subject.0]);
        let peers = self.peers_of(&enrolment, &Party::ALL);
        let mut mesh = self.meet(&peers, (session, context), cancel, wire).await?;
        let wallet = (agent, request.request);
        let made = self.make_wallet_with(&mut mesh, &peers, wallet, (session, now)).await;
        self.end(&mut mesh, None, made).await
    }

    async fn make_wallet_with(
        &self,
        mesh: &mut Mesh,
        peers: &[(Party, NodeKeys)],
        (agent, request): (AgentId, RequestId),
        (session, now): ([u8; SESSION_ID_BYTES], UnixSeconds),
    ) -> Result<MadeWallet, GateError> {
        let of = agent.clone();
        let aux = self.off_runtime(move |vault| vault.aux(&of)).await?;
        let mut greeting = self.greeting(peers).await?;
        greeting.aux = Some(ContentHash(aux.aux_hash().0));
        let (nonces, hellos) = mesh.greet(|nonce, to| greeting.hello(nonce, to)).await?;
        self.heed(peers, &hellos).await?;
        for (peer, hello) in &hellos {
            agree(*peer, hello.aux == greeting.aux, "the group's parameters")?;
        }
        let share = self.keygen(mesh, (session, 0), &aux, nonces).await?;
        let address = share.card().address;
        let transcript = ContentHash(share.transcript_hash());
        self.keep_wallet((agent, request), share, now).await?;
        mesh.kept(KEPT_RUN).await?;
        Ok(MadeWallet { address, transcript })
    }

    /// Records and keeps a share, unless its group's parameters were replaced while it was made.
    pub(super) async fn keep_wallet(
        &self,
        (agent, request): (AgentId, RequestId),
        share: WalletShare,
        now: UnixSeconds,
    ) -> Result<(), GateError> {
        let card = share.card();
        let (address, under) = (card.address, ContentHash(card.aux_hash.0));
        let _alone = self.keeping.lock().await;
        if self.aux_hash(&agent)? != Some(under) {
            return Err(Failure::AuxReplaced { agent }.into());
        }
        // The row comes first: a share that the journal does not know is refused at start.
        self.journal.add_wallet(agent, address, request).await?;
        self.off_runtime(move |vault| vault.keep_share(&share, now)).await
    }

    /// Makes a key and compares what came out.
    async fn keygen(
        &self,
        mesh: &mut Mesh,
        (session, run): ([u8; SESSION_ID_BYTES], u8),
        aux: &GroupAux,
        nonces: Nonces,
    ) -> Result<WalletShare, GateError> {
        let aux_hash: AuxHash = aux.aux_hash();
        let fields = ExecutionFields {
            aux_hash: Some(aux_hash),
            ..fields(Protocol::Wallet, &session, &Party::ALL)
        };
        let terms = RunTerms { fields, patience: Patience::WALLET, run };
        let execution = self.execution(mesh, &terms, nonces).await?;
        let start = |run| tss::make_wallet(&self.threads, run, aux);
        let share = mesh.run(execution, &terms, start).await?;
        let transcript = ContentHash(share.transcript_hash());
        mesh.compare(run, transcript, "the wallet's transcript").await?;
        Ok(share)
    }

    /// The id of a run, noted for good.
    pub(super) async fn execution(
        &self,
        mesh: &Mesh,
        terms: &RunTerms<'_>,
        nonces: Nonces,
    ) -> Result<ExecutionId, GateError> {
        let execution = mesh.execution(terms, nonces)?;
        self.journal.note_execution(*execution.bytes()).await?;
        Ok(execution)
    }

    /// Does what blocks on the disk where it holds nobody up.
    pub(super) async fn off_runtime<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, GateError> {
        let vault = Arc::clone(&self.vault);
        let done = tokio::task::spawn_blocking(move || act(&vault)).await;
        Ok(done.map_err(|_| Failure::Bug("work on the vault ended without a result"))??)
    }
}

fn fields<'a>(protocol: Protocol, session: &'a [u8], parties: &'a [Party]) -> ExecutionFields<'a> {
    let (wallet, key_epoch, attempt, aux_hash) = (None, 0, 0, None);
    ExecutionFields { protocol, wallet, key_epoch, session, parties, attempt, aux_hash }
}

/// What binds a session to the keys that speak in it.
pub(super) fn enrolment_bytes(enrolment: &Enrolment) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(enrolment).map_err(|_| Failure::Bug("an enrolment cannot be written"))
}
