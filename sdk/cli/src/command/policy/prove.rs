//! `tercet policy prove`: that policies never let a payment through, or one that they do.
//!
//! Promises: `proved` holds for every payment, past, counterparty and moment, as far as amounts
//! and sums fit 62 bits. A counterexample was judged by the evaluator that nodes use. Whatever
//! is neither ends with a code of its own.
//!
//! Does not protect against: a question that asks for something else than was meant. The answer
//! says in Cedar what was understood.

mod question;

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};
use tercet_policy::compile::{Compiled, Question, Unmodelled, holds};
use tercet_policy::condition::Condition;

use super::file::{Source, yaml};
use super::symbolic::{Also, Finding, Goal, Solver, permit, search};
use crate::answer::Answer;
use crate::args::Prove;
use crate::error::CliError;
use crate::exit::Exit;
use question::{Around, Asked};

/// Runs the command.
pub(super) async fn run(prove: &Prove) -> Result<Answer, CliError> {
    let sources = prove.files.iter().map(|file| Source::read(file));
    let sources: Vec<_> = sources.collect::<Result<_, _>>()?;
    let sources: Vec<_> = sources.iter().collect();
    let policies: Vec<_> = sources.iter().map(|source| &source.policy).collect();
    let compiled = Compiled::of(&policies).map_err(|error| CliError::Failed(error.to_string()))?;
    let asked = asked(prove, &sources, &compiled)?;
    let solver = Solver::find(prove.timeout).await?;
    let goal = Goal {
        sources: &sources,
        compiled: &compiled,
        question: asked.question,
        also: Also::Meets(Box::new(permit(&asked.expression)?)),
    };
    let began = Instant::now();
    let found = Box::pin(search(&goal, &asked.names, &solver)).await?;
    let said = prove.never.clone().or_else(|| prove.cedar.clone()).unwrap_or_default();
    let report = Report {
        said: &said,
        asked: &asked,
        unmodelled: compiled.unmodelled().collect(),
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    Ok(report.answer(&found))
}

/// What is asked, in plain words or in Cedar.
fn asked(prove: &Prove, sources: &[&Source], compiled: &Compiled) -> Result<Asked, CliError> {
    if let Some(expression) = &prove.cedar {
        let condition = Condition::parse(expression, compiled.context());
        let condition = condition.map_err(|bad| CliError::Usage(bad.to_string()))?;
        let question = if prove.without_asking { Question::Approves } else { Question::Admits };
        let names = expression.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        return Ok(Asked { question, expression: holds(&condition), names });
    }
    let text = prove.never.as_deref().unwrap_or_default();
    let lists = lists(sources)?;
    question::read(text, &Around { lists: &lists, compiled }).map_err(CliError::Usage)
}

/// The named lists of a policy file, which is known to be one.
#[derive(Deserialize)]
struct Lists {
    #[serde(default)]
    lists: BTreeMap<String, Vec<String>>,
}

fn lists(sources: &[&Source]) -> Result<BTreeMap<String, Vec<String>>, CliError> {
    let mut all = BTreeMap::new();
    for source in sources {
        let file: Lists = yaml(&source.path, &source.yaml, "a policy")?;
        for (name, entries) in file.lists {
            let twice = || CliError::Usage(format!("two of the policies have a list {name:?}"));
            match all.get(&name) {
                Some(other) if *other != entries => return Err(twice()),
                _ => drop(all.insert(name, entries)),
            }
        }
    }
    Ok(all)
}

struct Report<'a> {
    said: &'a str,
    asked: &'a Asked,
    unmodelled: Vec<Unmodelled<'a>>,
    milliseconds: u64,
}

impl Report<'_> {
    fn answer(&self, found: &Finding) -> Answer {
        let (word, exit) = match found {
            Finding::Never => ("proved", Exit::Ok),
            Finding::Payment(_) => ("counterexample", Exit::Counterexample),
            Finding::Open(_) => ("unknown", Exit::NotProved),
        };
        let mut lines = vec![match found {
            Finding::Never => format!("proved: never: {}", self.said),
            Finding::Payment(_) => format!("not so: {}: this payment does", self.said),
            Finding::Open(why) => {
                format!("not proved, no concrete payment found: {}: {why}", self.said)
            }
        }];
        if let Finding::Payment(payment) = found {
            lines.extend(payment.lines().iter().map(|line| format!("  {line}")));
        }
        let text =
            |rule: &Unmodelled<'_>| format!("{} line {} {}", rule.policy, rule.line, rule.word);
        let unmodelled: Vec<_> = self.unmodelled.iter().map(text).collect();
        if !unmodelled.is_empty() {
            lines.push(format!(
                "not translated, and taken to let everything through: {}",
                unmodelled.join(", ")
            ));
        }
        lines.push(format!("understood as: {}", self.asked.expression));
        let payment = match found {
            Finding::Payment(payment) => payment.json(),
            _ => Value::Null,
        };
        let why = match found {
            Finding::Open(why) => Some(why),
            _ => None,
        };
        let json = json!({
            "answer": word, "question": self.said, "cedar": self.asked.expression,
            "counterexample": payment, "why": why, "unmodelled": unmodelled,
            "milliseconds": self.milliseconds,
        });
        Answer::new(lines.join("\n"), json).ending(exit)
    }
}
