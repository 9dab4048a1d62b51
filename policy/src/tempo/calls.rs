//! The calls that a wallet makes on Tempo: TIP-20 transfers, the channel reserve (TIP-1034), and
//! the two ways out of a channel of the older escrow contract.
//!
//! Promises: exact ABI encodings; an amount of the reserve fits its 96 bits by its type.
//!
//! Refuses: nothing. Which of these a wallet may make is for the policy.
//!
//! Does not protect against: a token, reserve or escrow address that is not what it seems.

use alloy_primitives::aliases::U96;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall;

use super::{CHANNEL_RESERVE, Call};
use crate::money::Amount;
use crate::mpp::{ChannelAmount, ChannelDescriptor, ChannelId, ChannelOpening};

mod tip20 {
    #![allow(missing_docs, reason = "generated from the names of TIP-20")]

    alloy_sol_types::sol! {
        function transfer(address to, uint256 amount) external returns (bool);
        function transferWithMemo(address to, uint256 amount, bytes32 memo) external;
    }
}

mod reserve {
    #![allow(missing_docs, reason = "generated from the names of TIP-1034")]

    alloy_sol_types::sol! {
        struct ChannelDescriptor {
            address payer;
            address payee;
            address operator;
            address token;
            bytes32 salt;
            address authorizedSigner;
            bytes32 expiringNonceHash;
        }

        function open(
            address payee,
            address operator,
            address token,
            uint96 deposit,
            bytes32 salt,
            address authorizedSigner
        ) external returns (bytes32 channelId);
        function topUp(ChannelDescriptor descriptor, uint96 additionalDeposit) external;
        function requestClose(ChannelDescriptor descriptor) external;
        function withdraw(ChannelDescriptor descriptor) external;
        function settle(
            ChannelDescriptor descriptor,
            uint96 cumulativeAmount,
            bytes signature
        ) external;
        function close(
            ChannelDescriptor descriptor,
            uint96 cumulativeAmount,
            uint96 captureAmount,
            bytes signature
        ) external;
    }
}

mod escrow {
    #![allow(missing_docs, reason = "generated from the names of TempoStreamChannel")]

    alloy_sol_types::sol! {
        function requestClose(bytes32 channelId) external;
        function withdraw(bytes32 channelId) external;
    }
}

/// What the payer of a channel calls at the reserve: to open it, to pay more in, to ask for its end
/// and to take back the rest.
pub(super) const PAYER_CALLS: [[u8; 4]; 4] = [
    reserve::openCall::SELECTOR,
    reserve::topUpCall::SELECTOR,
    reserve::requestCloseCall::SELECTOR,
    reserve::withdrawCall::SELECTOR,
];

/// `transfer(to, amount)` of a TIP-20 token.
#[must_use]
pub fn transfer(token: Address, to: Address, amount: Amount) -> Call {
    call(token, &tip20::transferCall { to, amount: U256::from(amount.base_units()) })
}

/// `transferWithMemo(to, amount, memo)` of a TIP-20 token.
#[must_use]
pub fn transfer_with_memo(token: Address, to: Address, amount: Amount, memo: B256) -> Call {
    let amount = U256::from(amount.base_units());
    call(token, &tip20::transferWithMemoCall { to, amount, memo })
}

/// Opens a channel and pays `deposit` into it; no approval is needed (TIP-1035). Whoever sends
/// the transaction is the payer.
#[must_use]
pub fn open(opening: &ChannelOpening, deposit: ChannelAmount) -> Call {
    let open = reserve::openCall {
        payee: opening.payee,
        operator: opening.operator,
        token: opening.token,
        deposit: units(deposit),
        salt: opening.salt,
        authorizedSigner: opening.authorized_signer,
    };
    call(CHANNEL_RESERVE, &open)
}

/// Pays more into a channel. It also takes back a close that the payer had asked for, even
/// when `additional` is nothing.
#[must_use]
pub fn top_up(descriptor: &ChannelDescriptor, additional: ChannelAmount) -> Call {
    let (descriptor, additional) = (abi(descriptor), units(additional));
    call(CHANNEL_RESERVE, &reserve::topUpCall { descriptor, additionalDeposit: additional })
}

/// Starts the payer's way out without the payee: after the grace of 900 seconds, in which the
/// payee may still settle, [`withdraw`] pays back the rest.
#[must_use]
pub fn request_close(descriptor: &ChannelDescriptor) -> Call {
    call(CHANNEL_RESERVE, &reserve::requestCloseCall { descriptor: abi(descriptor) })
}

/// Pays the rest of a channel back to the payer, and ends it.
#[must_use]
pub fn withdraw(descriptor: &ChannelDescriptor) -> Call {
    call(CHANNEL_RESERVE, &reserve::withdrawCall { descriptor: abi(descriptor) })
}

/// The payee's side: takes what a voucher is good for, and leaves the channel open.
#[must_use]
pub fn settle(
    descriptor: &ChannelDescriptor,
    cumulative: ChannelAmount,
    voucher_signature: Bytes,
) -> Call {
    let settle = reserve::settleCall {
        descriptor: abi(descriptor),
        cumulativeAmount: units(cumulative),
        signature: voucher_signature,
    };
    call(CHANNEL_RESERVE, &settle)
}

/// The payee's side: takes `capture` of what a voucher is good for, gives the rest of the
/// channel back to the payer, and ends it.
#[must_use]
pub fn close(
    descriptor: &ChannelDescriptor,
    cumulative: ChannelAmount,
    capture: ChannelAmount,
    voucher_signature: Bytes,
) -> Call {
    let close = reserve::closeCall {
        descriptor: abi(descriptor),
        cumulativeAmount: units(cumulative),
        captureAmount: units(capture),
        signature: voucher_signature,
    };
    call(CHANNEL_RESERVE, &close)
}

/// [`request_close`] for a channel of the older escrow contract.
#[must_use]
pub fn request_close_v1(escrow: Address, channel: ChannelId) -> Call {
    call(escrow, &escrow::requestCloseCall { channelId: channel.into() })
}

/// [`withdraw`] for a channel of the older escrow contract.
#[must_use]
pub fn withdraw_v1(escrow: Address, channel: ChannelId) -> Call {
    call(escrow, &escrow::withdrawCall { channelId: channel.into() })
}

pub(super) fn call(to: Address, call: &impl SolCall) -> Call {
    Call { to, input: call.abi_encode().into() }
}

fn units(amount: ChannelAmount) -> U96 {
    amount.into()
}

fn abi(descriptor: &ChannelDescriptor) -> reserve::ChannelDescriptor {
    reserve::ChannelDescriptor {
        payer: descriptor.payer,
        payee: descriptor.payee,
        operator: descriptor.operator,
        token: descriptor.token,
        salt: descriptor.salt,
        authorizedSigner: descriptor.authorized_signer,
        expiringNonceHash: descriptor.expiring_nonce_hash,
    }
}
