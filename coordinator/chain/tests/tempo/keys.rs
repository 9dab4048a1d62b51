use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::sol;
use anyhow::{Result, bail};
use tercet_chain::{Fate, TempoOutcome};
use tercet_policy::rows::SpendRow;
use tercet_policy::tempo::keychain::ACCOUNT_KEYCHAIN;
use tercet_policy::time::UnixSeconds;

use crate::rows::{
    OTHER, PAYEE, VALID_SECONDS, WALLET, access_key, revocation, transaction, transfer,
};
use crate::world::{Ledger, Manner, PACE, World, time_of};

const ADMITTED: u64 = 1_000;
const OVER: u64 = ADMITTED + VALID_SECONDS * PACE;

sol! {
    event KeyAuthorized(
        address indexed account, address indexed publicKey, uint8 signatureType, uint64 expiry
    );
    event KeyRevoked(address indexed account, address indexed publicKey);
}

fn at() -> UnixSeconds {
    time_of(ADMITTED)
}

/// The log that a key was authorized, by the transaction of a row.
fn authorized(chain: &mut Ledger, key: Address, of: &SpendRow) -> B256 {
    let log = KeyAuthorized { account: WALLET, publicKey: key, signatureType: 0, expiry: 9 };
    let tx = chain.log(ADMITTED + 1, ACCOUNT_KEYCHAIN, &log);
    chain.transactions.insert(tx, transaction(of));
    tx
}

#[tokio::test]
async fn an_authorization_is_open_then_seen_then_settled_for_all_it_can_take() -> Result<()> {
    let world = World::honest().await?;
    let row = access_key(1, 10, at());
    world.chain().reach(ADMITTED);
    assert_eq!(world.reader.fate(&row, &[]).await?, Fate::Open);
    let tx = authorized(&mut world.chain(), OTHER, &row);
    world.chain().head = ADMITTED + 1;
    assert_eq!(world.reader.fate(&row, &[]).await?, Fate::Seen { tx });
    world.chain().safe = ADMITTED + 1;
    let fate = world.reader.fate(&row, &[]).await?;
    let Fate::Settled(proof) = fate else { bail!("{fate:?}") };
    assert_eq!((proof.transaction(), proof.amount()), (tx, row.amount));
    Ok(())
}

#[tokio::test]
async fn the_log_of_another_key_or_of_another_transaction_is_not_its_own() -> Result<()> {
    let row = access_key(1, 10, at());
    for (key, of) in [(PAYEE, &row), (OTHER, &transfer(2, 10, at()))] {
        let world = World::with(&[Manner::Honest, Manner::Honest]).await?;
        authorized(&mut world.chain(), key, of);
        world.chain().reach(OVER + 10);
        let fate = world.reader.fate(&row, &[]).await?;
        assert!(matches!(fate, Fate::Void(_)), "{key}: {fate:?}");
    }
    Ok(())
}

#[tokio::test]
async fn it_is_void_only_where_its_lane_is_unused_or_was_used_by_a_failure() -> Result<()> {
    let (unmined, failed, hidden) =
        (access_key(1, 10, at()), access_key(2, 10, at()), access_key(3, 10, at()));
    let world = World::with(&[Manner::Honest, Manner::Honest]).await?;
    world.chain().failed(ADMITTED + 1, 2, transaction(&failed));
    world.chain().lanes.insert(U256::from(3), ADMITTED + 1);
    world.chain().reach(OVER - 1);
    assert_eq!(world.reader.fate(&unmined, &[]).await?, Fate::Open, "it can still be mined");
    world.chain().reach(OVER + 10);
    for row in [&unmined, &failed] {
        let fate = world.reader.fate(row, &[]).await?;
        assert!(matches!(fate, Fate::Void(_)), "{fate:?}");
    }
    assert_eq!(world.reader.fate(&hidden, &[]).await?, Fate::Open, "the chain took it");
    Ok(())
}

#[tokio::test]
async fn a_revocation_is_told_by_its_own_log_and_counts_for_nothing() -> Result<()> {
    let world = World::honest().await?;
    let row = revocation(1, at());
    authorized(&mut world.chain(), OTHER, &row);
    let log = KeyRevoked { account: WALLET, publicKey: OTHER };
    let tx = world.chain().log(ADMITTED + 2, ACCOUNT_KEYCHAIN, &log);
    world.chain().transactions.insert(tx, transaction(&row));
    world.chain().reach(ADMITTED + 2);
    let outcome = world.reader.tempo_outcome(&row).await?;
    let TempoOutcome::KeySet { log, .. } = outcome else { bail!("{outcome:?}") };
    assert_eq!((log.transaction, log.key, log.authorized), (tx, OTHER, false));
    assert_eq!(world.reader.fate(&row, &[]).await?, Fate::Open);
    Ok(())
}
