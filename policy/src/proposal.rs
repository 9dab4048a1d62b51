//! An intent together with what only the chain can tell (account nonce, fees), checked against
//! what the courier claims. Everything that will enter the signed bytes is a field here.
//!
//! Promises: a [`Proposal`] differs from its intent in nothing. The courier restates the whole
//! payment in a [`ProposalClaim`]; each field is compared with what this node derives by itself,
//! and the first difference is refused by name.
//!
//! Does not protect against: a courier that picks a useless account nonce or a fee below the
//! market. Such a transaction waits or fails; it cannot pay anything else.

mod slot;
mod terms;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::chain::Chain;
use crate::document::ContentHash;
use crate::intent::AuthenticIntent;
use crate::money::Amount;
use crate::refusal::{ClaimField, FeeField, Refusal};
use crate::rows::PolicyEpochs;

pub use slot::Slot;
pub use terms::{ChainTerms, eip3009_nonce, lane, tempo_terms_of, terms_without_chain};

/// Highest gas limit of a transfer; an ERC-20 transfer of USDC takes about 45,000 to 60,000.
pub const GAS_LIMIT_MAX: u64 = 150_000;
/// Highest `maxFeePerGas`, in wei (50 gwei; Base is usually far below 1).
pub const MAX_FEE_PER_GAS_WEI_MAX: u128 = 50_000_000_000;
/// Highest `maxPriorityFeePerGas`, in wei.
pub const MAX_PRIORITY_FEE_PER_GAS_WEI_MAX: u128 = 5_000_000_000;
/// Highest account nonce (EIP-2681 allows 2^64 - 2; JSON carries 2^53 - 1 exactly).
pub const ACCOUNT_NONCE_MAX: u64 = crate::document::JSON_INTEGER_MAX;

/// The courier's restatement of a payment. Nothing in it is believed; it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalClaim {
    /// Paying wallet.
    pub wallet: Address,
    /// Chain.
    pub chain: Chain,
    /// Token.
    pub token: Address,
    /// Payee; none for a cancellation.
    pub payee: Option<Address>,
    /// Base units.
    pub amount: Amount,
    /// Terms.
    pub terms: ChainTerms,
    /// Epochs of the documents the courier's preview used.
    pub policies: PolicyEpochs,
}

impl ProposalClaim {
    /// The claim an honest courier makes: the intent's fields, its terms and the
    /// epochs of the policies.
    #[must_use]
    pub fn honest(intent: &AuthenticIntent, terms: ChainTerms, policies: PolicyEpochs) -> Self {
        let payment = &intent.intent().payment;
        Self {
            wallet: intent.intent().wallet,
            chain: payment.chain(),
            token: payment.token(),
            payee: payment.payee(),
            amount: payment.amount(),
            terms,
            policies,
        }
    }
}

/// An intent with terms, in which nothing differs from what the agent signed.
#[derive(Debug, PartialEq, Eq)]
pub struct Proposal {
    intent: AuthenticIntent,
    terms: ChainTerms,
    policies: PolicyEpochs,
}

impl Proposal {
    /// Compares the courier's claim with the intent, field by field, and takes over the terms.
    ///
    /// # Errors
    /// [`Refusal::ClaimMismatch`] with the first field that differs, [`Refusal::FeeTooHigh`] for
    /// figures above the ceilings.
    pub fn assemble(intent: AuthenticIntent, claim: &ProposalClaim) -> Result<Self, Refusal> {
        let honest = ProposalClaim::honest(&intent, claim.terms.clone(), claim.policies);
        compare(ClaimField::Wallet, honest.wallet, claim.wallet)?;
        compare(ClaimField::Chain, honest.chain, claim.chain)?;
        compare(ClaimField::Token, honest.token, claim.token)?;
        let payee = |payee: Option<Address>| payee.map_or("none".to_owned(), |p| p.to_string());
        compare(ClaimField::Payee, payee(honest.payee), payee(claim.payee))?;
        compare(ClaimField::Amount, honest.amount, claim.amount)?;
        check_terms(&intent, &claim.terms)?;
        Ok(Self { intent, terms: claim.terms.clone(), policies: claim.policies })
    }

    /// The intent.
    #[must_use]
    pub const fn intent(&self) -> &AuthenticIntent {
        &self.intent
    }

    /// The terms.
    #[must_use]
    pub const fn terms(&self) -> &ChainTerms {
        &self.terms
    }

