//! Where the limits of an agent's policies stand, by the preview's book.
//!
//! Promises: one line for each limit, rate and budget of each policy and for each thing it counts
//! apart; what is shown of a policy that counts other agents' payments too is apart only for what
//! this agent has paid itself.
//!
//! Does not protect against: the node's book, which counts, standing elsewhere for a moment.

use alloy_primitives::Address;
use tercet_api::policy::BudgetView;
use tercet_policy::intent::Service;
use tercet_policy::ledger::{Axis, Ledger, Measure, Scope};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::rules::{Mode, Money, Mpp, Policy, Rule, RuleKind, X402};
use tercet_policy::subject::Subject;
use tercet_policy::time::UnixSeconds;
use tercet_policy::window::Window;

/// Most lines that are listed.
pub const BUDGETS_MAX: usize = 500;
/// Decimals of what chains take fees in.
const NATIVE_DECIMALS: u8 = 18;

/// What to list.
#[derive(Clone, Copy, Debug)]
pub struct BudgetsWish<'a> {
    /// Of this agent.
    pub agent: &'a AgentId,
    /// For payments to this service: what is counted for others apart is left out.
    pub service: Option<&'a Service>,
}

/// What a rule counts.
struct Counter<'a> {
    measure: Measure,
    axis: Option<Axis>,
    /// None for a session, which has no window.
    window: Option<&'a Window>,
    limit: u128,
    unit: &'static str,
    decimals: u8,
}

/// The budgets of `policies`, at most [`BUDGETS_MAX`], and whether some were left out.
#[must_use]
pub fn budgets(
    policies: &[&Policy],
    ledger: &Ledger,
    now: UnixSeconds,
    wish: BudgetsWish<'_>,
) -> (Vec<BudgetView>, bool) {
    let now = ledger.clamp(now);
    let mut lines = Vec::new();
    for policy in policies {
        for rule in policy.rules() {
            let Some(counter) = Counter::of(rule) else { continue };
            for scope in counter.scopes(policy.subject(), ledger, now, wish) {
                if lines.len() >= BUDGETS_MAX {
                    return (lines, true);
                }
                lines.push(line(policy, rule, &counter, ledger, now, &scope));
            }
        }
    }
    (lines, false)
}

impl<'a> Counter<'a> {
    fn of(rule: &'a Rule) -> Option<Self> {
        Some(match rule.kind() {
            RuleKind::Limit(rule) => Self::money(&rule.amount, rule.by, Some(&rule.window)),
            RuleKind::Rate(rule) => Self {
                measure: Measure::Count,
                axis: rule.by,
                window: Some(&rule.window),
                limit: u128::from(rule.count),
                unit: "payments",
                decimals: 0,
            },
            RuleKind::MaxFee(rule) => Self {
                measure: Measure::FeeWei,
                axis: None,
                window: Some(rule.window.as_ref()?),
                limit: rule.amount.wei().base_units(),
                unit: "ETH",
                decimals: NATIVE_DECIMALS,
            },
            RuleKind::X402(X402::SessionBudget(money))
            | RuleKind::Mpp(Mpp::SessionBudget(money)) => {
                Self::money(money, Some(Axis::Session), None)
            }
            _ => return None,
        })
    }

    fn money(money: &Money, axis: Option<Axis>, window: Option<&'a Window>) -> Self {
        Self {
            measure: Measure::Amount(money.symbol),
            axis,
            window,
            limit: money.amount.base_units(),
            unit: money.symbol,
            decimals: money.decimals,
        }
    }

    fn since(&self, now: UnixSeconds) -> UnixSeconds {
        self.window.map_or(UnixSeconds(0), |window| window.since(now))
    }

    /// What it counts apart, as far as the agent has paid it.
    fn scopes(
        &self,
        subject: &Subject,
        ledger: &Ledger,
        now: UnixSeconds,
        wish: BudgetsWish<'_>,
    ) -> Vec<Scope> {
        let Some(axis) = self.axis else { return vec![Scope::Total] };
        let own = Subject::Agent(wish.agent.clone());
        let payer = if *subject == Subject::Organisation { &own } else { subject };
        let mut scopes = ledger.scopes(payer, axis, self.since(now));
        // Payments outside of sessions are in no session's budget.
        scopes.retain(|scope| *scope != Scope::Session(None));
        let Some(service) = wish.service else { return scopes };
        scopes.retain(|scope| match scope {
            Scope::Service(of) => of.as_ref() == Some(service),
            Scope::Endpoint(of) => of.as_ref().is_some_and(|of| of.service == *service),
            _ => false,
        });
        if axis == Axis::Service && scopes.is_empty() {
            scopes.push(Scope::Service(Some(service.clone())));
        }
        scopes
    }

    fn figure(&self, units: u128) -> String {
        Amount::from_base_units(units).to_decimal(self.decimals)
    }

    fn per(&self) -> String {
        match (self.window, self.axis) {
            (None, _) => "session".to_owned(),
            (Some(window), None) => window.to_string(),
            (Some(window), Some(axis)) => format!("{window} by {}", axis.word()),
        }
    }
}

fn line(
    policy: &Policy,
    rule: &Rule,
    counter: &Counter<'_>,
    ledger: &Ledger,
    now: UnixSeconds,
    scope: &Scope,
) -> BudgetView {
    let (subject, since) = (policy.subject(), counter.since(now));
    let standing = ledger.standing(subject, counter.measure, scope, since);
    let used = standing.reserved.saturating_add(standing.spent);
    let oldest = ledger.moment_of(subject, counter.measure, scope, since, 1);
    let resets_at = counter.window.zip(oldest.filter(|_| used > 0));
    BudgetView {
        policy: policy.name().to_owned(),
        epoch: policy.epoch(),
        subject: subject.clone(),
        mode: match policy.mode() {
            Mode::Enforce => "enforce".to_owned(),
            Mode::Warn => "warn".to_owned(),
        },
        rule: rule.place(),
        kind: rule.kind().word().to_owned(),
        per: counter.per(),
        of: of(scope),
        unit: counter.unit.to_owned(),
        limit: counter.figure(counter.limit),
        reserved: counter.figure(standing.reserved),
        spent: counter.figure(standing.spent),
        available: counter.figure(counter.limit.saturating_sub(used)),
        resets_at: resets_at.and_then(|(window, oldest)| window.leaves_at(oldest, now)),
    }
}

/// A scope as people read it; payments that have none of it are `none`.
fn of(scope: &Scope) -> Option<String> {
    fn or_none<T: ToString>(of: Option<&T>) -> String {
        of.map_or_else(|| "none".to_owned(), ToString::to_string)
    }
    Some(match scope {
        Scope::Total => return None,
        Scope::Recipient(of) => or_none::<Address>(of.as_ref()),
        Scope::Service(of) => or_none(of.as_ref()),
        Scope::Endpoint(of) => or_none(of.as_ref()),
        Scope::Category(of) => or_none(of.as_ref()),
        Scope::Session(of) => or_none(of.as_ref()),
        Scope::Protocol(of) => of.word().to_owned(),
        Scope::Asset(of) => (*of).to_owned(),
    })
}
