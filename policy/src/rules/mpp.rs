//! `mpp`: what a payment over the Machine Payments Protocol may be like. Other payments are not
//! its concern.
//!
//! Promises: what a rule asks for and the payment does not say is not kept. A deposit counts in
//! full as what its session costs until the session has ended; vouchers draw on it and cost
//! nothing more.
//!
//! Does not protect against: an agent that opens a new session for every request. Put a `limit`
//! and `max_concurrent_sessions` beside a `session_budget`.

use std::collections::BTreeSet;

use crate::ask::{MppAsk, MppIntent, MppMethod, VoucherSigner};
use crate::declared::HttpMethod;
use crate::money::Amount;
use crate::rows::PaymentKind;
use crate::rules::x402::{said, words};
use crate::rules::{Judgement, Length, Money, View, session};

/// One demand of an `mpp` rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mpp {
    /// Highest deposit of one session, with all that is put on top of it.
    MaxDeposit(Money),
    /// Highest sum of one session.
    SessionBudget(Money),
    /// Most sessions that are open at once.
    MaxConcurrentSessions(u64),
    /// How long a session may last.
    MaxSessionDuration(Length),
    /// The intents that may be used.
    Intents(BTreeSet<MppIntent>),
    /// The payment methods that may be used.
    Methods(BTreeSet<MppMethod>),
    /// The methods of HTTP whose requests may be paid for.
    HttpMethods(BTreeSet<HttpMethod>),
    /// Most that a voucher may add to the one before it.
    MaxVoucherStep(Money),
    /// Who has to sign vouchers.
    VoucherSigner(VoucherSigner),
}

impl Mpp {
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::MaxDeposit(_) => "mpp.max_deposit",
            Self::SessionBudget(_) => "mpp.session_budget",
            Self::MaxConcurrentSessions(_) => "mpp.max_concurrent_sessions",
            Self::MaxSessionDuration(_) => "mpp.max_session_duration",
            Self::Intents(_) => "mpp.intents",
            Self::Methods(_) => "mpp.methods",
            Self::HttpMethods(_) => "mpp.http_methods",
            Self::MaxVoucherStep(_) => "mpp.max_voucher_step",
            Self::VoucherSigner(_) => "mpp.voucher_signer",
        }
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let Some(mpp) = &view.ask.mpp else {
            return Judgement::unconcerned(self.limit(), view.ask);
        };
        match self {
            Self::Intents(allowed) => {
                self.judgement(allowed.contains(&mpp.intent), mpp.intent.word().to_owned())
            }
            Self::Methods(allowed) => {
                self.judgement(allowed.contains(&mpp.method), mpp.method.word().to_owned())
            }
            Self::HttpMethods(allowed) => {
                let asked = mpp.http_method;
                self.judgement(allowed.contains(&asked), asked.word().to_owned())
            }
            _ if mpp.intent == MppIntent::Charge => self.unconcerned(mpp),
            _ => self.judge_session(mpp, view),
        }
    }

    /// What only sessions have: deposits, vouchers and an end.
    fn judge_session(&self, mpp: &MppAsk, view: &View<'_>) -> Judgement {
        match self {
            Self::MaxDeposit(limit) => self.judge_deposit(limit, mpp, view),
            Self::SessionBudget(budget) => {
                // Whatever is no voucher could be a deposit.
                let voucher = mpp.voucher_step.is_some() && mpp.deposit.is_none();
                let more = mpp.deposit.unwrap_or(view.ask.amount);
                session::budget(budget, view, if voucher { Amount::ZERO } else { more })
            }
            Self::MaxConcurrentSessions(limit) => self.judge_number(*limit, mpp, view),
            Self::MaxSessionDuration(limit) => {
                let asked = mpp.duration_seconds;
                let kept = match asked {
                    Some(seconds) => seconds <= limit.seconds(),
                    // The length of a session is settled when money is put into it.
                    None => mpp.deposit.is_none() && mpp.voucher_step.is_some(),
                };
                self.judgement(kept, said(asked.map(|seconds| format!("{seconds}s"))))
            }
            Self::MaxVoucherStep(limit) => match (mpp.voucher_step, mpp.deposit) {
                (None, Some(_)) => self.unconcerned(mpp),
                (step, _) => {
                    let step = step.map(|step| Money::of(view.ask).with(step));
                    let kept = step.is_some_and(|step| limit.holds(&step));
                    self.judgement(kept, said(step.map(|step| step.to_string())))
                }
            },
            Self::VoucherSigner(signer) => {
                let asked = mpp.voucher_signer;
                self.judgement(*signer == asked, asked.word().to_owned())
            }
            Self::Intents(_) | Self::Methods(_) | Self::HttpMethods(_) => self.unconcerned(mpp),
        }
    }

    /// What is put on top of a deposit is more of it.
    fn judge_deposit(&self, limit: &Money, mpp: &MppAsk, view: &View<'_>) -> Judgement {
        match mpp.deposit {
            Some(deposit) => session::budget(limit, view, deposit),
            None if mpp.voucher_step.is_some() => self.unconcerned(mpp),
            None => self.judgement(false, said(None)),
        }
    }

    fn judge_number(&self, limit: u64, mpp: &MppAsk, view: &View<'_>) -> Judgement {
        if mpp.deposit.is_none() && mpp.voucher_step.is_some() {
            return self.unconcerned(mpp);
        }
        let (ledger, subject) = (view.facts.ledger, view.subject());
        let open = u64::try_from(ledger.open_sessions(subject)).unwrap_or(u64::MAX);
        // What is put on top of a deposit opens no other session.
        let is_open = |name| ledger.is_open_session(subject, name);
        let on_top = match view.ask.kind {
            PaymentKind::MppTopUp => true,
            // Whatever it is called, it is a channel more.
            PaymentKind::MppOpen => false,
            _ => view.ask.session.is_some_and(is_open),
        };
        let asked = u64::from(!on_top);
        Judgement {
            kept: open.checked_add(asked).is_some_and(|all| all <= limit),
            limit: limit.to_string(),
            current: Some(open.to_string()),
            asked: asked.to_string(),
            ..Judgement::default()
        }
    }

    fn unconcerned(&self, mpp: &MppAsk) -> Judgement {
        let asked = if mpp.intent == MppIntent::Charge { "a charge" } else { "no such thing" };
        self.judgement(true, asked.to_owned())
    }

    fn judgement(&self, kept: bool, asked: String) -> Judgement {
        Judgement { kept, limit: self.limit(), asked, ..Judgement::default() }
    }

    fn limit(&self) -> String {
        match self {
            Self::MaxDeposit(money) | Self::SessionBudget(money) | Self::MaxVoucherStep(money) => {
                money.to_string()
            }
            Self::MaxConcurrentSessions(number) => number.to_string(),
            Self::MaxSessionDuration(length) => length.to_string(),
            Self::Intents(set) => words(set.iter().map(|intent| intent.word())),
            Self::Methods(set) => words(set.iter().map(|method| method.word())),
            Self::HttpMethods(set) => words(set.iter().map(|method| method.word())),
            Self::VoucherSigner(signer) => signer.word().to_owned(),
        }
    }
}
