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
use crate::intent::{AuthenticIntent, IntentId, Payment, PaymentIntent, Service, Split};
use crate::ledger::{Health, Ledger};
use crate::money::Amount;
use crate::mpp::ChannelId;
use crate::party::AgentId;
use crate::proposal::ChainTerms;
use crate::registry::{Experience, Payee, Registry};
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
    /// Who is paid beside them, out of the same amount.
    pub splits: &'a [Split],
    /// Whether who is paid is one of those, and not the service's own payee.
    pub beside: bool,
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
    /// Most that the chain may take as a fee in the very asset that is paid, in base units; zero
    /// where nothing is, or somebody else pays it.
    pub fee: Amount,
    /// What is particular to the Machine Payments Protocol.
    pub mpp: Option<MppAsk>,
    /// What an access key is to be let take; of one that is revoked nothing.
    pub access_key: Option<KeyAsk>,
    /// The intent it takes back.
    pub cancels: Option<IntentId>,
    /// Whether all it does is to end a channel, or to take back what an access key was let do.
    pub moves_nothing: bool,
    /// The channel of a contract from before TIP-1034 that it leaves: a rule has to name it.
    pub leaves_v1: Option<ChannelId>,
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

impl MppAsk {
    /// What is particular to this intent; nothing for what is not over MPP.
    ///
    /// By how much a voucher rises is told by the channel's state ([`Ask::with_step`]); until then
    /// it is taken to rise by all that it says.
    fn of(intent: &PaymentIntent) -> Option<Self> {
        let payment = &intent.payment;
        let charge = Self {
            intent: MppIntent::Charge,
            http_method: intent.declared.method.unwrap_or(HttpMethod::Get),
            method: MppMethod::Tempo,
            deposit: None,
            voucher_step: None,
            duration_seconds: None,
            voucher_signer: VoucherSigner::Wallet,
        };
        let session = Self { intent: MppIntent::Session, ..charge };
        let signer = |authorized: Address| match authorized == intent.wallet {
            true => VoucherSigner::Wallet,
            false => VoucherSigner::SessionKey,
        };
        match payment {
            Payment::MppCharge(_) | Payment::MppProof(_) => Some(charge),
            Payment::MppOpen(open) => Some(Self {
                deposit: Some(open.deposit),
                duration_seconds: Some(open.ends_at.minus(intent.created_at.0).0),
                voucher_signer: signer(open.authorized_signer),
                ..session
            }),
            Payment::MppTopUp(top_up) => Some(Self {
                deposit: Some(top_up.additional),
                // Its end was settled when it was opened.
                duration_seconds: Some(0),
                voucher_signer: signer(top_up.channel.authorized_signer),
                ..session
            }),
            Payment::MppVoucher(voucher) => {
                Some(Self { voucher_step: Some(voucher.cumulative), ..session })
            }
            Payment::MppClose(_) | Payment::MppExit(_) => {
                Some(Self { voucher_step: Some(Amount::ZERO), ..session })
            }
            Payment::Transfer(_)
            | Payment::X402Exact(_)
            | Payment::X402Cancel(_)
            | Payment::TempoTransfer(_)
            | Payment::TempoAccessKey(_) => None,
        }
    }
}

/// What the chain is to let an access key take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAsk {
    /// Base units in a period.
    pub limit: Amount,
    /// How long, in seconds from the earliest moment at which the chain can authorize it.
    pub lasts_seconds: u64,
}

impl KeyAsk {
    fn of(payment: &Payment) -> Option<Self> {
        let Payment::TempoAccessKey(k) = payment else { return None };
        let limits = k.limits()?;
        let lasts_seconds = limits.lasts_seconds(k.terms.lane_begins());
        Some(Self { limit: limits.limit, lasts_seconds })
    }
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
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
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
        let (resource, valid_before) = (payment.resource(), payment.valid_before());
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
            splits: payment.splits(),
            beside: false,
            service: payment.service(),
            endpoint: payment.service().zip(resource).map(endpoint),
            flow: declared.flow,
            session: declared.session.as_ref(),
            context: &declared.context,
            validity_seconds: valid_before.map(|end| end.0.saturating_sub(intent.created_at.0)),
            // Only a transfer's is not known before its terms.
            fee_wei: (!matches!(payment, Payment::Transfer(_))).then_some(Amount::ZERO),
            fee: payment.token_fee().unwrap_or_default(),
            mpp: MppAsk::of(intent),
            access_key: KeyAsk::of(payment),
            cancels: match payment {
                Payment::X402Cancel(cancel) => Some(cancel.cancels),
                _ => None,
            },
            moves_nothing: ends_a_channel(payment) || payment.revokes_key(),
            leaves_v1: payment.leaves_v1(),
        }
    }

    /// The same, as the payee of a split has it: paid no more than that, for the same service, at
    /// an address of its own, by which it is known or not.
    #[must_use]
    pub(crate) fn of_split(&self, split: &Split) -> Self {
        Self { recipient: Some(split.to), splits: &[], beside: true, ..self.clone() }
    }

    /// The same, with what a voucher adds to those before it.
    #[must_use]
    pub fn with_step(self, step: Option<Amount>) -> Self {
        let mpp = self.mpp.map(|mpp| MppAsk { voucher_step: step.or(mpp.voucher_step), ..mpp });
        Self { mpp, ..self }
    }

    /// By what who is paid is known.
    #[must_use]
    pub(crate) fn counterparty(&self) -> Option<Payee> {
        Payee::of(self.service.filter(|_| !self.beside), self.recipient)
    }

    /// The protocol it is paid over.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        if self.mpp.is_some() { Protocol::Mpp } else { self.kind.protocol() }
    }
}

/// Whether all that a payment does is to end a channel.
const fn ends_a_channel(payment: &Payment) -> bool {
    matches!(payment, Payment::MppClose(_)) || payment.leaves_channel()
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
