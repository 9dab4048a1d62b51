//! Policies: what an agent may spend, as a file that people write and an authority signs.
//!
//! How a file is written, how a payment is decided and what each rule demands is told once, in
//! the reference: [`crate::catalogue`].
//!
//! Promises: a file is understood to its last key or not taken at all; every rule of a policy is
//! judged, and says what its limit is, where that stands and what is asked.
//!
//! Refuses, with line and reason: unknown rules and keys, keys and lists given twice, anchors,
//! aliases and merge keys, rules that ask where nobody is named, and files beyond
//! [`POLICY_BYTES_MAX`], [`RULES_MAX`], [`LISTS_MAX`] and [`LIST_ENTRIES_MAX`].
//!
//! Does not protect against: an authority that signs a foolish policy; a service on the list that
//! sells nothing for the money; a payee of an allowed service that changes, where neither
//! `recipients` nor `payee_pinning` says what follows.

mod access_key;
mod approvers;
mod ask;
mod counted;
mod country;
mod dates;
mod error;
mod fees;
mod file;
mod freeze;
mod hours;
mod kind;
mod length;
mod lines;
mod money;
mod mpp;
mod parties;
mod pinning;
mod policy;
mod rule;
mod session;
mod set;
mod signed;
mod spending;
mod trust;
mod v1;
mod view;
mod when;
mod x402;

pub use access_key::AccessKey;
pub(crate) use approvers::Answer;
pub use approvers::{
    APPROVAL_LENGTH_DEFAULT, Approvers, Escalation, PEOPLE_MAX, Person, Quorum, ROLES_MAX,
};
pub use ask::AskWhen;
pub use country::CountryRule;
pub use dates::{BLACKOUT_REASON_CHARS_MAX, Blackout, Dates};
pub use error::PolicyError;
pub(crate) use error::check_size;
pub use fees::MaxFee;
#[cfg(test)]
pub(crate) use file::schema;
pub use freeze::{Freeze, SPIKE_FACTOR_MAX, SPIKE_PERIODS_MAX, Spike};
pub use hours::Hours;
pub use kind::RuleKind;
pub use length::{BadLength, Length};
pub use money::{BadMoney, BadShare, Money, NativeMoney, Share};
pub use mpp::Mpp;
pub use parties::{Allow, Block};
pub(crate) use parties::{Named, Services};
pub(crate) use parties::{read_recipient, read_service};
pub use pinning::PayeePinning;
pub use policy::{GrantsNothing, Mode, Policy};
pub use rule::{Rule, Then};
pub use set::PolicySet;
pub use signed::{
    AuthenticPolicy, POLICY_EPOCH_BY_ONE_MAX, PolicyDocument, PolicyPin, SignedPolicy,
};
pub use spending::{By, Limit, MaxAmount, MaxShareOfBalance, PriceCeiling, Rate};
pub use trust::Trust;
pub use v1::V1Channels;
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

#[cfg(test)]
mod tests;
