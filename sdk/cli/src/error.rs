//! Why a command did not do what was asked, what its exit code is, and what to do next.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tercet::client::ClientError;
use tercet_api::payment::RefusalBy;
use tercet_api::problem::{Problem, ProblemCode};
use tercet_policy::document::DocumentError;
use tercet_policy::money::BadAmount;

use crate::exit::Exit;
use crate::keyfile::KeyFileError;

/// A command's failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file has not the form it needs.
    #[error("{} is not {expected}: {detail}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
        /// Where it differs.
        detail: String,
    },
    /// An authority key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// A document has no canonical form or bad signatures.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// An amount that is none.
    #[error("{given:?}: {source}")]
    Amount {
        /// What was given.
        given: String,
        /// Why not.
        source: BadAmount,
    },
    /// The coordinator said no.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// Somebody refused, with numbers.
    #[error("refused: {}", refusals_text(.0))]
    Refused(Vec<RefusalBy>),
    /// It is not known whether a payment will settle.
    #[error("{detail}")]
    Unknown {
        /// The payment.
        payment: String,
        /// What is known.
        detail: String,
    },
    /// Something does not answer.
    #[error("{what} does not answer: {detail}")]
    Unreachable {
        /// What.
        what: String,
        /// What was seen.
        detail: String,
    },
    /// A setting is missing or wrong.
    #[error("{detail}")]
    Setup {
        /// What is wrong.
        detail: String,
        /// What to do.
        next: String,
    },
    /// The wallet could not do it.
    #[error(transparent)]
    Wallet(Box<tercet::Error>),
    /// Something else failed.
    #[error("{0}")]
    Failed(String),
}

/// Several refusals in one line.
#[must_use]
pub fn refusals_text(refusals: &[RefusalBy]) -> String {
    let lines: Vec<_> = refusals.iter().map(|r| format!("{}: {}", r.by, r.refusal)).collect();
    lines.join("; ")
}

