//! What lies around a payment: the past, the registry and the moment. Payments are judged in it.

use std::collections::BTreeSet;

use cedar_policy::PolicySet;
use tercet_policy::ask::Facts;
use tercet_policy::compile::{CompileError, Question};
use tercet_policy::decision::{Verdict, decide};
use tercet_policy::ledger::Ledger;
use tercet_policy::money::Amount;
use tercet_policy::registry::Registry;
use tercet_policy::rules::{Money, RuleKind};
use tercet_policy::time::UnixSeconds;

use super::super::file::Source;
use super::super::history::{Fate, Past as Paid};
use super::super::moment;
use super::super::payment::{Asked, PaymentFile};
use super::super::trial::Trial;
use super::{Also, Concrete, Draft, Goal};

/// How long ago a payment is that counts for no window, in seconds: 35 days.
const LONG_AGO_SECONDS: u64 = 3_024_000;
const HALF_HOUR_SECONDS: u64 = 1_800;
const HALF_HOURS_PER_WEEK: u64 = 336;
/// Most payments of the past that a scene has.
const TIMES_MAX: u64 = 500;
/// Most different pasts that are tried.
const PASTS_MAX: usize = 8;

/// What was paid before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Past {
    /// Nothing.
    Nothing,
    /// The smallest amount, long ago, to the same payee: it is nobody new.
    LongAgo,
    /// So often the smallest amount, a moment ago.
    Often(u64),
    /// So many base units at once, a moment ago.
    Much(u128),
}

impl Past {
    /// The pasts that rules count over, the plainest first.
    pub(super) fn all(sources: &[&Source]) -> Vec<Self> {
        let rules = sources.iter().flat_map(|source| source.policy.rules());
        let counted = rules.filter_map(|rule| match rule.kind() {
            RuleKind::Rate(rule) if (1..=TIMES_MAX).contains(&rule.count) => {
                Some(Self::Often(rule.count))
            }
            RuleKind::Limit(rule) => Some(Self::Much(rule.amount.amount.base_units())),
            _ => None,
        });
        let counted: BTreeSet<_> = counted.filter(|past| *past != Self::Much(0)).collect();
        [Self::Nothing, Self::LongAgo].into_iter().chain(counted).take(PASTS_MAX).collect()
    }

    /// How long ago, how much each time, how often.
    const fn payments(self) -> Option<(u64, u128, u64)> {
        match self {
            Self::Nothing => None,
            Self::LongAgo => Some((LONG_AGO_SECONDS, 1, 1)),
            Self::Often(times) => Some((1, 1, times)),
            Self::Much(units) => Some((1, units, 1)),
        }
    }
}

/// Moments of a week from now, and those at which dates begin or end.
pub(super) fn moments(sources: &[&Source]) -> Vec<UnixSeconds> {
    let now = moment::now().0;
    let begin = now.saturating_sub(now.rem_euclid(HALF_HOUR_SECONDS));
    let week = |begin: u64| {
        let at = move |n: u64| begin.saturating_add(n.saturating_mul(HALF_HOUR_SECONDS));
        (0..HALF_HOURS_PER_WEEK).map(at).map(UnixSeconds)
    };
    let rules = sources.iter().flat_map(|source| source.policy.rules());
    let begins = rules.filter_map(|rule| match rule.kind() {
        RuleKind::Dates(dates) => dates.from(),
        RuleKind::Blackout(blackout) => Some(blackout.until()),
        _ => None,
    });
    let begins: BTreeSet<_> = begins.collect();
    week(begin).chain(begins.into_iter().flat_map(|begin| week(begin.0))).collect()
}

/// A payment and what lies around it.
pub(super) struct Scene {
    draft: Draft,
    asked: Asked,
    registry: Option<Registry>,
    past: Vec<serde_json::Value>,
    ledger: Ledger,
}

