//! Three signers with homes of their own, around a courier in memory.

mod courier;
mod homes;
mod papers;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alloy_primitives::Address;
use ed25519_dalek::SigningKey;
use tercet_policy::document::{Ed25519PublicKey, Enrolment, RequestId, Signed, WalletRequest};
use tercet_policy::intent::{AgentKeys, AuthenticIntent, PaymentIntent, SignedIntent};
use tercet_policy::party::{AgentId, Party};
use tercet_policy::proposal::{ProposalClaim, terms_without_chain};
use tercet_policy::rules::{PolicyDocument, SignedPolicy};
use tokio_util::sync::CancellationToken;

use super::super::*;
use courier::join;
use homes::{Copied, open_signer, signer};

pub(super) use courier::{Tamper, fresh, honest, wires};
pub(super) use homes::fixture_aux;
pub(super) use papers::{NOW, PAYEE, agent, epochs, intent, policy_text, request, transfer, x402};

pub(super) struct House {
    pub(super) signers: Vec<Arc<Signer>>,
    pub(super) agent: AgentId,
    pub(super) authority: SigningKey,
    place: tempfile::TempDir,
}

impl House {
    /// Enrolled, with a policy, and with the fixture group's parameters.
    pub(super) async fn new() -> Self {
        Self::with_operator_rules(None).await
    }

    /// With rules of the operator node's own.
    pub(super) async fn with_operator_rules(own: Option<&str>) -> Self {
        let house = Self::bare(own).await;
        house.give_fixture_aux();
        house
    }

    async fn bare(own: Option<&str>) -> Self {
        let place = tempfile::tempdir().unwrap();
        let authority = SigningKey::from_bytes(&[9; 32]);
        let mut signers = Vec::new();
        for party in Party::ALL {
            let own = own.filter(|_| party == Party::Operator);
            let path = place.path().join(party.word());
            signers.push(Arc::new(signer(&path, party, &authority, own).await));
        }
        let house = Self { signers, agent: agent(), authority, place };
        house.enrol().await;
        house.put_policy(1, "0.50 USDC").await;
        house
    }

    /// Asks all three for the group's parameters; the operator's steps are kept.
    pub(super) async fn prepare(
        &self,
        steps: Arc<std::sync::Mutex<Vec<CeremonyStep>>>,
    ) -> Vec<Result<ContentHash, GateError>> {
        let session = fresh();
        let wires = wires(&Party::ALL, honest());
        let runs = self.signers.iter().zip(wires).map(|(signer, wire)| {
            let (signer, agent) = (Arc::clone(signer), self.agent.clone());
            let steps = (signer.role() == Party::Operator).then(|| Arc::clone(&steps));
            let ceremony = Ceremony { session, now: NOW, cancel: CancellationToken::new() };
            tokio::spawn(async move {
                let report = |step| {
                    if let Some(steps) = &steps {
                        steps.lock().unwrap().push(step);
                    }
                };
                signer.prepare_group(&agent, ceremony, wire, &report).await
            })
        });
        join(runs).await
    }

    /// Closes a signer, lets `change` at its home, and opens it again.
    pub(super) async fn restart(&mut self, party: Party, change: impl FnOnce(&Path)) {
        let closing = self.signer(party);
        closing.close().await.unwrap();
        let place = self.place.path().join(party.word());
        let spare = self.place.path().join("spare");
        let placeholder = signer(&spare, party, &self.authority, None).await;
        self.signers[usize::from(party.index())] = Arc::new(placeholder);
        drop(Arc::into_inner(closing).unwrap());
        change(&place);
        let opened = open_signer(&place, party, &self.authority).await;
        self.signers[usize::from(party.index())] = Arc::new(opened);
        std::fs::remove_dir_all(&spare).unwrap();
    }

    /// The home as it is now. The signer is restarted to be copied at rest.
    pub(super) async fn copy_of(&mut self, party: Party) -> Copied {
        let mut copied = None;
        self.restart(party, |home| copied = Some(Copied::of(home))).await;
        copied.unwrap()
    }

