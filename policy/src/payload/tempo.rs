//! The Tempo transactions and the MPP signatures of an intent.

use std::num::NonZeroU64;

use alloy_primitives::{Address, B256, Bytes, keccak256};
use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::intent::{
    ExitChannel, ExitStep, IntentId, KeyStep, MppCharge, MppOpen, Payment, PaymentIntent,
};
use crate::money::Amount;
use crate::mpp::{
    ChannelAmount, ChannelDescriptor, ChannelId, ChannelOpening, attribution_memo, close_preimage,
    proof_preimage, voucher_preimage,
};
use crate::payload::WalletSignature;
use crate::proposal::ChainTerms;
use crate::tempo::{Call, Fee, SignedTempo, TempoTransaction, calls, keychain};

/// A signed Tempo transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedTempoTransaction {
    /// The chain it is for.
    pub chain: Chain,
    /// Its hash; none yet where the service pays the fee, whose signature enters it.
    pub hash: Option<B256>,
    /// As `eth_sendRawTransaction` takes it, or the envelope that a sponsor takes.
    pub raw: Bytes,
    /// The channel that it opens.
    pub opens: Option<ChannelDescriptor>,
    /// Whether the service brings it to the chain; otherwise our side does.
    pub for_service: bool,
}

/// A signature over typed data of MPP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MppSignature {
    /// The chain of the domain.
    pub chain: Chain,
    /// What was signed.
    pub about: MppSigned,
    /// `0x` and `r ‖ s ‖ v`.
    pub signature: WalletSignature,
}

/// What an MPP signature is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MppSigned {
    /// Who asks, for a charge of nothing.
    Proof,
    /// A voucher.
    Voucher {
        /// The channel.
        channel: ChannelId,
        /// Base units in all.
        cumulative: Amount,
    },
    /// The agreed end of a channel.
    Close {
        /// The channel.
        channel: ChannelId,
        /// Base units in all.
        cumulative: Amount,
    },
}

/// A transaction before it is signed.
pub(super) struct Unsigned {
    chain: Chain,
    transaction: TempoTransaction,
    opens: Option<ChannelDescriptor>,
    for_service: bool,
}

impl Unsigned {
    /// The transaction of an intent; nothing where it has none, or terms of another kind.
    pub(super) fn of(intent: &PaymentIntent, terms: &ChainTerms) -> Option<Self> {
        let ChainTerms::Tempo { nonce_key, valid_after, valid_before } = terms else {
            return None;
        };
        let own = intent.payment.tempo_terms()?;
        let chain = intent.payment.chain();
        let transaction = TempoTransaction {
            chain_id: chain.id(),
            max_priority_fee_per_gas: own.max_priority_fee_per_gas.base_units(),
            max_fee_per_gas: own.max_fee_per_gas.base_units(),
            gas_limit: own.gas_limit,
            calls: calls_of(intent)?,
            nonce_key: *nonce_key,
            nonce: 0,
            valid_before: NonZeroU64::new(valid_before.0),
            valid_after: NonZeroU64::new(valid_after.0),
            fee: own.fee_token.map_or(Fee::Sponsor, |token| Fee::Wallet { token }),
        };
        let opens = match &intent.payment {
            Payment::MppOpen(open) => {
                let hash = transaction.expiring_nonce_hash(intent.wallet);
                Some(open.descriptor(intent.wallet, hash))
            }
            _ => None,
        };
        Some(Self { chain, transaction, opens, for_service: intent.payment.challenge().is_some() })
    }

    pub(super) fn preimage(&self) -> Vec<u8> {
        self.transaction.preimage()
    }

    pub(super) const fn opens(&self) -> Option<&ChannelDescriptor> {
        self.opens.as_ref()
    }

    pub(super) fn attach(
        self,
        sender: Address,
        signature: &WalletSignature,
    ) -> SignedTempoTransaction {
        let SignedTempo { hash, raw } = self.transaction.attach(sender, signature);
        let Self { chain, opens, for_service, .. } = self;
        SignedTempoTransaction { chain, hash, raw, opens, for_service }
    }
}

/// The channel that an intent with these terms opens; its id is known before anything is signed.
#[must_use]
pub fn opened_channel(intent: &PaymentIntent, terms: &ChainTerms) -> Option<ChannelDescriptor> {
    matches!(intent.payment, Payment::MppOpen(_)).then(|| Unsigned::of(intent, terms))??.opens
}

/// Typed data before it is signed.
pub(super) struct Typed {
    chain: Chain,
    about: MppSigned,
}

