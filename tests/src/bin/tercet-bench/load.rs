//! Figures of `tercet-load`: payments from stock, with presignatures of the insecure dealer, which
//! is why they are measured by a program of its own.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tercet_cli::demo::process::program;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::Scale;
use crate::figures::Figures;

/// Runs it, and takes over what it prints as it prints it.
pub(crate) async fn measure(scale: Scale, figures: &mut Figures) -> Result<()> {
    let words: &[&str] = if scale.quick { &["run", "quick"] } else { &["run"] };
    let mut child = Command::new(program("tercet-load"))
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("tercet-load: run `make bench`, which builds it")?;
    let stdout = child.stdout.take().context("it has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        take(&serde_json::from_str(&line)?, figures)?;
    }
    let status = child.wait().await?;
    ensure!(status.success(), "tercet-load ended with {status}; see above");
    Ok(())
}

fn take(line: &Value, figures: &mut Figures) -> Result<()> {
    let text = |field: &str| line.get(field).and_then(Value::as_str);
    match (text("note"), text("name"), line.get("value").and_then(Value::as_f64)) {
        (Some(note), None, None) => figures.note(note),
        (None, Some(name), Some(value)) => figures.add(name, value)?,
        _ => bail!("not a figure and not a note: {line}"),
    }
    Ok(())
}
