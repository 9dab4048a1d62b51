//! The kinds of rule.

use crate::rows::Protocol;
use crate::rules::{
    AccessKey, Allow, AskWhen, Blackout, Block, CountryRule, Dates, Freeze, Hours, Judgement,
    Limit, MaxAmount, MaxFee, MaxShareOfBalance, Mpp, PayeePinning, PriceCeiling, Rate, Trust,
    V1Channels, View, When, X402,
};

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
    /// The MPP channels of older contracts that may be left.
    V1Channels(V1Channels),
    /// What an access key may be let take.
    AccessKey(AccessKey),
    /// What has to hold of the payment.
    When(Box<When>),
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
            Self::V1Channels(_) => "v1_channels",
            Self::AccessKey(_) => "access_key",
            Self::When(_) => "when",
        }
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
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
            Self::V1Channels(rule) => rule.judge(view),
            Self::AccessKey(rule) => rule.judge(view),
            Self::When(rule) => rule.judge(view),
        }
    }

    /// Whether no payment can keep to it.
    pub(super) const fn is_zero(&self) -> bool {
        match self {
            Self::MaxAmount(rule) => rule.0.amount.base_units() == 0,
            Self::Limit(rule) => rule.amount.amount.base_units() == 0,
            Self::Rate(rule) => rule.count == 0,
            _ => false,
        }
    }
}
