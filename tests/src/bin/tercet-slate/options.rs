//! What a run is to be.

use alloy_primitives::Address;
use anyhow::{Context as _, Result, bail, ensure};
use tercet_tests::cluster::PAYEE;

/// What a run is to be.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Measured requests.
    pub(crate) iterations: u64,
    /// Requests before them, which are not measured.
    pub(crate) warmup: u64,
    /// Pause before each, in milliseconds.
    pub(crate) pause_ms: u64,
    /// What each pays, in base units.
    pub(crate) value: u128,
    /// To whom.
    pub(crate) to: Address,
    /// The service: a program and its words.
    pub(crate) command: Vec<String>,
}

impl Options {
    /// Reads flags up to `--`, and the command behind it.
    pub(crate) fn read(words: &[String]) -> Result<Self> {
        let mut options = Self {
            iterations: 50,
            warmup: 5,
            pause_ms: 100,
            value: 1_000,
            to: PAYEE,
            command: Vec::new(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                options.command = words.cloned().collect();
                break;
            }
            let value = words.next().with_context(|| format!("{word} needs a value"))?;
            match word.as_str() {
                "--iterations" => options.iterations = value.parse()?,
                "--warmup" => options.warmup = value.parse()?,
                "--pause-ms" => options.pause_ms = value.parse()?,
                "--value" => options.value = value.parse()?,
                "--to" => options.to = value.parse()?,
                _ => bail!("there is no {word}"),
            }
        }
        ensure!(!options.command.is_empty(), "name the service's command after --");
        ensure!(options.iterations > 0, "measure at least one");
        Ok(options)
    }
}
