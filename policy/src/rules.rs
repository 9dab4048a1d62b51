//! Policies: what an agent may spend, as a file that people write and an authority signs.
//!
//! # The file
//!
//! ```yaml
//! policy: research-01                  # the policy's name, a-z 0-9 and '-'
//! epoch: 7                             # 1 or more; only rises
//! applies_to: { agent: research-01 }   # the one agent it is for
//! lists:                               # names for lists that rules refer to
//!   vendors: [api.search.example, "*.inference.example"]
//!   payees: ["0x209693Bc6afc0C5328bA36FaF03C514EF312287C"]
//! rules:
//!   - max_amount: 0.50 USDC
//!   - limit: { amount: 10 USDC, per: day, calendar: America/New_York }
//!   - limit: { amount: 3 USDC, per: day, by: service }
//!   - rate: { count: 100, per: hour }
//!   - allow: { services: vendors }
//!   - allow: { recipients: payees, chains: ["eip155:8453"] }
//!   - block: { services: ["bad.inference.example"] }
//!   - hours: { from: "09:00", to: "17:00", days: [mon, tue, wed, thu, fri], zone: America/New_York }
//! ```
//!
//! A key that is not in this text is an error with its line, and so are a key given twice, a list
//! given twice, anchors, aliases and merge keys. A file has at most [`POLICY_BYTES_MAX`] bytes,
//! [`RULES_MAX`] rules, [`LISTS_MAX`] lists and [`LIST_ENTRIES_MAX`] entries in a list.
//!
//! # How a payment is decided
//!
//! A payment is approved when **at least one rule grants it and no rule refuses it**. Deny wins:
//! a `block` is never outweighed. Silence is refusal: without an `allow` rule that names the
//! service or the recipient nothing is paid, however small.
//!
//! Cancelling an x402 authorization that the agent's ledger knows is always allowed: it moves
//! nothing. It counts for no limit.
//!
//! # The rules
//!
//! | rule | refuses |
//! |---|---|
//! | `max_amount: 0.50 USDC` | a payment above it |
//! | `limit: {amount, per, calendar?, by?}` | a payment with which the sum in the window passes the amount |
//! | `rate: {count, per, by?}` | a payment with which the number in the window passes the count |
//! | `allow: {services?, recipients?, assets?, chains?}` | see below |
//! | `block: {services?, recipients?, assets?, chains?}` | a payment that matches **any** of what it names |
//! | `hours: {from, to, days?, zone}` | a payment at another time |
//! | `when: '<expression>'` | a payment for which the [condition](crate::condition) does not hold or cannot be decided |
//!
//! **Amounts** are exact decimals and a symbol: `0.50 USDC`. No sign, exponent, separator or
//! prefix, and no more decimals than the asset has. A rule counts its asset on all chains
//! together. A payment in an asset that an amount rule cannot measure is refused by that rule.
//!
//! **Windows** (`per`) are `minute`, `hour`, `day`, `week` and `month`. Without `calendar` they
//! roll: the last 60, 3,600, 86,400 seconds, seven days or thirty days. With `calendar: <zone>`
//! they are those of the zone's wall clock: a day has its 23, 24 or 25 hours, a week begins on
//! Monday, a month on the first. Zones are IANA names such as `Europe/Berlin`.
//!
//! **`by: recipient`** counts for each paid address apart, **`by: service`** for each service
//! apart. Transfers have no service: under `by: service` all transfers are counted together, as
//! if they were one service.
//!
//! **`allow`** with `services` or `recipients` grants; several such rules are alternatives, and
//! within one rule everything named has to match:
//! - An x402 payment is granted by an allowed *service*. Where the same rule names `recipients`
//!   too, the payee must be one of them. `allow: {recipients: …}` alone does not grant it.
//! - A transfer is granted by an allowed *recipient*, in a rule that names no services. A list of
//!   services never grants a transfer.
//!
//! So `allow: {services: vendors}` beside `allow: {recipients: payees}` means: pay the vendors
//! over x402, whatever address they name, and transfer to the payees. An `allow` with only
//! `assets` or `chains` grants nothing; it restricts every payment to them.
//!
//! **Services** are hosts in lower case, with the port where it is not the scheme's own:
//! `api.search.example`, `localhost:8402`. `*.suffix` stands for every host below the suffix, not
//! for the suffix itself. In `allow` the port has to match; in `block` an entry without a port
//! stands for every port, and a trailing dot of the host does not help.
//!
//! **Recipients** are addresses: `0x` and 40 hexadecimal digits, either all lower case or with
//! the right EIP-55 checksum. **Assets** are symbols, **chains** CAIP-2 names.
//!
//! A list is the name of an entry of `lists` or written in place: `[a, b]`.
//!
//! **`hours`** keeps to the wall clock of the zone: from `from` until just before `to`, on the
//! given days (all, where none are given). `from: "22:00", to: "06:00"` runs past midnight and
//! belongs to the day on which it began. `24:00` is the end of the day.
//!
//! **`when`** is an expression over the payment and over what the agent declares of it; the values
//! a policy looks at are declared beside the rules: `context: { confidence: decimal, task: string,
//! urgent: bool, attempts: long }`. A condition that cannot be decided refuses, also where the rule
//! says `then: ask`.
//!
//! # What this does not protect against
//!
//! An authority that signs a foolish policy; a service on the list that sells nothing for the
//! money; a payee of an allowed service that changes (name `recipients` in the same rule).

