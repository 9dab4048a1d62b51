//! What goes over the socket, in JSON. What is asked is read strictly; what is answered may grow new
//! fields within a version.

use std::fmt;

use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};
use tercet_api::relay::{SealedBytes, SealedPart, base64_bytes};
use tercet_policy::chain::Chain;
use tercet_policy::document::NodeKeys;
use tercet_policy::intent::PaymentIntent;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelDescriptor;
use tercet_policy::party::AgentId;
use tercet_policy::payload::{
    Authorization, BadWalletSignature, CancelAuthorization, Eip3009Cancel, Eip3009Payment,
    FinishedPayment, MppSignature, MppSigned, SignedTempoTransaction, SignedTransaction,
    WalletProof, WalletSignature,
};
use tercet_policy::report::ReportKind;
use tercet_policy::time::UnixSeconds;

use crate::ticket::{NotPaid, PaymentEnd};

/// Longest line of a ticket, in bytes: a signed transaction in hexadecimal, with room.
pub const TICKET_LINE_BYTES_MAX: usize = 64 * 1024;

/// Answer of `GET /v1/node`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSaid {
    /// Its public keys; `id` is the agent's name.
    pub keys: NodeKeys,
}

/// One of `GET /v1/wallets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletSaid {
    /// Its address.
    pub address: Address,
    /// Whose it is.
    pub agent: AgentId,
    /// Why signing for it is stopped, if it is.
    pub stopped: Option<String>,
    /// How many payments of it could be signed in one round trip now.
    pub presignatures: usize,
}

/// Asked of `POST /v1/sign/report`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskReport {
    /// The payment's intent, as it was signed.
    pub intent: PaymentIntent,
    /// What became of it.
    pub outcome: ReportKind,
}

/// Asked of `POST /v1/sign/request`: the parts that are signed (`tercet_api::auth`). The time is the
/// node's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskRequest {
    /// Upper-case method.
    pub method: String,
    /// Path, as sent.
    pub path: String,
    /// Query without the question mark.
    pub query: String,
    /// The whole body, base64.
    #[serde(with = "base64_bytes")]
    pub body: Vec<u8>,
}

/// Answer of `POST /v1/sign/request`: header values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSigned {
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
    /// `Content-Digest`.
    pub content_digest: String,
}

/// Asked of `POST /v1/connected` and `POST /v1/payments/{intent}/ticket`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskPatience {
    /// How long to wait for the coordinator, in milliseconds; at most
    /// [`PATIENCE_MS_MAX`](super::PATIENCE_MS_MAX).
    pub patience_ms: u64,
}

/// Answer of `GET /v1/wallets/{address}/session-signers/{salt}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSigner {
    /// The address of the session's key.
    pub address: Address,
}

/// Asked of `POST /v1/payments/{intent}/finish`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskFinish {
    /// What the coordinator answered, sealed by the operator's node.
    pub answer: SealedBytes,
}

/// Answer of `GET /v1/payments/{intent}/may-have-signed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MayHaveSigned {
    /// Whether this node's part of a signature may have left.
    pub may_have_signed: bool,
}

/// Answer of `POST /v1/payments/begin`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Begun {
    /// Admitted and recorded, and this goes to the operator's node.
    Part {
        /// Sealed for it.
        part: SealedPart,
    },
    /// Nothing in stock, or a payment that takes terms of the chain: rounds sign it.
    NoPart,
    /// This node does not sign it.
    NotPaid {
        /// Why.
        why: NotPaid,
    },
}

/// Answer of `POST /v1/payments/{intent}/finish`, and each line of a ticket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum End {
    /// Signed: verified, recovered to the wallet, ready to use.
    Signed {
        /// For the asker alone.
        payment: Finished,
    },
    /// Not signed.
    NotPaid {
        /// Why.
        why: NotPaid,
    },
}

/// A finished payment in its parts. Its `Debug` says nothing: whoever holds an authorization can
/// settle it.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finished {
    /// An x402 authorization.
    X402 {
        /// Chain.
        chain: Chain,
        /// Token contract.
        token: Address,
        /// The wallet.
        from: Address,
        /// The payee.
        to: Address,
        /// Base units.
        value: Amount,
        /// The chain's time must be later.
        valid_after: UnixSeconds,
        /// The chain's time must be earlier.
        valid_before: UnixSeconds,
        /// EIP-3009 nonce.
        nonce: B256,
        /// `r ‖ s ‖ v`.
        signature: Bytes,
    },
    /// A cancellation.
    Cancel {
        /// Chain.
        chain: Chain,
        /// Token contract.
        token: Address,
        /// The wallet.
        authorizer: Address,
        /// The nonce taken back.
        nonce: B256,
        /// `r ‖ s ‖ v`.
        signature: Bytes,
    },
    /// A transaction.
    Transaction {
        /// Chain.
        chain: Chain,
        /// Its hash.
        hash: B256,
        /// EIP-2718 bytes.
        raw: Bytes,
    },
    /// A Tempo transaction.
    Tempo {
        /// Chain.
        chain: Chain,
        /// Its hash, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hash: Option<B256>,
        /// What the chain or the sponsor takes.
        raw: Bytes,
        /// The channel that it opens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opens: Option<ChannelDescriptor>,
        /// Whether the service brings it to the chain.
        for_service: bool,
    },
    /// A signature over typed data of MPP.
    Mpp {
        /// Chain.
        chain: Chain,
        /// What it is about.
        about: MppSigned,
        /// `r ‖ s ‖ v`.
        signature: Bytes,
    },
    /// A wallet's proof.
    Proof {
        /// The wallet.
        wallet: Address,
        /// The text.
        message: String,
        /// `r ‖ s ‖ v`.
        signature: Bytes,
    },
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Finished(..)")
    }
}

