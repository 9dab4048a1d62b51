use alloy_primitives::{B256, address};
use ed25519_dalek::SigningKey;

use super::*;
use crate::chain::ASSETS;
use crate::declared::Declared;
use crate::document::{Ed25519PublicKey, Signed};
use crate::intent::{AgentKeys, IntentId, Payment, PaymentIntent, Service, Transfer, X402Exact};
use crate::mpp::ChannelId;
use crate::party::AgentId;
use crate::time::UnixSeconds;

const NOW: UnixSeconds = UnixSeconds(1_740_672_089);

struct Anybody;

impl AgentKeys for Anybody {
    fn agent_key(&self, _: &AgentId) -> Option<Ed25519PublicKey> {
        Some(Ed25519PublicKey::of(&SigningKey::from_bytes(&[7; 32])))
    }
}

fn authentic(payment: Payment) -> AuthenticIntent {
    let intent = PaymentIntent {
        version: 1,
        id: IntentId([1; 32]),
        agent: AgentId::new("research-01").unwrap(),
        wallet: address!("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"),
        payment,
        declared: Declared::default(),
        created_at: NOW,
        expires_at: NOW.plus(60),
    };
    let key = SigningKey::from_bytes(&[7; 32]);
    Signed::by(intent, &key).unwrap().open_intent(&Anybody, NOW).unwrap()
}

fn x402() -> AuthenticIntent {
    authentic(Payment::X402Exact(X402Exact {
        chain: Chain::Base,
        token: ASSETS[0].token,
        to: Address::repeat_byte(5),
        amount: Amount::from_base_units(10_000),
        valid_before: NOW.plus(60),
        resource: "https://a.example/".into(),
        service: Service::of("https://a.example").unwrap(),
    }))
}

fn transfer() -> AuthenticIntent {
    authentic(Payment::Transfer(Transfer {
        chain: Chain::Base,
        token: ASSETS[0].token,
        to: Address::repeat_byte(5),
        amount: Amount::from_base_units(10_000),
    }))
}

fn fees(gas_limit: u64, fee: u128, tip: u128) -> ChainTerms {
    ChainTerms::Eip1559 {
        nonce: 3,
        gas_limit,
        max_fee_per_gas: Amount::from_base_units(fee),
        max_priority_fee_per_gas: Amount::from_base_units(tip),
    }
}

#[test]
fn an_honest_claim_is_taken() {
    let claim = ProposalClaim::honest(
        &x402(),
        terms_without_chain(&x402()).unwrap(),
        PolicyEpochs::default(),
    );
    let proposal = Proposal::assemble(x402(), &claim).unwrap();
    assert!(matches!(proposal.slot(), Slot::Eip3009 { .. }));
    let claim =
        ProposalClaim::honest(&transfer(), fees(60_000, 1_000_000_000, 1), PolicyEpochs::default());
    assert!(Proposal::assemble(transfer(), &claim).is_ok());
}