mod approvers;
mod ask;
mod counted;
mod country;
mod dates;
mod fees;
mod file;
mod freeze;
mod hours;
mod length;
mod lines;
mod money;
mod mpp;
mod parties;
mod pinning;
mod session;
mod set;
mod signed;
mod spending;
mod trust;
mod view;
mod when;
mod x402;

use serde::{Deserialize, Serialize};

use crate::ask::{Ask, Facts};
use crate::context::DeclaredContext;
use crate::decision::{Finding, Opinion, Outcome};
use crate::document::DocumentError;
use crate::party::AgentId;
use crate::rows::Protocol;
use crate::subject::Subject;

#[cfg(test)]
pub(crate) use file::schema;
pub(crate) use approvers::Answer;
pub use approvers::{
    APPROVAL_LENGTH_DEFAULT, Approvers, Escalation, PEOPLE_MAX, Person, Quorum, ROLES_MAX,
};
pub use ask::AskWhen;
pub use country::CountryRule;
pub use dates::{BLACKOUT_REASON_CHARS_MAX, Blackout, Dates};
pub use fees::MaxFee;
pub use freeze::{Freeze, SPIKE_FACTOR_MAX, SPIKE_PERIODS_MAX, Spike};
pub use hours::Hours;
pub use length::{BadLength, Length};
pub use money::{BadMoney, BadShare, Money, NativeMoney, Share};
pub use mpp::Mpp;
pub use parties::{Allow, Block};
pub(crate) use parties::{Named, Services};
pub(crate) use parties::{read_recipient, read_service};
pub use pinning::PayeePinning;
pub use set::PolicySet;
pub use signed::{
    AuthenticPolicy, POLICY_EPOCH_BY_ONE_MAX, PolicyDocument, PolicyPin, SignedPolicy,
};
pub use spending::{By, Limit, MaxAmount, MaxShareOfBalance, PriceCeiling, Rate};
pub use trust::Trust;
pub(crate) use view::{Judgement, View};
pub use when::When;
pub use x402::{Scheme, TransferMethod, X402};

/// Largest policy file, in bytes.
pub const POLICY_BYTES_MAX: usize = 128 * 1024;
/// Most rules in a policy.
pub const RULES_MAX: usize = 64;
/// Most named lists in a policy.
pub const LISTS_MAX: usize = 32;
/// Most entries in a list.
pub const LIST_ENTRIES_MAX: usize = 2_000;

/// A policy that was read and understood to the last key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    name: String,
    epoch: u64,
    subject: Subject,
    agent: Option<AgentId>,
    mode: Mode,
    context: DeclaredContext,
    rules: Vec<Rule>,
}

/// Whether a policy binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It binds.
    #[default]
    Enforce,
    /// It says what it would do, and does nothing: it refuses nothing, asks nobody, grants
    /// nothing.
    Warn,
}

/// What follows where a payment does not keep to a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It is recorded.
    Warn,
    /// People decide.
    Ask,
    /// It is refused.
    #[default]
    Refuse,
}

impl Then {
    /// As policies write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Ask => "ask",
            Self::Refuse => "refuse",
        }
    }
}

/// One rule, and what follows where it is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    kind: RuleKind,
    then: Then,
    approvers: Option<Approvers>,
    place: usize,
    line: u64,
}

/// What a rule demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// Highest amount of one payment.
    MaxAmount(MaxAmount),
    /// Highest price of a request over one protocol.
    PriceCeiling(PriceCeiling),
    /// Highest share of what the wallet holds.
    MaxShareOfBalance(MaxShareOfBalance),
    /// Highest fee, of a transaction or in a window.
    MaxFee(MaxFee),
    /// Highest sum in a window.
    Limit(Limit),
    /// Highest number in a window.
    Rate(Rate),
    /// What may be paid.
    Allow(Allow),
    /// What must not be paid.
    Block(Block),
    /// What follows for payees that were not paid before.
    PayeePinning(PayeePinning),
    /// Lowest trust of who is paid.
    Trust(Trust),
    /// Where who is paid may be.
    Country(CountryRule),
    /// When people decide.
    Ask(AskWhen),
    /// What stops the agent.
    Freeze(Freeze),
    /// When may be paid.
    Hours(Hours),
    /// From when until when may be paid.
    Dates(Dates),
    /// When must not be paid.
    Blackout(Blackout),
    /// What an x402 payment may be like.
    X402(X402),
    /// What a payment over MPP may be like.
    Mpp(Mpp),
    /// What has to hold of the payment.
    When(When),
}

