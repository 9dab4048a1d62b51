//! The bytes that are signed, derived here and only from what was admitted.
//!
//! Promises: a [`SigningPayload`] comes from a [`Reserved`](crate::admission::Reserved) proposal
//! (a recorded one) or is the fixed text of a wallet proof. It cannot be copied, made from a
//! digest, or read from outside. Domain separators are pinned in [`crate::chain`].
//!
//! Refuses: to be anything else than EIP-3009 `TransferWithAuthorization` and
//! `CancelAuthorization`, an EIP-1559 ERC-20 transfer, a Tempo transaction that transfers TIP-20
//! tokens or lives a channel's life (TIP-1034), the vouchers, ends and proofs of MPP, or a wallet
//! proof.
//!
//! Does not protect against: a signature that is not the wallet's. Whoever attaches one has
//! verified it and recovered the wallet from it before.

mod eip1559;
mod eip3009;
mod proof;
mod tempo;

use std::fmt;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256, uint};
use serde::{Serialize, Serializer};

use crate::chain::{Asset, Chain};
use crate::intent::Payment;
use crate::mpp::ChannelDescriptor;
use crate::party::Party;
use crate::proposal::{ChainTerms, Proposal};

pub use eip1559::transfer_input;
pub use eip3009::{Authorization, CancelAuthorization, Eip3009Cancel, Eip3009Payment};
pub use proof::WALLET_PROOF_TITLE;
pub use tempo::{
    MppSignature, MppSigned, SignedTempoTransaction, charge_memo, opened_channel, transfer_memo,
};

/// Order of secp256k1 (SEC 2, section 2.4.1).
const ORDER: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);
/// Half the order, rounded down: the largest `s` that EIP-2 and USDC take.
const HALF_ORDER: U256 =
    uint!(0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0_U256);

/// What a wallet is about to sign. Can be moved and spent, not copied or made.
pub struct SigningPayload {
    preimage: Vec<u8>,
    digest: B256,
    wallet: Address,
    form: Form,
}

enum Form {
    Payment(eip3009::Authorizing),
    Cancel(eip3009::Cancelling),
    Transfer { transaction: alloy_consensus::TxEip1559, chain: Chain },
    Proof { message: String },
    Tempo(tempo::Unsigned),
    Typed(tempo::Typed),
}

impl SigningPayload {
    fn new(wallet: Address, preimage: Vec<u8>, form: Form) -> Self {
        Self { digest: keccak256(&preimage), preimage, wallet, form }
    }

    /// The payload of a proposal; nothing where terms and payment are of different kinds, which
    /// [`Proposal::assemble`] refuses.
    pub(crate) fn of(proposal: &Proposal) -> Option<Self> {
        let intent = proposal.intent().intent();
        let asset = proposal.intent().asset();
        let wallet = intent.wallet;
        match (&intent.payment, proposal.terms()) {
            (Payment::X402Exact(x), ChainTerms::Eip3009 { nonce, valid_after, valid_before }) => {
                let authorization = Authorization {
                    from: wallet,
                    to: x.to,
                    value: x.amount,
                    valid_after: *valid_after,
                    valid_before: *valid_before,
                    nonce: *nonce,
                };
                Self::authorize(asset, authorization)
            }
            (Payment::X402Cancel(_), ChainTerms::Eip3009 { nonce, .. }) => {
                let cancel = CancelAuthorization { authorizer: wallet, nonce: *nonce };
                Self::cancel(asset, cancel)
            }
            (Payment::Transfer(transfer), terms @ ChainTerms::Eip1559 { .. }) => {
                let transaction = eip1559::transaction(transfer, terms)?;
                let preimage = eip1559::preimage(&transaction);
                let form = Form::Transfer { transaction, chain: transfer.chain };
                Some(Self::new(wallet, preimage, form))
            }
            (_, ChainTerms::TypedData) => {
                let (typed, preimage) = tempo::Typed::of(intent)?;
                Some(Self::new(wallet, preimage, Form::Typed(typed)))
            }
            (_, terms) => {
                let unsigned = tempo::Unsigned::of(intent, terms)?;
                let preimage = unsigned.preimage();
                Some(Self::new(wallet, preimage, Form::Tempo(unsigned)))
            }
        }
    }

    fn authorize(asset: &'static Asset, authorization: Authorization) -> Option<Self> {
        let token = eip3009::Token::of(asset)?;
        let authorizing = eip3009::Authorizing { token, authorization };
        let preimage = authorizing.preimage();
        Some(Self::new(authorizing.authorization.from, preimage, Form::Payment(authorizing)))
    }

    fn cancel(asset: &'static Asset, cancel: CancelAuthorization) -> Option<Self> {
        let token = eip3009::Token::of(asset)?;
        let cancelling = eip3009::Cancelling { token, cancel };
        let preimage = cancelling.preimage();
        Some(Self::new(cancelling.cancel.authorizer, preimage, Form::Cancel(cancelling)))
    }

    /// The channel that this opens.
    pub(crate) const fn opens(&self) -> Option<&ChannelDescriptor> {
        match &self.form {
            Form::Tempo(unsigned) => unsigned.opens(),
            _ => None,
        }
    }

