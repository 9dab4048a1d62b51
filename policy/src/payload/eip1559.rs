//! ERC-20 transfers as EIP-1559 transactions: `0x02 ‖ rlp([chain id, nonce, tip, fee, gas, token,
//! 0, transfer(to, amount), []])`.

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_sol_types::SolCall as _;

use crate::intent::Transfer;
use crate::money::Amount;
use crate::payload::WalletSignature;
use crate::proposal::ChainTerms;

mod erc20 {
    #![allow(missing_docs, reason = "generated from the names of EIP-20")]

    alloy_sol_types::sol! {
        function transfer(address to, uint256 value) external returns (bool);
    }
}

/// The call data of an ERC-20 `transfer(to, value)`.
#[must_use]
pub fn transfer_input(to: Address, amount: Amount) -> Bytes {
    let value = U256::from(amount.base_units());
    erc20::transferCall { to, value }.abi_encode().into()
}

pub(super) fn transaction(transfer: &Transfer, terms: &ChainTerms) -> Option<TxEip1559> {
    let ChainTerms::Eip1559 { nonce, gas_limit, max_fee_per_gas, max_priority_fee_per_gas } = terms
    else {
        return None;
    };
    Some(TxEip1559 {
        chain_id: transfer.chain.id(),
        nonce: *nonce,
        gas_limit: *gas_limit,
        max_fee_per_gas: max_fee_per_gas.base_units(),
        max_priority_fee_per_gas: max_priority_fee_per_gas.base_units(),
        to: TxKind::Call(transfer.token),
        value: U256::ZERO,
        access_list: AccessList::default(),
        input: transfer_input(transfer.to, transfer.amount),
    })
}

pub(super) fn preimage(transaction: &TxEip1559) -> Vec<u8> {
    transaction.encoded_for_signing()
}

/// The EIP-2718 bytes and the transaction hash.
pub(super) fn attach(transaction: TxEip1559, signature: WalletSignature) -> (Bytes, B256) {
    let signed = transaction.into_signed(signature.to_alloy());
    let hash = *signed.hash();
    (signed.encoded_2718().into(), hash)
}
