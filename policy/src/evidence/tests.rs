use super::*;
use crate::admission::Book;
use crate::fixture::{
    NOW, PAYEE, VENDOR, WALLET, admit_at, policy, proposal, safe, transfer, x402,
};

fn rows() -> (SpendRow, SpendRow) {
    let policy = policy("  - allow: { services: vendors }\n  - allow: { recipients: payees }");
    let mut book = Book::new();
    let mut row = |n, payment| {
        let reserved = admit_at(&policy, proposal(n, payment, NOW), NOW, &mut book).unwrap();
        reserved.row().clone()
    };
    (row(1, x402(10, VENDOR, PAYEE)), row(2, transfer(10, PAYEE)))
}

fn nonce_of(row: &SpendRow) -> B256 {
    match row.slot {
        Slot::Eip3009 { nonce, .. } => nonce,
        _ => panic!("not an authorization"),
    }
}

fn mined(row: &SpendRow) -> MinedTransaction {
    MinedTransaction {
        hash: B256::repeat_byte(1),
        from: WALLET,
        nonce: 2,
        to: Some(row.token),
        value: U256::ZERO,
        input: transfer_input(PAYEE, row.amount),
        succeeded: true,
        block: 10,
    }
}

#[test]
fn an_unused_authorization_is_dead_when_the_safe_block_is_past_its_time() {
    let (x402, transfer) = rows();
    let end = NOW.plus(60);
    let still = NoProof::StillValid { valid_before: end, at: end.minus(1) };
    for (row, used, at, expected) in [
        (&x402, false, end, None),
        (&x402, false, end.plus(1_000), None),
        (&x402, false, end.minus(1), Some(still)),
        (&x402, true, end, Some(NoProof::Used)),
        (&transfer, false, end, Some(NoProof::OtherKind)),
    ] {
        assert_eq!(VoidProof::eip3009(row, used, safe(10, at)).err(), expected);
    }
    let proof = VoidProof::eip3009(&x402, false, safe(10, end)).unwrap();
    assert_eq!((proof.intent(), proof.agent()), (x402.intent, &x402.agent));
    assert_eq!(proof.reason(), VoidReason::AuthorizationExpired);
}

#[test]
fn a_cancelled_authorization_is_dead_once_that_is_safe() {
    let (x402, transfer) = rows();
    let log = CancelledAuthorization {
        token: x402.token,
        authorizer: WALLET,
        nonce: nonce_of(&x402),
        transaction: B256::ZERO,
        block: 10,
    };
    let prove = |row, log: &CancelledAuthorization, block| {
        VoidProof::eip3009_cancelled(row, log, safe(block, NOW)).err()
    };
    assert_eq!(prove(&x402, &log, 10), None);
    assert_eq!(prove(&x402, &log, 9), Some(NoProof::NotSafeYet));
    assert_eq!(prove(&transfer, &log, 10), Some(NoProof::OtherKind));
    for other in [
        CancelledAuthorization { token: PAYEE, ..log.clone() },
        CancelledAuthorization { authorizer: PAYEE, ..log.clone() },
        CancelledAuthorization { nonce: B256::ZERO, ..log.clone() },
    ] {
        assert_eq!(prove(&x402, &other, 10), Some(NoProof::OtherPayment));
    }
}

#[test]
fn a_transfer_is_dead_when_something_else_took_its_nonce() {
    let (x402, transfer) = rows();
    let own = mined(&transfer);
    let void = |row, mined: &MinedTransaction| {
        VoidProof::account_nonce(row, mined, safe(10, NOW)).map(|proof| proof.reason())
    };
    let transaction = own.hash;
    assert_eq!(void(&transfer, &own), Err(NoProof::ItWasThePayment));
    assert_eq!(void(&x402, &own), Err(NoProof::OtherKind));
    let reverted = MinedTransaction { succeeded: false, ..own.clone() };
    assert_eq!(void(&transfer, &reverted), Ok(VoidReason::Reverted { transaction }));
    for other in [
        MinedTransaction { to: None, ..own.clone() },
        MinedTransaction { value: U256::from(1), ..own.clone() },
        MinedTransaction { input: Bytes::new(), ..own.clone() },
        MinedTransaction { succeeded: false, input: Bytes::new(), ..own.clone() },
    ] {
        assert_eq!(void(&transfer, &other), Ok(VoidReason::NonceTaken { transaction }));
    }
    for (other, expected) in [
        (MinedTransaction { from: PAYEE, ..own.clone() }, NoProof::OtherPayment),
        (MinedTransaction { nonce: 3, ..own.clone() }, NoProof::OtherPayment),
        (MinedTransaction { block: 11, to: None, ..own.clone() }, NoProof::NotSafeYet),
    ] {
        assert_eq!(void(&transfer, &other), Err(expected));
    }
}

#[test]
fn a_payment_is_settled_by_exactly_itself() {
    let (x402, transfer) = rows();
    let used = UsedAuthorization {
        token: x402.token,
        from: WALLET,
        to: PAYEE,
        value: x402.amount,
        nonce: nonce_of(&x402),
        transaction: B256::ZERO,
        block: 10,
    };
    let prove = |used: &UsedAuthorization| SettledProof::eip3009(&x402, used, safe(10, NOW)).err();
    assert_eq!(prove(&used), None);
    for (other, expected) in [
        (UsedAuthorization { token: PAYEE, ..used.clone() }, NoProof::OtherPayment),
        (UsedAuthorization { from: PAYEE, ..used.clone() }, NoProof::OtherPayment),
        (UsedAuthorization { to: WALLET, ..used.clone() }, NoProof::OtherPayment),
        (UsedAuthorization { value: Amount::ZERO, ..used.clone() }, NoProof::OtherPayment),
        (UsedAuthorization { nonce: B256::ZERO, ..used.clone() }, NoProof::OtherPayment),
        (UsedAuthorization { block: 11, ..used.clone() }, NoProof::NotSafeYet),
    ] {
        assert_eq!(prove(&other), Some(expected));
    }
    let prove = |mined: &MinedTransaction| SettledProof::transfer(&transfer, mined, safe(10, NOW));
    let own = mined(&transfer);
    assert_eq!(prove(&own).unwrap().amount(), transfer.amount);
    let reverted = MinedTransaction { succeeded: false, ..own.clone() };
    assert_eq!(prove(&reverted), Err(NoProof::NotThePayment));
    let other = MinedTransaction { input: Bytes::new(), ..own };
    assert_eq!(prove(&other), Err(NoProof::NotThePayment));
}
