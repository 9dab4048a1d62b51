use alloy_primitives::{Address, B256, U256, address};
use anyhow::{Result, bail};
use serde_json::json;
use tercet_chain::{ChainReader, Fate};
use tercet_policy::chain::PATH_USD;
use tercet_policy::evidence::VoidReason;
use tercet_policy::money::Amount;
use tercet_policy::rows::SpendRow;
use tercet_policy::tempo::CHANNEL_RESERVE;
use tercet_policy::time::UnixSeconds;

use crate::deposits::{closed, opened};
use crate::rows::{
    MEMO, PAYEE, VALID_SECONDS, WALLET, charged, expiring, leave, open, transaction, transfer,
    units,
};
use crate::world::{GAS_USED, Ledger, Manner, PACE, Transfer, TransferWithMemo, World, time_of};

const ADMITTED: u64 = 1_000;
const OVER: u64 = ADMITTED + VALID_SECONDS * PACE;
const FEE_MANAGER: Address = address!("0xfeeC000000000000000000000000000000000000");
/// What the receipts of the scripted chain come to, rounded up.
const FEE: u64 = 1_029;
const CEILING: u64 = 21_600;

fn at() -> UnixSeconds {
    time_of(ADMITTED)
}

fn pay(chain: &mut Ledger) -> B256 {
    let moved = TransferWithMemo { from: WALLET, to: PAYEE, amount: U256::from(10), memo: MEMO };
    let tx = chain.log(ADMITTED + 1, PATH_USD, &moved);
    chain.reach(OVER + 10);
    tx
}

/// A transaction of which only the fee is in the logs.
fn fee_of(chain: &mut Ledger, block: u64, of: &SpendRow, status: &str) -> B256 {
    plain(chain, FEE_MANAGER, block, of, status)
}

/// A transaction of which only one transfer without a memo is in the logs.
fn plain(chain: &mut Ledger, to: Address, block: u64, of: &SpendRow, status: &str) -> B256 {
    let moved = Transfer { from: WALLET, to, amount: U256::from(FEE) };
    let tx = chain.log(block, PATH_USD, &moved);
    let mut shown = transaction(of);
    (shown["hash"], shown["status"]) = (json!(tx), json!(status));
    chain.transactions.insert(tx, shown);
    tx
}

async fn settled_fee(reader: &ChainReader, row: &SpendRow) -> Result<Option<Amount>> {
    let fate = reader.fate(row, &[]).await?;
    let Fate::Settled(proof) = fate else { bail!("{fate:?}") };
    Ok(proof.fee())
}

async fn void(reader: &ChainReader, row: &SpendRow) -> Result<(Option<Amount>, VoidReason)> {
    let fate = reader.fate(row, &[]).await?;
    let Fate::Void(proof) = fate else { bail!("{fate:?}") };
    Ok((proof.fee(), proof.reason()))
}

#[tokio::test]
async fn what_was_taken_comes_with_the_settlement_and_is_at_most_the_ceiling() -> Result<()> {
    for (ceiling, fee) in [(CEILING, Some(FEE)), (FEE, Some(FEE)), (FEE - 1, None)] {
        let world = World::honest().await?;
        let tx = pay(&mut world.chain());
        let row = charged(transfer(1, 10, at()), ceiling);
        assert_eq!(settled_fee(&world.reader, &row).await?, fee.map(units), "{ceiling}");
        assert_eq!(world.calls_of("eth_getTransactionReceipt"), [json!([tx])]);
    }
    // Somebody else pays, whatever the receipt says of it: nobody asks for that.
    let world = World::honest().await?;
    pay(&mut world.chain());
    assert_eq!(settled_fee(&world.reader, &transfer(1, 10, at())).await?, None);
    assert!(world.calls_of("eth_getTransactionReceipt").is_empty());
    Ok(())
}

