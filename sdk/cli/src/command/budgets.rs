//! `tercet budgets`: where the limits of policies stand.

use tercet::client::BudgetsAsked;
use tercet_api::policy::{BudgetPage, BudgetView};

use super::table::{lines, or_dash};
use crate::answer::Answer;
use crate::args::{Args, Budgets};
use crate::error::CliError;
use crate::line;

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(asked: &Budgets, args: &Args) -> Result<Answer, CliError> {
    let client = line::open(args)?;
    let asked = BudgetsAsked {
        agent: asked.agent.clone(),
        wallet: asked.wallet,
        service: asked.service.clone(),
    };
    let page = client.budgets(&asked).await?;
    Ok(Answer::of(text(&page), &page))
}

fn text(page: &BudgetPage) -> String {
    let mut text = vec![format!("budgets of {}, as the coordinator sees them", page.agent)];
    if page.budgets.is_empty() {
        text.push("  no policy counts anything".to_owned());
    } else {
        let head =
            ["policy", "rule", "per", "of", "limit", "reserved", "spent", "left", "resets at"];
        let rows: Vec<_> = page.budgets.iter().map(row).collect();
        text.extend(lines(head, &rows));
    }
    if page.truncated {
        text.push("  and more: ask for one service with --service".to_owned());
    }
    text.join("\n")
}

fn row(line: &BudgetView) -> [String; 9] {
    let mode = if line.mode == "warn" { " (warns)" } else { "" };
    [
        format!("{} {}{mode}", line.policy, line.epoch),
        format!("{} {}", line.rule, line.kind),
        line.per.clone(),
        or_dash(line.of.as_ref()),
        format!("{} {}", line.limit, line.unit),
        line.reserved.clone(),
        line.spent.clone(),
        line.available.clone(),
        or_dash(line.resets_at),
    ]
}

#[cfg(test)]
mod tests;
