//! What a solver says of policies, and payments that show it.
//!
//! Promises: [`Finding::Never`] is said of every payment, every past, every counterparty and
//! every moment. [`Finding::Payment`] was judged by [`decide`](tercet_policy::decision::decide),
//! which nodes use too, and does what was looked for. Whatever is between the two is
//! [`Finding::Open`], with the reason.
//!
//! Rules that are not translated ([`Compiled::unmodelled`]) are taken to let everything through,
//! so they make [`Finding::Never`] rarer and never wrong.
//!
//! Does not protect against: a solver that errs. It is a program of its own, and it runs here, in
//! the command line, never beside a share.

mod compare;
mod concrete;
mod scene;
mod solver;

use cedar_policy::PolicySet;
use tercet_policy::compile::{CompileError, Compiled, Question};
use tercet_policy::time::UnixSeconds;

use super::file::Source;
use crate::error::CliError;

pub(super) use compare::compare;
pub(super) use concrete::Concrete;
pub(super) use solver::Solver;

use concrete::{Draft, Witness};
use scene::{Past, Scene, moments};
use solver::Answer;

/// Moments that are fixed one by one, where a payment hangs on the hour.
const MOMENTS_FIXED_MAX: usize = 3;
/// Moments that are tried after a past, which takes time to make up.
const MOMENTS_AFTER_MAX: usize = 24;

/// The payments that are looked for: those that policies let through, and that do something.
pub(super) struct Goal<'a> {
    /// The policies, which all apply.
    pub(super) sources: &'a [&'a Source],
    /// The same, compiled.
    pub(super) compiled: &'a Compiled,
    /// How they let a payment through.
    pub(super) question: Question,
    /// What the payment does.
    pub(super) also: Also<'a>,
}

/// What a payment that is looked for does.
pub(super) enum Also<'a> {
    /// It meets a condition: the one `permit` of this set.
    Meets(Box<PolicySet>),
    /// Other policies, compiled together with the first, do not let it through.
    NotBy(&'a [&'a Source], &'a Compiled),
}

/// What was found.
#[derive(Debug)]
pub(super) enum Finding {
    /// There is no such payment.
    Never,
    /// There is this one.
    Payment(Box<Concrete>),
    /// Neither was shown, and why.
    Open(String),
}

impl Goal<'_> {
    fn all_sources(&self) -> Vec<&Source> {
        let more = match &self.also {
            Also::Meets(_) => &[],
            Also::NotBy(sources, _) => *sources,
        };
        self.sources.iter().chain(more).copied().collect()
    }
}

/// A set with one `permit`, of payments that meet the expression.
pub(super) fn permit(expression: &str) -> Result<PolicySet, CliError> {
    let text = format!("permit(principal, action, resource) when {{ {expression}\n}};");
    text.parse().map_err(|error| CliError::Failed(format!("{error}")))
}

/// Looks for a payment; `names` are those that the question adds to the policies' own.
pub(super) async fn search(
    goal: &Goal<'_>,
    names: &[String],
    solver: &Solver,
) -> Result<Finding, CliError> {
    let domain = vec![goal.compiled.domain()];
    match solver.ask(goal, &domain).await? {
        Answer::None => return Ok(Finding::Never),
        Answer::Unknown(why) => return Ok(Finding::Open(why)),
        Answer::Model(_) => {}
    }
    let witness = Witness::of(goal, names)?;
    let mut payable = [domain, witness.expressions()].concat();
    payable.push(ON_BASE.to_owned());
    let on_base = solver.ask(goal, &payable).await?;
    let model = match on_base {
        Answer::None => {
            payable.pop();
            solver.ask(goal, &payable).await?
        }
        answer => answer,
    };
    let payee = match model {
        Answer::Model(model) => Draft::of(&model, &witness)?,
        Answer::None => return Ok(Finding::Open(NOBODY.to_owned())),
        Answer::Unknown(why) => return Ok(Finding::Open(why)),
    };
    for past in Past::all(&goal.all_sources()) {
        if let Some(found) = try_past(goal, &payable, &payee, past, (&witness, solver)).await? {
            return Ok(Finding::Payment(Box::new(found)));
        }
    }
    Ok(Finding::Open(NOTHING.to_owned()))
}

/// What is looked for first: every past can be made up on Base, where each protocol pays.
const ON_BASE: &str = r#"resource.asset == "USDC""#;
const NOBODY: &str = "no payment to anybody whom the policies name, or to a stranger, shows it";
const NOTHING: &str = "what the solver found is no payment that the policies let through: it \
                       hangs on the past, on the moment, or on rules that are not translated";

/// Looks for a payment after that past: first at any moment, then at some moments one by one.
async fn try_past(
    goal: &Goal<'_>,
    payable: &[String],
    payee: &Draft,
    past: Past,
    (witness, solver): (&Witness, &Solver),
) -> Result<Option<Concrete>, CliError> {
    let moments = moments(&goal.all_sources());
    let some = some_of(&moments, MOMENTS_FIXED_MAX);
    for fixed in std::iter::once(None).chain(some.iter().map(Some)) {
        let at = fixed.or(moments.first()).copied().unwrap_or_default();
        let Ok(scene) = Scene::of(goal, payee, past, at) else { continue };
        let Some(expression) = scene.expression(goal, fixed.is_some()).map_err(out_of_range)?
        else {
            continue;
        };
        let payee = (past != Past::Nothing).then(|| payee.same_payee());
        let within: Vec<_> = payable.iter().cloned().chain([expression]).chain(payee).collect();
        let model = match solver.ask(goal, &within).await? {
            Answer::Model(model) => model,
            // What no moment shows, no single one does.
            Answer::None if fixed.is_none() => break,
            Answer::None | Answer::Unknown(_) => continue,
        };
        let draft = Draft::of(&model, witness)?;
        let tried = match fixed {
            Some(at) => vec![*at],
            None if past == Past::Nothing => moments.clone(),
            None => some_of(&moments, MOMENTS_AFTER_MAX),
        };
        let scenes = tried.into_iter().filter_map(|at| Scene::of(goal, &draft, past, at).ok());
        if let Some(found) = scenes.into_iter().find_map(|scene| scene.judged(goal)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// So many of them, spread over all.
fn some_of(moments: &[UnixSeconds], most: usize) -> Vec<UnixSeconds> {
    let apart = moments.len().div_ceil(most).max(1);
    moments.iter().step_by(apart).copied().collect()
}

fn out_of_range(error: CompileError) -> CliError {
    CliError::Failed(error.to_string())
}
