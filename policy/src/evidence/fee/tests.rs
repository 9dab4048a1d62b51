#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use serde_json::json;

use super::*;
use crate::evidence::TokenMovement;
use crate::fixture::tempo::{tempo_transfer, terms};
use crate::fixture::{NOW, PAYEE, WALLET, proposal, row as row_of, safe, units};
use crate::rows::{Outcome, OutcomeRow};

const TX: B256 = B256::repeat_byte(2);

fn row(n: u64) -> SpendRow {
    row_of(&proposal(n, tempo_transfer(5, PAYEE), NOW), NOW)
}

/// 1,028.16 units.
fn seen() -> FeeReceipt {
    FeeReceipt {
        transaction: TX,
        from: WALLET,
        block: 3,
        succeeded: true,
        gas_used: 51_408,
        gas_price: 20_000_000_000,
    }
}

fn proof(row: &SpendRow, seen: &FeeReceipt) -> FeeProof {
    FeeProof::mined(row, seen, safe(3, NOW)).unwrap()
}

fn unseen() -> NotSeen {
    NotSeen { from: safe(0, NOW), to: safe(9, NOW.plus(25)) }
}

fn settled(row: &SpendRow) -> SettledProof {
    let movement = TokenMovement {
        token: row.token,
        from: WALLET,
        to: PAYEE,
        amount: row.amount,
        memo: row.mark.unwrap().memo,
        transaction: TX,
        block: 3,
    };
    SettledProof::tempo(row, &movement, safe(3, NOW)).unwrap()
}

#[test]
fn a_fee_is_what_was_used_and_at_most_the_ceiling() {
    let (row, at) = (row(1), safe(3, NOW));
    let ceiling = terms().fee();
    assert_eq!(row.fee, Some(ceiling));
    assert_eq!(proof(&row, &seen()).units(), units(1_029));
    let gas_price = terms().max_fee_per_gas.base_units();
    let most = FeeReceipt { gas_used: terms().gas_limit, gas_price, ..seen() };
    assert_eq!(proof(&row, &most).units(), ceiling);
    let taken = units(ceiling.base_units() + 1);
    for (other, why) in [
        (FeeReceipt { gas_used: 1_400_001, ..most }, NoProof::FeeAboveCeiling { ceiling, taken }),
        (FeeReceipt { from: PAYEE, ..seen() }, NoProof::OtherPayment),
        (FeeReceipt { block: 4, ..seen() }, NoProof::NotSafeYet),
    ] {
        assert_eq!(FeeProof::mined(&row, &other, at), Err(why));
    }
    // Somebody else pays: no receipt makes it the wallet's fee.
    let sponsored = SpendRow { fee: None, ..row };
    assert_eq!(FeeProof::mined(&sponsored, &seen(), at), Err(NoProof::OtherKind));
    assert_eq!(FeeProof::never_mined(&sponsored, unseen()), Err(NoProof::OtherKind));
}

#[test]
fn nothing_was_taken_only_once_it_cannot_be_mined_any_more() {
    let row = row(1);
    assert_eq!(FeeProof::never_mined(&row, unseen()).unwrap().units(), Amount::ZERO);
    let early = NotSeen { to: safe(9, NOW.plus(24)), ..unseen() };
    let early = FeeProof::never_mined(&row, early);
    assert!(matches!(early, Err(NoProof::StillValid { .. })), "{early:?}");
    let little = FeeProof::never_mined(&row, NotSeen { from: safe(2, NOW), ..unseen() });
    assert!(matches!(little, Err(NoProof::SearchedTooLittle { .. })), "{little:?}");
}

#[test]
fn a_settlement_takes_the_fee_of_its_own_transaction_alone() {
    let own = row(1);
    let elsewhere = FeeReceipt { transaction: B256::ZERO, ..seen() };
    let failed = FeeReceipt { succeeded: false, ..seen() };
    for (fee, taken) in [
        (Some(proof(&own, &seen())), Some(units(1_029))),
        (None, None),
        (Some(proof(&own, &elsewhere)), None),
        (Some(proof(&own, &failed)), None),
        (Some(proof(&row(2), &seen())), None),
        (FeeProof::never_mined(&own, unseen()).ok(), None),
    ] {
        assert_eq!(settled(&own).with_fee(&own, fee.clone()).fee(), taken, "{fee:?}");
    }
}

#[test]
fn what_was_mined_and_failed_is_void_and_took_its_fee() {
    let own = row(1);
    let failed = FeeReceipt { succeeded: false, ..seen() };
    let (never, reverted) = (VoidReason::NeverMined, VoidReason::Reverted { transaction: TX });
    for (fee, taken, reason) in [
        (FeeProof::never_mined(&own, unseen()).ok(), Some(Amount::ZERO), never),
        (Some(proof(&own, &failed)), Some(units(1_029)), reverted),
        (None, None, never),
        (Some(proof(&own, &seen())), None, never),
        (Some(proof(&row(2), &failed)), None, never),
    ] {
        let void = VoidProof::tempo(&own, unseen()).unwrap().with_fee(fee);
        assert_eq!((void.fee(), void.reason()), (taken, reason));
    }
}

#[test]
fn rows_of_before_say_nothing_of_a_fee_and_are_read() {
    let own = row(1);
    let told = OutcomeRow::settled(settled(&own), NOW);
    let old = json!({
        "intent": own.intent, "agent": own.agent, "at": NOW.0,
        "outcome": {
            "state": "settled", "amount": "5",
            "proof": {
                "intent": own.intent, "agent": own.agent, "amount": "5", "transaction": TX,
                "at": safe(3, NOW),
            },
        },
    });
    assert_eq!(serde_json::to_value(&told).unwrap(), old, "what has no fee is written as before");
    let read: OutcomeRow = serde_json::from_value(old).unwrap();
    assert_eq!((&read, read.fee()), (&told, None));

    let fee = Some(proof(&own, &seen()));
    let told = OutcomeRow::settled(settled(&own).with_fee(&own, fee), NOW);
    let written = serde_json::to_value(&told).unwrap();
    let read: OutcomeRow = serde_json::from_value(written).unwrap();
    assert_eq!((&read, read.fee()), (&told, Some(units(1_029))));
    assert!(matches!(read.outcome(), Outcome::Settled { .. }));
}
