//! `x402`: what an x402 payment may be like. Other payments are not its concern.
//!
//! Promises: an intent of today is the scheme `exact` over EIP-3009, so these are judged by what
//! is signed; the validity is that of the signed authorization. The payment flow and the session
//! are the agent's word. A payment that does not say what a rule asks for does not keep to it.
//!
//! Does not protect against: an agent that names another flow than the merchant's, or a new
//! session for every payment. Put a `limit` beside a `session_budget`.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::ask::Ask;
use crate::declared::PaymentFlow;
use crate::rows::Protocol;
use crate::rules::{Judgement, Length, Money, View, session};

/// A scheme of x402.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// The quoted amount, once. The one that Tercet pays.
    Exact,
    /// At most the quoted amount.
    Upto,
    /// Many payments, settled together.
    BatchSettlement,
    /// An authorization that is charged later.
    AuthCapture,
}

/// How an asset is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferMethod {
    /// An authorization of the token itself (EIP-3009). The one that Tercet signs.
    Eip3009,
    /// Permit2.
    Permit2,
    /// A delegation (ERC-7710).
    Erc7710,
}

/// One demand of an `x402` rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum X402 {
    /// The schemes that may be used.
    Schemes(BTreeSet<Scheme>),
    /// The ways in which assets may be moved.
    TransferMethods(BTreeSet<TransferMethod>),
    /// The orders of serving and settling that may be gone along with.
    Flows(BTreeSet<PaymentFlow>),
    /// How long an authorization may be usable, from the making of its intent.
    MaxValidity(Length),
    /// Highest sum of one session.
    SessionBudget(Money),
}

impl Scheme {
    /// As policies write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Upto => "upto",
            Self::BatchSettlement => "batch-settlement",
            Self::AuthCapture => "auth-capture",
        }
    }
}

impl TransferMethod {
    /// As policies write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Eip3009 => "eip3009",
            Self::Permit2 => "permit2",
            Self::Erc7710 => "erc7710",
        }
    }
}

impl X402 {
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Schemes(_) => "x402.schemes",
            Self::TransferMethods(_) => "x402.transfer_methods",
            Self::Flows(_) => "x402.flows",
            Self::MaxValidity(_) => "x402.max_validity",
            Self::SessionBudget(_) => "x402.session_budget",
        }
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let ask = view.ask;
        if ask.protocol() != Protocol::X402 {
            return Judgement::unconcerned(self.limit(), ask);
        }
        match self {
            Self::Schemes(allowed) => {
                let scheme = Scheme::Exact;
                self.judgement(allowed.contains(&scheme), scheme.word().to_owned())
            }
            Self::TransferMethods(allowed) => {
                let method = TransferMethod::Eip3009;
                self.judgement(allowed.contains(&method), method.word().to_owned())
            }
            Self::Flows(allowed) => self.judge_flow(allowed, ask),
            Self::MaxValidity(limit) => {
                let asked = ask.validity_seconds;
                let kept = asked.is_some_and(|asked| asked <= limit.seconds());
                self.judgement(kept, said(asked.map(|seconds| format!("{seconds}s"))))
            }
            Self::SessionBudget(budget) => session::budget(budget, view, Money::of(ask).amount),
        }
    }

    fn judge_flow(&self, allowed: &BTreeSet<PaymentFlow>, ask: &Ask<'_>) -> Judgement {
        let kept = ask.flow.is_some_and(|flow| allowed.contains(&flow));
        self.judgement(kept, said(ask.flow.map(|flow| flow.word().to_owned())))
    }

    fn judgement(&self, kept: bool, asked: String) -> Judgement {
        Judgement { kept, limit: self.limit(), asked, ..Judgement::default() }
    }

    fn limit(&self) -> String {
        match self {
            Self::Schemes(set) => words(set.iter().map(|scheme| scheme.word())),
            Self::TransferMethods(set) => words(set.iter().map(|method| method.word())),
            Self::Flows(set) => words(set.iter().map(|flow| flow.word())),
            Self::MaxValidity(length) => length.to_string(),
            Self::SessionBudget(budget) => budget.to_string(),
        }
    }
}

pub(super) fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

pub(super) fn said(asked: Option<String>) -> String {
    asked.unwrap_or_else(|| "unknown".to_owned())
}