    /// Takes a party's parameters away, as a disk would.
    pub(super) fn lose_aux(&self, party: Party) {
        let signer = self.signer(party);
        let groups = signer.vault.home().path().join("groups");
        std::fs::remove_dir_all(&groups).unwrap();
        std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700)
            .create(&groups)
            .unwrap();
        signer.vault.forget();
    }

    pub(super) fn signer(&self, party: Party) -> Arc<Signer> {
        Arc::clone(&self.signers[usize::from(party.index())])
    }

    fn enrolment(&self) -> Enrolment {
        let keys = |party| self.signer(party).identity().public().clone();
        Enrolment {
            agent: self.agent.clone(),
            epoch: 1,
            agent_node: keys(Party::Agent),
            operator_node: keys(Party::Operator),
            recovery_node: keys(Party::Recovery),
        }
    }

    async fn enrol(&self) {
        let signed = Signed::by(self.enrolment(), &self.authority).unwrap();
        for signer in &self.signers {
            signer.install_enrolment(signed.clone()).await.unwrap();
        }
    }

    pub(super) async fn put_policy(&self, epoch: u64, limit: &str) {
        self.put_policy_text(policy_text(epoch, limit)).await;
    }

    pub(super) async fn put_policy_text(&self, yaml: String) {
        let document = PolicyDocument { yaml };
        let signed: SignedPolicy = Signed::by(document, &self.authority).unwrap();
        for signer in &self.signers {
            signer.install_policy(signed.clone()).await.unwrap();
        }
    }

    fn give_fixture_aux(&self) {
        for (signer, party) in self.signers.iter().zip(Party::ALL) {
            signer.vault.keep_aux(&self.agent, fixture_aux(party), NOW).unwrap();
        }
    }

    /// Asks all three for a wallet.
    pub(super) async fn make_wallet(
        &self,
        request: u8,
        tamper: Tamper,
    ) -> Vec<Result<MadeWallet, GateError>> {
        let document = WalletRequest {
            agent: self.agent.clone(),
            request: RequestId([request; 32]),
            label: "test".to_owned(),
            created_at: NOW,
        };
        let key = self.signer(Party::Agent);
        let request = Signed::by(document, key.identity().expose_signing()).unwrap();
        let session = fresh();
        let wires = wires(&Party::ALL, tamper);
        let runs = self.signers.iter().zip(wires).map(|(signer, wire)| {
            let (signer, request) = (Arc::clone(signer), request.clone());
            let ceremony = Ceremony { session, now: NOW, cancel: CancellationToken::new() };
            tokio::spawn(async move { signer.create_wallet(request, ceremony, wire).await })
        });
        join(runs).await
    }

    /// A wallet that all three made.
    pub(super) async fn wallet(&self) -> Address {
        let made = self.make_wallet(fresh()[0], honest()).await;
        let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
        assert!(made.iter().all(|wallet| *wallet == made[0]));
        made[0].address
    }

    pub(super) fn sign_intent(&self, intent: PaymentIntent) -> SignedIntent {
        let key = self.signer(Party::Agent);
        Signed::by(intent, key.identity().expose_signing()).unwrap()
    }

    /// Asks the everyday pair to sign.
    pub(super) async fn pay(
        &self,
        envelope: &SignedIntent,
        claim: &ProposalClaim,
        tamper: Tamper,
    ) -> Vec<Result<SignedPayment, GateError>> {
        let session = fresh();
        let wires = wires(&Party::EVERYDAY, tamper);
        let runs = Party::EVERYDAY.into_iter().zip(wires).map(|(party, wire)| {
            let (signer, request) = (self.signer(party), request(session, envelope, claim));
            tokio::spawn(async move { signer.sign_payment(request, wire, || {}).await })
        });
        join(runs).await
    }

    /// Asks one party alone, and calls the session off as soon as it has admitted the payment.
    pub(super) async fn ask(&self, party: Party, asked: SignRequest) -> Result<(), GateError> {
        let (cancel, admitted) = (asked.cancel.clone(), AtomicBool::new(false));
        let wire = wires(&Party::EVERYDAY, honest()).remove(usize::from(party.index()));
        let told = || {
            admitted.store(true, Ordering::Relaxed);
            cancel.cancel();
        };
        let ended = Box::pin(self.signer(party).sign_payment(asked, wire, told)).await.map(drop);
        if admitted.into_inner() { Ok(()) } else { ended }
    }

    /// Has the everyday pair make presignatures.
    pub(super) async fn presign(
        &self,
        wallet: Address,
        count: u8,
        tamper: Tamper,
    ) -> Vec<Result<u8, GateError>> {
        let session = fresh();
        let wires = wires(&Party::EVERYDAY, tamper);
        let runs = Party::EVERYDAY.into_iter().zip(wires).map(|(party, wire)| {
            let signer = self.signer(party);
            let cancel = CancellationToken::new();
            let asked = PresignRequest { session, wallet, count, is_doubtful: false, cancel };
            tokio::spawn(async move { signer.presign(asked, wire).await })
        });
        join(runs).await
    }

    /// A wallet with so many presignatures in stock.
    pub(super) async fn stocked(&self, count: u8) -> Address {
        let wallet = self.wallet().await;
        for made in self.presign(wallet, count, honest()).await {
            assert_eq!(made.unwrap(), count);
        }
        wallet
    }

    pub(super) fn open(&self, envelope: &SignedIntent) -> AuthenticIntent {
        struct One(Ed25519PublicKey);
        impl AgentKeys for One {
            fn agent_key(&self, _: &AgentId) -> Option<Ed25519PublicKey> {
                Some(self.0)
            }
        }
        let key = self.signer(Party::Agent).identity().public().signing;
        envelope.clone().open_intent(&One(key), NOW).unwrap()
    }

    /// The claim of an honest courier.
    pub(super) fn claim(&self, envelope: &SignedIntent) -> ProposalClaim {
        let intent = self.open(envelope);
        let terms = terms_without_chain(&intent).unwrap();
        ProposalClaim::honest(&intent, terms, epochs(1))
    }
}
