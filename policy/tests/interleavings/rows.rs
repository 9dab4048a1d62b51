//! Rows of what becomes of payments, and of amounts that are set aside.

use alloy_primitives::{B256, Bytes, U256};
use serde_json::json;
use tercet_policy::evidence::{MinedTransaction, SafeBlock, VoidProof};
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::rows::{
    HoldId, HoldKind, HoldRow, OutcomeRow, PolicyEpochs, Protocol, SpendRow,
};
use tercet_policy::time::UnixSeconds;
use tercet_policy::window::TZDB_VERSION;

use crate::world::{OWNERS, Plan, agent, payee, wallet};

const fn safe(timestamp: u64) -> SafeBlock {
    SafeBlock { number: 9, hash: B256::repeat_byte(9), timestamp: UnixSeconds(timestamp) }
}

/// Evidence that a payment can never happen.
pub fn void(row: &SpendRow) -> OutcomeRow {
    let proof = match (&row.slot, &row.terms) {
        (_, ChainTerms::Eip3009 { valid_before, .. }) => {
            VoidProof::eip3009(row, false, safe(valid_before.0))
        }
        (Slot::Account { nonce, .. }, _) => {
            let mined = MinedTransaction {
                hash: B256::repeat_byte(3),
                from: row.wallet,
                nonce: *nonce,
                to: None,
                value: U256::ZERO,
                input: Bytes::new(),
                succeeded: true,
                block: 9,
            };
            VoidProof::account_nonce(row, &mined, safe(row.at.0))
        }
        _ => unreachable!(),
    };
    OutcomeRow::void(proof.unwrap(), row.at)
}

/// The chain moved so much of it, as a journal reads it back.
pub fn settled(row: &SpendRow, units: u128) -> OutcomeRow {
    let (intent, agent, amount) = (row.intent, &row.agent, units.to_string());
    let proof = json!({
        "intent": intent, "agent": agent, "amount": amount,
        "transaction": B256::ZERO, "at": safe(row.at.0),
    });
    let outcome = json!({ "state": "settled", "amount": amount, "proof": proof });
    let row = json!({ "intent": intent, "agent": agent, "outcome": outcome, "at": row.at });
    serde_json::from_value(row).unwrap()
}

pub fn hold_row(hold: HoldId, plan: &Plan, at: u64) -> HoldRow {
    let like = plan.intent(hold.into(), at);
    HoldRow {
        hold,
        kind: HoldKind::PreAuthorization,
        agent: agent(OWNERS[plan.wallet]),
        wallet: wallet(plan.wallet),
        chain: like.payment.chain(),
        token: like.payment.token(),
        amount: like.payment.amount(),
        protocol: if plan.service.is_some() { Protocol::X402 } else { Protocol::Transfer },
        recipient: Some(payee(plan.payee)),
        service: like.payment.service().cloned(),
        category: plan.category().map(|category| category.parse().unwrap()),
        session: like.declared.session,
        policies: PolicyEpochs::default(),
        tzdb: TZDB_VERSION.to_owned(),
        at: UnixSeconds(at),
        expires_at: UnixSeconds(at + 600),
    }
}
