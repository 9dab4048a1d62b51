//! Whether a new version of policies lets more through than the old one, or less.

use serde_json::{Value, json};
use tercet_policy::compile::{Compiled, Question};

use super::{Also, Concrete, Finding, Goal, Solver, search};
use crate::command::policy::file::Source;
use crate::error::CliError;

/// How a new version stands to the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Relation {
    /// They let the same payments through, in every state.
    Equal,
    /// The new one lets through less.
    Narrower,
    /// The new one lets through more, and all that the old one does.
    Wider,
    /// Each lets something through that the other does not.
    Different,
    /// Not shown.
    Unknown,
}

impl Relation {
    /// For people and programs.
    pub(in super::super) const fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Narrower => "narrower",
            Self::Wider => "wider",
            Self::Different => "different",
            Self::Unknown => "unknown",
        }
    }
}

/// What the analysis of two versions found.
#[derive(Debug)]
pub(in super::super) struct Compared {
    /// Of what is approved and nobody is asked about.
    approves: Relation,
    /// Of what is not refused: approved, or put to people.
    admits: Relation,
    /// A payment that the new version lets through and the old one does not.
    loosened: Option<Box<Concrete>>,
    /// Why something is not known.
    open: Option<String>,
    unmodelled: Vec<String>,
}

/// Compares two versions of a policy (`tercet policy diff` calls this with the files it read).
///
/// # Errors
/// [`CliError::Setup`] without a solver: find it with [`Solver::find`].
pub(in super::super) async fn compare(
    old: &Source,
    new: &Source,
    solver: &Solver,
) -> Result<Compared, CliError> {
    let failed = |error: tercet_policy::compile::CompileError| CliError::Failed(error.to_string());
    let (of_old, of_new) = Compiled::pair(&[&old.policy], &[&new.policy]).map_err(failed)?;
    let mut compared = Compared {
        approves: Relation::Unknown,
        admits: Relation::Unknown,
        loosened: None,
        open: None,
        unmodelled: of_old.unmodelled().chain(of_new.unmodelled()).map(rule).collect(),
    };
    compared.unmodelled.sort();
    compared.unmodelled.dedup();
    let (old, new) = ([old], [new]);
    let asks = |compiled: &Compiled| {
        compiled.policies_text(Question::Approves) != compiled.policies_text(Question::Admits)
    };
    let nobody_is_asked = !asks(&of_old) && !asks(&of_new);
    for question in [Question::Approves, Question::Admits] {
        let also = Also::NotBy(&old, &of_old);
        let more = Goal { sources: &new, compiled: &of_new, question, also };
        let also = Also::NotBy(&new, &of_new);
        let less = Goal { sources: &old, compiled: &of_old, question, also };
        let more = Box::pin(search(&more, &[], solver)).await?;
        let less = Box::pin(search(&less, &[], solver)).await?;
        compared.take(question, more, less);
        if nobody_is_asked {
            compared.admits = compared.approves;
            break;
        }
    }
    Ok(compared)
}

fn rule(rule: tercet_policy::compile::Unmodelled<'_>) -> String {
    rule.word.to_owned()
}

impl Compared {
    fn take(&mut self, question: Question, more: Finding, less: Finding) {
        let relation = match (&more, &less) {
            (Finding::Open(why), _) | (_, Finding::Open(why)) => {
                self.open = Some(why.clone());
                Relation::Unknown
            }
            (Finding::Never, Finding::Never) => Relation::Equal,
            (Finding::Never, Finding::Payment(_)) => Relation::Narrower,
            (Finding::Payment(_), Finding::Never) => Relation::Wider,
            (Finding::Payment(_), Finding::Payment(_)) => Relation::Different,
        };
        if let Finding::Payment(payment) = more {
            self.loosened.get_or_insert(payment);
        }
        match question {
            Question::Approves => self.approves = relation,
            Question::Admits => self.admits = relation,
        }
    }

    /// For people.
    pub(in super::super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "by analysis: what it approves by itself is {}, what it does not refuse is {}",
            self.approves.word(),
            self.admits.word()
        )];
        if let Some(payment) = &self.loosened {
            lines.push("  the new version lets this through, and the old one does not:".to_owned());
            lines.extend(payment.lines().iter().map(|line| format!("    {line}")));
        }
        lines.extend(self.open.as_ref().map(|why| format!("  unknown: {why}")));
        if !self.unmodelled.is_empty() {
            let rules = self.unmodelled.join(", ");
            lines.push(format!("  not translated, and taken to let everything through: {rules}"));
        }
        lines
    }

    /// For programs.
    pub(in super::super) fn json(&self) -> Value {
        json!({
            "approves": self.approves.word(),
            "admits": self.admits.word(),
            "loosened": self.loosened.as_ref().map(|payment| payment.json()),
            "open": self.open,
            "unmodelled": self.unmodelled,
        })
    }
}