impl CliError {
    /// A file that could not be read or written.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Amount { .. } => Exit::Usage,
            Self::File { .. } | Self::Form { .. } | Self::Key(_) | Self::Setup { .. } => {
                Exit::Setup
            }
            Self::Refused(_) => Exit::Refused,
            Self::Unknown { .. } => Exit::Unknown,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Problem(problem) => problem_exit(problem.code),
            Self::Wallet(error) => wallet_exit(error),
            Self::Document(_) | Self::Failed(_) => Exit::Failure,
        }
    }

    /// What to do next, in one sentence.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::Usage(_) => "See `tercet help`.".into(),
            Self::Amount { .. } => "Write amounts as plain decimals, such as 0.50.".into(),
            Self::File { path, .. } => format!("Check that {} is there and yours.", path.display()),
            Self::Form { path, .. } => format!("Correct {}.", path.display()),
            Self::Key(_) => "Make a key with `tercet authority new FILE`.".into(),
            Self::Document(_) => "Add the missing signatures with `--key`.".into(),
            Self::Problem(problem) => problem_next(problem),
            Self::Refused(_) => {
                "Change what is asked, or the policy; `tercet policy explain` shows every rule."
                    .into()
            }
            Self::Unknown { payment, .. } => {
                format!("Do not pay again; ask `tercet payment show {payment}`.")
            }
            Self::Unreachable { .. } => "Run `tercet doctor`.".into(),
            Self::Setup { next, .. } => next.clone(),
            Self::Wallet(error) => wallet_next(error),
            Self::Failed(_) => {
                "Run `tercet doctor`; the node's and coordinator's logs say more.".into()
            }
        }
    }

    /// What else a program wants to know.
    #[must_use]
    pub fn more(&self) -> Value {
        match self {
            Self::Problem(problem) => json!({ "problem": problem }),
            Self::Refused(refusals) => json!({ "refusals": refusals }),
            Self::Unknown { payment, .. } => json!({ "payment": payment }),
            Self::Wallet(error) => wallet_more(error),
            _ => Value::Null,
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Problem(problem) if !problem.refusals.is_empty() => {
                Self::Refused(problem.refusals)
            }
            ClientError::Problem(problem) => Self::Problem(problem),
            ClientError::Unreachable { detail } | ClientError::NotTheApi { detail } => {
                Self::Unreachable { what: "the coordinator".into(), detail }
            }
            ClientError::Url { .. } => Self::Usage(error.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<tercet::Error> for CliError {
    fn from(error: tercet::Error) -> Self {
        match error {
            tercet::Error::Coordinator(error) => (*error).into(),
            tercet::Error::Refused { refusals, .. } => Self::Refused(refusals),
            tercet::Error::NotReady(detail) => {
                Self::Setup { detail, next: "Run `tercet doctor`.".into() }
            }
            other => Self::Wallet(Box::new(other)),
        }
    }
}

const fn wallet_exit(error: &tercet::Error) -> Exit {
    use tercet::Error as E;
    match error {
        E::BadRequest(_) => Exit::Usage,
        E::Declined(_) | E::Refused { .. } => Exit::Refused,
        E::Unknown(_) => Exit::Unknown,
        E::PaidNotDelivered { .. } | E::UnitNotDelivered { .. } => Exit::NotDelivered,
        E::Unreachable { .. } => Exit::Unreachable,
        E::Journal(_) | E::NotReady(_) => Exit::Setup,
        _ => Exit::Failure,
    }
}

fn wallet_next(error: &tercet::Error) -> String {
    use tercet::Error as E;
    match error {
        E::BadRequest(_) => "Correct the request.".into(),
        E::Declined(_) => "Nothing was signed. The agent's own rules are in wallet.toml.".into(),
        E::NotSigned { .. } => "Call again: the same request goes on with the same intent.".into(),
        E::Unknown(open) => format!(
            "Do not pay again. Fetch the same URL once more, or ask `tercet payment show {}`.",
            open.intent
        ),
        E::PaidNotDelivered { .. } => "Turn to the merchant with the transaction.".into(),
        E::UnitNotDelivered { .. } => {
            "Call again: the same voucher pays for it. `tercet session list` shows what is lost."
                .into()
        }
        E::NotPaid { .. } => "Nothing was paid; call again if you like.".into(),
        E::Unreachable { .. } => {
            "Nothing was signed. Check the URL, and the chain endpoints with `tercet doctor`."
                .into()
        }
        _ => "Run `tercet doctor`.".into(),
    }
}

fn wallet_more(error: &tercet::Error) -> Value {
    use tercet::Error as E;
    match error {
        E::Declined(why) => json!({ "declined": why }),
        E::Unknown(open) => json!({ "payment": open.intent, "deadline": open.deadline }),
        E::PaidNotDelivered { receipt } => json!({ "receipt": receipt }),
        E::NotSigned { intent, retryable, .. } => {
            json!({ "payment": intent, "retryable": retryable })
        }
        E::UnitNotDelivered { channel, ahead, .. } => {
            json!({ "channel": channel, "ahead": ahead })
        }
        E::NotPaid { intent, .. } => json!({ "payment": intent }),
        _ => Value::Null,
    }
}

const fn problem_exit(code: ProblemCode) -> Exit {
    match code {
        ProblemCode::Refused => Exit::Refused,
        ProblemCode::NodeUnavailable
        | ProblemCode::ChainUnavailable
        | ProblemCode::NotReady
        | ProblemCode::Busy => Exit::Unreachable,
        ProblemCode::TimedOut => Exit::Unknown,
        ProblemCode::Unauthenticated | ProblemCode::BadDocument => Exit::Setup,
        _ => Exit::Failure,
    }
}

fn problem_next(problem: &Problem) -> String {
    match problem.code {
        ProblemCode::Unauthenticated => {
            "Enrol this agent with `tercet agent enrol`, and check the clock with `tercet doctor`."
        }
        ProblemCode::BadDocument => {
            "Sign with enough of the authority keys that the coordinator pins (`--key`)."
        }
        ProblemCode::StaleEpoch => "Raise the epoch and sign again.",
        ProblemCode::NodeUnavailable => "See who is connected with `tercet node status`.",
        ProblemCode::TimedOut => "Ask for the outcome with `tercet payment show ID`.",
        ProblemCode::Refused => "`tercet policy explain` shows every rule.",
        ProblemCode::NotFound => "Check the name; `tercet wallet list` shows what is yours.",
        _ if problem.retryable => "Try again.",
        _ => "The coordinator's log says more under the reference given.",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_and_unknown_outcomes_have_their_own_codes() {
        let problem = |code| CliError::Problem(Box::new(Problem::new(code, "d", "l")));
        assert_eq!(problem(ProblemCode::Refused).exit(), Exit::Refused);
        assert_eq!(problem(ProblemCode::TimedOut).exit(), Exit::Unknown);
        assert_eq!(problem(ProblemCode::NodeUnavailable).exit(), Exit::Unreachable);
        assert_eq!(problem(ProblemCode::IdConflict).exit(), Exit::Failure);
        let unknown = CliError::Unknown { payment: "ab".into(), detail: "d".into() };
        assert_eq!(unknown.exit(), Exit::Unknown);
        assert!(unknown.next().contains("payment show ab"));
    }
}
