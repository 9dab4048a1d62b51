//! What the chain took as the fee of a transaction, by its receipt.
//!
//! Promises: a fee is told only where a quorum shows the same gas and price for the same transaction
//! in a safe block: the one that has the payment's log, or the one by which the payment failed. That
//! nothing was taken is told only where a quorum shows the transaction's nonce lane unused, or,
//! where it has none, still serves its time and shows no fee of it. All else tells nothing, and the
//! ceiling that was signed counts on: so it is while endpoints disagree, or have pruned.
//!
//! Refuses: to ask a receipt who paid. The row knows, and some nodes name the sender as the payer
//! of a fee that somebody else paid.
//!
//! Does not protect against: a wallet that pays the fees of more than
//! [`PLAIN_TRANSACTIONS_MAX`](super::blocked::PLAIN_TRANSACTIONS_MAX) transactions in the time of
//! one. What was not mined in it is void all the same, and its ceiling stays.

use std::collections::BTreeSet;
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use alloy_rpc_types_eth::Filter;
use alloy_sol_types::SolEvent as _;
use serde_json::Value;
use tercet_policy::evidence::{FeeProof, FeeReceipt, NotSeen, SafeBlock};
use tercet_policy::rows::SpendRow;

use super::Tip20::Transfer;
use super::blocked::{FEE_MANAGER, PLAIN_TRANSACTIONS_MAX};
use super::window::Window;
use super::{Marks, TempoOutcome, Whose, lane, parsed, quantity};
use crate::endpoint::Endpoint;
use crate::error::{FailureCause, Read};
use crate::evidence::Finality;
use crate::reader::ChainReader;

/// The transaction whose fee is asked about.
#[derive(Clone, Copy)]
struct Wanted {
    wallet: Address,
    token: Address,
    marks: Marks,
}

impl ChainReader {
    /// What the chain took as the fee of a payment that came to `outcome`. Nothing where the wallet
    /// pays no fee in the token, where the outcome is not safe, and where it is not known.
    pub async fn tempo_fee(&self, row: &SpendRow, outcome: &TempoOutcome) -> Option<FeeProof> {
        row.fee?;
        match *outcome {
            TempoOutcome::Moved { ref movement, finality: Finality::Safe(at) } => {
                self.fee_of(row, movement.transaction, at).await
            }
            TempoOutcome::KeySet { log, finality: Finality::Safe(at) } => {
                self.fee_of(row, log.transaction, at).await
            }
            TempoOutcome::Ended { put, finality: Finality::Safe(at), .. } => {
                self.fee_of(row, put, at).await
            }
            TempoOutcome::NeverMined { .. } => self.tempo_step_fee(row).await,
            _ => None,
        }
    }

    /// What the chain took for the transaction of a row, whatever came of it: for steps that move
    /// nothing and have no log to be known by.
    pub async fn tempo_step_fee(&self, row: &SpendRow) -> Option<FeeProof> {
        row.fee?;
        let marks = Marks::of(row)?;
        let safe = self.safe_block().await.ok()?;
        let begins = row.terms.first_minable().unwrap_or_default();
        let window = self.window(safe, begins, marks.valid_before).await.ok()?;
        let wanted = Wanted { wallet: row.wallet, token: row.token, marks };
        let read = move |endpoint| cost(endpoint, wanted, window);
        match self.ask(Read::Receipt, read).await.ok()?.agreed().ok()? {
            Some(seen) => FeeProof::mined(row, &seen, safe).ok(),
            None => {
                let unseen = NotSeen { from: window.from, to: window.end? };
                FeeProof::never_mined(row, unseen).ok()
            }
        }
    }

    async fn fee_of(&self, row: &SpendRow, transaction: B256, at: SafeBlock) -> Option<FeeProof> {
        let read =
            move |endpoint: Arc<Endpoint>| async move { receipt(&endpoint, transaction).await };
        let seen = self.ask(Read::Receipt, read).await.ok()?.agreed().ok()?;
        FeeProof::mined(row, &seen, at).ok()
    }
}

/// The receipt of the wanted transaction; none where it was not mined.
async fn cost(
    endpoint: Arc<Endpoint>,
    wanted: Wanted,
    window: Window,
) -> Result<Option<FeeReceipt>, FailureCause> {
    let own = match wanted.marks.lane() {
        Some(key) => lane::taken(&endpoint, wanted.wallet, key, &window).await?,
        None => by_its_fee(&endpoint, &wanted, &window).await?,
    };
    match own {
        Some(transaction) => receipt(&endpoint, transaction).await.map(Some),
        None => Ok(None),
    }
}

/// A transaction with an expiring nonce, by the transfer of its fee, which the chain writes for what
/// fails as well.
async fn by_its_fee(
    endpoint: &Endpoint,
    wanted: &Wanted,
    window: &Window,
) -> Result<Option<B256>, FailureCause> {
    let filter = Filter::new()
        .address(wanted.token)
        .event_signature(Transfer::SIGNATURE_HASH)
        .topic1(U256::from_be_slice(wanted.wallet.as_slice()))
        .topic2(U256::from_be_slice(FEE_MANAGER.as_slice()));
    let mut paid_for = BTreeSet::new();
    for log in window.logs(endpoint, &filter).await? {
        let Ok(event) = Transfer::decode_log(&log.inner) else { continue };
        let own =
            (event.address, event.from, event.to) == (wanted.token, wanted.wallet, FEE_MANAGER);
        if own && !log.removed {
            let nonsense = FailureCause::Nonsense { what: "a transfer log" };
            paid_for.insert(log.transaction_hash.ok_or(nonsense)?);
        }
    }
    if paid_for.len() > PLAIN_TRANSACTIONS_MAX {
        return Err(FailureCause::Missing { what: "so few fees that all can be looked at" });
    }
    let mut own = None;
    for transaction in paid_for {
        match wanted.marks.whose(&endpoint.raw_transaction(transaction).await?) {
            // An access key of the wallet can send another with the same terms.
            Whose::Own if own.is_some() => {
                return Err(FailureCause::Missing { what: "which of two transactions is meant" });
            }
            Whose::Own => own = Some(transaction),
            Whose::Another => {}
            Whose::Unknown => {
                return Err(FailureCause::Missing { what: "the terms of a transaction" });
            }
        }
    }
    if own.is_none() {
        window.check_served(endpoint).await?;
    }
    Ok(own)
}

async fn receipt(endpoint: &Endpoint, transaction: B256) -> Result<FeeReceipt, FailureCause> {
    let shown = endpoint.raw_receipt(transaction).await?;
    let seen = read(&shown).filter(|seen| seen.transaction == transaction);
    seen.ok_or(FailureCause::Nonsense { what: "a receipt" })
}

fn read(receipt: &Value) -> Option<FeeReceipt> {
    let number = |name| receipt.get(name).and_then(quantity);
    Some(FeeReceipt {
        transaction: parsed(receipt, "transactionHash")?,
        from: parsed(receipt, "from")?,
        block: u64::try_from(number("blockNumber")?).ok()?,
        succeeded: number("status")? == U256::ONE,
        gas_used: u64::try_from(number("gasUsed")?).ok()?,
        gas_price: u128::try_from(number("effectiveGasPrice")?).ok()?,
    })
}
