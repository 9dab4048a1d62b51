//! One agent, its authority and its payments, for the tests of this crate.

mod documents;
pub(crate) mod tempo;

use std::sync::Arc;

use alloy_primitives::{Address, B256, address};
use ed25519_dalek::SigningKey;
use serde_json::json;

use crate::admission::{AdmitError, Book, RecordSpend, Reserved, Rulebook, Submission, admit};
use crate::chain::{ASSETS, Chain};
use crate::channel::ChannelAct;
use crate::declared::Declared;
use crate::document::{Authority, AuthorityConfig, Ed25519PublicKey, Freeze, Signed};
use crate::evidence::SafeBlock;
use crate::intent::{
    AgentKeys, AuthenticIntent, IntentId, Payment, PaymentIntent, Service, Transfer, X402Cancel,
    X402Exact,
};
use crate::ledger::LedgerError;
use crate::money::Amount;
use crate::party::AgentId;
use crate::payload::SigningPayload;
use crate::proposal::{ChainTerms, Proposal, ProposalClaim, terms_without_chain};
use crate::rows::{Judged, OutcomeRow, PolicyEpochs, SpendRow};
use crate::rules::{AuthenticPolicy, Policy, PolicyDocument, PolicySet, SignedPolicy};
use crate::time::UnixSeconds;

pub(crate) use documents::{
    AGENT, ORGANISATION, admit_under, code, file, of_wallet, opened, policy_of, previewed,
    registry, said, yes,
};

