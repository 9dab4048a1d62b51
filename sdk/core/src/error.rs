//! Why there is no result, grouped by what the caller does next.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use tercet_api::payment::RefusalBy;
use tercet_policy::chain::Chain;
use tercet_policy::intent::{IntentId, Service};
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::time::UnixSeconds;

use crate::choose::Skipped;
use crate::client::ClientError;
use crate::journal::JournalError;
use crate::mpp::Overdemand;
use crate::receipt::Receipt;
use crate::seam::PayError;
use crate::wire::BadHeader;

/// Why a payment did not come to a good end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Change the call: this request can never be paid for. Nothing was sent.
    #[error("{0}")]
    BadRequest(#[from] BadRequest),
    /// Change the rules, or do without: the agent's own rules say no. Nothing was signed.
    #[error("declined: {0}")]
    Declined(Box<Declined>),
    /// Ask the authority, or do without: the policy says no. Nothing was signed now.
    #[error("intent {intent} was refused{}", listed(.refusals))]
    Refused {
        /// The intent.
        intent: IntentId,
        /// Every reason with its numbers, and whose.
        refusals: Vec<RefusalBy>,
    },
    /// Call again: the same request goes on with the same intent, so nothing is paid twice. No
    /// payment was sent to the merchant by this call.
    #[error("intent {intent} could not be signed: {detail}")]
    NotSigned {
        /// The intent.
        intent: IntentId,
        /// Whether calling again can help.
        retryable: bool,
        /// What happened.
        detail: String,
    },
    /// Ask the authority, or do without: people must approve the payment, and it ends before they
    /// could. Nothing was sent.
    #[error("intent {intent} needs people to approve it, and ends at {ends}")]
    NeedsApproval {
        /// The intent.
        intent: IntentId,
        /// When it ends.
        ends: UnixSeconds,
    },
    /// Wait: the payment was sent and it is not known whether it will settle. Calling again, or
    /// `resume` after the deadline, goes on with the same intent.
    #[error("{0}")]
    Unknown(Box<OutcomeUnknown>),
    /// Turn to the merchant: the chain shows the payment, and the resource did not come.
    /// The same request is not paid for again until the payment is written off.
    #[error("intent {} was paid and nothing was delivered", .receipt.intent)]
    PaidNotDelivered {
        /// The payment.
        receipt: Box<Receipt>,
    },
    /// Call again: the unit did not come, and the same voucher pays for it then.
    #[error("a unit of the session on channel {channel} did not come")]
    UnitNotDelivered {
        /// The session's channel.
        channel: ChannelId,
        /// Base units that are paid and not delivered.
        ahead: Amount,
        /// HTTP status of the answer, if there was one.
        status: Option<u16>,
    },
    /// Call again if you like: the chain proves that the payment will never settle.
    #[error("intent {intent} was not paid and never will be: {cause}")]
    NotPaid {
        /// The intent.
        intent: IntentId,
        /// Why, as the chain shows it.
        cause: String,
    },
    /// Try later: the service does not answer. Nothing was signed.
    #[error("the service cannot be reached: {detail}")]
    Unreachable {
        /// What happened.
        detail: String,
    },
    /// See the coordinator's answer.
    #[error(transparent)]
    Coordinator(#[from] Box<ClientError>),
    /// Look at the disk: the journal of purchases cannot be used, so nothing is bought.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Correct the configuration, or start the parts that are missing.
    #[error("{0}")]
    NotReady(String),
}

fn listed(refusals: &[RefusalBy]) -> String {
    refusals.iter().map(|r| format!("; {}: {}", r.by, r.refusal)).collect()
}

impl Error {
    /// Why an intent was not signed.
    pub(crate) fn of_payer(intent: IntentId, error: PayError) -> Self {
        match error {
            PayError::Refused { refusals } => Self::Refused { intent, refusals },
            PayError::NeedsApproval { ends } => Self::NeedsApproval { intent, ends },
            PayError::Failed { retryable, detail } => Self::NotSigned { intent, retryable, detail },
        }
    }
}

impl From<Declined> for Error {
    fn from(why: Declined) -> Self {
        Self::Declined(Box::new(why))
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        Self::Coordinator(Box::new(error))
    }
}

/// A call that cannot come to anything as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRequest {
    /// Plain HTTP outside this machine, another scheme, no host, or credentials in the URL.
    #[error("only https URLs without credentials are fetched (http on this machine's loopback)")]
    Url,
    /// A host that is an address of a private network.
    #[error("{host} is an address of a private network")]
    PrivateHost {
        /// The host.
        host: String,
    },
    /// A body that can be sent only once.
    #[error(
        "the body is a stream: a paid request is sent more than once, so its body must be held"
    )]
    Body,
    /// The caller put a payment into the request.
    #[error("the {header} header is not the caller's to set")]
    Header {
        /// Its name.
        header: String,
    },
    /// The request itself could not be built.
    #[error("the request cannot be built: {0}")]
    Build(String),
    /// A step out of a channel that the chain would not take, now or at all.
    #[error("channel {channel}: {why}")]
    Step {
        /// The channel.
        channel: ChannelId,
        /// Why not, and where that helps, from when on.
        why: String,
    },
}

