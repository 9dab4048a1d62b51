//! Measures what design names as numbers, and writes `BENCHMARKS.md` and `BENCHMARKS.json`.
//!
//! Promises: every figure is measured in this run, on programs of this tree, in the profile that
//! the report names (`make bench`: release); a missed target is written down as such; a part that
//! fails leaves its figures out, says why, and makes the program end with 1.
//!
//! Does not show: a network between the parties, or a disk other than this one. All processes share
//! the cores of this machine.
//!
//! `tercet-bench [quick] [PART..]`: `quick` makes few of each; parts are `policy admit stages sign
//! presign load wallets provisioning purchases mpp primes`, all of them if none is named, and only
//! then are the files written.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measuring program says what it does and what it found"
)]

mod cost;
mod examples;
mod figures;
mod house;
mod load;
mod mpp;
mod provisioning;
mod purchases;
mod report;
mod stages;
mod wallets;

use std::process::ExitCode;

use anyhow::Result;

use self::figures::Figures;

/// The parts, in the order in which they run.
const PARTS: [&str; 11] = [
    "policy",
    "admit",
    "stages",
    "sign",
    "presign",
    "load",
    "wallets",
    "provisioning",
    "purchases",
    "mpp",
    "primes",
];

/// How many of each.
#[derive(Clone, Copy, Debug)]
struct Scale {
    /// Whether to measure little: for whoever works on this program.
    quick: bool,
}

impl Scale {
    const fn of(self, full: u32, quick: u32) -> u32 {
        if self.quick { quick } else { full }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let scale = Scale { quick: words.iter().any(|word| word == "quick") };
    let named: Vec<_> = words.iter().filter(|word| *word != "quick").map(String::as_str).collect();
    if let Some(unknown) = named.iter().find(|word| !PARTS.contains(word)) {
        eprintln!("{unknown} is no part; there are: quick {}", PARTS.join(" "));
        return ExitCode::from(2);
    }
    let mut figures = Figures::default();
    for part in PARTS {
        if named.is_empty() || named.contains(&part) {
            println!("{part} ...");
            if let Err(error) = Box::pin(measure(part, scale, &mut figures)).await {
                eprintln!("{part} failed: {error:#}");
                figures.failed(part, &error);
            }
        }
    }
    if named.is_empty() {
        derive(&mut figures);
    }
    let written = if named.is_empty() { report::write(&figures) } else { Ok(()) };
    if let Err(error) = &written {
        eprintln!("the report is not written: {error:#}");
    }
    if written.is_ok() && figures.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What follows from figures of several parts.
fn derive(figures: &mut Figures) {
    let derivations = [("stages", stages::derive as fn(&mut Figures) -> _), ("cost", cost::derive)];
    for (what, derive) in derivations {
        if let Err(error) = derive(figures) {
            eprintln!("{what}: {error:#}");
            figures.failed(what, &error);
        }
    }
}

async fn measure(part: &str, scale: Scale, figures: &mut Figures) -> Result<()> {
    match part {
        "policy" => examples::policy(scale, figures).await,
        "admit" => examples::admit(scale, figures).await,
        "primes" => examples::primes(scale, figures).await,
        "stages" => stages::measure(scale, figures),
        "sign" => examples::sign(scale, figures).await,
        "presign" => examples::presign(scale, figures).await,
        "load" => load::measure(scale, figures).await,
        "wallets" => wallets::measure(scale, figures).await,
        "provisioning" => provisioning::measure(scale, figures).await,
        "mpp" => Box::pin(mpp::measure(scale, figures)).await,
        _ => Box::pin(purchases::measure(scale, figures)).await,
    }
}
