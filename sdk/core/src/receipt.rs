//! What a payment bought, and how it is known that it was paid.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use tercet_api::payment::SigningWay;
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::document::ContentHash;
use tercet_policy::intent::{IntentId, Payment, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::payload::{charge_memo, transfer_memo};
use tercet_policy::time::UnixSeconds;

use crate::seam::{Finality, Settlement};

/// A payment, from its intent to its evidence. It proves what moved, not that what came back was
/// worth it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The intent.
    pub intent: IntentId,
    /// Who paid.
    pub wallet: Address,
    /// Who was paid; nobody for a cancellation.
    pub payee: Option<Address>,
    /// Base units.
    pub amount: Amount,
    /// The amount for people, as `0.01 USDC`.
    pub price: String,
    /// Symbol of the asset.
    pub asset: String,
    /// Token contract.
    pub token: Address,
    /// Chain.
    pub chain: Chain,
    /// EIP-3009 nonce, for an x402 payment: with the wallet it names the payment on chain, which a
    /// transaction alone does not, as one may carry several payments.
    pub nonce: Option<B256>,
    /// The memo on Tempo: of a charge it names the challenge; of a transfer it is the caller's, or
    /// names the intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<B256>,
    /// How it was signed: with a presignature in one round trip, or in rounds between the nodes.
    /// Nothing where this process did not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<SigningWay>,
    /// The transaction that settled it, as far as the chain shows one.
    pub transaction: Option<B256>,
    /// Its block.
    pub block: Option<u64>,
    /// Whether the chain showed exactly this payment to this process.
    pub verified: bool,
    /// What that rests on.
    pub evidence: SettlementEvidence,
    /// The transaction that the merchant named. Not believed; kept where it differs.
    pub merchant_transaction: Option<B256>,
    /// What was bought.
    pub resource: Option<ResourceReceipt>,
    /// When this receipt was written.
    pub at: UnixSeconds,
}

/// What a receipt rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SettlementEvidence {
    /// The chain shows the payment in this block.
    Chain {
        /// Hash of the block.
        block_hash: B256,
        /// Place of the transfer's log in the block.
        log_index: u64,
        /// Whether a quorum holds the block to be safe.
        finality: Finality,
    },
    /// The chain did not show it (yet). The money counts as spent all the same.
    None {
        /// Why not, for people.
        why: String,
    },
}

/// What was bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceReceipt {
    /// Method of the request.
    pub method: String,
    /// The URL that was asked for, by us.
    pub url: String,
    /// HTTP status of the last answer to the payment, if there was one.
    pub status: Option<u16>,
    /// SHA-256 of the whole answer, unless it was too large to be held or came as a stream.
    pub sha256: Option<ContentHash>,
    /// Its length, in bytes, where the hash is there.
    pub bytes: Option<u64>,
}

impl Receipt {
    /// A receipt without evidence yet.
    pub(crate) fn unproven(
        intent: &PaymentIntent,
        why: impl Into<String>,
        at: UnixSeconds,
    ) -> Self {
        let payment = &intent.payment;
        let (chain, token, amount) = (payment.chain(), payment.token(), payment.amount());
        let asset = Asset::find(chain, token).ok();
        let (symbol, decimals) = asset.map_or(("?", 0), |a| (a.symbol, a.decimals));
        Self {
            intent: intent.id,
            wallet: intent.wallet,
            payee: payment.payee(),
            amount,
            price: format!("{} {symbol}", amount.to_decimal(decimals)),
            asset: symbol.to_owned(),
            token,
            chain,
            nonce: nonce(intent),
            memo: memo(intent),
            signed_by: None,
            transaction: None,
            block: None,
            verified: false,
            evidence: SettlementEvidence::None { why: why.into() },
            merchant_transaction: None,
            resource: None,
            at,
        }
    }

    /// The receipt of a part of what its intent put aside: one unit of a session.
    pub(crate) fn set_amount(&mut self, amount: Amount) {
        let decimals = Asset::find(self.chain, self.token).map_or(0, |asset| asset.decimals);
        self.amount = amount;
        self.price = format!("{} {}", amount.to_decimal(decimals), self.asset);
    }

    /// The receipt with what the chain shows.
    #[must_use]
    pub(crate) fn proven(mut self, settlement: &Settlement, finality: Finality) -> Self {
        self.transaction = Some(settlement.transaction);
        self.block = Some(settlement.block_number);
        self.verified = true;
        self.evidence = SettlementEvidence::Chain {
            block_hash: settlement.block_hash,
            log_index: settlement.log_index,
            finality,
        };
        if self.merchant_transaction == self.transaction {
            self.merchant_transaction = None;
        }
        self
    }
}

fn memo(intent: &PaymentIntent) -> Option<B256> {
    match &intent.payment {
        Payment::MppCharge(charge) => Some(charge_memo(charge)),
        Payment::TempoTransfer(t) => Some(t.memo.unwrap_or_else(|| transfer_memo(&intent.id))),
        _ => None,
    }
}

fn nonce(intent: &PaymentIntent) -> Option<B256> {
    match &intent.payment {
        Payment::X402Exact(x) => Some(tercet_policy::proposal::eip3009_nonce(
            x.chain,
            x.token,
            intent.wallet,
            &intent.id,
        )),
        _ => None,
    }
}
