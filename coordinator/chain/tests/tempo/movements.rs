use alloy_primitives::{Address, B256, U256, address, keccak256};
use anyhow::{Result, bail};
use serde_json::json;
use tercet_chain::{ChainError, Fate, LOG_SPAN_BLOCKS, TempoOutcome};
use tercet_policy::chain::PATH_USD;
use tercet_policy::evidence::{NoProof, VoidReason};
use tercet_policy::rows::SpendRow;
use tercet_policy::time::UnixSeconds;

use crate::rows::{
    LANE_SECONDS, MEMO, OTHER, PAYEE, VALID_SECONDS, WALLET, expiring, transaction, transfer, units,
};
use crate::world::{Ledger, Manner, PACE, Transfer, TransferWithMemo, World, time_of};

/// The block in whose second the rows of these tests are admitted.
const ADMITTED: u64 = 1_000;
/// The first block in which their transactions are not taken any more.
const OVER: u64 = ADMITTED + VALID_SECONDS * PACE;

/// Where a receive policy takes what its account does not take.
const GUARD: Address = address!("0xB10C000000000000000000000000000000000000");
const FEE_MANAGER: Address = address!("0xfeeC000000000000000000000000000000000000");

fn at() -> UnixSeconds {
    time_of(ADMITTED)
}

fn moved(to: Address, amount: u64, memo: B256) -> TransferWithMemo {
    TransferWithMemo { from: WALLET, to, amount: U256::from(amount), memo }
}

#[tokio::test]
async fn a_transfer_is_open_then_seen_then_settled() -> Result<()> {
    let world = World::honest().await?;
    let row = transfer(1, 10, at());
    world.chain().reach(ADMITTED);
    assert_eq!(world.reader.fate(&row, &[]).await?, Fate::Open);
    let tx = world.chain().log(ADMITTED + 1, PATH_USD, &moved(PAYEE, 10, MEMO));
    world.chain().head = ADMITTED + 1;
    assert_eq!(world.reader.fate(&row, &[]).await?, Fate::Seen { tx });
    world.chain().safe = ADMITTED + 1;
    let fate = world.reader.fate(&row, &[]).await?;
    let Fate::Settled(proof) = fate else { bail!("{fate:?}") };
    assert_eq!((proof.transaction(), proof.amount()), (tx, row.amount));
    Ok(())
}

#[tokio::test]
async fn one_that_went_to_somebody_else_is_an_alarm_and_never_void() -> Result<()> {
    for (to, amount) in [(OTHER, 10), (PAYEE, 9)] {
        let world = World::honest().await?;
        let tx = world.chain().log(ADMITTED + 1, PATH_USD, &moved(to, amount, MEMO));
        world.chain().reach(OVER + 10);
        let alarm = Fate::Alarm { tx, misfit: NoProof::OtherPayment };
        assert_eq!(world.reader.fate(&transfer(1, 10, at()), &[]).await?, alarm);
    }
    Ok(())
}

/// What the logs of a transaction have without a memo, and its fee.
fn plain(chain: &mut Ledger, block: u64, of: &SpendRow, to: &[(Address, u64)]) -> B256 {
    let fee = (FEE_MANAGER, 3);
    for (to, amount) in to.iter().copied().chain([fee]) {
        chain.log(block, PATH_USD, &Transfer { from: WALLET, to, amount: U256::from(amount) });
    }
    let tx = keccak256(block.to_be_bytes());
    chain.transactions.insert(tx, transaction(of));
    tx
}

