//! How the demo tells what happens: one heading per step, what came of it, and how long it took.

use std::time::Instant;

use serde_json::{Value, json};
use tercet_api::resource::{CeremonyStatus, CeremonyView};

use crate::console::Console;
use indicatif::ProgressBar;

/// What has been shown.
#[derive(Debug)]
pub struct Show<'a> {
    console: &'a Console,
    begun: Instant,
    since: Instant,
    steps: Vec<Value>,
}

impl<'a> Show<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new(console: &'a Console) -> Self {
        Self { console, begun: Instant::now(), since: Instant::now(), steps: Vec::new() }
    }

    /// A step is done; `lines` say what came of it. The next one begins.
    pub fn step(&mut self, title: &str, lines: &[String]) {
        let took = self.since.elapsed();
        let place = self.steps.len().saturating_add(1);
        self.console.line(&format!("{place:>2}  {title:<58} {:>7.2} s", took.as_secs_f64()));
        lines.iter().for_each(|line| self.console.line(&format!("      {line}")));
        self.steps.push(json!({ "step": title, "ms": took.as_millis(), "says": lines }));
        self.since = Instant::now();
    }

    /// A line between steps.
    pub fn say(&self, text: &str) {
        self.console.line(text);
    }

    /// Bars for the three parties of a ceremony.
    #[must_use]
    pub fn ceremony(&self) -> CeremonyBars<'a> {
        CeremonyBars { console: self.console, bars: Vec::new(), said: Vec::new() }
    }

    /// All steps, and the time they took together.
    #[must_use]
    pub fn end(self) -> Value {
        json!({ "steps": self.steps, "ms": self.begun.elapsed().as_millis() })
    }
}

/// What each party of a ceremony is doing: bars on a terminal, lines elsewhere.
#[derive(Debug)]
pub struct CeremonyBars<'a> {
    console: &'a Console,
    bars: Vec<(String, ProgressBar)>,
    said: Vec<String>,
}

impl CeremonyBars<'_> {
    /// Shows where it stands now.
    pub fn show(&mut self, view: &CeremonyView) {
        for party in &view.progress {
            let (done, total) = (u64::from(party.done), u64::from(party.total));
            let bar = self.bar(&party.party, total);
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(party.stage.clone());
            // A pipe gets each beginning of a stage and every quarter of it.
            let quarter = done.saturating_mul(4).checked_div(total.max(1)).unwrap_or(0);
            let key = format!("{} {} {quarter}", party.party, party.stage);
            if !self.console.is_drawn() && !self.said.contains(&key) {
                self.said.push(key);
                self.console
                    .line(&format!("      {:<9} {} {done}/{total}", party.party, party.stage));
            }
        }
        if matches!(view.status, CeremonyStatus::Done | CeremonyStatus::Failed) {
            self.bars.iter().for_each(|(_, bar)| bar.finish_and_clear());
        }
    }

    fn bar(&mut self, party: &str, total: u64) -> ProgressBar {
        if let Some((_, bar)) = self.bars.iter().find(|(name, _)| name == party) {
            return bar.clone();
        }
        let bar = self.console.bar(party, total);
        self.bars.push((party.to_owned(), bar.clone()));
        bar
    }
}
