//! What must hold whatever crashed, as the chain shows it.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use anyhow::{Result, ensure};
use tercet_api::payment::{PaymentStatus, PaymentView};
use tercet_cli::demo::testbed::{Moved, Rpc};
use tercet_policy::money::Amount;

/// A wallet's money before a test.
#[derive(Clone, Copy, Debug)]
pub struct Before {
    /// The wallet.
    pub wallet: Address,
    /// What it had, in base units of USDC.
    pub had: Amount,
}

/// Checks that the chain took each payment at most once, and that the money adds up.
///
/// - A slot holds at most one digest.
/// - A settled payment moved exactly its amount to exactly its payee, in its own transaction log;
///   no other payment moved anything.
/// - What left the wallet is what settled, and not above `limit` where there is one.
///
/// # Errors
/// Which of these does not hold, and what the chain shows.
pub async fn check(
    rpc: &Rpc,
    before: Before,
    payments: &[PaymentView],
    limit: Option<Amount>,
) -> Result<()> {
    one_digest_per_slot(payments)?;
    let moved = rpc.moved_from(before.wallet).await?;
    let settled: Vec<_> =
        payments.iter().filter(|view| view.status == PaymentStatus::Settled).collect();
    each_settled_once(&settled, &moved)?;
    let left: u128 = moved.iter().map(|m| m.amount.base_units()).sum();
    let has = rpc.usdc(before.wallet).await?;
    let should = before.had.base_units().checked_sub(left);
    ensure!(
        should == Some(has.base_units()),
        "{left} left the wallet, and it has {has}: {moved:?}"
    );
    if let Some(limit) = limit {
        ensure!(left <= limit.base_units(), "{left} left the wallet over the limit of {limit}");
    }
    Ok(())
}

fn one_digest_per_slot(payments: &[PaymentView]) -> Result<()> {
    let mut held: BTreeMap<&str, B256> = BTreeMap::new();
    for view in payments {
        let (Some(slot), Some(digest)) = (&view.slot, view.digest) else { continue };
        let first = *held.entry(slot).or_insert(digest);
        ensure!(first == digest, "slot {slot} holds {first} and {digest}");
    }
    Ok(())
}

fn each_settled_once(settled: &[&PaymentView], moved: &[Moved]) -> Result<()> {
    ensure!(
        moved.len() == settled.len(),
        "{} payments are settled, and the chain shows {}: {moved:?}",
        settled.len(),
        moved.len()
    );
    for view in settled {
        let own: Vec<_> =
            moved.iter().filter(|m| Some(m.transaction) == view.transaction).collect();
        ensure!(own.len() == 1, "payment {} moved {} times: {own:?}", view.id, own.len());
        let as_asked = own
            .iter()
            .all(|m| Some(m.to) == view.payment.payee() && m.amount == view.payment.amount());
        ensure!(as_asked, "payment {} moved something else: {own:?}", view.id);
    }
    Ok(())
}
