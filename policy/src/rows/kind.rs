//! The kinds of payment without their particulars, and what they are paid over.

use serde::{Deserialize, Serialize};

use crate::intent::{KeyStep, Payment};

/// The kind of a payment, without its particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// An ERC-20 transfer.
    Transfer,
    /// An x402 `exact` authorization.
    X402Exact,
    /// A cancellation of such an authorization.
    X402Cancel,
    /// A TIP-20 transfer.
    TempoTransfer,
    /// An MPP charge.
    MppCharge,
    /// An MPP charge of nothing.
    MppProof,
    /// The deposit of an MPP channel.
    MppOpen,
    /// More of it.
    MppTopUp,
    /// A voucher that the wallet signs.
    MppVoucher,
    /// The agreed end of a channel, signed by the wallet.
    MppClose,
    /// A step of leaving a channel by force.
    MppExit,
    /// What the chain lets somebody's key put into channels.
    AccessKey,
    /// The end of that.
    RevokeKey,
}

impl PaymentKind {
    /// The protocol this kind is paid over.
    #[must_use]
    pub const fn protocol(self) -> Protocol {
        match self {
            Self::Transfer | Self::TempoTransfer | Self::AccessKey | Self::RevokeKey => {
                Protocol::Transfer
            }
            Self::X402Exact | Self::X402Cancel => Protocol::X402,
            Self::MppCharge
            | Self::MppProof
            | Self::MppOpen
            | Self::MppTopUp
            | Self::MppVoucher
            | Self::MppClose
            | Self::MppExit => Protocol::Mpp,
        }
    }

    /// Whether it puts money into a channel.
    #[must_use]
    pub const fn is_deposit(self) -> bool {
        matches!(self, Self::MppOpen | Self::MppTopUp)
    }

    /// Whether it takes money out of the wallet: what counts for budgets.
    #[must_use]
    pub const fn pays(self) -> bool {
        match self {
            Self::Transfer
            | Self::X402Exact
            | Self::TempoTransfer
            | Self::MppCharge
            | Self::MppOpen
            | Self::MppTopUp
            | Self::AccessKey => true,
            Self::X402Cancel
            | Self::MppProof
            | Self::MppVoucher
            | Self::MppClose
            | Self::MppExit
            | Self::RevokeKey => false,
        }
    }

    /// The kind of this payment.
    #[must_use]
    pub const fn of(payment: &Payment) -> Self {
        match payment {
            Payment::Transfer(_) => Self::Transfer,
            Payment::X402Exact(_) => Self::X402Exact,
            Payment::X402Cancel(_) => Self::X402Cancel,
            Payment::TempoTransfer(_) => Self::TempoTransfer,
            Payment::MppCharge(_) => Self::MppCharge,
            Payment::MppProof(_) => Self::MppProof,
            Payment::MppOpen(_) => Self::MppOpen,
            Payment::MppTopUp(_) => Self::MppTopUp,
            Payment::MppVoucher(_) => Self::MppVoucher,
            Payment::MppClose(_) => Self::MppClose,
            Payment::MppExit(_) => Self::MppExit,
            Payment::TempoAccessKey(k) => match k.step {
                KeyStep::Authorize(_) => Self::AccessKey,
                KeyStep::Revoke => Self::RevokeKey,
            },
        }
    }
}

/// What a payment is paid over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A transfer on chain, without a service.
    Transfer,
    /// x402.
    X402,
    /// The Machine Payments Protocol.
    Mpp,
}

impl Protocol {
    /// As policies write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::X402 => "x402",
            Self::Mpp => "mpp",
        }
    }
}