#[tokio::test]
async fn a_fee_on_which_no_quorum_agrees_is_not_taken_and_the_payment_is_settled() -> Result<()> {
    use Manner::{Honest, Tells};
    for (manners, fee) in [
        (vec![Honest, Honest, Tells(9)], Some(FEE)),
        (vec![Honest, Tells(GAS_USED), Tells(9)], Some(FEE)),
        (vec![Honest, Tells(9)], None),
        (vec![Honest, Tells(9), Tells(8)], None),
        (vec![Tells(9_000_000), Tells(9_000_000)], None),
    ] {
        let world = World::with(&manners).await?;
        pay(&mut world.chain());
        let row = charged(transfer(1, 10, at()), CEILING);
        assert_eq!(settled_fee(&world.reader, &row).await?, fee.map(units), "{manners:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_deposit_took_its_fee_when_it_was_put_in() -> Result<()> {
    let world = World::honest().await?;
    let row = charged(open(1, 100, at()), CEILING);
    let put = opened(&mut world.chain(), ADMITTED + 2, 100);
    world.chain().reach(OVER + 10);
    let within = world.reader.fate(&row, &[]).await?;
    assert!(matches!(within, Fate::Deposited(_)), "{within:?}");
    assert!(world.calls_of("eth_getTransactionReceipt").is_empty(), "not before its end");
    closed(&mut world.chain(), OVER + 20, 35, 65);
    world.chain().reach(OVER + 30);
    assert_eq!(settled_fee(&world.reader, &row).await?, Some(units(FEE)));
    assert_eq!(world.calls_of("eth_getTransactionReceipt"), [json!([put])]);
    Ok(())
}

#[tokio::test]
async fn what_was_never_mined_took_nothing_and_what_failed_took_its_fee() -> Result<()> {
    let on_lane = |intent| charged(transfer(intent, 10, at()), CEILING);
    let world = World::with(&[Manner::Honest, Manner::Honest]).await?;
    // So that an endpoint can show that it still has what is as old.
    fee_of(&mut world.chain(), 1, &expiring(on_lane(9)), "0x1");
    let lane = world.chain().failed(ADMITTED + 1, 1, transaction(&on_lane(1)));
    let fee = fee_of(&mut world.chain(), ADMITTED + 3, &expiring(on_lane(3)), "0x0");
    world.chain().reach(OVER + 10);
    let never = (Some(Amount::ZERO), VoidReason::NeverMined);
    let failed = |transaction| (Some(units(FEE)), VoidReason::Reverted { transaction });
    for (row, expected) in [
        (on_lane(1), failed(lane)),
        (on_lane(2), never),
        (expiring(on_lane(3)), failed(fee)),
        (expiring(on_lane(4)), never),
    ] {
        assert_eq!(void(&world.reader, &row).await?, expected, "{:?}", row.terms);
    }
    Ok(())
}

/// The holder of an access key can send a cheap failure with the terms of a dear one.
#[tokio::test]
async fn a_fee_of_two_transactions_with_the_same_terms_is_not_taken() -> Result<()> {
    let world = World::honest().await?;
    let row = expiring(charged(transfer(1, 10, at()), CEILING));
    for block in [ADMITTED + 3, ADMITTED + 4] {
        fee_of(&mut world.chain(), block, &row, "0x0");
    }
    world.chain().reach(OVER + 10);
    assert_eq!(void(&world.reader, &row).await?, (None, VoidReason::NeverMined));
    Ok(())
}

/// The holder of an access key can open any number of channels.
#[tokio::test]
async fn any_number_of_deposits_keeps_no_charge_from_being_void() -> Result<()> {
    let world = World::honest().await?;
    let other = charged(transfer(2, 10, at()), CEILING);
    for block in OVER - 200..OVER {
        plain(&mut world.chain(), CHANNEL_RESERVE, block, &other, "0x1");
    }
    world.chain().reach(OVER + 10);
    let row = expiring(charged(transfer(1, 10, at()), CEILING));
    let never = (Some(Amount::ZERO), VoidReason::NeverMined);
    assert_eq!(void(&world.reader, &row).await?, never);
    Ok(())
}

#[tokio::test]
async fn a_ceiling_stays_where_too_many_fees_would_have_to_be_looked_at() -> Result<()> {
    for (number, fee) in [(128, Some(Amount::ZERO)), (129, None)] {
        let world = World::honest().await?;
        let other = charged(transfer(2, 10, at()), CEILING);
        for block in OVER - number..OVER {
            fee_of(&mut world.chain(), block, &other, "0x1");
        }
        world.chain().reach(OVER + 10);
        let row = expiring(charged(transfer(1, 10, at()), CEILING));
        let expected = (fee, VoidReason::NeverMined);
        assert_eq!(void(&world.reader, &row).await?, expected, "{number}");
    }
    Ok(())
}

#[tokio::test]
async fn a_step_that_moves_nothing_is_charged_by_its_lane() -> Result<()> {
    let row = |intent| charged(leave(intent, at()), CEILING);
    let world = World::with(&[Manner::Honest, Manner::Honest]).await?;
    world.chain().reach(ADMITTED + 2);
    assert_eq!(world.reader.fate(&row(1), &[]).await?, Fate::Open);
    fee_of(&mut world.chain(), ADMITTED + 3, &row(1), "0x1");
    world.chain().lanes.insert(U256::from(1), ADMITTED + 3);
    world.chain().failed(ADMITTED + 5, 2, transaction(&row(2)));
    world.chain().reach(OVER - 1);
    for (intent, fee) in [(1, Some(FEE)), (2, Some(FEE)), (3, None)] {
        let fate = world.reader.fate(&row(intent), &[]).await?;
        let taken = match &fate {
            Fate::Charged(proof) => Some(proof.units()),
            _ => None,
        };
        assert_eq!(taken, fee.map(units), "{intent}: {fate:?}");
    }
    world.chain().reach(OVER);
    let fate = world.reader.fate(&row(3), &[]).await?;
    assert!(matches!(&fate, Fate::Charged(proof) if proof.units() == units(0)), "{fate:?}");
    assert_eq!(world.reader.fate(&leave(3, at()), &[]).await?, Fate::Open, "it has no fee");
    Ok(())
}
