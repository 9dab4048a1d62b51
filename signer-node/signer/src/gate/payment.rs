//! One payment: judged and recorded alone, signed together.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use tercet_policy::admission::Reserved;
use tercet_policy::approval::SignedApproval;
use tercet_policy::document::{ContentHash, Enrolment};
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::party::{AgentId, Party};
use tercet_policy::payload::FinishedPayment;
use tercet_policy::proposal::{Proposal, ProposalClaim, Slot};
use tercet_policy::refusal::Refusal;
use tercet_policy::time::UnixSeconds;
use tokio_util::sync::CancellationToken;

use super::ceremony::enrolment_bytes;
use super::{CrashPoint, Failure, GateError, Signer};
use crate::channel::SESSION_ID_BYTES;
use crate::journal::Roll;
use crate::session::{Mesh, RunTerms, SessionError, SessionWire, context};
use crate::tss::{self, ExecutionFields, Patience, Protocol, SigningShare};

/// A payment to judge and sign.
#[derive(Debug)]
pub struct SignRequest {
    /// Names the session; random, used once.
    pub session: [u8; SESSION_ID_BYTES],
    /// Signed by the agent.
    pub envelope: SignedIntent,
    /// What the courier says it is.
    pub claim: ProposalClaim,
    /// What people are said to have said to it, unchecked; at most
    /// [`APPROVALS_MAX`](tercet_policy::approval::APPROVALS_MAX) are looked at.
    pub approvals: Vec<SignedApproval>,
    /// Our time.
    pub now: UnixSeconds,
    /// Calls the session off.
    pub cancel: CancellationToken,
}

/// A payment with its signature: verified, low-s, recovered to the wallet.
#[derive(Debug)]
pub struct SignedPayment {
    /// The intent.
    pub intent: IntentId,
    /// The wallet that pays.
    pub wallet: Address,
    /// The slot it fills for ever.
    pub slot: Slot,
    /// What was signed.
    pub digest: B256,
    /// Ready to use.
    pub payment: FinishedPayment,
}

/// What judging left to be signed.
struct Judged {
    enrolment: Enrolment,
    share: Arc<SigningShare>,
    context: ContentHash,
    reserved: Reserved,
}

impl Signer {
    /// Opens, judges and records a payment, and signs it with the everyday peer. `admitted` is
    /// called once the record is durable, before any message leaves.
    ///
    /// # Errors
    /// [`GateError::Refused`] with every reason; [`GateError::Failed`] if it could not be done.
    /// Once admitted the payment counts as spent, and the same intent may be signed again.
    pub async fn sign_payment(
        &self,
        request: SignRequest,
        wire: SessionWire,
        admitted: impl FnOnce() + Send,
    ) -> Result<SignedPayment, GateError> {
        let signed = Box::pin(self.judge_and_sign(request, wire, admitted)).await;
        self.mark_if_unfit(signed)
    }

    async fn judge_and_sign(
        &self,
        request: SignRequest,
        wire: SessionWire,
        admitted: impl FnOnce() + Send,
    ) -> Result<SignedPayment, GateError> {
        let (session, cancel, now) = (request.session, request.cancel.clone(), request.now);
        let judged = match self.judge(request).await {
            Ok(judged) => judged,
            Err(error) => {
                self.decline(&wire);
                return Err(error);
            }
        };
        admitted();
        self.crash_if(CrashPoint::AfterAdmit);
        let peers = self.peers_of(&judged.enrolment, &Party::EVERYDAY);
        let mut mesh = self.meet(&peers, (session, judged.context), cancel, wire).await?;
        let wallet = judged.share.card().address;
        let signed = self.sign_with(&mut mesh, judged, session, now).await;
        self.end(&mut mesh, Some(wallet), signed).await
    }

