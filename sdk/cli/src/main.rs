//! The `tercet` command. See `tercet help`.

use std::process::ExitCode;

use clap::Parser as _;
use tercet_cli::answer::error_json;
use tercet_cli::args::Args;
use tercet_cli::console::{Console, write_err, write_out};
use tercet_cli::exit::Exit;

fn main() -> anyhow::Result<ExitCode> {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return Ok(usage(&error)),
    };
    tercet_cli::tls::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (json, console) = (args.json, Console::new(args.json));
    let exit = match runtime.block_on(tercet_cli::run(args, &console)) {
        Ok(answer) => {
            write_out(&if json { answer.json.to_string() } else { answer.text });
            answer.exit
        }
        Err(error) => {
            let (exit, next) = (error.exit(), error.next());
            if json {
                write_out(&error_json(exit, &error.to_string(), &next, error.more()).to_string());
            } else {
                write_err(&format!("error: {error}\n  next: {next}"));
            }
            exit
        }
    };
    Ok(ExitCode::from(exit.code()))
}

/// Help and versions are no errors; the rest is, in JSON too where that was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args().any(|arg| arg == "--json");
    if error.use_stderr() && wants_json {
        let detail = error.to_string();
        write_out(
            &error_json(Exit::Usage, detail.trim(), "See `tercet help`.", serde_json::Value::Null)
                .to_string(),
        );
        return ExitCode::from(Exit::Usage.code());
    }
    // A closed pipe is no error of ours.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { Exit::Ok.code() })
}
