//! An authority, an agent with a wallet, and intents of it.

use std::path::{Path, PathBuf};

use alloy_primitives::address;
use ed25519_dalek::SigningKey;
use tercet_policy::chain::Chain;
use tercet_policy::declared::Declared;
use tercet_policy::document::{
    AuthorityConfig, Ed25519PublicKey, Enrolment, Freeze, NodeKeys, RequestId, Signed,
    X25519PublicKey,
};
use tercet_policy::intent::{
    IntentId, Payment, PaymentIntent, Service, SignedIntent, Transfer, X402Cancel, X402Exact,
};
use tercet_policy::money::Amount;
use tercet_policy::proposal::Proposal;
use tercet_policy::proposal::{ChainTerms, ProposalClaim, terms_without_chain};
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::rules::{PolicyDocument, SignedPolicy};
use tercet_policy::subject::Subject;

use super::super::*;

pub(super) const NOW: UnixSeconds = UnixSeconds(1_790_000_000);
pub(super) const WALLET: Address = address!("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
pub(super) const PAYEE: Address = address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");
pub(super) const USDC: Address = address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");

/// Base units of one payment of [`Place::x402`].
pub(super) const PRICE: u128 = 250_000;

pub(super) fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub(super) fn agent() -> AgentId {
    AgentId::new("research-01").unwrap()
}

/// The agent, as what a policy applies to.
pub(super) fn agents() -> Subject {
    Subject::Agent(agent())
}

/// Two of keys 1, 2 and 3.
pub(super) fn authority() -> Authority {
    let keys = [1, 2, 3].map(|n| Ed25519PublicKey::of(&key(n))).to_vec();
    AuthorityConfig { keys, threshold: 2 }.try_into().unwrap()
}

pub(super) fn quorum<T: tercet_policy::document::Document>(document: T) -> Signed<T> {
    let mut signed = Signed::by(document, &key(1)).unwrap();
    signed.add_signature(&key(2)).unwrap();
    signed
}

pub(super) fn enrolment(epoch: u64) -> Signed<Enrolment> {
    let node = |name: &str, n: u8| NodeKeys {
        id: NodeId::new(name).unwrap(),
        signing: Ed25519PublicKey::of(&key(n)),
        channel: X25519PublicKey([n; 32]),
    };
    quorum(Enrolment {
        agent: agent(),
        epoch,
        agent_node: node("research-01", 10),
        operator_node: node("operator-01", 11),
        recovery_node: node("recovery-01", 12),
    })
}

pub(super) fn policy_text(epoch: u64, daily: &str) -> String {
    format!(
        "policy: research-01\n\
         epoch: {epoch}\n\
         applies_to: {{ agent: research-01 }}\n\
         rules:\n  \
         - limit: {{ amount: {daily}, per: day }}\n  \
         - allow: {{ services: [api.search.example] }}\n  \
         - allow: {{ recipients: [\"{PAYEE}\"] }}\n"
    )
}

pub(super) fn policy(epoch: u64, daily: &str) -> SignedPolicy {
    quorum(PolicyDocument { yaml: policy_text(epoch, daily) })
}

pub(super) fn freeze(epoch: u64, frozen: bool) -> Signed<Freeze> {
    quorum(Freeze { agent: agent(), epoch, frozen, reason: "drill".into(), at: NOW.plus(86_400) })
}

pub(super) fn pins() -> Pins {
    Pins { authority: authority(), own_policies: Vec::new() }
}

/// A place for a home, which outlives openings of it.
pub(super) struct Place {
    pub(super) folder: tempfile::TempDir,
}

impl Place {
    /// A home whose journal knows the agent, its wallet, and a policy of `daily`.
    pub(super) async fn with_policy(daily: &str) -> (Self, Journal) {
        let place = Self::empty();
        let journal = place.open().await.unwrap();
        prepare(&journal, daily).await;
        (place, journal)
    }

    pub(super) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Home::create(&folder.path().join("home")).unwrap();
        Self { folder }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(super) fn file(&self) -> PathBuf {
        self.path().join("journal.sqlite")
    }

    pub(super) async fn open(&self) -> Result<Journal, JournalError> {
        open_at(&self.path()).await
    }

    /// Closes the journal and waits until the home is free again.
    pub(super) async fn close(&self, journal: Journal) {
        journal.close().await.ok();
        drop(journal);
        while Home::open(&self.path()).is_err() {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn reopen(&self, journal: Journal) -> Result<Journal, JournalError> {
        self.close(journal).await;
        self.open().await
    }
}

pub(super) async fn open_at(home: &Path) -> Result<Journal, JournalError> {
    Journal::open(Arc::new(Home::open(home).unwrap()), pins(), NOW).await
}

pub(super) async fn prepare(journal: &Journal, daily: &str) {
    journal.install_enrolment(enrolment(1)).await.unwrap();
    journal.install_policy(policy(1, daily)).await.unwrap();
    journal.add_wallet(agent(), WALLET, RequestId([5; 32])).await.unwrap();
}

pub(super) fn intent_id(n: u32) -> IntentId {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&n.to_be_bytes());
    IntentId(id)
}

fn intent(n: u32, payment: Payment) -> PaymentIntent {
    PaymentIntent {
        version: 1,
        id: intent_id(n),
        agent: agent(),
        wallet: WALLET,
        payment,
        declared: Declared::default(),
        created_at: NOW,
        expires_at: NOW.plus(600),
    }
}

pub(super) fn x402(n: u32) -> PaymentIntent {
    let payment = Payment::X402Exact(X402Exact {
        chain: Chain::Base,
        token: USDC,
        to: PAYEE,
        amount: Amount::from_base_units(PRICE),
        valid_before: NOW.plus(60),
        resource: "https://api.search.example/q".into(),
        service: Service::of("https://api.search.example").unwrap(),
    });
    intent(n, payment)
}

pub(super) fn cancel(n: u32, cancels: u32) -> PaymentIntent {
    let cancels = intent_id(cancels);
    intent(n, Payment::X402Cancel(X402Cancel { chain: Chain::Base, token: USDC, cancels }))
}

pub(super) fn transfer(n: u32) -> PaymentIntent {
    let amount = Amount::from_base_units(PRICE);
    intent(n, Payment::Transfer(Transfer { chain: Chain::Base, token: USDC, to: PAYEE, amount }))
}

pub(super) fn fees(nonce: u64, wei: u128) -> ChainTerms {
    ChainTerms::Eip1559 {
        nonce,
        gas_limit: 60_000,
        max_fee_per_gas: Amount::from_base_units(wei),
        max_priority_fee_per_gas: Amount::from_base_units(1),
    }
}

/// Opens and assembles as a node does, with the documents of the journal.
pub(super) fn proposal(
    journal: &Journal,
    intent: PaymentIntent,
    terms: Option<ChainTerms>,
) -> Proposal {
    let signed: SignedIntent = Signed::by(intent, &key(10)).unwrap();
    let opened = signed.open_intent(&*journal.roll(), NOW).unwrap();
    let terms = terms.or_else(|| terms_without_chain(&opened)).unwrap();
    let claim = ProposalClaim::honest(&opened, terms, epochs(journal));
    Proposal::assemble(opened, &claim).unwrap()
}

/// The epochs that an honest courier restates.
pub(super) fn epochs(journal: &Journal) -> PolicyEpochs {
    let roll = journal.roll();
    let registry = roll.registry().map(|registry| registry.epoch());
    let held = roll.policies_for(&agent(), &WALLET).unwrap_or_default();
    held.epochs(&WALLET, registry)
}

pub(super) type Admitted = Result<Reserved, AdmitError<JournalError>>;

pub(super) async fn pay(journal: &Journal, n: u32) -> Admitted {
    journal.admit(proposal(journal, x402(n), None), NOW).await
}

/// As [`pay`], for a payment that must be admitted; yields its row.
pub(super) async fn paid(journal: &Journal, n: u32) -> SpendRow {
    pay(journal, n).await.unwrap().row().clone()
}

/// The code of a refusal, `ok`, or `journal`.
pub(super) fn code(admitted: &Admitted) -> String {
    match admitted {
        Ok(_) => "ok".to_owned(),
        Err(AdmitError::Journal(_)) => "journal".to_owned(),
        Err(AdmitError::Refused(refusal)) => code_of(refusal),
    }
}

fn code_of(refusal: &Refusal) -> String {
    serde_json::to_value(refusal).unwrap()["code"].as_str().unwrap().to_owned()
}