impl Scene {
    pub(super) fn of(
        goal: &Goal<'_>,
        draft: &Draft,
        past: Past,
        at: UnixSeconds,
    ) -> Result<Self, String> {
        let payment = read(draft.at(&moment::text(at)))?;
        let asked = payment.asked(draft.who(), at)?;
        let registry = draft.registry().map(|registry| Registry::parse(&registry.to_string()));
        let registry = registry.transpose().map_err(|bad| bad.to_string())?;
        let mut scene =
            Self { draft: draft.clone(), asked, registry, past: Vec::new(), ledger: Ledger::new() };
        if let Some((ago, units, times)) = past.payments() {
            scene.pay(goal.sources, at.minus(ago), units, times)?;
        }
        Ok(scene)
    }

    /// Lets payments have been made.
    fn pay(
        &mut self,
        sources: &[&Source],
        at: UnixSeconds,
        units: u128,
        times: u64,
    ) -> Result<(), String> {
        let money = self.asked.money().ok_or("the payment is in no asset")?;
        let counted = Amount::from_base_units(units);
        let amount = Money { amount: counted, ..money };
        let written = self.draft.before(&moment::text(at), &amount.to_string(), times);
        let asked = read(written.clone())?.past(self.draft.who())?;
        let paid = Paid { asked, fate: Fate::Paid, counted, became: None, by_people: false };
        let mut trial = Trial::new(sources, self.registry.as_ref())?;
        (0..times).try_for_each(|_| trial.record(&paid))?;
        self.ledger = trial.into_ledger();
        self.past.push(written);
        Ok(())
    }

    /// The sums of this past, and the moment where it is fixed, as a Cedar expression; nothing
    /// for a payment that cannot be asked for.
    pub(super) fn expression(
        &self,
        goal: &Goal<'_>,
        with_moment: bool,
    ) -> Result<Option<String>, CompileError> {
        let Ok(ask) = self.asked.ask() else { return Ok(None) };
        let facts = self.facts();
        let sums = goal.compiled.sums(&ask, &facts)?;
        if !with_moment {
            return Ok(Some(sums));
        }
        Ok(Some(format!("{sums} && {}", goal.compiled.moment(&ask, &facts)?)))
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            registry: self.registry.as_ref(),
            balance: self.asked.balance,
            ..Facts::of(&self.ledger, self.asked.at)
        }
    }

    fn verdict(&self, sources: &[&Source]) -> Option<Verdict> {
        let ask = self.asked.ask().ok()?;
        let policies: Vec<_> = sources.iter().map(|source| &source.policy).collect();
        Some(decide(&policies, &ask, &self.facts()).verdict)
    }

    /// The payment, where the typed evaluator says that it does what was looked for.
    pub(super) fn judged(self, goal: &Goal<'_>) -> Option<Concrete> {
        let verdict = self.verdict(goal.sources)?;
        let does = match &goal.also {
            Also::Meets(question) => self.meets(goal, question),
            Also::NotBy(others, _) => !is_through(goal.question, self.verdict(others)?),
        };
        if !does || !is_through(goal.question, verdict) {
            return None;
        }
        let verdict = if verdict == Verdict::Approve { "approve" } else { "ask_human" };
        Some(Concrete {
            verdict: verdict.to_owned(),
            payment: self.draft.at(&moment::text(self.asked.at)),
            past: self.past,
            registry: self.draft.registry().cloned(),
        })
    }

    fn meets(&self, goal: &Goal<'_>, question: &PolicySet) -> bool {
        let ask = self.asked.ask().ok();
        let compiled = ask.and_then(|ask| goal.compiled.ask(&ask, &self.facts()).ok());
        compiled.is_some_and(|ask| ask.is_allowed_by(question))
    }
}

const fn is_through(question: Question, verdict: Verdict) -> bool {
    match (question, verdict) {
        (_, Verdict::Approve) | (Question::Admits, Verdict::AskHuman) => true,
        (Question::Approves, Verdict::AskHuman) | (_, Verdict::Refuse) => false,
    }
}

fn read(written: serde_json::Value) -> Result<PaymentFile, String> {
    serde_json::from_value(written).map_err(|error| error.to_string())
}
