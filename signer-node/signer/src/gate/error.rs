//! What comes out of the gate instead of a signature.

use alloy_primitives::Address;
use tercet_policy::admission::AdmitError;
use tercet_policy::document::DocumentError;
use tercet_policy::party::AgentId;
use tercet_policy::refusal::Refusal;

use crate::journal::JournalError;
use crate::session::SessionError;
use crate::tss::{PresignatureId, TssError};
use crate::vault::VaultError;

/// A refusal, which is a normal outcome, or a failure.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// This node says no.
    #[error("{0}")]
    Refused(Refusal),
    /// It could not.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Why a node could not do what it would have done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The session with the peers.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The journal.
    #[error("the journal: {0}")]
    Journal(#[from] JournalError),
    /// Shares and parameters.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A request that is not signed by the agent.
    #[error("the request for a wallet: {0}")]
    Document(#[from] DocumentError),
    /// The authority enrolled other keys than this node's for its role.
    #[error("the enrolment of agent {agent} names other keys than this node's")]
    OtherKeysEnrolled {
        /// The agent.
        agent: AgentId,
    },
    /// The recovery node takes part in ceremonies only.
    #[error("the recovery node signs no payments")]
    NotAnEverydayRole,
    /// Parameters are to be made anew where wallets rest on the old ones.
    #[error(
        "the group of agent {agent} has wallets here, and not all parties hold the same \
         parameters: restore the node that lost them"
    )]
    AuxInUse {
        /// The agent.
        agent: AgentId,
    },
    /// A wallet's share was made under parameters that were replaced meanwhile.
    #[error("the parameters of agent {agent}'s group were replaced while the wallet was made")]
    AuxReplaced {
        /// The agent.
        agent: AgentId,
    },
    /// No share of this wallet is here.
    #[error("no share of wallet {wallet} is here")]
    NoSuchWallet {
        /// The wallet.
        wallet: Address,
    },
    /// Presignatures that this node did not ask for.
    #[error("this node wants no presignatures of wallet {wallet} now")]
    NotWanted {
        /// The wallet.
        wallet: Address,
    },
    /// The stock has no presignature for this payment: sign it interactively.
    #[error("no presignature of wallet {wallet} is in stock")]
    NoPresignature {
        /// The wallet.
        wallet: Address,
    },
    /// The presignature named is not there (any more): sign interactively.
    #[error("presignature {id} is not in stock")]
    PresignatureGone {
        /// Its name.
        id: PresignatureId,
    },
    /// The keys of sessions are made by the agent's own node.
    #[error("session keys are the agent's node's")]
    NotTheAgentsNode,
    /// More sessions are under way than a node keeps at hand.
    #[error("too many sessions are under way")]
    TooManySessions,
    /// There was a bug before.
    #[error("this node refuses until it is started anew, after: {bug}")]
    Halted {
        /// The bug.
        bug: String,
    },
    /// A mistake of ours.
    #[error("a bug of ours: {0}")]
    Bug(&'static str),
}

/// Whose doing a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// The line, the courier, or a peer that did not answer: try again.
    Network,
    /// A peer that sent what does not verify, or holds something else.
    Peer,
    /// This node lacks something: parameters, share, room, a fit journal.
    NotReady,
    /// The stock: the payment can be signed interactively.
    Stock,
    /// This node has a bug.
    Bug,
}

impl Failure {
    /// Whose doing it was.
    #[must_use]
    pub const fn culprit(&self) -> Culprit {
        match self {
            Self::Session(error) => of_session(error),
            Self::Journal(error) => of_journal(error),
            Self::Vault(_)
            | Self::Document(_)
            | Self::OtherKeysEnrolled { .. }
            | Self::NoSuchWallet { .. }
            | Self::NotWanted { .. }
            | Self::NotAnEverydayRole
            | Self::NotTheAgentsNode
            | Self::TooManySessions
            | Self::AuxInUse { .. }
            | Self::AuxReplaced { .. } => Culprit::NotReady,
            Self::NoPresignature { .. } | Self::PresignatureGone { .. } => Culprit::Stock,
            Self::Halted { .. } | Self::Bug(_) => Culprit::Bug,
        }
    }

    /// Whether the journal admits nothing any more.
    pub(super) const fn seals_the_journal(&self) -> bool {
        matches!(
            self,
            Self::Journal(
                JournalError::Sealed { .. }
                    | JournalError::Closed
                    | JournalError::Store(_)
                    | JournalError::WentBack { .. }
            )
        )
    }
}

const fn of_journal(error: &JournalError) -> Culprit {
    match error {
        JournalError::PeerWentBack { .. } | JournalError::NotOurHead { .. } => Culprit::Peer,
        _ => Culprit::NotReady,
    }
}

const fn of_session(error: &SessionError) -> Culprit {
    match error {
        SessionError::Deadline { .. }
        | SessionError::WireEnded { .. }
        | SessionError::CalledOff { .. }
        | SessionError::PeerAborted { .. } => Culprit::Network,
        SessionError::Channel { .. }
        | SessionError::OutOfPlace { .. }
        | SessionError::Differs { .. } => Culprit::Peer,
        SessionError::Tss(error) => of_tss(error),
        SessionError::Bug(_) => Culprit::Bug,
    }
}

const fn of_tss(error: &TssError) -> Culprit {
    match error {
        TssError::BadCall(_) | TssError::Bug(_) => Culprit::Bug,
        TssError::BadShare(_) => Culprit::NotReady,
        TssError::BadPeer { .. } => Culprit::Peer,
        TssError::Deadline { .. } | TssError::Aborted { .. } => Culprit::Network,
    }
}

impl From<Refusal> for GateError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<AdmitError<JournalError>> for GateError {
    fn from(error: AdmitError<JournalError>) -> Self {
        match error {
            AdmitError::Refused(refusal) => Self::Refused(refusal),
            AdmitError::Journal(error) => Self::Failed(Failure::Journal(error)),
        }
    }
}

macro_rules! through_failure {
    ($($error:ty),*) => {
        $(impl From<$error> for GateError {
            fn from(error: $error) -> Self {
                Self::Failed(error.into())
            }
        })*
    };
}
through_failure!(SessionError, JournalError, VaultError, DocumentError);