/// Why the agent's own rules decline. Nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Declined {
    /// The 402 carries no challenge that is understood.
    #[error("{problem}")]
    NoChallenge {
        /// What is wrong with it.
        problem: BadHeader,
    },
    /// The challenge comes out of a cache.
    #[error("the challenge is {age_seconds} s old, the limit is {limit_seconds} s")]
    StaleChallenge {
        /// Its age.
        age_seconds: u64,
        /// The limit.
        limit_seconds: u64,
    },
    /// The challenge is for something else than was asked for.
    #[error("asked for {asked}, and the challenge is for {offered:?}")]
    OtherResource {
        /// What was asked for.
        asked: String,
        /// What the merchant says is paid for.
        offered: String,
    },
    /// The merchant insists on an extension that is not spoken here.
    #[error("the merchant requires extensions that are not spoken here: {extensions:?}")]
    ExtensionRequired {
        /// Their names.
        extensions: Vec<String>,
    },
    /// No requirement is acceptable.
    #[error("nothing that is offered is acceptable{}", reasons(.skipped))]
    NothingAcceptable {
        /// Each requirement and why not.
        skipped: Vec<Skipped>,
    },
    /// The service names another payee than before.
    #[error("{service} wants {offered} to be paid on {chain}; it is known to be {expected:?}")]
    PayeeChanged {
        /// The service.
        service: Service,
        /// The chain.
        chain: Chain,
        /// Who is known: pinned at the first payment, or listed in the rules.
        expected: Vec<Address>,
        /// Who is named now.
        offered: Address,
    },
    /// Another buyer over the same journal is at this very request. Asked again, it goes on with that
    /// intent.
    #[error("intent {intent} was begun for the same request meanwhile: ask again to go on with it")]
    AlreadyBegun {
        /// The intent that came first.
        intent: IntentId,
    },
    /// Over the most that may be spent in 24 hours.
    #[error("{spent} of {limit} base units are spent in 24 h, {asked} more are asked")]
    DailyLimit {
        /// The limit.
        limit: Amount,
        /// Spent or reserved within 24 hours.
        spent: Amount,
        /// Asked now.
        asked: Amount,
    },
    /// Too many sessions at once.
    #[error("{open} sessions are open, the limit is {limit}")]
    TooManySessions {
        /// How many.
        open: u32,
        /// The limit.
        limit: u32,
    },
    /// Another buyer over the same journal opened a session with the service. Asked again, the
    /// request is paid from that one.
    #[error("a session on channel {channel} was opened meanwhile: ask again to draw on it")]
    AlreadyOpened {
        /// Its channel.
        channel: ChannelId,
    },
    /// A stream, or a request of another process, draws on the session: another request would be
    /// taken for the unit that is paid ahead. Ask again when that one is done.
    #[error("a stream or another process draws on channel {channel}: end it, or ask again later")]
    SessionStreams {
        /// The session's channel.
        channel: ChannelId,
    },
    /// The session's budget is used up.
    #[error("the session would need {asked} base units in all, its budget is {limit}")]
    SessionBudget {
        /// Needed in all.
        asked: Amount,
        /// The budget.
        limit: Amount,
    },
    /// The service asks for other terms than its session was opened with.
    #[error("the terms are not those of the session on channel {channel}: close it first")]
    TermsChanged {
        /// The session's channel.
        channel: ChannelId,
    },
    /// A session with the service is being ended, and nothing more is put into it.
    #[error("the session on channel {channel} is ending")]
    SessionEnding {
        /// Its channel.
        channel: ChannelId,
    },
    /// The service wants more than its deliveries are worth.
    #[error("on channel {channel}, {demand}")]
    Overdemand {
        /// The session's channel.
        channel: ChannelId,
        /// What it wants, and what is allowed.
        demand: Overdemand,
    },
    /// So much was paid and not delivered that the session is ended.
    #[error("on channel {channel}, {lost} base units were paid and not delivered: it is ended")]
    TooMuchLost {
        /// The session's channel.
        channel: ChannelId,
        /// Paid and not delivered.
        lost: Amount,
    },
    /// Too many purchases within a minute.
    #[error("{begun} purchases were begun within a minute, the limit is {limit}")]
    TooFast {
        /// How many.
        begun: u32,
        /// The limit.
        limit: u32,
    },
}

fn reasons(skipped: &[Skipped]) -> String {
    skipped.iter().map(|s| format!("; entry {}: {}", s.entry, s.why)).collect()
}

/// A payment whose end is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("intent {intent} was sent, and is open until {deadline}")]
pub struct OutcomeUnknown {
    /// The intent.
    pub intent: IntentId,
    /// First second in which the authorization can no longer be used. The chain's proof either
    /// way is there once its safe block has passed this.
    pub deadline: UnixSeconds,
    /// HTTP status of the last answer to the payment, if there was one.
    pub status: Option<u16>,
    /// The merchant's reason code, not believed.
    pub merchant_reason: Option<String>,
}
