#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

mod backtest;
mod cases;
mod check;
mod diff;
mod explain;
mod served;
mod sign;
mod starters;

use std::path::{Path, PathBuf};

use clap::Parser as _;

use super::*;
use crate::args::{Args, Command};
use crate::exit::Exit;

const POLICY: &str = r#"policy: research-01
epoch: 7
applies_to: { agent: research-01 }
rules:
  - max_amount: 0.50 USDC
  - limit: { amount: 1 USDC, per: day }
  - allow: { services: [api.search.example] }
"#;
const PAYEE: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";

/// A folder with files, and the command.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn ask(&self, words: &[&str]) -> Result<Answer, CliError> {
        let home = self.path("no-home");
        let args = [&["tercet", "--home", &home, "policy"], words].concat();
        let args = Args::try_parse_from(args).unwrap();
        let Command::Policy(command) = &args.command else { panic!("not a policy command") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Box::pin(run(command, &args)))
    }

    /// The exit code and the text of a command that does not succeed as a command.
    fn fails(&self, words: &[&str]) -> (Exit, String) {
        let error = self.ask(words).unwrap_err();
        (error.exit(), error.to_string())
    }
}

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

#[test]
fn the_reference_and_the_schema_are_printed() {
    let desk = Desk::new();
    let reference = desk.ask(&["reference"]).unwrap();
    let held = std::fs::read_to_string(repository("policy/REFERENCE.md")).unwrap();
    assert_eq!(reference.text, held.trim_end());
    assert!(reference.json["rules"].as_array().is_some_and(|rules| rules.len() > 15));
    let schema = desk.ask(&["schema"]).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&schema.text).unwrap(), schema.json);
    assert!(schema.json["properties"]["rules"].is_object());
}