/// Thursday, 27 February 2025, 16:01:29 UTC.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_740_672_089);
pub(crate) const WALLET: Address = address!("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
pub(crate) const PAYEE: Address = address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");
pub(crate) const VENDOR: &str = "api.search.example";

pub(crate) struct Anybody;

impl AgentKeys for Anybody {
    fn agent_key(&self, _: &AgentId) -> Option<Ed25519PublicKey> {
        Some(Ed25519PublicKey::of(&key(7)))
    }
}

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn agent() -> AgentId {
    AgentId::new("research-01").unwrap()
}

pub(crate) fn authority(keys: u8, threshold: usize) -> Authority {
    let keys = (1..=keys).map(|seed| Ed25519PublicKey::of(&key(seed))).collect();
    AuthorityConfig { keys, threshold }.try_into().unwrap()
}

pub(crate) fn yaml(epoch: u64, rules: &str) -> String {
    format!(
        "policy: research-01\nepoch: {epoch}\napplies_to: {{ agent: research-01 }}\n\
         lists:\n  vendors: [{VENDOR}, \"*.inference.example\"]\n  payees: ['{PAYEE}']\n\
         rules:\n{rules}\n"
    )
}

/// One person, and that she is asked where a rule does not say: for the end of a policy file.
pub(crate) fn people() -> String {
    let alice = Ed25519PublicKey::of(&key(11));
    format!("people: {{ alice: {{ key: '{alice}' }} }}\napprovals: {{ any: 1, of: [alice] }}\n")
}

pub(crate) fn signed(yaml: String) -> SignedPolicy {
    Signed::by(PolicyDocument { yaml }, &key(1)).unwrap()
}

pub(crate) fn policy(rules: &str) -> AuthenticPolicy {
    signed(yaml(7, rules)).open_policy(&authority(1, 1)).unwrap()
}

pub(crate) fn parsed(rules: &str) -> Policy {
    Policy::parse(&yaml(7, rules)).unwrap()
}

pub(crate) fn id(n: u64) -> IntentId {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    IntentId(bytes)
}

pub(crate) fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

pub(crate) fn x402(amount: u128, service: &str, to: Address) -> Payment {
    let resource = format!("https://{service}/q");
    Payment::X402Exact(X402Exact {
        chain: Chain::Base,
        token: ASSETS[0].token,
        to,
        amount: units(amount),
        valid_before: NOW.plus(60),
        service: Service::of(&resource).unwrap(),
        resource,
    })
}

pub(crate) fn transfer(amount: u128, to: Address) -> Payment {
    let (chain, token) = (Chain::Base, ASSETS[0].token);
    Payment::Transfer(Transfer { chain, token, to, amount: units(amount) })
}

pub(crate) fn cancel(cancels: IntentId) -> Payment {
    let (chain, token) = (Chain::Base, ASSETS[0].token);
    Payment::X402Cancel(X402Cancel { chain, token, cancels })
}

/// An intent made at `at`, that lives a minute.
pub(crate) fn intent(n: u64, mut payment: Payment, at: UnixSeconds) -> PaymentIntent {
    if let Payment::X402Exact(x) = &mut payment {
        x.valid_before = at.plus(60);
    }
    PaymentIntent {
        version: 1,
        id: id(n),
        agent: agent(),
        wallet: WALLET,
        payment,
        declared: Declared::default(),
        created_at: at,
        expires_at: at.plus(60),
    }
}

pub(crate) fn authentic(intent: PaymentIntent) -> AuthenticIntent {
    let at = intent.created_at;
    Signed::by(intent, &key(7)).unwrap().open_intent(&Anybody, at).unwrap()
}

pub(crate) fn fees(nonce: u64, fee: u128, tip: u128) -> ChainTerms {
    ChainTerms::Eip1559 {
        nonce,
        gas_limit: 60_000,
        max_fee_per_gas: units(fee),
        max_priority_fee_per_gas: units(tip),
    }
}

/// A proposal with account nonce `n` where it needs one.
pub(crate) fn proposal(n: u64, payment: Payment, at: UnixSeconds) -> Proposal {
    let intent = authentic(intent(n, payment, at));
    let terms = terms_without_chain(&intent).unwrap_or_else(|| fees(n, 1_000_000, 1_000));
    with_terms(intent, terms)
}

/// What the courier says of policies when the agent has one of its own, of epoch 7, and no other.
pub(crate) const EPOCHS: PolicyEpochs =
    PolicyEpochs { organisation: None, agent: Some(7), wallet: None, registry: None };

pub(crate) fn with_terms(intent: AuthenticIntent, terms: ChainTerms) -> Proposal {
    let claim = ProposalClaim::honest(&intent, terms, EPOCHS);
    Proposal::assemble(intent, &claim).unwrap()
}

/// The row that admitting this at `at` makes, for a payee without a category.
pub(crate) fn row(proposal: &Proposal, at: UnixSeconds) -> SpendRow {
    let digest = SigningPayload::of(proposal).unwrap().digest();
    let channel = ChannelAct::with_terms(proposal.intent().intent(), proposal.terms());
    SpendRow::new(proposal, None, Judged { digest, channel, replaces: None, at })
}

/// The chain has this payment, as a journal reads it back; the amount may be less than was reserved.
pub(crate) fn settled(row: &SpendRow, amount: u128) -> OutcomeRow {
    let proof = json!({
        "intent": row.intent,
        "agent": row.agent,
        "amount": amount.to_string(),
        "transaction": B256::ZERO,
        "at": safe(1, NOW),
    });
    let outcome = json!({ "state": "settled", "amount": amount.to_string(), "proof": proof });
    let row = json!({ "intent": row.intent, "agent": row.agent, "outcome": outcome, "at": NOW.0 });
    serde_json::from_value(row).unwrap()
}

pub(crate) fn set(policies: &[&AuthenticPolicy]) -> PolicySet {
    let add = |set: PolicySet, policy: &&AuthenticPolicy| set.with(Arc::new((*policy).clone()));
    policies.iter().fold(PolicySet::default(), add)
}

pub(crate) fn admit_at(
    policy: &AuthenticPolicy,
    proposal: Proposal,
    now: UnixSeconds,
    book: &mut Book,
) -> Result<Reserved, AdmitError<LedgerError>> {
    admit_while(policy, None, proposal, now, book)
}

/// The same, with the agent's latest freeze document and any journal.
pub(crate) fn admit_while<J: RecordSpend>(
    policy: &AuthenticPolicy,
    frozen: Option<&Freeze>,
    proposal: Proposal,
    now: UnixSeconds,
    journal: &mut J,
) -> Result<Reserved, AdmitError<J::Failure>> {
    let policies = set(&[policy]);
    let rulebook = Rulebook { policies: &policies, registry: None, frozen };
    admit(&rulebook, Submission::from(proposal), now, journal)
}

pub(crate) const fn safe(number: u64, timestamp: UnixSeconds) -> SafeBlock {
    SafeBlock { number, hash: B256::repeat_byte(9), timestamp }
}
