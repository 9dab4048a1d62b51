use alloy_primitives::aliases::U96;
use alloy_primitives::{Address, B256, U256};
use anyhow::{Result, bail};
use tercet_chain::{ChainReader, Fate, TempoOutcome};
use tercet_policy::rows::SpendRow;
use tercet_policy::tempo::CHANNEL_RESERVE;
use tercet_policy::time::UnixSeconds;

use crate::rows::{
    OTHER, PAYEE, VALID_SECONDS, WALLET, channel, expiring, open, top_up, transaction, units,
};
use crate::world::{ChannelClosed, ChannelOpened, Ledger, Manner, PACE, TopUp, World, time_of};

const ADMITTED: u64 = 1_000;
const OVER: u64 = ADMITTED + VALID_SECONDS * PACE;

fn at() -> UnixSeconds {
    time_of(ADMITTED)
}

pub(crate) fn opened(chain: &mut Ledger, block: u64, deposit: u64) -> B256 {
    let event = ChannelOpened {
        channelId: channel().into(),
        payer: WALLET,
        payee: PAYEE,
        operator: Address::ZERO,
        token: tercet_policy::chain::PATH_USD,
        authorizedSigner: OTHER,
        salt: B256::repeat_byte(1),
        expiringNonceHash: B256::ZERO,
        deposit: U96::from(deposit),
    };
    chain.channels.push((channel(), block, 0, deposit));
    chain.log(block, CHANNEL_RESERVE, &event)
}

fn topped_up(chain: &mut Ledger, block: u64, row: &SpendRow, prior: u64) -> B256 {
    let more = u64::try_from(row.amount.base_units()).unwrap();
    let event = TopUp {
        channelId: channel().into(),
        payer: WALLET,
        payee: PAYEE,
        additionalDeposit: U96::from(more),
        newDeposit: U96::from(prior + more),
    };
    chain.channels.push((channel(), block, 0, prior + more));
    let tx = chain.log(block, CHANNEL_RESERVE, &event);
    chain.transactions.insert(tx, transaction(row));
    tx
}

pub(crate) fn closed(chain: &mut Ledger, block: u64, settled: u64, refunded: u64) -> B256 {
    let event = ChannelClosed {
        channelId: channel().into(),
        payer: WALLET,
        payee: PAYEE,
        settledToPayee: U96::from(settled),
        refundedToPayer: U96::from(refunded),
    };
    chain.channels.push((channel(), block, 0, 0));
    chain.log(block, CHANNEL_RESERVE, &event)
}

async fn share(reader: &ChainReader, row: &SpendRow) -> Result<u128> {
    let fate = reader.fate(row, &[]).await?;
    let Fate::Settled(proof) = fate else { bail!("{fate:?}") };
    Ok(proof.amount().base_units())
}

#[tokio::test]
async fn a_deposit_is_open_with_its_channel_and_settled_at_what_was_used() -> Result<()> {
    let world = World::honest().await?;
    let row = open(1, 100, at());
    world.chain().reach(ADMITTED);
    let before = world.reader.tempo_outcome(&row).await?;
    assert!(matches!(before, TempoOutcome::Pending { safe_block: Some(_) }), "{before:?}");
    let tx = opened(&mut world.chain(), ADMITTED + 2, 100);
    world.chain().reach(OVER + 10);
    let within = world.reader.tempo_outcome(&row).await?;
    let TempoOutcome::InChannel { deposit, .. } = within else { bail!("{within:?}") };
    assert_eq!((deposit.transaction, deposit.block), (tx, ADMITTED + 2));
    let fate = world.reader.fate(&row, &[]).await?;
    let Fate::Deposited(proof) = fate else { bail!("its time is over, and it is in: {fate:?}") };
    assert_eq!((proof.intent(), proof.transaction()), (row.intent, tx));
    let state = world.reader.channel_state(channel()).await?;
    assert_eq!((state.deposit, state.settled, state.is_open()), (units(100), units(0), true));

    closed(&mut world.chain(), OVER + 20, 35, 65);
    world.chain().head = OVER + 30;
    let fate = world.reader.fate(&row, &[]).await?;
    assert!(matches!(fate, Fate::Deposited(_)), "the end is not safe yet: {fate:?}");
    world.chain().safe = OVER + 30;
    assert_eq!(share(&world.reader, &row).await?, 35);
    assert!(!world.reader.channel_state(channel()).await?.is_open());
    Ok(())
}

