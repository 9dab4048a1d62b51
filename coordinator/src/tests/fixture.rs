//! Who is who in these tests, and what they sign.

mod chain;
mod house;

use alloy_primitives::Address;
use ed25519_dalek::SigningKey;
use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::declared::Declared;
use tercet_policy::document::{
    Document, Ed25519PublicKey, Enrolment, Freeze, NodeKeys, RequestId, Signed, WalletRequest,
    X25519PublicKey,
};
use tercet_policy::intent::{
    IntentId, Payment, PaymentIntent, Service, SignedIntent, Transfer, X402Exact,
};
use tercet_policy::money::Amount;
use tercet_policy::party::{AgentId, NodeId};
use tercet_policy::rules::{PolicyDocument, SignedPolicy};
use tercet_policy::time::UnixSeconds;

use crate::clock::Clock;

pub(super) use chain::FakeChain;
pub(super) use house::{House, PART, limits, read, signature, soon};

pub(super) const TOKEN: &str = "a-read-token-of-the-tests";
pub(super) const PAYEE: Address = Address::repeat_byte(0x55);
pub(super) const WALLET: Address = Address::repeat_byte(0x77);
pub(super) const OTHER_WALLET: Address = Address::repeat_byte(0x78);
/// A wallet of research-01's own, of which no share is with the nodes.
pub(super) const OWN_WALLET: Address = Address::repeat_byte(0x99);

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(super) fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

pub(super) fn now() -> UnixSeconds {
    Clock::System.now()
}

/// Seeds of the keys: authority 1 and 2, operator 11, recovery 12, agents 21 and 22.
pub(super) fn seed_of(node: &str) -> u8 {
    match node {
        "op-1" => 11,
        "rec-1" => 12,
        "research-01" => 21,
        "research-02" => 22,
        other => panic!("no key for {other}"),
    }
}

fn node_keys(id: &str) -> NodeKeys {
    let seed = seed_of(id);
    NodeKeys {
        id: NodeId::new(id).unwrap(),
        signing: Ed25519PublicKey::of(&key(seed)),
        channel: X25519PublicKey([seed; 32]),
    }
}

pub(super) fn enrolment(name: &str, epoch: u64) -> Enrolment {
    Enrolment {
        agent: agent(name),
        epoch,
        agent_node: node_keys(name),
        operator_node: node_keys("op-1"),
        recovery_node: node_keys("rec-1"),
    }
}

pub(super) fn by_quorum<T: Document>(document: T) -> Signed<T> {
    let mut signed = Signed::by(document, &key(1)).unwrap();
    signed.add_signature(&key(2)).unwrap();
    signed
}

pub(super) fn freeze(name: &str, epoch: u64, frozen: bool) -> Freeze {
    Freeze { agent: agent(name), epoch, frozen, reason: "looks wrong".into(), at: now() }
}

pub(super) fn policy(name: &str, epoch: u64) -> SignedPolicy {
    by_quorum(PolicyDocument {
        yaml: format!(
            "policy: test\nepoch: {epoch}\napplies_to: {{ agent: {name} }}\nrules:\n  \
             - max_amount: 0.50 USDC\n  - limit: {{ amount: 5 USDC, per: day }}\n  \
             - allow: {{ services: [a.example] }}\n  - allow: {{ recipients: [\"{PAYEE}\"] }}\n"
        ),
    })
}

/// A policy's text under the quorum's signatures.
pub(super) fn signed_policy(yaml: &str) -> SignedPolicy {
    by_quorum(PolicyDocument { yaml: yaml.to_owned() })
}

pub(super) fn intent(name: &str, id: u8, payment: Payment) -> SignedIntent {
    let wallet = if name == "research-01" { WALLET } else { OTHER_WALLET };
    intent_from(name, id, wallet, payment, 60)
}

pub(super) fn intent_from(
    name: &str,
    id: u8,
    wallet: Address,
    payment: Payment,
    seconds: u64,
) -> SignedIntent {
    let at = now();
    let intent = PaymentIntent {
        version: 1,
        id: IntentId([id; 32]),
        agent: agent(name),
        wallet,
        payment,
        declared: Declared::default(),
        created_at: at,
        expires_at: at.plus(seconds),
    };
    Signed::by(intent, &key(seed_of(name))).unwrap()
}

pub(super) fn x402(units: u128) -> Payment {
    Payment::X402Exact(X402Exact {
        chain: Chain::Base,
        token: ASSETS[0].token,
        to: PAYEE,
        amount: Amount::from_base_units(units),
        valid_before: now().plus(60),
        resource: "https://a.example/".into(),
        service: Service::of("https://a.example").unwrap(),
    })
}

pub(super) fn transfer(units: u128) -> Payment {
    Payment::Transfer(Transfer {
        chain: Chain::Base,
        token: ASSETS[0].token,
        to: PAYEE,
        amount: Amount::from_base_units(units),
    })
}

pub(super) fn wallet_request(id: u8) -> Signed<WalletRequest> {
    let request = WalletRequest {
        agent: agent("research-01"),
        request: RequestId([id; 32]),
        label: "spending".into(),
        created_at: now(),
    };
    Signed::by(request, &key(21)).unwrap()
}
