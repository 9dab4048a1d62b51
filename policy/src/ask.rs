//! What a policy looks at: the payment that is asked for, and what is known beside it.
//!
//! Promises: everything in an [`Ask`] was signed by the agent or enters the signed bytes;
//! everything in [`Facts`] is this reader's own. What is not known is absent, and a rule that
//! needs it is not kept.

use std::sync::LazyLock;

use alloy_primitives::Address;

use crate::admission::RecordSpend;
use crate::approval::AuthenticApproval;
use crate::chain::{Asset, UnknownAsset};
use crate::context::Context;
use crate::declared::{Endpoint, HttpMethod, PaymentFlow, SessionName};
use crate::document::{ContentHash, Ed25519PublicKey};
use crate::intent::{AuthenticIntent, IntentId, Payment, PaymentIntent, Service};
use crate::ledger::{Health, Ledger};
use crate::money::Amount;
use crate::party::AgentId;
use crate::proposal::ChainTerms;
use crate::registry::{Experience, Registry};
use crate::rows::{PaymentKind, PolicyEpochs, Protocol};
use crate::time::UnixSeconds;

/// What a policy looks at in a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Who asks.
    pub agent: &'a AgentId,
    /// What the agent signed, and with which key; absent while nothing is signed.
    pub signed: Option<SignedBy>,
    /// When the agent made the intent.
    pub created_at: UnixSeconds,
    /// The wallet that pays.
    pub wallet: Address,
    /// What kind of payment.
    pub kind: PaymentKind,
    /// What it pays with, and on which chain.
    pub asset: &'static Asset,
    /// Base units.
    pub amount: Amount,
    /// Who is paid.
    pub recipient: Option<Address>,
    /// The service it is for.
    pub service: Option<&'a Service>,
    /// The endpoint of that service.
    pub endpoint: Option<Endpoint>,
    /// In which order the merchant serves and settles, by the agent's word.
    pub flow: Option<PaymentFlow>,
    /// The session it belongs to.
    pub session: Option<&'a SessionName>,
    /// What the agent declares of it.
    pub context: &'a Context,
    /// How long an authorization would be usable, in seconds from the intent's making.
    pub validity_seconds: Option<u64>,
    /// Most that the chain may take as a fee, in wei; absent where the terms are not known yet.
    /// Zero for an authorization: whoever settles it pays.
    pub fee_wei: Option<Amount>,
    /// What is particular to the Machine Payments Protocol.
    pub mpp: Option<MppAsk>,
    /// The intent it takes back.
    pub cancels: Option<IntentId>,
}

/// An agent's signature over an intent, after it was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// The agent's key: nobody approves for itself.
    pub key: Ed25519PublicKey,
    /// The intent.
    pub intent: IntentId,
    /// Hash of what was signed: what people approve.
    pub content_hash: ContentHash,
}

/// What is particular to a payment over MPP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MppAsk {
    /// What of MPP it is.
    pub intent: MppIntent,
    /// Method of the request that is paid for.
    pub http_method: HttpMethod,
    /// The payment method: `tempo`, for one.
    pub method: MppMethod,
    /// Deposit asked for, in base units: for an open or a top-up.
    pub deposit: Option<Amount>,
    /// Base units a voucher adds to the last one.
    pub voucher_step: Option<Amount>,
    /// How long the session is to last, in seconds.
    pub duration_seconds: Option<u64>,
    /// Who signs its vouchers.
    pub voucher_signer: VoucherSigner,
}

/// The intents of MPP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MppIntent {
    /// One payment.
    Charge,
    /// A deposit that vouchers draw on.
    Session,
}

impl MppIntent {
    /// As policies write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Session => "session",
        }
    }
}

/// The payment methods of MPP that Tercet speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MppMethod {
    /// Stablecoins on Tempo.
    Tempo,
}

impl MppMethod {
    /// As policies write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tempo => "tempo",
        }
    }
}

/// Who signs the vouchers of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoucherSigner {
    /// A key made for the session, whose loss is bounded by the deposit.
    SessionKey,
    /// The wallet itself, with both shares.
    Wallet,
}

impl VoucherSigner {
    /// As policies write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SessionKey => "session_key",
            Self::Wallet => "wallet",
        }
    }
}