#[tokio::test]
async fn what_was_settled_is_shared_in_the_order_of_the_deposits() -> Result<()> {
    for (settled, shares) in
        [(0, [0, 0, 0]), (80, [80, 0, 0]), (120, [100, 20, 0]), (180, [100, 50, 30])]
    {
        let world = World::honest().await?;
        let rows = [open(1, 100, at()), top_up(2, 50, at()), top_up(3, 50, at())];
        opened(&mut world.chain(), ADMITTED + 2, 100);
        topped_up(&mut world.chain(), ADMITTED + 4, &rows[1], 100);
        topped_up(&mut world.chain(), ADMITTED + 6, &rows[2], 150);
        closed(&mut world.chain(), OVER + 20, settled, 200 - settled);
        world.chain().reach(OVER + 30);
        for (row, expected) in rows.iter().zip(shares) {
            assert_eq!(share(&world.reader, row).await?, expected, "{settled}: {:?}", row.intent);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_deposit_that_was_never_mined_is_void_though_its_channel_lives() -> Result<()> {
    let world = World::honest().await?;
    world.chain().reach(OVER);
    let fate = world.reader.fate(&open(1, 100, at()), &[]).await?;
    assert!(matches!(fate, Fate::Void(_)), "{fate:?}");

    opened(&mut world.chain(), ADMITTED + 2, 100);
    let mined = top_up(2, 50, at());
    topped_up(&mut world.chain(), ADMITTED + 4, &mined, 100);
    let fate = world.reader.fate(&mined, &[]).await?;
    assert!(matches!(fate, Fate::Deposited(_)), "{fate:?}");
    let fate = world.reader.fate(&top_up(3, 50, at()), &[]).await?;
    assert!(matches!(fate, Fate::Void(_)), "the same amount, another transaction: {fate:?}");
    Ok(())
}

#[tokio::test]
async fn an_open_channel_was_opened_though_nobody_has_the_log() -> Result<()> {
    let world = World::with(&[Manner::Forgets, Manner::Forgets]).await?;
    let row = expiring(open(1, 100, at()));
    opened(&mut world.chain(), ADMITTED + 2, 100);
    world.chain().reach(OVER + 10);
    assert_eq!(world.reader.fate(&row, &[]).await?, Fate::Open);
    Ok(())
}

/// A session lasts a month, and many servers keep their logs for less.
#[tokio::test]
async fn a_deposit_of_a_channel_that_has_ended_is_not_void_though_its_logs_are_gone() -> Result<()>
{
    for row in [open(1, 100, at()), expiring(open(1, 100, at()))] {
        let world = World::with(&[Manner::Forgets, Manner::Forgets]).await?;
        opened(&mut world.chain(), ADMITTED + 2, 100);
        world.chain().lanes.insert(U256::from(1), ADMITTED + 2);
        closed(&mut world.chain(), OVER + 2, 100, 0);
        world.chain().reach(OVER + 10);
        let fate = world.reader.fate(&row, &[]).await;
        assert!(!matches!(fate, Ok(Fate::Void(_))), "{fate:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_top_up_is_void_only_where_the_logs_explain_what_the_channel_has() -> Result<()> {
    for (manner, void) in [(Manner::Honest, true), (Manner::Forgets, false)] {
        let world = World::with(&[manner]).await?;
        opened(&mut world.chain(), 10, 100);
        topped_up(&mut world.chain(), ADMITTED + 4, &expiring(top_up(2, 50, at())), 100);
        world.chain().reach(OVER + 10);
        let row = expiring(top_up(3, 50, at()));
        let fate = world.reader.fate(&row, &[]).await?;
        assert_eq!(matches!(fate, Fate::Void(_)), void, "{manner:?}: {fate:?}");
        assert!(void || fate == Fate::Open, "{fate:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_end_needs_a_quorum_and_a_deposit_one_witness() -> Result<()> {
    let world = World::with(&[Manner::Honest, Manner::Forgets]).await?;
    let row = open(1, 100, at());
    opened(&mut world.chain(), ADMITTED + 2, 100);
    world.chain().reach(OVER);
    let within = world.reader.tempo_outcome(&row).await?;
    assert!(matches!(within, TempoOutcome::InChannel { .. }), "{within:?}");
    let fate = world.reader.fate(&row, &[]).await?;
    assert_eq!(fate, Fate::Open, "one witness forbids, and proves nothing for good");
    let tx = closed(&mut world.chain(), OVER + 2, 1, 99);
    world.chain().reach(OVER + 4);
    assert_eq!(world.reader.fate(&row, &[]).await?, Fate::Seen { tx });
    Ok(())
}

#[tokio::test]
async fn an_end_of_long_ago_is_found_by_the_channel_s_state() -> Result<()> {
    let world = World::honest().await?;
    opened(&mut world.chain(), ADMITTED + 2, 100);
    closed(&mut world.chain(), 123_456, 70, 30);
    world.chain().reach(1_000_000);
    assert_eq!(share(&world.reader, &open(1, 100, at())).await?, 70);
    assert!(world.calls_of("eth_getLogs").len() < 40);
    Ok(())
}
