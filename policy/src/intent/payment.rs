//! The kinds of payment, and what can be asked of any of them.
//!
//! Promises: nothing is guessed. What a kind does not have (a payee, a service, an end) is absent,
//! and what it does not move is zero.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use super::{
    ExitChannel, IntentId, KeyStep, MppChallenge, MppCharge, MppClose, MppExit, MppOpen, MppProof,
    MppTopUp, MppVoucher, Service, Split, TempoAccessKey, TempoTerms, TempoTransfer,
};
use crate::chain::Chain;
use crate::money::Amount;
use crate::mpp::ChannelId;
use crate::time::UnixSeconds;

/// The kinds of payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Payment {
    /// An ERC-20 transfer in an EIP-1559 transaction of the wallet.
    Transfer(Transfer),
    /// An EIP-3009 authorization for an x402 `exact` payment.
    X402Exact(X402Exact),
    /// Takes back an x402 authorization that nobody has settled yet.
    X402Cancel(X402Cancel),
    /// A TIP-20 transfer in a Tempo transaction of the wallet.
    TempoTransfer(TempoTransfer),
    /// An MPP charge on Tempo.
    MppCharge(MppCharge),
    /// An MPP charge of nothing.
    MppProof(MppProof),
    /// Opens an MPP channel.
    MppOpen(MppOpen),
    /// Puts more money into one.
    MppTopUp(MppTopUp),
    /// Pays out of one, by the wallet's own signature.
    MppVoucher(MppVoucher),
    /// Agrees to the end of one, by the wallet's own signature.
    MppClose(MppClose),
    /// Leaves one by force.
    MppExit(MppExit),
    /// Lets somebody's key put money into MPP channels, or takes that back.
    TempoAccessKey(TempoAccessKey),
}

/// An ERC-20 transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Chain.
    pub chain: Chain,
    /// Token contract.
    pub token: Address,
    /// Payee.
    pub to: Address,
    /// Base units.
    pub amount: Amount,
}

/// An x402 `exact` payment over EIP-3009 `TransferWithAuthorization`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct X402Exact {
    /// Chain.
    pub chain: Chain,
    /// Token contract.
    pub token: Address,
    /// `payTo` of the chosen requirement.
    pub to: Address,
    /// Base units, exactly the requirement's amount.
    pub amount: Amount,
    /// First second in which the authorization is no longer usable (EIP-3009 `validBefore`).
    pub valid_before: UnixSeconds,
    /// The URL that was asked for.
    pub resource: String,
    /// Host of the URL, with its port where that is not the scheme's own.
    pub service: Service,
}

/// A cancellation of an earlier x402 intent of the same wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct X402Cancel {
    /// Chain.
    pub chain: Chain,
    /// Token contract.
    pub token: Address,
    /// The intent whose authorization is taken back.
    pub cancels: IntentId,
}

impl Payment {
    /// The chain it happens on.
    #[must_use]
    pub const fn chain(&self) -> Chain {
        match self {
            Self::Transfer(t) => t.chain,
            Self::X402Exact(x) => x.chain,
            Self::X402Cancel(c) => c.chain,
            Self::TempoTransfer(t) => t.chain,
            Self::MppCharge(c) => c.chain,
            Self::MppProof(p) => p.chain,
            Self::MppOpen(o) => o.chain,
            Self::MppTopUp(t) => t.chain,
            Self::MppVoucher(v) => v.chain,
            Self::MppClose(c) => c.chain,
            Self::MppExit(e) => e.chain,
            Self::TempoAccessKey(k) => k.chain,
        }
    }

    /// The token it moves, or would have moved.
    #[must_use]
    pub const fn token(&self) -> Address {
        match self {
            Self::Transfer(t) => t.token,
            Self::X402Exact(x) => x.token,
            Self::X402Cancel(c) => c.token,
            Self::TempoTransfer(t) => t.token,
            Self::MppCharge(c) => c.token,
            Self::MppProof(p) => p.token,
            Self::MppOpen(o) => o.token,
            Self::MppTopUp(t) => t.channel.token,
            Self::MppVoucher(v) => v.channel.token,
            Self::MppClose(c) => c.channel.token,
            Self::MppExit(e) => e.token,
            Self::TempoAccessKey(k) => k.token,
        }
    }

