//! The parameters of a group: made, proved, and kept unless wallets rest on others.

use tercet_policy::document::{ContentHash, NodeKeys};
use tercet_policy::party::{AgentId, Party};
use tercet_policy::time::UnixSeconds;

use super::{Ceremony, CeremonyStep, KEPT_RUN, Report, enrolment_bytes, fields};
use crate::channel::SESSION_ID_BYTES;
use crate::gate::{Failure, GateError, Signer};
use crate::primes::SafePrimes;
use crate::session::{Mesh, PRIMES_MS_MAX, RunTerms, SessionWire, context};
use crate::tss::{self, GroupAux, Patience, Protocol};

const AUX_RUN: u8 = 0;

impl Signer {
    /// Makes the parameters of an agent's group with the other two parties and proves them, or
    /// finds that all three hold the same already. Minutes of CPU at first, a quarter of one where
    /// primes are in stock, milliseconds then.
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
    pub(in crate::gate) async fn keep_parameters(
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
        if self.journal.roll().has_wallet_of(agent) {
            return Err(Failure::AuxInUse { agent: agent.clone() });
        }
        Ok(())
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
}