/// What is known beside the payment.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What was spent before.
    pub ledger: &'a Ledger,
    /// What went wrong before.
    pub health: &'a Health,
    /// When a rule last stopped the agent: what led to that does not stop it again.
    pub stopped_at: Option<UnixSeconds>,
    /// What came of paying whom.
    pub experience: &'a Experience,
    /// Who is who, as the authority says.
    pub registry: Option<&'a Registry>,
    /// What the wallet holds of the asked asset on the asked chain, in base units, by this
    /// reader's own endpoints.
    pub balance: Option<Amount>,
    /// Wei of the asked fee that the ledger counts already: of the transaction that this one
    /// replaces.
    pub fee_counted_wei: Amount,
    /// What people said to this payment. Beyond [`APPROVALS_MAX`](crate::approval::APPROVALS_MAX)
    /// nobody is heard.
    pub approvals: &'a [AuthenticApproval],
    /// Epochs of the documents it is judged by, which approvals name too.
    pub epochs: PolicyEpochs,
    /// Our time.
    pub now: UnixSeconds,
}

static NOTHING_WRONG: LazyLock<Health> = LazyLock::new(Health::default);
static NO_EXPERIENCE: LazyLock<Experience> = LazyLock::new(Experience::default);

impl<'a> Facts<'a> {
    /// Only a ledger and the time; nothing else is known.
    #[must_use]
    pub fn of(ledger: &'a Ledger, now: UnixSeconds) -> Self {
        Self {
            ledger,
            health: &NOTHING_WRONG,
            stopped_at: None,
            experience: &NO_EXPERIENCE,
            registry: None,
            balance: None,
            fee_counted_wei: Amount::ZERO,
            approvals: &[],
            epochs: PolicyEpochs::default(),
            now,
        }
    }

    /// What a journal knows that matters for a payment of `agent`, and the time.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn known_to<J: RecordSpend>(
        journal: &'a J,
        agent: &AgentId,
        now: UnixSeconds,
    ) -> Result<Self, J::Failure> {
        Ok(Self {
            health: journal.health(agent)?,
            stopped_at: journal.tripped(agent)?.map(|trip| trip.at),
            experience: journal.experience()?,
            ..Self::of(journal.ledger()?, now)
        })
    }
}

impl<'a> Ask<'a> {
    /// What an intent asks, signed or not: enough to explain a policy, not to admit.
    ///
    /// # Errors
    /// [`UnknownAsset`] for a token that is not in the registry of assets.
    pub fn of(intent: &'a PaymentIntent) -> Result<Self, UnknownAsset> {
        let asset = Asset::find(intent.payment.chain(), intent.payment.token())?;
        Ok(Self::with_asset(intent, asset))
    }

    /// The same, with what the terms fix.
    #[must_use]
    pub fn with_terms(self, terms: &ChainTerms) -> Self {
        Self { fee_wei: Some(terms.fee_wei()), ..self }
    }

    fn with_asset(intent: &'a PaymentIntent, asset: &'static Asset) -> Self {
        let payment = &intent.payment;
        let declared = &intent.declared;
        let (resource, valid_before) = match payment {
            Payment::X402Exact(x) => (Some(x.resource.as_str()), Some(x.valid_before)),
            Payment::Transfer(_) | Payment::X402Cancel(_) => (None, None),
        };
        let endpoint = |(service, resource)| Endpoint::of(service, resource, declared.method);
        Self {
            agent: &intent.agent,
            signed: None,
            created_at: intent.created_at,
            wallet: intent.wallet,
            kind: PaymentKind::of(payment),
            asset,
            amount: payment.amount(),
            recipient: payment.payee(),
            service: payment.service(),
            endpoint: payment.service().zip(resource).map(endpoint),
            flow: declared.flow,
            session: declared.session.as_ref(),
            context: &declared.context,
            validity_seconds: valid_before.map(|end| end.0.saturating_sub(intent.created_at.0)),
            fee_wei: valid_before.map(|_| Amount::ZERO),
            mpp: None,
            cancels: match payment {
                Payment::X402Cancel(cancel) => Some(cancel.cancels),
                Payment::Transfer(_) | Payment::X402Exact(_) => None,
            },
        }
    }

    /// The protocol it is paid over.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        if self.mpp.is_some() { Protocol::Mpp } else { self.kind.protocol() }
    }
}

impl<'a> From<&'a AuthenticIntent> for Ask<'a> {
    fn from(intent: &'a AuthenticIntent) -> Self {
        let signed = SignedBy {
            key: intent.key(),
            intent: intent.intent().id,
            content_hash: intent.content_hash(),
        };
        Self { signed: Some(signed), ..Self::with_asset(intent.intent(), intent.asset()) }
    }
}
