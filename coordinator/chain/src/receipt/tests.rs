use alloy_primitives::{address, b256};

use super::*;
use crate::usdc::Usdc;

const TOKEN: Address = address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");
const LOOK_ALIKE: Address = address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02914");
const PAYER: Address = address!("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
const PAYEE: Address = address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");
const NONCE: B256 = b256!("0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480");

fn expected() -> ExpectedSettlement {
    let value = Amount::from_base_units(10_000);
    ExpectedSettlement { token: TOKEN, from: PAYER, to: PAYEE, value, nonce: NONCE }
}

fn used(authorizer: Address, nonce: B256) -> LogData {
    Usdc::AuthorizationUsed { authorizer, nonce }.encode_log_data()
}

fn moved(from: Address, to: Address, value: u64) -> LogData {
    Usdc::Transfer { from, to, value: U256::from(value) }.encode_log_data()
}

fn receipt(logs: Vec<(Address, LogData)>) -> Receipt {
    let entry = |(index, (address, data))| ReceiptLog { index, log: Log { address, data } };
    Receipt {
        tx: B256::repeat_byte(1),
        block_number: 12,
        block_hash: B256::repeat_byte(2),
        from: PAYER,
        succeeded: true,
        logs: (7..).zip(logs).map(entry).collect(),
    }
}

fn honest() -> Vec<(Address, LogData)> {
    vec![(TOKEN, used(PAYER, NONCE)), (TOKEN, moved(PAYER, PAYEE, 10_000))]
}

#[test]
fn a_use_followed_by_its_transfer_is_proof() {
    let proof = verify_settlement(&receipt(honest()), &expected()).unwrap();
    assert_eq!((proof.tx(), proof.log_index()), (B256::repeat_byte(1), 8));
}

#[test]
fn anything_else_is_not() {
    let seen = |from, to, value: u64| Some(TransferSeen { from, to, value: U256::from(value) });
    let other = |found| Unproven::OtherTransfer { found };
    let nonce = B256::repeat_byte(9);
    let use_log = (TOKEN, used(PAYER, NONCE));
    for (name, logs, wrong) in [
        ("empty", vec![], Unproven::NotUsed),
        ("a transfer alone", vec![(TOKEN, moved(PAYER, PAYEE, 10_000))], Unproven::NotUsed),
        (
            "another payer's nonce",
            vec![(TOKEN, used(PAYEE, NONCE)), (TOKEN, moved(PAYER, PAYEE, 10_000))],
            Unproven::NotUsed,
        ),
        (
            "another nonce",
            vec![(TOKEN, used(PAYER, nonce)), (TOKEN, moved(PAYER, PAYEE, 10_000))],
            Unproven::NotUsed,
        ),
        (
            "a look-alike token",
            vec![(LOOK_ALIKE, used(PAYER, NONCE)), (LOOK_ALIKE, moved(PAYER, PAYEE, 10_000))],
            Unproven::NotUsed,
        ),
        ("no transfer", vec![use_log.clone()], other(None)),
        (
            "a transfer of a look-alike",
            vec![use_log.clone(), (LOOK_ALIKE, moved(PAYER, PAYEE, 10_000))],
            other(None),
        ),
        (
            "another amount",
            vec![use_log.clone(), (TOKEN, moved(PAYER, PAYEE, 9_999))],
            other(seen(PAYER, PAYEE, 9_999)),
        ),
        (
            "another payee",
            vec![use_log.clone(), (TOKEN, moved(PAYER, LOOK_ALIKE, 10_000))],
            other(seen(PAYER, LOOK_ALIKE, 10_000)),
        ),
        (
            "the transfer of the next authorization",
            vec![
                use_log.clone(),
                (TOKEN, used(PAYER, nonce)),
                (TOKEN, moved(PAYER, PAYEE, 10_000)),
            ],
            other(None),
        ),
    ] {
        assert_eq!(verify_settlement(&receipt(logs), &expected()), Err(wrong), "{name}");
    }
}

#[test]
fn each_settlement_of_a_batch_has_its_own_transfer() {
    let second = B256::repeat_byte(9);
    let mut logs = vec![(TOKEN, used(PAYER, second)), (TOKEN, moved(PAYER, PAYEE, 10_000))];
    logs.extend(honest());
    let batch = receipt(logs);
    let first = verify_settlement(&batch, &expected()).unwrap();
    let other = ExpectedSettlement { nonce: second, ..expected() };
    let second = verify_settlement(&batch, &other).unwrap();
    assert_eq!((first.log_index(), second.log_index()), (10, 8));
}

#[test]
fn a_failed_transaction_proves_nothing() {
    let failed = Receipt { succeeded: false, ..receipt(honest()) };
    assert_eq!(verify_settlement(&failed, &expected()), Err(Unproven::Reverted));
    let transfer = ExpectedTransfer {
        token: TOKEN,
        from: PAYER,
        to: PAYEE,
        value: Amount::from_base_units(10_000),
    };
    assert_eq!(verify_transfer(&failed, &transfer), Err(Unproven::Reverted));
}

#[test]
fn a_transfer_is_sent_by_its_payer() {
    let transfer = ExpectedTransfer {
        token: TOKEN,
        from: PAYER,
        to: PAYEE,
        value: Amount::from_base_units(10_000),
    };
    let mined = receipt(vec![(TOKEN, moved(PAYER, PAYEE, 10_000))]);
    assert_eq!(verify_transfer(&mined, &transfer).unwrap().log_index(), 7);
    let sent_by_another = Receipt { from: PAYEE, ..mined.clone() };
    assert_eq!(verify_transfer(&sent_by_another, &transfer), Err(Unproven::NoTransfer));
    let more = ExpectedTransfer { value: Amount::from_base_units(10_001), ..transfer };
    assert_eq!(verify_transfer(&mined, &more), Err(Unproven::NoTransfer));
}

#[test]
fn transfers_of_one_token_are_listed_whoever_sent_them() {
    let logs = vec![
        (LOOK_ALIKE, moved(PAYER, PAYEE, 1)),
        (TOKEN, used(PAYER, NONCE)),
        (TOKEN, moved(PAYER, PAYEE, 2)),
        (TOKEN, moved(PAYEE, PAYER, 3)),
    ];
    let mut shown = receipt(logs);
    shown.from = PAYEE;
    let listed: Vec<_> =
        token_transfers(&shown, TOKEN).into_iter().map(|(at, seen)| (at, seen.value)).collect();
    assert_eq!(listed, [(9, U256::from(2)), (10, U256::from(3))]);
    shown.succeeded = false;
    assert!(token_transfers(&shown, TOKEN).is_empty());
}
