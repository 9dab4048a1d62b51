//! `tercet-signer-node --role operator|agent|recovery --config FILE`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use tercet_signer::home::harden_process;
use tercet_signer_node::cli::{Cli, Told};

/// Threads of the async runtime: it waits and carries; protocols compute on threads of their own.
const RUNTIME_THREADS: usize = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before any secret is read.
    let hardening = harden_process();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(cli.perform(&hardening)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            drop(writeln!(std::io::stderr(), "tercet-signer-node: {}", Told(&error)));
            ExitCode::FAILURE
        }
    }
}
