//! Rules about x402, MPP and access keys, as they are written. Of the first two each key is a rule
//! of its own.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::ask::{MppIntent, MppMethod, VoucherSigner};
use crate::declared::{HttpMethod, PaymentFlow};
use crate::rules::file::lists::{ListFile, Lists};
use crate::rules::file::schema;
use crate::rules::{
    AccessKey, Length, Money, Mpp, RuleKind, Scheme, TransferMethod, V1Channels, X402, v1,
};

/// What an x402 payment may be like.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct X402File {
    /// The schemes that may be used.
    #[serde(default)]
    #[schemars(schema_with = "schema::schemes")]
    schemes: Option<BTreeSet<Scheme>>,
    /// The ways in which assets may be moved.
    #[serde(default)]
    #[schemars(schema_with = "schema::transfer_methods")]
    transfer_methods: Option<BTreeSet<TransferMethod>>,
    /// The orders of serving and settling that may be gone along with.
    #[serde(default)]
    #[schemars(schema_with = "schema::flows")]
    flows: Option<BTreeSet<PaymentFlow>>,
    /// How long an authorization may be usable, from the making of its intent.
    #[serde(default)]
    #[schemars(schema_with = "schema::length")]
    max_validity: Option<Length>,
    /// Highest sum of one session.
    #[serde(default)]
    #[schemars(schema_with = "schema::money")]
    session_budget: Option<Money>,
}

/// What a payment over MPP may be like.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct MppFile {
    /// Highest deposit of one session, with all that is put on top of it.
    #[serde(default)]
    #[schemars(schema_with = "schema::money")]
    max_deposit: Option<Money>,
    /// Highest sum of one session.
    #[serde(default)]
    #[schemars(schema_with = "schema::money")]
    session_budget: Option<Money>,
    /// Most sessions that are open at once.
    #[serde(default)]
    max_concurrent_sessions: Option<u64>,
    /// How long a session may last.
    #[serde(default)]
    #[schemars(schema_with = "schema::length")]
    max_session_duration: Option<Length>,
    /// The intents that may be used.
    #[serde(default)]
    #[schemars(schema_with = "schema::mpp_intents")]
    intents: Option<BTreeSet<MppIntent>>,
    /// The payment methods that may be used.
    #[serde(default)]
    #[schemars(schema_with = "schema::mpp_methods")]
    methods: Option<BTreeSet<MppMethod>>,
    /// The methods of HTTP whose requests may be paid for.
    #[serde(default)]
    #[schemars(schema_with = "schema::http_methods")]
    http_methods: Option<BTreeSet<HttpMethod>>,
    /// Most that a voucher may add to the one before it.
    #[serde(default)]
    #[schemars(schema_with = "schema::money")]
    max_voucher_step: Option<Money>,
    /// Who has to sign vouchers.
    #[serde(default)]
    #[schemars(schema_with = "schema::voucher_signer")]
    voucher_signer: Option<VoucherSigner>,
}

/// What an access key may be let take.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessKeyFile {
    /// Highest limit of a period.
    #[schemars(schema_with = "schema::money")]
    max: Money,
    /// How long it may last.
    #[schemars(schema_with = "schema::length")]
    max_life: Length,
}

impl AccessKeyFile {
    pub(super) fn read(self) -> RuleKind {
        let Self { max, max_life } = self;
        RuleKind::AccessKey(AccessKey { max, max_life })
    }
}

impl X402File {
    pub(super) fn read(self) -> Result<Vec<RuleKind>, String> {
        let rules = [
            some(self.schemes, "schemes")?.map(X402::Schemes),
            some(self.transfer_methods, "transfer_methods")?.map(X402::TransferMethods),
            some(self.flows, "flows")?.map(X402::Flows),
            self.max_validity.map(X402::MaxValidity),
            self.session_budget.map(X402::SessionBudget),
        ];
        at_least_one(rules.into_iter().flatten().map(RuleKind::X402).collect())
    }
}

impl MppFile {
    pub(super) fn read(self) -> Result<Vec<RuleKind>, String> {
        let rules = [
            self.max_deposit.map(Mpp::MaxDeposit),
            self.session_budget.map(Mpp::SessionBudget),
            self.max_concurrent_sessions.map(Mpp::MaxConcurrentSessions),
            self.max_session_duration.map(Mpp::MaxSessionDuration),
            some(self.intents, "intents")?.map(Mpp::Intents),
            some(self.methods, "methods")?.map(Mpp::Methods),
            some(self.http_methods, "http_methods")?.map(Mpp::HttpMethods),
            self.max_voucher_step.map(Mpp::MaxVoucherStep),
            self.voucher_signer.map(Mpp::VoucherSigner),
        ];
        at_least_one(rules.into_iter().flatten().map(RuleKind::Mpp).collect())
    }
}

/// The channels of older contracts that may be left.
pub(super) fn read_v1(list: &ListFile, lists: &Lists) -> Result<RuleKind, String> {
    let (entries, text) = list.resolve(lists)?;
    let channels = v1::channels(entries.iter().map(String::as_str))?;
    Ok(RuleKind::V1Channels(V1Channels { channels, text }))
}

fn some<T>(set: Option<BTreeSet<T>>, key: &str) -> Result<Option<BTreeSet<T>>, String> {
    match set {
        Some(set) if set.is_empty() => Err(format!("{key} names nothing, so nothing keeps to it")),
        set => Ok(set),
    }
}

fn at_least_one(rules: Vec<RuleKind>) -> Result<Vec<RuleKind>, String> {
    if rules.is_empty() { Err("this rule demands nothing".to_owned()) } else { Ok(rules) }
}
