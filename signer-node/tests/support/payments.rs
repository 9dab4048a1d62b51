//! A wallet, payments of it, and what an honest courier says of them.

use alloy_primitives::{Address, address};
use tercet_api::relay::{FromNode, Outcome, ToNode};
use tercet_policy::chain::Chain;
use tercet_policy::declared::Declared;
use tercet_policy::document::{ContentHash, RequestId, WalletRequest};
use tercet_policy::intent::{INTENT_VERSION, IntentId, Payment, PaymentIntent, Service, X402Exact};
use tercet_policy::money::Amount;
use tercet_policy::party::Party;
use tercet_policy::proposal::{ChainTerms, ProposalClaim, eip3009_nonce};
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::time::UnixSeconds;
use tercet_signer_node::NodeHandle;

use super::courier::{next, now, session};
use super::group::{Group, agent};

const USDC: Address = address!("833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");

pub fn intent(wallet: Address, base_units: u128, id: u8) -> PaymentIntent {
    let payment = X402Exact {
        chain: Chain::Base,
        token: USDC,
        to: Address::repeat_byte(5),
        amount: Amount::from_base_units(base_units),
        valid_before: now().plus(300),
        resource: "https://api.example/data".to_owned(),
        service: Service::of("https://api.example/data").unwrap(),
    };
    PaymentIntent {
        version: INTENT_VERSION,
        id: IntentId([id; 32]),
        agent: agent(),
        wallet,
        payment: Payment::X402Exact(payment),
        declared: Declared::default(),
        created_at: now(),
        expires_at: now().plus(120),
    }
}

pub fn claim(intent: &PaymentIntent) -> ProposalClaim {
    let Payment::X402Exact(x) = &intent.payment else { panic!() };
    ProposalClaim {
        wallet: intent.wallet,
        chain: x.chain,
        token: x.token,
        payee: Some(x.to),
        amount: x.amount,
        terms: ChainTerms::Eip3009 {
            nonce: eip3009_nonce(x.chain, x.token, intent.wallet, &intent.id),
            valid_after: UnixSeconds(0),
            valid_before: x.valid_before,
        },
        policies: PolicyEpochs { agent: Some(1), ..PolicyEpochs::default() },
    }
}

pub async fn make_wallet(group: &mut Group, agent_node: &NodeHandle) -> Address {
    let request = WalletRequest {
        agent: agent(),
        request: RequestId([1; 32]),
        label: "test".to_owned(),
        created_at: now(),
    };
    let request = agent_node.identity().sign_wallet_request(request).unwrap();
    for party in Party::ALL {
        let frame = ToNode::Keygen { session: session(1), request: request.clone() };
        group.courier.send(party, &frame).await;
    }
    let mut made: Vec<(Address, ContentHash)> = Vec::new();
    while made.len() < 3 {
        made.push(
            next(&mut group.heard, |_, frame| match frame {
                FromNode::Done { outcome: Outcome::WalletMade { address, transcript }, .. } => {
                    Some((address, transcript))
                }
                FromNode::Failed { detail, .. } => panic!("{detail}"),
                _ => None,
            })
            .await,
        );
    }
    assert!(made.iter().all(|wallet| *wallet == made[0]));
    made[0].0
}
