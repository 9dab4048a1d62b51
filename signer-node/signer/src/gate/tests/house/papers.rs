//! What is signed and asked for in the tests of the gate.

use alloy_primitives::{Address, address};
use tercet_policy::chain::Chain;
use tercet_policy::declared::Declared;
use tercet_policy::intent::{IntentId, Payment, PaymentIntent, SignedIntent, Transfer, X402Exact};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::proposal::ProposalClaim;
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::time::UnixSeconds;
use tokio_util::sync::CancellationToken;

use super::fresh;
use crate::gate::SignRequest;

pub(in super::super) const NOW: UnixSeconds = UnixSeconds(1_800_000_000);
const USDC: Address = address!("833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");
pub(in super::super) const PAYEE: Address = address!("209693Bc6afc0C5328bA36FaF03C514EF312287C");

pub(in super::super) fn policy_text(epoch: u64, limit: &str) -> String {
    format!(
        "policy: test\nepoch: {epoch}\napplies_to: {{ agent: research-01 }}\nrules:\n  \
         - max_amount: {limit}\n  - allow: {{ services: [api.example] }}\n  \
         - allow: {{ recipients: [\"{PAYEE}\"] }}\n"
    )
}

pub(in super::super) fn agent() -> AgentId {
    AgentId::new("research-01").unwrap()
}

/// The agent's own policy of `epoch`, and no other.
pub(in super::super) fn epochs(epoch: u64) -> PolicyEpochs {
    PolicyEpochs { agent: Some(epoch), ..PolicyEpochs::default() }
}

pub(in super::super) fn request(
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

pub(in super::super) fn x402(wallet: Address, base_units: u128) -> PaymentIntent {
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

pub(in super::super) fn transfer(wallet: Address, base_units: u128) -> PaymentIntent {
    let amount = Amount::from_base_units(base_units);
    let payment =
        Payment::Transfer(Transfer { chain: Chain::Base, token: USDC, to: PAYEE, amount });
    intent(wallet, payment)
}

pub(in super::super) fn intent(wallet: Address, payment: Payment) -> PaymentIntent {
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
