//! The person at the other end: progress goes to standard error, and only where somebody looks.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

const TICK: Duration = Duration::from_millis(120);
const TEMPLATE: &str = "  {spinner} {prefix:<10} {wide_bar} {pos}/{len} {msg}";

/// Where progress is shown.
#[derive(Clone, Debug)]
pub struct Console {
    bars: MultiProgress,
    lines: bool,
}

impl Console {
    /// Progress bars on a terminal; nothing in a pipe or with `--json`.
    #[must_use]
    pub fn new(json: bool) -> Self {
        let seen = !json && std::io::stderr().is_terminal();
        let target = if seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), lines: !json }
    }

    /// No output at all.
    #[must_use]
    pub fn silent() -> Self {
        Self { bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()), lines: false }
    }

    /// A bar for work of known length; 0 while the length is not known.
    #[must_use]
    pub fn bar(&self, name: &str, total: u64) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new(total));
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(TICK);
        bar
    }

    /// One line for the person, above the bars, to standard output.
    pub fn line(&self, text: &str) {
        if self.lines {
            self.bars.suspend(|| write_out(text));
        }
    }

    /// Whether progress is drawn.
    #[must_use]
    pub fn is_drawn(&self) -> bool {
        !self.bars.is_hidden()
    }
}

/// Writes a line to standard output. A reader that has gone away is no error of ours.
pub fn write_out(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// Writes a line to standard error.
pub fn write_err(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