#[tokio::test]
async fn what_a_receive_policy_took_is_an_alarm_and_never_void() -> Result<()> {
    for row in [transfer(1, 10, at()), expiring(transfer(1, 10, at()))] {
        for moves in [vec![(GUARD, 10)], vec![(OTHER, 2), (GUARD, 10), (OTHER, 1)]] {
            let world = World::with(&[Manner::Honest, Manner::Honest]).await?;
            let tx = plain(&mut world.chain(), ADMITTED + 1, &row, &moves);
            world.chain().lanes.insert(U256::from(1), ADMITTED + 1);
            world.chain().reach(OVER + 10);
            let alarm = Fate::Alarm { tx, misfit: NoProof::OtherPayment };
            assert_eq!(world.reader.fate(&row, &[]).await?, alarm, "{moves:?}");
            let outcome = world.reader.tempo_outcome(&row).await?;
            let TempoOutcome::Diverted { movement } = outcome else { bail!("{outcome:?}") };
            assert_eq!((movement.to, movement.amount), (GUARD, units(10)));
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_endpoint_that_shows_what_was_taken_forbids_void() -> Result<()> {
    use Manner::{Forgets, Honest};
    let world = World::with(&[Forgets, Honest, Forgets]).await?;
    let row = expiring(transfer(1, 10, at()));
    let tx = plain(&mut world.chain(), ADMITTED + 1, &row, &[(GUARD, 10)]);
    world.chain().reach(OVER + 10);
    let fate = world.reader.fate(&row, &[]).await?;
    assert!(matches!(fate, Fate::Alarm { tx: of, .. } if of == tx), "{fate:?}");
    Ok(())
}

#[tokio::test]
async fn what_left_the_wallet_for_something_else_does_not_keep_it_from_being_void() -> Result<()> {
    let world = World::honest().await?;
    let (row, other) = (expiring(transfer(1, 10, at())), expiring(transfer(2, 10, at())));
    // A payment with a memo of its own, a diverted one of another intent, and fees.
    let paired = [(PAYEE, 10)];
    plain(&mut world.chain(), ADMITTED + 1, &other, &paired);
    world.chain().log(ADMITTED + 1, PATH_USD, &moved(PAYEE, 10, B256::repeat_byte(8)));
    plain(&mut world.chain(), ADMITTED + 2, &other, &[(GUARD, 10)]);
    // Its own transaction failed, which costs its fee all the same.
    plain(&mut world.chain(), ADMITTED + 3, &row, &[]);
    world.chain().reach(OVER + 10);
    let fate = world.reader.fate(&row, &[]).await?;
    assert!(matches!(fate, Fate::Void(_)), "{fate:?}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_said_where_it_is_not_shown_whose_a_transfer_was() -> Result<()> {
    let row = expiring(transfer(1, 10, at()));
    let world = World::honest().await?;
    let tx = plain(&mut world.chain(), ADMITTED + 1, &transfer(2, 10, at()), &[(GUARD, 10)]);
    world.chain().transactions.insert(tx, json!({ "type": "0x76", "from": WALLET }));
    world.chain().reach(OVER + 10);
    let fate = world.reader.fate(&row, &[]).await;
    assert!(matches!(fate, Err(ChainError::NoQuorum { .. })), "{fate:?}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_said_where_more_left_the_wallet_than_is_looked_at() -> Result<()> {
    for (number, is_void) in [(128, true), (129, false)] {
        let (row, other) = (expiring(transfer(1, 10, at())), transfer(2, 10, at()));
        let world = World::honest().await?;
        for block in OVER - number..OVER {
            plain(&mut world.chain(), block, &other, &[(OTHER, 10)]);
        }
        world.chain().reach(OVER + 10);
        let fate = world.reader.fate(&row, &[]).await;
        assert_eq!(matches!(fate, Ok(Fate::Void(_))), is_void, "{number}: {fate:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_has_lost_its_receipts_has_no_say_where_no_lane_has() -> Result<()> {
    use Manner::{Forgets, Honest};
    let row = expiring(transfer(1, 10, at()));
    for (manners, is_void) in [
        (vec![Honest, Honest], true),
        (vec![Forgets, Forgets], false),
        (vec![Honest, Forgets], false),
    ] {
        let world = World::with(&manners).await?;
        plain(&mut world.chain(), 1, &transfer(2, 10, at()), &[]);
        world.chain().reach(OVER + 10);
        let fate = world.reader.fate(&row, &[]).await;
        assert_eq!(matches!(fate, Ok(Fate::Void(_))), is_void, "{manners:?}: {fate:?}");
    }
    Ok(())
}

#[tokio::test]
async fn it_is_void_once_every_block_of_its_time_was_looked_through() -> Result<()> {
    let world = World::honest().await?;
    let row = transfer(1, 10, at());
    world.chain().log(ADMITTED + 1, PATH_USD, &moved(PAYEE, 10, B256::repeat_byte(8)));
    world.chain().log(ADMITTED + 2, PAYEE, &moved(PAYEE, 10, MEMO));
    world.chain().reach(OVER - 1);
    assert_eq!(world.reader.fate(&row, &[]).await?, Fate::Open, "it can still be mined");
    world.chain().head = OVER;
    assert_eq!(world.reader.fate(&row, &[]).await?, Fate::Open, "that is not safe yet");
    world.chain().safe = OVER;
    let fate = world.reader.fate(&row, &[]).await?;
    let Fate::Void(proof) = fate else { bail!("{fate:?}") };
    assert_eq!(proof.reason(), VoidReason::NeverMined);
    assert!(proof.at().timestamp >= at().plus(VALID_SECONDS));
    Ok(())
}

#[tokio::test]
async fn a_memo_that_two_intents_share_does_not_mix_them_up() -> Result<()> {
    let world = World::honest().await?;
    let (first, second) = (transfer(1, 10, at()), transfer(2, 10, at()));
    let tx = world.chain().log(ADMITTED + 1, PATH_USD, &moved(PAYEE, 10, MEMO));
    world.chain().transactions.insert(tx, transaction(&first));
    world.chain().reach(OVER);
    assert!(matches!(world.reader.fate(&first, &[]).await?, Fate::Settled(_)));
    assert!(matches!(world.reader.fate(&second, &[]).await?, Fate::Void(_)));
    Ok(())
}

#[tokio::test]
async fn void_needs_a_quorum_and_one_sighting_forbids_it() -> Result<()> {
    use Manner::{Forgets, Honest, Lags};
    let is_void = |fate| matches!(fate, Fate::Void(_));
    for (manners, mined, void, settled) in [
        (vec![Honest, Honest, Honest], false, true, false),
        (vec![Honest, Honest, Lags(OVER - 1)], false, true, false),
        // One that has not reached the end has no say about what is not there.
        (vec![Honest, Honest, Forgets], true, false, true),
        (vec![Honest, Forgets, Forgets], true, false, false),
        (vec![Forgets, Forgets, Honest], true, false, false),
    ] {
        let world = World::with(&manners).await?;
        if mined {
            world.chain().log(ADMITTED + 1, PATH_USD, &moved(PAYEE, 10, MEMO));
        }
        world.chain().reach(OVER);
        let fate = world.reader.fate(&transfer(1, 10, at()), &[]).await?;
        assert_eq!(matches!(fate, Fate::Settled(_)), settled, "{manners:?}: {fate:?}");
        assert_eq!(is_void(fate.clone()), void, "{manners:?}: {fate:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_lags_behind_has_no_say_about_what_is_not_there() -> Result<()> {
    let world = World::with(&[Manner::Honest, Manner::Lags(OVER - 1)]).await?;
    world.chain().reach(OVER);
    let fate = world.reader.fate(&transfer(1, 10, at()), &[]).await?;
    assert_eq!(fate, Fate::Open);
    Ok(())
}

#[tokio::test]
async fn a_payment_of_long_ago_is_found_with_few_and_short_questions() -> Result<()> {
    let world = World::honest().await?;
    let tx = world.chain().log(ADMITTED + 30, PATH_USD, &moved(PAYEE, 10, MEMO));
    world.chain().reach(6_000_000);
    let fate = world.reader.fate(&transfer(1, 10, at()), &[]).await?;
    assert!(matches!(&fate, Fate::Settled(proof) if proof.transaction() == tx), "{fate:?}");
    let queries = world.calls_of("eth_getLogs");
    assert!(queries.len() <= 4, "{}", queries.len());
    for query in queries {
        let [first, last] = ["fromBlock", "toBlock"].map(|name| {
            let text = query[0][name].as_str().unwrap();
            u64::from_str_radix(&text[2..], 16).unwrap()
        });
        assert!(last - first < LOG_SPAN_BLOCKS, "{first} to {last}");
    }
    assert!(world.calls_of("eth_getBlockByNumber").len() < 60);
    Ok(())
}

/// A node whose clock runs ahead admits a payment, by its word, after the chain has mined it.
#[tokio::test]
async fn no_clock_but_the_chain_s_says_where_the_search_begins() -> Result<()> {
    for row in [transfer(1, 10, at()), expiring(transfer(1, 10, at()))] {
        let world = World::honest().await?;
        let row = SpendRow { at: at().plus(600), ..row };
        let tx = world.chain().log(ADMITTED + 1, PATH_USD, &moved(PAYEE, 10, MEMO));
        world.chain().reach(OVER + 2_000);
        let fate = world.reader.fate(&row, &[]).await?;
        assert!(matches!(&fate, Fate::Settled(proof) if proof.transaction() == tx), "{fate:?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_search_begins_with_the_first_second_in_which_the_chain_takes_it() -> Result<()> {
    let late = time_of(100_000);
    for (row, seconds) in
        [(transfer(1, 10, late), LANE_SECONDS), (expiring(transfer(1, 10, late)), 900)]
    {
        let world = World::honest().await?;
        let first = 100_000 - (seconds - VALID_SECONDS) * PACE;
        let tx = world.chain().log(first, PATH_USD, &moved(PAYEE, 10, MEMO));
        world.chain().reach(110_000);
        let fate = world.reader.fate(&row, &[]).await?;
        assert!(matches!(&fate, Fate::Settled(proof) if proof.transaction() == tx), "{fate:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_lane_that_was_used_forbids_void_though_nobody_has_the_log() -> Result<()> {
    let world = World::with(&[Manner::Forgets, Manner::Forgets]).await?;
    world.chain().lanes.insert(U256::from(1), ADMITTED + 1);
    world.chain().reach(OVER + 10);
    let used = world.reader.fate(&transfer(1, 10, at()), &[]).await?;
    assert_eq!(used, Fate::Open);
    let free = world.reader.fate(&transfer(2, 10, at()), &[]).await?;
    assert!(matches!(free, Fate::Void(_)), "{free:?}");
    Ok(())
}

#[tokio::test]
async fn a_lane_that_was_used_by_a_failure_gives_its_money_back() -> Result<()> {
    let world = World::with(&[Manner::Honest, Manner::Honest]).await?;
    let (row, other) = (transfer(1, 10, at()), transfer(2, 10, at()));
    world.chain().failed(ADMITTED + 1, 1, transaction(&row));
    // This one's lane was used by what nobody shows.
    world.chain().lanes.insert(U256::from(2), ADMITTED + 1);
    world.chain().reach(OVER + 10);
    let fate = world.reader.fate(&row, &[]).await?;
    assert!(matches!(fate, Fate::Void(_)), "{fate:?}");
    assert_eq!(world.reader.fate(&other, &[]).await?, Fate::Open);
    Ok(())
}

#[tokio::test]
async fn on_a_chain_younger_than_the_margin_of_clocks_its_first_block_is_enough() -> Result<()> {
    let world = World::honest().await?;
    world.chain().reach(100);
    let fate = world.reader.fate(&transfer(1, 10, time_of(8)), &[]).await?;
    assert!(matches!(fate, Fate::Void(_)), "{fate:?}");
    Ok(())
}
