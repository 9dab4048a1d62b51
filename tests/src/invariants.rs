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

/// Checks that the chain took each payment at most once, and that the money adds up. The payments
/// are told apart by their amounts, so give each one of its own.
///
/// - A slot holds at most one digest.
/// - A payment moved at most once, to its payee; a settled one exactly once, in the transaction
///   named; a refused, failed or void one never. Nothing else moved.
/// - What left the wallet is what the chain shows, and not above `limit` where there is one.
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
    for view in payments {
        at_most_once(view, &moved)?;
    }
    let known = |m: &Moved| payments.iter().any(|view| view.payment.amount() == m.amount);
    ensure!(moved.iter().all(known), "something moved that nobody asked for: {moved:?}");
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

fn at_most_once(view: &PaymentView, moved: &[Moved]) -> Result<()> {
    let own: Vec<_> = moved.iter().filter(|m| m.amount == view.payment.amount()).collect();
    ensure!(own.len() <= 1, "payment {} moved {} times: {own:?}", view.id, own.len());
    let to_payee = own.iter().all(|m| Some(m.to) == view.payment.payee());
    ensure!(to_payee, "payment {} went to somebody else: {own:?}", view.id);
    let as_said = match view.status {
        PaymentStatus::Settled => own.iter().any(|m| Some(m.transaction) == view.transaction),
        PaymentStatus::Refused | PaymentStatus::Failed | PaymentStatus::Void => own.is_empty(),
        _ => true,
    };
    ensure!(as_said, "payment {} is {:?}, and the chain shows {own:?}", view.id, view.status);
    Ok(())
}