impl Typed {
    /// The typed data of an intent, and its preimage; nothing for other kinds, and for amounts that
    /// no channel can hold.
    pub(super) fn of(intent: &PaymentIntent) -> Option<(Self, Vec<u8>)> {
        let chain = intent.payment.chain();
        let (about, preimage) = match &intent.payment {
            Payment::MppProof(proof) => {
                let (id, realm) = (&proof.challenge.id, &proof.challenge.realm);
                (MppSigned::Proof, proof_preimage(chain.id(), intent.wallet, id, realm))
            }
            Payment::MppVoucher(voucher) => {
                let (channel, cumulative) =
                    (voucher.channel.channel_id(chain.id()), voucher.cumulative);
                let amount = ChannelAmount::try_from(cumulative).ok()?;
                let preimage = voucher_preimage(chain.id(), channel, amount);
                (MppSigned::Voucher { channel, cumulative }, preimage)
            }
            Payment::MppClose(close) => {
                let (channel, cumulative) =
                    (close.channel.channel_id(chain.id()), close.cumulative);
                let amount = ChannelAmount::try_from(cumulative).ok()?;
                let preimage = close_preimage(chain.id(), channel, amount);
                (MppSigned::Close { channel, cumulative }, preimage)
            }
            _ => return None,
        };
        Some((Self { chain, about }, preimage))
    }

    pub(super) fn attach(self, signature: WalletSignature) -> MppSignature {
        MppSignature { chain: self.chain, about: self.about, signature }
    }
}

/// What the transaction of an intent calls.
fn calls_of(intent: &PaymentIntent) -> Option<Vec<Call>> {
    Some(match &intent.payment {
        Payment::TempoTransfer(t) => {
            let memo = t.memo.unwrap_or_else(|| transfer_memo(&intent.id));
            vec![calls::transfer_with_memo(t.token, t.to, t.amount, memo)]
        }
        Payment::MppCharge(charge) => charge_calls(charge)?,
        Payment::MppOpen(open) => vec![open_call(open)?],
        Payment::MppTopUp(t) => {
            vec![calls::top_up(&t.channel, ChannelAmount::try_from(t.additional).ok()?)]
        }
        Payment::MppExit(exit) => vec![match (&exit.channel, exit.step) {
            (ExitChannel::V2 { descriptor }, ExitStep::RequestClose) => {
                calls::request_close(descriptor)
            }
            (ExitChannel::V2 { descriptor }, ExitStep::Withdraw) => calls::withdraw(descriptor),
            (ExitChannel::V1 { escrow, channel }, ExitStep::RequestClose) => {
                calls::request_close_v1(*escrow, *channel)
            }
            (ExitChannel::V1 { escrow, channel }, ExitStep::Withdraw) => {
                calls::withdraw_v1(*escrow, *channel)
            }
        }],
        Payment::TempoAccessKey(k) => vec![match &k.step {
            KeyStep::Authorize(limits) => keychain::authorize_key(k.key, k.token, limits),
            KeyStep::Revoke => keychain::revoke_key(k.key),
        }],
        _ => return None,
    })
}

/// The memo of a transfer that brings none: it names the intent, so that the chain's logs tell
/// which payment they are of.
#[must_use]
pub fn transfer_memo(intent: &IntentId) -> B256 {
    let mut preimage = b"tercet/transfer-memo/v1".to_vec();
    preimage.extend_from_slice(&intent.0);
    keccak256(preimage)
}

/// The memo of a charge, which names its challenge.
#[must_use]
pub fn charge_memo(charge: &MppCharge) -> B256 {
    attribution_memo(&charge.challenge.realm, None, &charge.challenge.id)
}

fn charge_calls(charge: &MppCharge) -> Option<Vec<Call>> {
    let (token, memo) = (charge.token, charge_memo(charge));
    let primary = charge.primary_amount()?;
    let mut all = vec![calls::transfer_with_memo(token, charge.to, primary, memo)];
    all.extend(charge.splits.iter().map(|split| match split.memo {
        Some(memo) => calls::transfer_with_memo(token, split.to, split.amount, memo),
        None => calls::transfer(token, split.to, split.amount),
    }));
    Some(all)
}

fn open_call(open: &MppOpen) -> Option<Call> {
    let opening = ChannelOpening {
        payee: open.payee,
        operator: open.operator,
        token: open.token,
        salt: open.salt,
        authorized_signer: open.authorized_signer,
    };
    Some(calls::open(&opening, ChannelAmount::try_from(open.deposit).ok()?))
}
