//! Three signers with homes of their own, around a courier in memory.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_primitives::{Address, address};
use ed25519_dalek::SigningKey;
use tercet_policy::chain::Chain;
use tercet_policy::declared::Declared;
use tercet_policy::document::{
    Authority, AuthorityConfig, Ed25519PublicKey, Enrolment, RequestId, Signed, WalletRequest,
};
use tercet_policy::intent::{
    AgentKeys, AuthenticIntent, IntentId, Payment, PaymentIntent, SignedIntent, Transfer, X402Exact,
};
use tercet_policy::money::Amount;
use tercet_policy::party::{AgentId, NodeId, Party};
use tercet_policy::proposal::{ProposalClaim, terms_without_chain};
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::rules::{Policy, PolicyDocument, SignedPolicy};
use tercet_policy::time::UnixSeconds;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::*;
use crate::kek::{Argon2Cost, Passphrase};
use crate::session::SessionWire;
use crate::tss::GroupAux;

pub(super) const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
pub(super) const USDC: Address = address!("833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");
pub(super) const PAYEE: Address = address!("209693Bc6afc0C5328bA36FaF03C514EF312287C");

pub(super) struct House {
    pub(super) signers: Vec<Arc<Signer>>,
    pub(super) agent: AgentId,
    pub(super) authority: SigningKey,
    place: tempfile::TempDir,
}

pub(super) fn policy_text(epoch: u64, limit: &str) -> String {
    format!(
        "policy: test\nepoch: {epoch}\napplies_to: {{ agent: research-01 }}\nrules:\n  \
         - max_amount: {limit}\n  - allow: {{ services: [api.example] }}\n  \
         - allow: {{ recipients: [\"{PAYEE}\"] }}\n"
    )
}

pub(super) fn agent() -> AgentId {
    AgentId::new("research-01").unwrap()
}

