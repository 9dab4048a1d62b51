//! A wallet of a group that has parameters.

use tercet_policy::document::{ContentHash, NodeKeys, RequestId, Signed, WalletRequest};
use tercet_policy::party::{AgentId, Party};
use tercet_policy::refusal::Refusal;
use tercet_policy::time::UnixSeconds;

use super::{Ceremony, KEPT_RUN, MadeWallet, enrolment_bytes};
use crate::channel::SESSION_ID_BYTES;
use crate::gate::payment::agree;
use crate::gate::{Failure, GateError, Signer};
use crate::session::{Mesh, SessionWire, context};
use crate::tss::WalletShare;

impl Signer {
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
        if let Some(reason) = roll.stop_of(&agent) {
            let reason = reason.to_owned();
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
    pub(in crate::gate) async fn keep_wallet(
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
}
