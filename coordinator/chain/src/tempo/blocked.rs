//! Transfers that a receive policy took from their payee (TIP-1028).
//!
//! The chain lets such a transaction succeed: the money goes to a guard, by a plain `Transfer` log,
//! and no log has the memo. So whatever left the wallet without a memo is looked at, and is the
//! movement that is asked about where its transaction is: what succeeds as a whole has moved its
//! primary amount, too. Fees leave the wallet in the same way, and are written for what fails as
//! well.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256, address};
use alloy_rpc_types_eth::{Filter, Log};
use alloy_sol_types::SolEvent as _;
use tercet_policy::evidence::TokenMovement;
use tercet_policy::money::Amount;
use tercet_policy::tempo::CHANNEL_RESERVE;

use super::Tip20::{Transfer, TransferWithMemo};
use super::movement::Wanted;
use super::window::Window;
use super::{Marks, Whose};
use crate::endpoint::Endpoint;
use crate::error::FailureCause;

/// Where fees go, at the same address on every Tempo chain.
pub(super) const FEE_MANAGER: Address = address!("0xfeeC000000000000000000000000000000000000");
/// Most transactions with a transfer that no memo goes with that are looked at for one payment.
/// Where a wallet made more of them in one window, the endpoint has no say about what is not there.
pub(super) const PLAIN_TRANSACTIONS_MAX: usize = 128;

/// What an endpoint shows of the movement where none of its logs has the memo.
pub(super) async fn find(
    endpoint: &Endpoint,
    wanted: &Wanted,
    window: &Window,
) -> Result<Option<TokenMovement>, FailureCause> {
    let logs = window.logs(endpoint, &filter(wanted)).await?;
    let plain = plain(wanted, &logs)?;
    if plain.len() > PLAIN_TRANSACTIONS_MAX {
        return Err(FailureCause::Missing { what: "so few transfers that all can be looked at" });
    }
    let mut unclear = false;
    for (transaction, movements) in plain {
        match whose(endpoint, wanted.marks, transaction).await? {
            Whose::Own => return Ok(primary(wanted, movements)),
            Whose::Another => {}
            Whose::Unknown => unclear = true,
        }
    }
    match unclear {
        true => Err(FailureCause::Missing { what: "the terms of a transaction" }),
        false => Ok(None),
    }
}

async fn whose(
    endpoint: &Endpoint,
    marks: Marks,
    transaction: B256,
) -> Result<Whose, FailureCause> {
    Ok(marks.whose(&endpoint.raw_transaction(transaction).await?))
}

fn filter(wanted: &Wanted) -> Filter {
    Filter::new()
        .address(wanted.token)
        .event_signature(vec![Transfer::SIGNATURE_HASH, TransferWithMemo::SIGNATURE_HASH])
        .topic1(U256::from_be_slice(wanted.from.as_slice()))
}

/// What left the wallet, fees aside, and no memo goes with, by its transaction.
fn plain(
    wanted: &Wanted,
    logs: &[Log],
) -> Result<BTreeMap<B256, Vec<TokenMovement>>, FailureCause> {
    let own = |log: &&Log| !log.removed && log.address() == wanted.token;
    let mut with_memo = BTreeMap::<(Option<B256>, Address, U256), usize>::new();
    for log in logs.iter().filter(own) {
        let Ok(event) = TransferWithMemo::decode_log(&log.inner) else { continue };
        let of = (log.transaction_hash, event.to, event.amount);
        let number = with_memo.entry(of).or_default();
        *number = number.saturating_add(1);
    }
    let mut plain = BTreeMap::<B256, Vec<TokenMovement>>::new();
    for log in logs.iter().filter(own) {
        let Ok(event) = Transfer::decode_log(&log.inner) else { continue };
        // What goes into channels is no charge, unless one names the reserve as its payee: an access
        // key of the wallet can put in much, often.
        let is_deposit = event.to == CHANNEL_RESERVE && wanted.to != CHANNEL_RESERVE;
        if event.from != wanted.from || event.to == FEE_MANAGER || is_deposit {
            continue;
        }
        let of = (log.transaction_hash, event.to, event.amount);
        match with_memo.get_mut(&of) {
            Some(number @ 1..) => *number = number.saturating_sub(1),
            _ => {
                let movement = movement(log, &event)?;
                plain.entry(movement.transaction).or_default().push(movement);
            }
        }
    }
    Ok(plain)
}

fn movement(log: &Log, event: &Transfer) -> Result<TokenMovement, FailureCause> {
    let nonsense = || FailureCause::Nonsense { what: "a transfer log" };
    let (transaction, block) = log.transaction_hash.zip(log.block_number).ok_or_else(nonsense)?;
    let units = u128::try_from(event.amount).map_err(|_| nonsense())?;
    Ok(TokenMovement {
        token: log.address(),
        from: event.from,
        to: event.to,
        amount: Amount::from_base_units(units),
        memo: B256::ZERO,
        transaction,
        block,
    })
}

/// The one that is most likely of the primary payee; the others are splits.
fn primary(wanted: &Wanted, movements: Vec<TokenMovement>) -> Option<TokenMovement> {
    let fits = movements.iter().position(|movement| movement.amount == wanted.amount);
    movements.into_iter().nth(fits.unwrap_or_default())
}