pub(super) fn authority_of(key: &SigningKey) -> Authority {
    let keys = vec![Ed25519PublicKey::of(key)];
    AuthorityConfig { keys, threshold: 1 }.try_into().unwrap()
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
        let document = PolicyDocument { yaml: policy_text(epoch, limit) };
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

/// The agent's own policy of `epoch`, and no other.
pub(super) fn epochs(epoch: u64) -> PolicyEpochs {
    PolicyEpochs { agent: Some(epoch), ..PolicyEpochs::default() }
}

/// A party's share of a group's parameters that was made before.
pub(super) fn fixture_aux(party: Party) -> GroupAux {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let text = std::fs::read(format!("{folder}/TEST-ONLY-group-aux-{party}.json")).unwrap();
    let mut fixture: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let payload = serde_json::to_vec(&fixture["payload"].take()).unwrap();
    GroupAux::from_sealed_bytes(&payload, party).unwrap()
}

pub(super) fn request(
    session: [u8; 16],
    envelope: &SignedIntent,
    claim: &ProposalClaim,
) -> SignRequest {
    SignRequest {
        session,
        envelope: envelope.clone(),
        claim: claim.clone(),
        approvals: Vec::new(),
        now: NOW,
        cancel: CancellationToken::new(),
    }
}

pub(super) fn x402(wallet: Address, base_units: u128) -> PaymentIntent {
    let payment = Payment::X402Exact(X402Exact {
        chain: Chain::Base,
        token: USDC,
        to: PAYEE,
        amount: Amount::from_base_units(base_units),
        valid_before: NOW.plus(300),
        resource: "https://api.example/data".to_owned(),
        service: tercet_policy::intent::Service::of("https://api.example/data").unwrap(),
    });
    intent(wallet, payment)
}

pub(super) fn transfer(wallet: Address, base_units: u128) -> PaymentIntent {
    let amount = Amount::from_base_units(base_units);
    let payment =
        Payment::Transfer(Transfer { chain: Chain::Base, token: USDC, to: PAYEE, amount });
    intent(wallet, payment)
}

fn intent(wallet: Address, payment: Payment) -> PaymentIntent {
    let mut id = [0; 32];
    id[..16].copy_from_slice(&fresh());
    PaymentIntent {
        version: tercet_policy::intent::INTENT_VERSION,
        id: IntentId(id),
        agent: agent(),
        wallet,
        payment,
        declared: Declared::default(),
        created_at: NOW,
        expires_at: NOW.plus(120),
    }
}

/// The files of a home at some moment.
pub(super) struct Copied(Vec<(PathBuf, Vec<u8>)>);

impl Copied {
    fn of(home: &Path) -> Self {
        let files = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap());
        let journal = files.filter(|f| f.file_name().to_string_lossy().starts_with("journal"));
        Self(journal.map(|f| (f.path(), std::fs::read(f.path()).unwrap())).collect())
    }

    /// Puts the journal of then in the place of today's.
    pub(super) fn put_over(&self, home: &Path) {
        for file in Self::of(home).0 {
            std::fs::remove_file(file.0).unwrap();
        }
        for (path, bytes) in &self.0 {
            std::fs::write(path, bytes).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

async fn open_signer(path: &Path, party: Party, authority: &SigningKey) -> Signer {
    let home = Home::open(path).unwrap();
    let kek = Kek::unlock(&home, &passphrase(), Argon2Cost::insecure_for_tests()).unwrap();
    let parts = SignerParts {
        role: party,
        identity: Arc::new(NodeIdentity::open(&home, &kek).unwrap()),
        home,
        kek,
        authority: authority_of(authority),
        own_policies: Vec::new(),
        balances: None,
        crash_at: None,
    };
    Signer::open(parts, NOW).await.unwrap()
}

fn passphrase() -> Passphrase {
    Passphrase::new(b"correct horse battery".to_vec()).unwrap()
}

async fn signer(path: &Path, party: Party, authority: &SigningKey, own: Option<&str>) -> Signer {
    let home = Home::create(path).unwrap();
    let kek = Kek::create(&home, &passphrase(), Argon2Cost::insecure_for_tests()).unwrap();
    let name = if party == Party::Agent { "research-01" } else { party.word() };
    let identity = NodeIdentity::generate(NodeId::new(name).unwrap()).unwrap();
    identity.seal(&home, &kek, NOW).unwrap();
    let parts = SignerParts {
        role: party,
        home,
        kek,
        identity: Arc::new(identity),
        authority: authority_of(authority),
        own_policies: own.map(|yaml| Policy::parse(yaml).unwrap()).into_iter().collect(),
        balances: None,
        crash_at: None,
    };
    Signer::open(parts, NOW).await.unwrap()
}

/// What the courier makes of a frame: the frames that are delivered in its place, each with the
/// party it is said to be from.
pub(super) type Tamper =
    Arc<dyn Fn(Party, Party, usize, Vec<u8>) -> Vec<(Party, Vec<u8>)> + Send + Sync>;

pub(super) fn honest() -> Tamper {
    Arc::new(|from, _, _, bytes| vec![(from, bytes)])
}

/// One wire for each party, carried by tasks.
pub(super) fn wires(parties: &[Party], tamper: Tamper) -> Vec<SessionWire> {
    let (inboxes, incoming): (Vec<_>, Vec<_>) = parties.iter().map(|_| mpsc::channel(256)).unzip();
    let inboxes: Vec<_> = parties.iter().copied().zip(inboxes).collect();
    let (outgoing, sent): (Vec<_>, Vec<_>) =
        parties.iter().map(|_| mpsc::channel::<(Party, Vec<u8>)>(256)).unzip();
    for (&from, mut sent) in parties.iter().zip(sent) {
        let (inboxes, tamper) = (inboxes.clone(), Arc::clone(&tamper));
        tokio::spawn(async move {
            let mut count = 0;
            while let Some((to, bytes)) = sent.recv().await {
                let inbox = inboxes.iter().find(|(party, _)| *party == to);
                for frame in tamper(from, to, count, bytes) {
                    if let Some((_, inbox)) = inbox {
                        drop(inbox.send(frame).await);
                    }
                }
                count += 1;
            }
        });
    }
    let wire = |(outgoing, incoming)| SessionWire { outgoing, incoming };
    outgoing.into_iter().zip(incoming).map(wire).collect()
}

pub(super) fn fresh() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

async fn join<T>(runs: impl Iterator<Item = tokio::task::JoinHandle<T>>) -> Vec<T> {
    let runs: Vec<_> = runs.collect();
    let mut done = Vec::new();
    for run in runs {
        done.push(run.await.unwrap());
    }
    done
}