/// Why a policy was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum PolicyError {
    /// Larger than is ever read.
    #[error("the policy has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// Most that is read.
        limit: usize,
    },
    /// Not a policy.
    #[error("line {line}: {reason}")]
    Malformed {
        /// Line in the file, from 1; 0 where it is about the whole.
        line: u64,
        /// What is wrong, for people.
        reason: String,
    },
    /// Not signed by the authority.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The policy is for somebody else.
    #[error("the policy is for {found}, not for {expected}")]
    OtherSubject {
        /// Whose it is.
        found: Subject,
        /// Whose it should be.
        expected: Subject,
    },
    /// Epochs only rise.
    #[error("the policy has epoch {offered}; epoch {held} is held already, and epochs only rise")]
    OlderEpoch {
        /// Epoch offered.
        offered: u64,
        /// Epoch held.
        held: u64,
    },
    /// Two policies of one epoch.
    #[error("another policy of epoch {epoch} is held already")]
    OtherContent {
        /// The epoch of both.
        epoch: u64,
    },
}

/// Why a policy can grant nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum GrantsNothing {
    /// There are no rules.
    #[error("the policy has no rules, and silence is refusal")]
    NoRules,
    /// No `allow` rule names a service or a recipient.
    #[error("the policy has no allow rule that names services or recipients, so nothing is paid")]
    NoAllowRule,
    /// What the `allow` rules name is empty.
    #[error("the allow rules of the policy name empty lists, so nothing is paid")]
    EmptyLists,
    /// A rule that no payment keeps to.
    #[error("rule {rule} of the policy has a limit of zero, so nothing is paid")]
    ZeroLimit {
        /// Its place in the file, from 0.
        rule: usize,
    },
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError::TooLarge`] or [`PolicyError::Malformed`] with line and reason.
    pub fn parse(yaml: &str) -> Result<Self, PolicyError> {
        file::parse(yaml)
    }

    /// The JSON Schema (2020-12) of a policy file, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        file::schema().to_value()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its epoch: 1 or more.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whose payments it judges.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The agent it is for, by itself or by a wallet; none for an organisation's.
    #[must_use]
    pub const fn agent(&self) -> Option<&AgentId> {
        self.agent.as_ref()
    }

    /// Whether it binds.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What it declares that agents say of their payments.
    #[must_use]
    pub const fn context(&self) -> &DeclaredContext {
        &self.context
    }

    /// Its rules, in the order of the file.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether it is an agent's own, by itself or by a wallet, and not everybody's.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.agent.is_some()
    }

    /// Whether it judges this payment.
    #[must_use]
    pub fn applies_to(&self, ask: &Ask<'_>) -> bool {
        let wallet = match self.subject {
            Subject::Wallet(wallet) => wallet == ask.wallet,
            Subject::Organisation | Subject::Agent(_) => true,
        };
        wallet && self.agent.as_ref().is_none_or(|agent| agent == ask.agent)
    }

    /// Whether this policy can grant nothing, and why. A node refuses to start on one, so that
    /// a slip is noticed before the first payment.
    #[must_use]
    pub fn grants_nothing(&self) -> Option<GrantsNothing> {
        if self.rules.is_empty() {
            return Some(GrantsNothing::NoRules);
        }
        let allows = || self.rules.iter().filter_map(Rule::as_allow);
        if !allows().any(Allow::can_grant) {
            return Some(GrantsNothing::NoAllowRule);
        }
        if !allows().any(Allow::grants_something) || allows().any(Allow::refuses_everything) {
            return Some(GrantsNothing::EmptyLists);
        }
        let zero = self.rules.iter().find(|rule| rule.kind.is_zero());
        zero.map(|rule| GrantsNothing::ZeroLimit { rule: rule.place })
    }

    /// What it says about a payment that it applies to.
    pub(crate) fn opinion(&self, ask: &Ask<'_>, facts: &Facts<'_>) -> Opinion {
        let view = View::new(ask, facts, self);
        let mut findings: Vec<_> = self.rules.iter().map(|rule| rule.find(&view)).collect();
        if findings.iter().any(|found| found.grants) {
            // Rules that grant are alternatives: one that matches is enough.
            for (found, rule) in findings.iter_mut().zip(&self.rules) {
                if rule.as_allow().is_some_and(Allow::can_grant) {
                    found.outcome = Outcome::Kept;
                }
            }
        }
        Opinion {
            policy: self.name.clone(),
            epoch: self.epoch,
            subject: self.subject.clone(),
            mode: self.mode,
            findings,
        }
    }
}

impl Rule {
    /// What it demands.
    #[must_use]
    pub const fn kind(&self) -> &RuleKind {
        &self.kind
    }

    /// What follows where it is not kept.
    #[must_use]
    pub const fn then(&self) -> Then {
        self.then
    }

    /// Who decides where it asks; nobody can where nobody is named.
    #[must_use]
    pub const fn approvers(&self) -> Option<&Approvers> {
        self.approvers.as_ref()
    }

    /// The place of its entry in the file, from 0. An entry such as `mpp` may hold several rules.
    #[must_use]
    pub const fn place(&self) -> usize {
        self.place
    }

    /// Its line in the file, from 1.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }

    pub(crate) const fn as_allow(&self) -> Option<&Allow> {
        match &self.kind {
            RuleKind::Allow(allow) => Some(allow),
            _ => None,
        }
    }

    fn find(&self, view: &View<'_>) -> Finding {
        let judged = self.kind.judge(view);
        let outcome = match (judged.kept, judged.then.unwrap_or(self.then)) {
            (true, _) => Outcome::Kept,
            (false, Then::Warn) => Outcome::Warns,
            // People are asked what to make of an answer, never what it would have been.
            (false, Then::Ask) if judged.errs => Outcome::Refuses,
            (false, Then::Ask) => Outcome::Asks,
            (false, Then::Refuse) => Outcome::Refuses,
        };
        let found = judged.finding(self.place, self.kind.word(), outcome);
        match self.approvers.as_ref().filter(|_| outcome == Outcome::Asks) {
            None => found,
            Some(approvers) => {
                let Answer { outcome, approvers, approved_by } = approvers.judge(view);
                Finding { outcome, approvers: Some(approvers), approved_by, ..found }
            }
        }
    }
}

impl RuleKind {
    /// The rule's key in the file: `limit`, or `mpp.max_deposit` for one of several in an entry.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::MaxAmount(_) => "max_amount",
            Self::PriceCeiling(PriceCeiling { protocol: Protocol::Mpp, .. }) => "price_ceiling.mpp",
            Self::PriceCeiling(_) => "price_ceiling.x402",
            Self::MaxShareOfBalance(_) => "max_share_of_balance",
            Self::MaxFee(_) => "max_fee",
            Self::Limit(_) => "limit",
            Self::Rate(_) => "rate",
            Self::Allow(_) => "allow",
            Self::Block(_) => "block",
            Self::PayeePinning(_) => "payee_pinning",
            Self::Trust(_) => "trust",
            Self::Country(_) => "country",
            Self::Ask(_) => "ask",
            Self::Freeze(_) => "freeze",
            Self::Hours(_) => "hours",
            Self::Dates(_) => "dates",
            Self::Blackout(_) => "blackout",
            Self::X402(rule) => rule.word(),
            Self::Mpp(rule) => rule.word(),
            Self::When(_) => "when",
        }
    }

    fn judge(&self, view: &View<'_>) -> Judgement {
        match self {
            Self::MaxAmount(rule) => rule.judge(view),
            Self::PriceCeiling(rule) => rule.judge(view),
            Self::MaxShareOfBalance(rule) => rule.judge(view),
            Self::MaxFee(rule) => rule.judge(view),
            Self::Limit(rule) => rule.judge(view),
            Self::Rate(rule) => rule.judge(view),
            Self::Allow(rule) => rule.judge(view),
            Self::Block(rule) => rule.judge(view),
            Self::PayeePinning(rule) => rule.judge(view),
            Self::Trust(rule) => rule.judge(view),
            Self::Country(rule) => rule.judge(view),
            Self::Ask(rule) => rule.judge(view),
            Self::Freeze(rule) => rule.judge(view),
            Self::Hours(rule) => rule.judge(view),
            Self::Dates(rule) => rule.judge(view),
            Self::Blackout(rule) => rule.judge(view),
            Self::X402(rule) => rule.judge(view),
            Self::Mpp(rule) => rule.judge(view),
            Self::When(rule) => rule.judge(view),
        }
    }

    /// Whether no payment can keep to it.
    const fn is_zero(&self) -> bool {
        match self {
            Self::MaxAmount(rule) => rule.0.amount.base_units() == 0,
            Self::Limit(rule) => rule.amount.amount.base_units() == 0,
            Self::Rate(rule) => rule.count == 0,
            _ => false,
        }
    }
}

fn check_size(yaml: &str) -> Result<(), PolicyError> {
    let (bytes, limit) = (yaml.len(), POLICY_BYTES_MAX);
    if bytes <= limit { Ok(()) } else { Err(PolicyError::TooLarge { bytes, limit }) }
}

#[cfg(test)]
mod tests;
