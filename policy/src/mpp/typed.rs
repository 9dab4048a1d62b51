//! The EIP-712 messages of MPP: `0x1901 ‖ domain separator ‖ struct hash`, 66 bytes each.
//!
//! A wallet signs their Keccak-256 as it is. The reserve takes 65 bytes `r ‖ s ‖ v` (TIP-1020),
//! neither the 64 of EIP-2098 nor an access key's envelope.

use std::borrow::Cow;

use alloy_primitives::{Address, U256};
use alloy_sol_types::{Eip712Domain, SolStruct};

use super::{ChannelAmount, ChannelId};
use crate::money::Amount;
use crate::tempo::CHANNEL_RESERVE;

mod reserve {
    #![allow(missing_docs, reason = "generated from the names of TIP-1034 and mppx")]

    alloy_sol_types::sol! {
        struct Voucher {
            bytes32 channelId;
            uint96 cumulativeAmount;
        }

        struct CloseAuthorization {
            bytes32 channelId;
            uint96 cumulativeAmount;
        }
    }
}

mod escrow {
    #![allow(missing_docs, reason = "generated from the names of TempoStreamChannel")]

    alloy_sol_types::sol! {
        struct Voucher {
            bytes32 channelId;
            uint128 cumulativeAmount;
        }
    }
}

mod charge {
    #![allow(missing_docs, reason = "generated from the names of mppx")]

    alloy_sol_types::sol! {
        struct Proof {
            address account;
            string challengeId;
            string realm;
        }
    }
}

/// A voucher: whoever may settle for the payee can take up to `cumulative` of the channel with
/// it, once and for all of its life. Signed by the channel's
/// [voucher signer](super::ChannelDescriptor::voucher_signer).
#[must_use]
pub fn voucher_preimage(chain_id: u64, channel: ChannelId, cumulative: ChannelAmount) -> Vec<u8> {
    let voucher =
        reserve::Voucher { channelId: channel.into(), cumulativeAmount: cumulative.into() };
    typed_data(&reserve_domain(chain_id), &voucher)
}

/// `CloseAuthorization`, the `closeSignature` of an MPP `close`: says to the server that the
/// payer wants the channel closed at `cumulative`. The chain knows nothing of it.
///
/// mpp-rs (0.18.2, `verify_close_authorization`) takes the signature of the payer or of the
/// channel's authorized signer; its client signs with the key that signs the vouchers. mppx asks
/// for it from 0.13.1 on, and older servers ignore it, so it is always sent.
#[must_use]
pub fn close_preimage(chain_id: u64, channel: ChannelId, cumulative: ChannelAmount) -> Vec<u8> {
    let close = reserve::CloseAuthorization {
        channelId: channel.into(),
        cumulativeAmount: cumulative.into(),
    };
    typed_data(&reserve_domain(chain_id), &close)
}

/// The proof of a charge of nothing: that `account` answers this challenge of this realm. It
/// moves nothing. The domain is `MPP`, version 3, with the chain id and no contract.
#[must_use]
pub fn proof_preimage(chain_id: u64, account: Address, challenge_id: &str, realm: &str) -> Vec<u8> {
    let proof =
        charge::Proof { account, challengeId: challenge_id.to_owned(), realm: realm.to_owned() };
    typed_data(&domain("MPP", "3", chain_id, None), &proof)
}

/// A voucher of the older escrow contract ("v1"), which keeps `uint128`.
#[must_use]
pub fn voucher_preimage_v1(
    chain_id: u64,
    escrow: Address,
    channel: ChannelId,
    cumulative: Amount,
) -> Vec<u8> {
    let voucher =
        escrow::Voucher { channelId: channel.into(), cumulativeAmount: cumulative.base_units() };
    typed_data(&domain("Tempo Stream Channel", "1", chain_id, Some(escrow)), &voucher)
}

fn reserve_domain(chain_id: u64) -> Eip712Domain {
    domain("TIP20 Channel Reserve", "1", chain_id, Some(CHANNEL_RESERVE))
}

const fn domain(
    name: &'static str,
    version: &'static str,
    chain_id: u64,
    contract: Option<Address>,
) -> Eip712Domain {
    let name = Some(Cow::Borrowed(name));
    let version = Some(Cow::Borrowed(version));
    let chain_id = Some(U256::from_limbs([chain_id, 0, 0, 0]));
    Eip712Domain::new(name, version, chain_id, contract, None)
}

fn typed_data(domain: &Eip712Domain, message: &impl SolStruct) -> Vec<u8> {
    let prefix: &[u8] = &[0x19, 0x01];
    [prefix, domain.separator().as_slice(), message.eip712_hash_struct().as_slice()].concat()
}
