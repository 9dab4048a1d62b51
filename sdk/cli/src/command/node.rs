//! `tercet node`: who is connected, and what a node says of itself.

mod own;

use serde_json::json;
use tercet_api::resource::NodeView;

use crate::answer::Answer;
use crate::args::{Args, Node};
use crate::error::CliError;
use crate::line;

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(command: &Node, args: &Args) -> Result<Answer, CliError> {
    match command {
        Node::Status(of) => match own::address(of)? {
            Some(address) => own::status(address).await,
            None => connected(args).await,
        },
    }
}

async fn connected(args: &Args) -> Result<Answer, CliError> {
    let nodes = line::open(args)?.nodes().await?;
    let lines: Vec<_> = nodes.iter().map(line).collect();
    let text = if lines.is_empty() { "no nodes are known".into() } else { lines.join("\n") };
    Ok(Answer::new(text, json!({ "nodes": nodes })))
}

fn line(node: &NodeView) -> String {
    let state = if node.connected { "connected" } else { "away" };
    let rows = node.journal_rows.map_or("-".into(), |rows| rows.to_string());
    let head = node.journal_head.map_or_else(String::new, |head| head.to_string());
    format!("{:<20} {state:<10} {rows:>8} rows  {}", node.id.as_str(), head.get(..16).unwrap_or(""))
}

#[cfg(test)]
mod tests;