    /// Opens the intent and takes it through this node's own rules and records.
    async fn judge(&self, request: SignRequest) -> Result<Judged, GateError> {
        self.refuse_after_bug()?;
        if self.role == Party::Recovery {
            return Err(Failure::NotAnEverydayRole.into());
        }
        let SignRequest { envelope, claim, approvals, now, .. } = request;
        let roll = self.journal.roll();
        let enrolment = self.serving(&roll, &envelope.document.agent)?;
        let intent = envelope.open_intent(&*roll, now)?;
        self.check_voucher_signer(intent.intent())?;
        self.crash_if(CrashPoint::AfterOpen);
        let share = self.share_of(&roll, intent.intent().wallet, &intent.intent().agent).await?;
        let proposal = Proposal::assemble(intent, &claim)?;
        let subject = proposal.context_hash();
        let context = context("sign", &[&enrolment_bytes(&enrolment)?, &subject.0]);
        let submission = self.submission(&roll, proposal, approvals).await;
        let reserved = self.journal.admit(submission, now).await?;
        self.note_channel(reserved.row());
        Ok(Judged { enrolment, share, context, reserved })
    }

    /// The share of a wallet, if it is one of that agent's.
    pub(super) async fn share_of(
        &self,
        roll: &Roll,
        wallet: Address,
        agent: &AgentId,
    ) -> Result<Arc<SigningShare>, GateError> {
        if roll.wallet(&wallet).is_none_or(|of| of.agent != *agent) {
            return Err(Refusal::UnknownWallet { wallet, agent: agent.clone() }.into());
        }
        if let Some(share) = self.vault.opened_share(wallet) {
            return Ok(share);
        }
        let agent = agent.clone();
        self.off_runtime(move |vault| vault.share(wallet, &agent)).await
    }

    async fn sign_with(
        &self,
        mesh: &mut Mesh,
        judged: Judged,
        session: [u8; SESSION_ID_BYTES],
        now: UnixSeconds,
    ) -> Result<SignedPayment, GateError> {
        let Judged { enrolment, share, reserved, .. } = judged;
        let card = share.card();
        let row = reserved.row().clone();
        let peers = self.peers_of(&enrolment, &Party::EVERYDAY);
        let mut greeting = self.greeting(&peers).await?;
        greeting.aux = Some(ContentHash(card.aux_hash.0));
        greeting.policies = Some(row.policies);
        let (nonces, hellos) = mesh.greet(|nonce, to| greeting.hello(nonce, to)).await?;
        self.heed(&peers, &hellos).await?;
        for (peer, hello) in &hellos {
            agree(*peer, hello.aux == greeting.aux, "the group's parameters")?;
            agree(*peer, hello.policies == greeting.policies, "the policies' epochs")?;
        }
        let fields = ExecutionFields {
            protocol: Protocol::Sign,
            wallet: Some(card.address),
            key_epoch: card.key_epoch,
            session: &session,
            parties: &Party::EVERYDAY,
            attempt: 0,
            aux_hash: Some(card.aux_hash),
        };
        let terms = RunTerms { fields, patience: Patience::SIGN, run: 0 };
        let execution = self.execution(mesh, &terms, nonces).await?;
        self.crash_if(CrashPoint::MidRounds);
        self.journal.release(&row, now).await?;
        let payload = reserved.into_payload();
        let payment = mesh
            .run(execution, &terms, |run| tss::sign(&self.threads, run, share, payload))
            .await?;
        self.crash_if(CrashPoint::AfterSignature);
        let (intent, wallet, slot, digest) = (row.intent, row.wallet, row.slot, row.digest);
        Ok(SignedPayment { intent, wallet, slot, digest, payment })
    }

    /// Tells the everyday peer, unsealed, that nobody will come. The courier could as well drop
    /// every frame.
    fn decline(&self, wire: &SessionWire) {
        for peer in Party::EVERYDAY.into_iter().filter(|party| *party != self.role) {
            // A courtesy: the peer has a deadline.
            drop(wire.outgoing.try_send((peer, Vec::new())));
        }
    }
}

/// That a peer holds what we hold.
pub(super) fn agree(peer: Party, same: bool, what: &'static str) -> Result<(), SessionError> {
    if same { Ok(()) } else { Err(SessionError::Differs { peer, what }) }
}