    /// Who is paid, or can be by what is signed; nobody for a cancellation, a proof, an exit and an
    /// access key, whose holder names payees. Of a charge with splits it is the primary payee.
    #[must_use]
    pub const fn payee(&self) -> Option<Address> {
        match self {
            Self::Transfer(t) => Some(t.to),
            Self::X402Exact(x) => Some(x.to),
            Self::TempoTransfer(t) => Some(t.to),
            Self::MppCharge(c) => Some(c.to),
            Self::MppOpen(o) => Some(o.payee),
            Self::MppTopUp(t) => Some(t.channel.payee),
            Self::MppVoucher(v) => Some(v.channel.payee),
            Self::MppClose(c) => Some(c.channel.payee),
            Self::X402Cancel(_)
            | Self::MppProof(_)
            | Self::MppExit(_)
            | Self::TempoAccessKey(_) => None,
        }
    }

    /// Whether it leaves a channel by force, which only brings money back.
    #[must_use]
    pub const fn leaves_channel(&self) -> bool {
        matches!(self, Self::MppExit(_))
    }

    /// The channel of an escrow contract from before TIP-1034 that it leaves.
    #[must_use]
    pub const fn leaves_v1(&self) -> Option<ChannelId> {
        match self {
            Self::MppExit(MppExit { channel: ExitChannel::V1 { channel, .. }, .. }) => {
                Some(*channel)
            }
            _ => None,
        }
    }

    /// Whether it takes back what an access key was let do, which only lessens what can be taken.
    #[must_use]
    pub const fn revokes_key(&self) -> bool {
        match self {
            Self::TempoAccessKey(k) => matches!(k.step, KeyStep::Revoke),
            _ => false,
        }
    }

    /// The payees beside [`payee`](Self::payee).
    #[must_use]
    pub fn splits(&self) -> &[Split] {
        match self {
            Self::MppCharge(c) => &c.splits,
            _ => &[],
        }
    }

    /// What leaves the wallet, a deposit as a whole, and of an access key all that it can ever take;
    /// zero where nothing does: for a cancellation, a proof, what takes a key back, and what is
    /// signed about a deposit that is away already.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        match self {
            Self::Transfer(t) => t.amount,
            Self::X402Exact(x) => x.amount,
            Self::TempoTransfer(t) => t.amount,
            Self::MppCharge(c) => c.amount,
            Self::MppOpen(o) => o.deposit,
            Self::MppTopUp(t) => t.additional,
            Self::TempoAccessKey(k) => k.most(),
            Self::X402Cancel(_)
            | Self::MppProof(_)
            | Self::MppVoucher(_)
            | Self::MppClose(_)
            | Self::MppExit(_) => Amount::ZERO,
        }
    }

    /// The service it is for, where there is one.
    #[must_use]
    pub fn service(&self) -> Option<&Service> {
        match self {
            Self::X402Exact(x) => Some(&x.service),
            Self::MppVoucher(v) => Some(&v.service),
            _ => self.challenge().map(|challenge| &challenge.service),
        }
    }

    /// The URL it is for, where there is one.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        match self {
            Self::X402Exact(x) => Some(&x.resource),
            Self::MppVoucher(v) => Some(&v.resource),
            _ => self.challenge().map(|challenge| challenge.resource.as_str()),
        }
    }

    /// The MPP challenge it answers.
    #[must_use]
    pub const fn challenge(&self) -> Option<&MppChallenge> {
        match self {
            Self::MppCharge(c) => Some(&c.challenge),
            Self::MppProof(p) => Some(&p.challenge),
            Self::MppOpen(o) => Some(&o.challenge),
            Self::MppTopUp(t) => Some(&t.challenge),
            _ => None,
        }
    }

    /// The fees and the end of its Tempo transaction.
    #[must_use]
    pub const fn tempo_terms(&self) -> Option<&TempoTerms> {
        match self {
            Self::TempoTransfer(t) => Some(&t.terms),
            Self::MppCharge(c) => Some(&c.terms),
            Self::MppOpen(o) => Some(&o.terms),
            Self::MppTopUp(t) => Some(&t.terms),
            Self::MppExit(e) => Some(&e.terms),
            Self::TempoAccessKey(k) => Some(&k.terms),
            _ => None,
        }
    }

    /// Most that the chain may take as a fee in the token that is moved, in base units; nothing
    /// where somebody else pays it, or it is paid in ETH.
    #[must_use]
    pub fn token_fee(&self) -> Option<Amount> {
        self.tempo_terms().filter(|terms| terms.fee_token.is_some()).map(TempoTerms::fee)
    }

    /// From when on what was signed is of no use, where it ends.
    #[must_use]
    pub fn valid_before(&self) -> Option<UnixSeconds> {
        match self {
            Self::X402Exact(x) => Some(x.valid_before),
            _ => self.tempo_terms().map(|terms| terms.valid_before),
        }
    }
}