impl From<FinishedPayment> for Finished {
    fn from(payment: FinishedPayment) -> Self {
        match payment {
            FinishedPayment::X402(Eip3009Payment { chain, token, signature, authorization }) => {
                let Authorization { from, to, value, valid_after, valid_before, nonce } =
                    authorization;
                let signature = rsv(signature);
                Self::X402 {
                    chain,
                    token,
                    from,
                    to,
                    value,
                    valid_after,
                    valid_before,
                    nonce,
                    signature,
                }
            }
            FinishedPayment::Cancel(Eip3009Cancel { chain, token, signature, cancel }) => {
                let CancelAuthorization { authorizer, nonce } = cancel;
                Self::Cancel { chain, token, authorizer, nonce, signature: rsv(signature) }
            }
            FinishedPayment::Transaction(SignedTransaction { chain, hash, raw }) => {
                Self::Transaction { chain, hash, raw }
            }
            FinishedPayment::Tempo(SignedTempoTransaction {
                chain,
                hash,
                raw,
                opens,
                for_service,
            }) => Self::Tempo { chain, hash, raw, opens, for_service },
            FinishedPayment::Mpp(MppSignature { chain, about, signature }) => {
                Self::Mpp { chain, about, signature: rsv(signature) }
            }
            FinishedPayment::Proof(WalletProof { wallet, message, signature }) => {
                Self::Proof { wallet, message, signature: rsv(signature) }
            }
        }
    }
}

impl TryFrom<Finished> for FinishedPayment {
    type Error = BadWalletSignature;

    fn try_from(finished: Finished) -> Result<Self, BadWalletSignature> {
        Ok(match finished {
            Finished::X402 {
                chain,
                token,
                from,
                to,
                value,
                valid_after,
                valid_before,
                nonce,
                signature,
            } => Self::X402(Eip3009Payment {
                chain,
                token,
                signature: signature_of(&signature)?,
                authorization: Authorization { from, to, value, valid_after, valid_before, nonce },
            }),
            Finished::Cancel { chain, token, authorizer, nonce, signature } => {
                let (signature, cancel) =
                    (signature_of(&signature)?, CancelAuthorization { authorizer, nonce });
                Self::Cancel(Eip3009Cancel { chain, token, signature, cancel })
            }
            Finished::Transaction { chain, hash, raw } => {
                Self::Transaction(SignedTransaction { chain, hash, raw })
            }
            Finished::Tempo { chain, hash, raw, opens, for_service } => {
                Self::Tempo(SignedTempoTransaction { chain, hash, raw, opens, for_service })
            }
            Finished::Mpp { chain, about, signature } => {
                let signature = signature_of(&signature)?;
                Self::Mpp(MppSignature { chain, about, signature })
            }
            Finished::Proof { wallet, message, signature } => {
                let signature = signature_of(&signature)?;
                Self::Proof(WalletProof { wallet, message, signature })
            }
        })
    }
}

fn rsv(signature: WalletSignature) -> Bytes {
    Bytes::copy_from_slice(&signature.to_rsv())
}

fn signature_of(rsv: &Bytes) -> Result<WalletSignature, BadWalletSignature> {
    let (r, rest) = rsv.split_first_chunk::<32>().ok_or(BadWalletSignature)?;
    let (s, v) = rest.split_first_chunk::<32>().ok_or(BadWalletSignature)?;
    let y_is_odd = match v {
        [27] => false,
        [28] => true,
        _ => return Err(BadWalletSignature),
    };
    WalletSignature::new(*r, *s, y_is_odd)
}

impl From<PaymentEnd> for End {
    fn from(end: PaymentEnd) -> Self {
        match end {
            PaymentEnd::Signed(payment) => Self::Signed { payment: (*payment).into() },
            PaymentEnd::NotPaid(why) => Self::NotPaid { why },
        }
    }
}

impl TryFrom<End> for PaymentEnd {
    type Error = BadWalletSignature;

    fn try_from(end: End) -> Result<Self, BadWalletSignature> {
        Ok(match end {
            End::Signed { payment } => Self::Signed(Box::new(payment.try_into()?)),
            End::NotPaid { why } => Self::NotPaid(why),
        })
    }
}