#[test]
fn each_lie_is_named() {
    let terms = terms_without_chain(&x402()).unwrap();
    let honest = ProposalClaim::honest(&x402(), terms, PolicyEpochs::default());
    let eip3009 = |nonce: Option<B256>, after: u64, before: u64| {
        let ChainTerms::Eip3009 { nonce: n, valid_before: b, .. } = honest.terms.clone() else {
            panic!()
        };
        ChainTerms::Eip3009 {
            nonce: nonce.unwrap_or(n),
            valid_after: UnixSeconds(after),
            valid_before: UnixSeconds(b.0 + before),
        }
    };
    let lies: [(ClaimField, ProposalClaim); 9] = [
        (ClaimField::Wallet, ProposalClaim { wallet: Address::ZERO, ..honest.clone() }),
        (ClaimField::Chain, ProposalClaim { chain: Chain::BaseSepolia, ..honest.clone() }),
        (ClaimField::Token, ProposalClaim { token: ASSETS[1].token, ..honest.clone() }),
        (ClaimField::Payee, ProposalClaim { payee: Some(Address::ZERO), ..honest.clone() }),
        (
            ClaimField::Amount,
            ProposalClaim { amount: Amount::from_base_units(9_999), ..honest.clone() },
        ),
        (
            ClaimField::Nonce,
            ProposalClaim { terms: eip3009(Some(B256::ZERO), 0, 0), ..honest.clone() },
        ),
        (ClaimField::ValidAfter, ProposalClaim { terms: eip3009(None, 1, 0), ..honest.clone() }),
        (ClaimField::ValidBefore, ProposalClaim { terms: eip3009(None, 0, 1), ..honest.clone() }),
        (ClaimField::TermsKind, ProposalClaim { terms: fees(1, 1, 1), ..honest.clone() }),
    ];
    for (expected, claim) in lies {
        match Proposal::assemble(x402(), &claim) {
            Err(Refusal::ClaimMismatch { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected:?}: {other:?}"),
        }
    }
}

#[test]
fn fees_above_the_ceilings_are_refused() {
    for terms in [
        fees(GAS_LIMIT_MAX + 1, 1, 1),
        fees(60_000, MAX_FEE_PER_GAS_WEI_MAX + 1, 1),
        fees(60_000, MAX_FEE_PER_GAS_WEI_MAX, MAX_PRIORITY_FEE_PER_GAS_WEI_MAX + 1),
        fees(60_000, 10, 11),
    ] {
        let claim = ProposalClaim::honest(&transfer(), terms, PolicyEpochs::default());
        let refused = Proposal::assemble(transfer(), &claim);
        assert!(matches!(refused, Err(Refusal::FeeTooHigh { .. })), "{refused:?}");
    }
}

#[test]
fn proposals_with_other_terms_have_other_names() {
    let hash = |terms: ChainTerms| {
        let claim = ProposalClaim::honest(&transfer(), terms, PolicyEpochs::default());
        Proposal::assemble(transfer(), &claim).unwrap().context_hash()
    };
    let base = hash(fees(60_000, 100, 1));
    assert_eq!(base, hash(fees(60_000, 100, 1)));
    for other in [fees(60_001, 100, 1), fees(60_000, 101, 1), fees(60_000, 100, 2)] {
        assert_ne!(base, hash(other));
    }
}

/// The name is what both ends of a session must agree on: two that hold different bytes must not
/// meet under one.
#[test]
fn proposals_of_other_bytes_have_other_names() {
    let name = |payment: Payment, nonce: u64| {
        let ChainTerms::Eip1559 { gas_limit, max_fee_per_gas, max_priority_fee_per_gas, .. } =
            fees(60_000, 100, 1)
        else {
            panic!("fees are of an account")
        };
        let terms =
            ChainTerms::Eip1559 { nonce, gas_limit, max_fee_per_gas, max_priority_fee_per_gas };
        let intent = authentic(payment);
        let claim = ProposalClaim::honest(&intent, terms, PolicyEpochs::default());
        Proposal::assemble(intent, &claim).unwrap().context_hash()
    };
    let payment = transfer().intent().payment.clone();
    let Payment::Transfer(mut dearer) = payment.clone() else { panic!("a transfer") };
    dearer.amount = Amount::from_base_units(dearer.amount.base_units() + 1);
    let base = name(payment.clone(), 7);
    assert_eq!(base, name(payment.clone(), 7));
    assert_ne!(base, name(payment, 8), "another account nonce");
    assert_ne!(base, name(Payment::Transfer(dearer), 7), "another amount");
}

#[test]
fn the_nonce_depends_on_every_part() {
    let (a, b) = (Address::repeat_byte(1), Address::repeat_byte(2));
    let all = [
        eip3009_nonce(Chain::Base, a, b, &IntentId([1; 32])),
        eip3009_nonce(Chain::BaseSepolia, a, b, &IntentId([1; 32])),
        eip3009_nonce(Chain::Base, b, b, &IntentId([1; 32])),
        eip3009_nonce(Chain::Base, a, a, &IntentId([1; 32])),
        eip3009_nonce(Chain::Base, a, b, &IntentId([2; 32])),
    ];
    let different: std::collections::BTreeSet<_> = all.into_iter().collect();
    assert_eq!(different.len(), all.len());
}

/// Journals hold rows that name a close by its channel alone.
#[test]
fn a_close_without_its_amount_reads_and_writes_as_it_was() {
    let (chain, channel) = (Chain::Tempo, ChannelId([7; 32]));
    let written = serde_json::json!({ "kind": "close", "chain": chain, "channel": channel });
    let slot: Slot = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(slot, Slot::Close { chain, channel, cumulative: None });
    assert_eq!(serde_json::to_value(&slot).unwrap(), written);
    let cumulative = Some(Amount::from_base_units(5));
    let named = Slot::Close { chain, channel, cumulative };
    assert_ne!(named.to_string(), slot.to_string());
    let again: Slot = serde_json::from_value(serde_json::to_value(&named).unwrap()).unwrap();
    assert_eq!(again, named);
}