    /// The message by which a new wallet, or a pair of parties, shows that it can sign:
    /// EIP-191 over a fixed text with the wallet, the session and the pair.
    ///
    /// It moves nothing and cannot be taken for something that does: a transaction begins with
    /// `0x02` or an RLP list, typed data with `0x19 0x01`, this with `0x19 "Ethereum"`.
    #[must_use]
    pub fn wallet_proof(wallet: Address, session: &[u8; 32], pair: [Party; 2]) -> Self {
        let message = proof::message(wallet, session, pair);
        let preimage = proof::preimage(&message);
        Self::new(wallet, preimage, Form::Proof { message })
    }

    /// The bytes to hash with Keccak-256 and sign.
    #[must_use]
    pub fn preimage(&self) -> &[u8] {
        &self.preimage
    }

    /// Their Keccak-256: what a finished signature verifies against.
    #[must_use]
    pub const fn digest(&self) -> B256 {
        self.digest
    }

    /// The wallet whose signature this needs.
    #[must_use]
    pub const fn wallet(&self) -> Address {
        self.wallet
    }

    /// Puts the signature to the payload. The caller has recovered [`wallet`](Self::wallet)
    /// from it over [`digest`](Self::digest).
    #[must_use]
    pub fn attach(self, signature: WalletSignature) -> FinishedPayment {
        match self.form {
            Form::Payment(authorizing) => FinishedPayment::X402(authorizing.attach(signature)),
            Form::Cancel(cancelling) => FinishedPayment::Cancel(cancelling.attach(signature)),
            Form::Transfer { transaction, chain } => {
                let (raw, hash) = eip1559::attach(transaction, signature);
                FinishedPayment::Transaction(SignedTransaction { chain, hash, raw })
            }
            Form::Tempo(unsigned) => {
                FinishedPayment::Tempo(unsigned.attach(self.wallet, &signature))
            }
            Form::Typed(typed) => FinishedPayment::Mpp(typed.attach(signature)),
            Form::Proof { message } => {
                FinishedPayment::Proof(WalletProof { wallet: self.wallet, message, signature })
            }
        }
    }
}

/// Names the wallet and the digest.
impl fmt::Debug for SigningPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningPayload(wallet {}, digest {})", self.wallet, self.digest)
    }
}

/// A signature that the chain takes: `r` and `s` in range, `s` low (EIP-2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WalletSignature {
    r: U256,
    s: U256,
    y_is_odd: bool,
}

/// `r` or `s` out of range, or `s` high.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("r and s of a signature are not zero, below the order, and s is low")]
pub struct BadWalletSignature;

impl WalletSignature {
    /// From big-endian `r` and `s` and the parity of the nonce point.
    ///
    /// # Errors
    /// [`BadWalletSignature`] for values that no chain takes.
    pub fn new(r: [u8; 32], s: [u8; 32], y_is_odd: bool) -> Result<Self, BadWalletSignature> {
        let (r, s) = (U256::from_be_bytes(r), U256::from_be_bytes(s));
        if r.is_zero() || s.is_zero() || r >= ORDER || s > HALF_ORDER {
            return Err(BadWalletSignature);
        }
        Ok(Self { r, s, y_is_odd })
    }

    /// `r ‖ s ‖ v` with `v` 27 or 28: the form USDC and EIP-191 verifiers take.
    #[must_use]
    pub fn to_rsv(&self) -> [u8; 65] {
        let mut rsv = [0u8; 65];
        let (r, rest) = rsv.split_at_mut(32);
        let (s, v) = rest.split_at_mut(32);
        r.copy_from_slice(&self.r.to_be_bytes::<32>());
        s.copy_from_slice(&self.s.to_be_bytes::<32>());
        v.fill(27u8.saturating_add(u8::from(self.y_is_odd)));
        rsv
    }

    pub(crate) const fn to_alloy(self) -> alloy_primitives::Signature {
        alloy_primitives::Signature::new(self.r, self.s, self.y_is_odd)
    }
}

/// Says nothing: whoever holds the signature of an authorization can settle it.
impl fmt::Debug for WalletSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WalletSignature(..)")
    }
}

/// As `0x` and 65 bytes in hexadecimal, `r ‖ s ‖ v`.
impl Serialize for WalletSignature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("0x{}", hex::encode(self.to_rsv())))
    }
}

/// A payload with its signature, in the form its reader takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishedPayment {
    /// Goes into the x402 header. A bearer instrument: whoever holds it can settle it.
    X402(Eip3009Payment),
    /// Anyone may bring it to the token contract.
    Cancel(Eip3009Cancel),
    /// To be broadcast.
    Transaction(SignedTransaction),
    /// To be broadcast, by the service where it is for one.
    Tempo(SignedTempoTransaction),
    /// Goes into an MPP credential.
    Mpp(MppSignature),
    /// Shows that the wallet can sign.
    Proof(WalletProof),
}

/// A signed transaction, ready to be broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedTransaction {
    /// The chain it is for.
    pub chain: Chain,
    /// Its hash.
    pub hash: B256,
    /// EIP-2718 bytes, as `eth_sendRawTransaction` takes them.
    pub raw: Bytes,
}

/// A signed wallet proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WalletProof {
    /// The wallet.
    pub wallet: Address,
    /// The text, without the EIP-191 prefix.
    pub message: String,
    /// The signature.
    pub signature: WalletSignature,
}

#[cfg(test)]
mod tests;