    /// The epochs the courier previewed with; `admit` compares them with the node's own.
    #[must_use]
    pub const fn policies(&self) -> PolicyEpochs {
        self.policies
    }

    /// The slot this would fill.
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot::of(self.intent.intent(), &self.terms)
    }

    /// Names this proposal towards the peer: both ends of a signing session must hold the same.
    #[must_use]
    pub fn context_hash(&self) -> ContentHash {
        let mut hasher = Sha256::new();
        hasher.update(b"tercet/proposal/v1\0");
        hasher.update(self.intent.content_hash().0);
        hasher.update(self.slot().to_string());
        if let ChainTerms::Eip1559 {
            gas_limit, max_fee_per_gas, max_priority_fee_per_gas, ..
        } = &self.terms
        {
            hasher.update(gas_limit.to_be_bytes());
            hasher.update(max_fee_per_gas.base_units().to_be_bytes());
            hasher.update(max_priority_fee_per_gas.base_units().to_be_bytes());
        }
        ContentHash(hasher.finalize().into())
    }
}

fn compare<T: PartialEq + ToString>(
    field: ClaimField,
    actual: T,
    claimed: T,
) -> Result<(), Refusal> {
    if actual == claimed {
        return Ok(());
    }
    let (actual, claimed) = (actual.to_string(), claimed.to_string());
    Err(Refusal::ClaimMismatch { field, actual, claimed })
}

fn check_terms(intent: &AuthenticIntent, claimed: &ChainTerms) -> Result<(), Refusal> {
    match (terms_without_chain(intent), claimed) {
        (
            Some(ChainTerms::Eip3009 { nonce, valid_after, valid_before }),
            ChainTerms::Eip3009 { nonce: n, valid_after: a, valid_before: b },
        ) => {
            compare(ClaimField::Nonce, nonce, *n)?;
            compare(ClaimField::ValidAfter, valid_after, *a)?;
            compare(ClaimField::ValidBefore, valid_before, *b)
        }
        (
            Some(ChainTerms::Tempo { nonce_key, valid_after, valid_before }),
            ChainTerms::Tempo { nonce_key: n, valid_after: a, valid_before: b },
        ) => {
            compare(ClaimField::Nonce, nonce_key, *n)?;
            compare(ClaimField::ValidAfter, valid_after, *a)?;
            compare(ClaimField::ValidBefore, valid_before, *b)
        }
        (Some(ChainTerms::TypedData), ChainTerms::TypedData) => Ok(()),
        (None, ChainTerms::Eip1559 { .. }) => check_fees(claimed),
        (expected, _) => Err(Refusal::ClaimMismatch {
            field: ClaimField::TermsKind,
            actual: expected.as_ref().map_or("eip1559", terms_word).to_owned(),
            claimed: terms_word(claimed).to_owned(),
        }),
    }
}

const fn terms_word(terms: &ChainTerms) -> &'static str {
    match terms {
        ChainTerms::Eip3009 { .. } => "eip3009",
        ChainTerms::Eip1559 { .. } => "eip1559",
        ChainTerms::Tempo { .. } => "tempo",
        ChainTerms::TypedData => "typed_data",
    }
}

fn check_fees(terms: &ChainTerms) -> Result<(), Refusal> {
    let ChainTerms::Eip1559 { nonce, gas_limit, max_fee_per_gas, max_priority_fee_per_gas } = terms
    else {
        return Ok(());
    };
    let fee = max_fee_per_gas.base_units();
    let tip = max_priority_fee_per_gas.base_units();
    ceiling(FeeField::Nonce, u128::from(*nonce), u128::from(ACCOUNT_NONCE_MAX))?;
    ceiling(FeeField::GasLimit, u128::from(*gas_limit), u128::from(GAS_LIMIT_MAX))?;
    ceiling(FeeField::MaxFeePerGas, fee, MAX_FEE_PER_GAS_WEI_MAX)?;
    ceiling(FeeField::MaxPriorityFeePerGas, tip, MAX_PRIORITY_FEE_PER_GAS_WEI_MAX.min(fee))
}

fn ceiling(field: FeeField, asked: u128, limit: u128) -> Result<(), Refusal> {
    if asked <= limit {
        return Ok(());
    }
    Err(Refusal::FeeTooHigh { field, asked: asked.to_string(), limit: limit.to_string() })
}

#[cfg(test)]
mod tests;
