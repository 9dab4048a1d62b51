//! Why the journal did not do what was asked.

use tercet_policy::document::DocumentError;
use tercet_policy::ledger::LedgerError;
use tercet_policy::party::{AgentId, NodeId};
use tercet_policy::registry::RegistryError;
use tercet_policy::report::ReportError;
use tercet_policy::rows::HoldId;
use tercet_policy::rules::PolicyError;
use tercet_policy::subject::Subject;

use super::Head;
use crate::home::{DiskError, HomeError};

/// What the storage could not do. The text is for people; programs branch on the kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct StoreFault {
    /// What kind of trouble.
    pub kind: StoreFaultKind,
    /// What the storage said.
    pub detail: String,
}

/// The kinds of trouble with the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreFaultKind {
    /// No room on the disk, or the journal's own limit.
    #[error("the disk or the journal is full")]
    Full,
    /// The file is not a database, or its pages are damaged.
    #[error("the journal's file is damaged")]
    Corrupt,
    /// Somebody else holds the file.
    #[error("the journal's file is in use")]
    Busy,
    /// Anything else.
    #[error("the journal's file cannot be read or written")]
    Io,
}

/// Why the journal refuses. All of them mean: nothing is signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// There are key shares, and no record of what they were used for.
    #[error(
        "the home holds {shares} key shares but no journal: restore the journal, or reconcile \
         with the chain before signing anything"
    )]
    Missing {
        /// How many shares lie there.
        shares: usize,
    },
    /// The home or a file in it is not fit for a journal.
    #[error("{0}")]
    Home(String),
    /// Shares exist that the journal never heard of: it is older than they are.
    #[error(
        "the journal does not know wallet {wallet}, whose share lies beside it: it is an older \
         copy; restore the latest one, or reconcile with the chain"
    )]
    OlderThanShares {
        /// The wallet.
        wallet: alloy_primitives::Address,
    },
    /// SQLite does not give the durability that was asked for.
    #[error("the journal's {setting} is {found}, and must be {needed}")]
    NotDurableHere {
        /// The setting.
        setting: &'static str,
        /// What SQLite answers.
        found: String,
        /// What it must answer.
        needed: &'static str,
    },
    /// Written by another release.
    #[error(
        "the journal has format {found}; this release reads {known}, and changed nothing: start \
         the release that wrote it"
    )]
    UnknownFormat {
        /// The file's format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A row was changed, cut out, or put in.
    #[error("the journal is damaged at row {row}: {what}")]
    Tampered {
        /// Number of the row, from 1.
        row: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// A commit failed earlier: what is durable is unknown until the journal is opened anew.
    #[error("the journal is sealed until restart, after: {after}")]
    Sealed {
        /// The failure that sealed it.
        after: String,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
    /// A row that does not fit the ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A document is not signed as it must be.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A policy that is signed, but is not a policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A registry that is signed, but is not one, or is not signed as it must be.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A report that its agent did not sign, or of a payment that is not here.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A document that is not newer than the one in force.
    #[error("the {kind} of {subject} has epoch {offered}; epoch {pinned} is pinned here")]
    OldEpoch {
        /// `policy`, `registry`, `enrolment` or `freeze`.
        kind: &'static str,
        /// Whose.
        subject: Subject,
        /// The epoch in force.
        pinned: u64,
        /// The epoch offered; equal only if the content differs.
        offered: u64,
    },
    /// An enrolment that names one node twice.
    #[error("the enrolment of agent {agent} does not name three different nodes")]
    PartiesNotDistinct {
        /// Whose.
        agent: AgentId,
    },
    /// The wallet belongs to another agent already.
    #[error("wallet {wallet} belongs to agent {agent}")]
    WalletOfAnother {
        /// The wallet.
        wallet: alloy_primitives::Address,
        /// Its agent.
        agent: AgentId,
    },
    /// A policy for a wallet of which this node holds no share.
    #[error("wallet {wallet} is not one of this node's")]
    NoSuchWallet {
        /// The wallet.
        wallet: alloy_primitives::Address,
    },
    /// As many holds of one agent are open as may be.
    #[error(
        "{open} holds of agent {agent} are open, the limit is {}",
        super::HOLDS_OPEN_PER_AGENT_MAX
    )]
    TooManyHolds {
        /// Whose.
        agent: AgentId,
        /// How many are open.
        open: usize,
    },
    /// An outcome that names another agent than the hold.
    #[error("hold {hold} is of agent {agent}")]
    HoldOfAnother {
        /// The hold.
        hold: HoldId,
        /// Its agent.
        agent: AgentId,
    },
    /// An execution id that was used before.
    #[error("execution id {id} was used before")]
    ExecutionRepeats {
        /// Hexadecimal.
        id: String,
    },
    /// A peer's journal is shorter than it was, or another one.
    #[error("the journal of {node} went back: it was at {known}, and is now said to be at {said}")]
    PeerWentBack {
        /// The peer.
        node: NodeId,
        /// The latest head seen.
        known: Box<Head>,
        /// The head it gives now.
        said: Box<Head>,
    },
    /// A peer has seen more of our journal than we have, or something else: our disk went back.
    #[error("a peer has seen our journal at {seen}; here it is at {ours}: this disk went back")]
    WentBack {
        /// What the peer has seen.
        seen: Box<Head>,
        /// What is here.
        ours: Box<Head>,
    },
    /// A peer shows a head as ours that this journal never told: it was made up, or is of a
    /// journal that this home had before.
    #[error("this journal was never at {seen}")]
    NotOurHead {
        /// What the peer shows.
        seen: Box<Head>,
    },
    /// A row over the limit.
    #[error("a row of {bytes} bytes, the limit is {}", super::ROW_BYTES_MAX)]
    RowTooLarge {
        /// Its length, in bytes.
        bytes: usize,
    },
}

impl From<HomeError> for JournalError {
    fn from(error: HomeError) -> Self {
        match error {
            HomeError::JournalMissing { shares, .. } => Self::Missing { shares },
            other => Self::Home(other.to_string()),
        }
    }
}

impl From<DiskError> for JournalError {
    fn from(error: DiskError) -> Self {
        Self::Home(error.to_string())
    }
}

impl From<sqlx::Error> for StoreFault {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code());
        // Primary result codes are the low byte of extended ones (sqlite.org/rescode.html).
        let primary = code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
        let kind = match primary {
            Some(13) => StoreFaultKind::Full,
            Some(11 | 26) => StoreFaultKind::Corrupt,
            Some(5 | 6) => StoreFaultKind::Busy,
            _ => StoreFaultKind::Io,
        };
        Self { kind, detail: error.to_string() }
    }
}

impl From<sqlx::Error> for JournalError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}
