//! The RLP of a Tempo transaction. The three forms of it differ in the first byte, in the two
//! fields about the fee, and in whether a signature follows.

use std::num::NonZeroU64;

use alloy_primitives::Address;
use alloy_rlp::{EMPTY_LIST_CODE, EMPTY_STRING_CODE, Encodable, Header};

use super::{Call, TempoTransaction};
use crate::payload::WalletSignature;

/// The fields `fee token` and `fee payer`.
#[derive(Clone, Copy)]
pub(super) struct FeeFields {
    pub(super) token: Option<Address>,
    pub(super) payer: FeePayer,
}

#[derive(Clone, Copy)]
pub(super) enum FeePayer {
    /// The sender pays.
    Nobody,
    /// Says that somebody else will sign here: the byte zero, which is no RLP integer.
    Placeholder,
    /// Whom the sponsor is to pay for.
    Sender(Address),
}

impl FeeFields {
    pub(super) const fn wallet(token: Address) -> Self {
        Self { token: Some(token), payer: FeePayer::Nobody }
    }

    fn encode(self, out: &mut Vec<u8>) {
        match self.token {
            Some(token) => token.encode(out),
            None => out.push(EMPTY_STRING_CODE),
        }
        match self.payer {
            FeePayer::Nobody => out.push(EMPTY_STRING_CODE),
            FeePayer::Placeholder => out.push(0),
            FeePayer::Sender(sender) => sender.encode(out),
        }
    }
}

/// `kind ‖ rlp(fields)`.
pub(super) fn encode(
    kind: u8,
    transaction: &TempoTransaction,
    fee: FeeFields,
    signature: Option<&WalletSignature>,
) -> Vec<u8> {
    let mut fields = Vec::new();
    transaction.chain_id.encode(&mut fields);
    transaction.max_priority_fee_per_gas.encode(&mut fields);
    transaction.max_fee_per_gas.encode(&mut fields);
    transaction.gas_limit.encode(&mut fields);
    list(&mut fields, &calls(&transaction.calls));
    fields.push(EMPTY_LIST_CODE); // access list
    transaction.nonce_key.encode(&mut fields);
    transaction.nonce.encode(&mut fields);
    moment(transaction.valid_before, &mut fields);
    moment(transaction.valid_after, &mut fields);
    fee.encode(&mut fields);
    fields.push(EMPTY_LIST_CODE); // EIP-7702 authorizations
    if let Some(signature) = signature {
        signature.to_rsv().as_slice().encode(&mut fields);
    }
    let mut out = vec![kind];
    list(&mut out, &fields);
    out
}

fn calls(calls: &[Call]) -> Vec<u8> {
    let mut out = Vec::new();
    for call in calls {
        let mut fields = Vec::new();
        call.to.encode(&mut fields);
        fields.push(EMPTY_STRING_CODE); // value
        call.input.encode(&mut fields);
        list(&mut out, &fields);
    }
    out
}

/// A moment that is not given is the integer zero, which is the empty string.
fn moment(seconds: Option<NonZeroU64>, out: &mut Vec<u8>) {
    seconds.map_or(0, NonZeroU64::get).encode(out);
}

fn list(out: &mut Vec<u8>, fields: &[u8]) {
    Header { list: true, payload_length: fields.len() }.encode(out);
    out.extend_from_slice(fields);
}
