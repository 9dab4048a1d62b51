//! The solver: cvc5, a process of its own.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use cedar_policy::{Policy, PolicyId, PolicySet};
use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, CompiledPolicySet, Env};
use tokio::process::Command;

use super::{Also, Goal};
use crate::error::CliError;

/// Names the program, where it is not `cvc5` on the path.
const PROGRAM_VARIABLE: &str = "CVC5";
const PROGRAM: &str = "cvc5";
/// Texts and patterns need the whole theory of strings (cvc5 1.0 does not begin with it).
const ARGUMENTS: [&str; 3] = ["--lang", "smt", "--strings-exp"];
const NEXT: &str = "Install it with `apt-get install cvc5` (Debian), or from cvc5.github.io, and \
                    name the program in CVC5 where it is not on the path.";

/// A solver that is there.
#[derive(Clone, Debug)]
pub(in super::super) struct Solver {
    program: OsString,
    limit: Duration,
}

/// What it says to one question.
pub(super) enum Answer {
    /// There is no such payment.
    None,
    /// There is one.
    Model(Box<Env>),
    /// It does not know, and why.
    Unknown(String),
}

impl Solver {
    /// The solver, which may think so many seconds about each question.
    ///
    /// # Errors
    /// [`CliError::Setup`] where it is not installed, with where to get it.
    pub(in super::super) async fn find(seconds: u64) -> Result<Self, CliError> {
        let program = std::env::var_os(PROGRAM_VARIABLE).unwrap_or_else(|| PROGRAM.into());
        let mut command = Command::new(&program);
        command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let ran = command.kill_on_drop(true).status().await;
        let said = match ran {
            Ok(status) if status.success() => {
                return Ok(Self { program, limit: Duration::from_secs(seconds) });
            }
            Ok(status) => format!("it ends with {status}"),
            Err(error) if error.kind() == ErrorKind::NotFound => "it is not installed".to_owned(),
            Err(error) => error.to_string(),
        };
        let program = program.to_string_lossy();
        let detail = format!("the analysis needs the solver cvc5, and {program:?}: {said}");
        Err(CliError::Setup { detail, next: NEXT.to_owned() })
    }

    /// Whether there is a payment of the goal within `within`, Cedar expressions without errors.
    pub(super) async fn ask(&self, goal: &Goal<'_>, within: &[String]) -> Result<Answer, CliError> {
        let mut command = Command::new(&self.program);
        command.args(ARGUMENTS).kill_on_drop(true);
        let child = LocalSolver::from_command(&mut command);
        let child = child.map_err(|error| CliError::Failed(format!("cvc5: {error}")))?;
        let thinking = Box::pin(solve(goal, within, child));
        match tokio::time::timeout(self.limit, thinking).await {
            Ok(Ok(None)) => Ok(Answer::None),
            Ok(Ok(Some(model))) => Ok(Answer::Model(Box::new(model))),
            Ok(Err(error)) => Ok(Answer::Unknown(said(&error))),
            Err(_) => {
                let seconds = self.limit.as_secs();
                Ok(Answer::Unknown(format!("the solver did not answer within {seconds} s")))
            }
        }
    }
}

async fn solve(
    goal: &Goal<'_>,
    within: &[String],
    solver: LocalSolver,
) -> Result<Option<Env>, Error> {
    let schema = goal.compiled.schema();
    let Some(kind) = schema.request_envs().next() else {
        return Err(Error::ActionNotInSchema("pay".to_owned()));
    };
    let through = bounded(goal.compiled.policies(goal.question), within).map_err(|error| *error)?;
    let through = CompiledPolicySet::compile(&through, &kind, schema)?;
    let mut analysis = CedarSymCompiler::new(solver)?;
    match &goal.also {
        Also::Meets(question) => {
            let question = CompiledPolicySet::compile(question, &kind, schema)?;
            analysis.check_disjoint_with_counterexample_opt(&through, &question).await
        }
        Also::NotBy(_, other) => {
            let other = CompiledPolicySet::compile(other.policies(goal.question), &kind, schema)?;
            analysis.check_implies_with_counterexample_opt(&through, &other).await
        }
    }
}

/// The policies, which beyond the bounds let nothing through. Each bound is a policy of its own, so
/// that none is a long chain of conditions to type-check.
fn bounded(policies: &PolicySet, within: &[String]) -> Result<PolicySet, Box<Error>> {
    let mut policies = policies.clone();
    for (place, bound) in within.iter().enumerate() {
        let text = format!("forbid(principal, action, resource) unless {{ {bound} }};");
        let bound = Policy::parse(Some(PolicyId::new(format!("bound{place}"))), text);
        let added = bound.ok().and_then(|bound| policies.add(bound).ok());
        added.ok_or_else(|| Box::new(Error::NoPolicies))?;
    }
    Ok(policies)
}

fn said(error: &Error) -> String {
    match error {
        Error::SolverUnknown => "the solver did not decide".to_owned(),
        Error::PolicyNotWellTyped { errs } => {
            let errs: Vec<_> = errs.iter().map(ToString::to_string).collect();
            format!("{error}: {}", errs.join("; "))
        }
        error => format!("the analysis failed: {error}"),
    }
}
