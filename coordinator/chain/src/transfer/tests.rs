use alloy_primitives::{Bytes, Log, U256, address};
use alloy_sol_types::SolEvent;
use tercet_policy::time::UnixSeconds;

use super::*;
use crate::receipt::{Receipt, ReceiptLog};
use crate::usdc::Usdc;

const SAFE: SafeBlock =
    SafeBlock { number: 100, hash: B256::repeat_byte(7), timestamp: UnixSeconds(2_000) };
const TOKEN: Address = address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");
const WALLET: Address = address!("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
const PAYEE: Address = address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");

fn transaction(hash: u8, block: u64, succeeded: bool) -> MinedTransaction {
    MinedTransaction {
        hash: B256::repeat_byte(hash),
        from: WALLET,
        nonce: 4,
        to: Some(TOKEN),
        value: U256::ZERO,
        input: Bytes::new(),
        succeeded,
        block,
    }
}

fn mined(hash: u8, block: u64, succeeded: bool) -> Option<Mined> {
    let transaction = transaction(hash, block, succeeded);
    Some(Mined { transaction, block_hash: B256::repeat_byte(2), shown: None })
}

fn settled(block: u64) -> Option<Mined> {
    let value = Amount::from_base_units(5);
    let moved = Usdc::Transfer { from: WALLET, to: PAYEE, value: U256::from(5) };
    let receipt = Receipt {
        tx: B256::repeat_byte(1),
        block_number: block,
        block_hash: B256::repeat_byte(2),
        from: WALLET,
        succeeded: true,
        logs: vec![ReceiptLog {
            index: 0,
            log: Log { address: TOKEN, data: moved.encode_log_data() },
        }],
    };
    let expected = ExpectedTransfer { token: TOKEN, from: WALLET, to: PAYEE, value };
    let shown = Some(verify_transfer(&receipt, &expected).unwrap());
    Some(Mined { transaction: transaction(1, block, true), block_hash: receipt.block_hash, shown })
}

/// Outcome in one word and whether it is safe, from the sightings of up to three endpoints.
fn concluded(sightings: Vec<Option<Mined>>) -> (&'static str, bool) {
    let safe = |finality| finality == Finality::Safe(SAFE);
    match conclude(Measure { quorum: 2, safe_block: Some(SAFE) }, sightings) {
        TransferOutcome::Settled { finality, .. } => ("settled", safe(finality)),
        TransferOutcome::Failed { finality, .. } => ("failed", safe(finality)),
        TransferOutcome::Taken { finality, .. } => ("taken", safe(finality)),
        TransferOutcome::Pending { .. } => ("pending", false),
    }
}

#[test]
fn what_permits_more_needs_a_quorum_below_the_safe_block() {
    for (sightings, outcome) in [
        (vec![None, None, None], ("pending", false)),
        (vec![], ("pending", false)),
        (vec![settled(90), None, None], ("settled", false)),
        (vec![settled(90), settled(90)], ("settled", true)),
        (vec![settled(101), settled(101)], ("settled", false)),
        (vec![mined(1, 90, false), None], ("failed", false)),
        (vec![mined(1, 90, false), mined(1, 90, false)], ("failed", true)),
        (vec![mined(1, 101, false), mined(1, 101, false)], ("failed", false)),
        (vec![mined(8, 90, true), mined(8, 90, true)], ("taken", true)),
        (vec![mined(8, 90, true), mined(9, 90, true)], ("taken", false)),
        // One endpoint that shows the payment itself outweighs two that show its failure.
        (vec![mined(1, 90, false), settled(90), mined(1, 90, false)], ("settled", false)),
    ] {
        assert_eq!(concluded(sightings.clone()), outcome, "{sightings:?}");
    }
}
