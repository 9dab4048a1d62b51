use std::path::PathBuf;

use clap::Parser as _;
use tercet_policy::document::{Authority, AuthorityConfig};
use tercet_policy::rules::SignedPolicy;

use super::*;
use crate::args::{Args, Command};
use crate::exit::Exit;
use crate::keyfile::AuthorityKey;

const POLICY: &str = r#"
policy: research-01
epoch: 7
applies_to: { agent: research-01 }
rules:
  - max_amount: 0.50 USDC
  - limit: { amount: 1 USDC, per: day }
  - allow: { services: [api.search.example] }
"#;
const PAYEE: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn ask(&self, words: &[&str]) -> Result<Answer, CliError> {
        let args = Args::try_parse_from([&["tercet", "policy"], words].concat()).unwrap();
        let Command::Policy(command) = &args.command else { panic!("not a policy command") };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(command, &args))
    }
}

#[test]
fn explain_shows_every_rule_with_its_numbers() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", POLICY);
    let past = desk.file(
        "past.json",
        &format!(
            r#"[{{"amount":"0.80","to":"{PAYEE}","service":"api.search.example","at":1700000000}}]"#
        ),
    );
    let (policy, past) = (policy.to_str().unwrap(), past.to_str().unwrap());
    let ask = |amount: &str, service: &str| {
        desk.ask(&[
            "explain",
            policy,
            "--amount",
            amount,
            "--to",
            PAYEE,
            "--service",
            service,
            "--ledger",
            past,
            "--at",
            "1700000060",
        ])
        .unwrap()
    };
    let small = ask("0.10", "api.search.example");
    assert_eq!((small.exit, small.json["approved"].as_bool()), (Exit::Ok, Some(true)));
    let large = ask("0.60", "api.search.example");
    assert_eq!(large.exit, Exit::Refused);
    let findings = large.json["decision"]["findings"].as_array().unwrap();
    let kept: Vec<_> = findings.iter().map(|f| f["kept"].as_bool().unwrap()).collect();
    assert_eq!(kept, [false, false, true]);
    assert!(large.text.contains("already 0.8 USDC"), "{}", large.text);
    let elsewhere = ask("0.10", "other.example");
    assert_eq!(elsewhere.exit, Exit::Refused);
}

#[test]
fn amounts_that_are_none_are_usage_errors() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", POLICY);
    for amount in ["1e6", "-1", "0x10", "１", "0.0000001", ""] {
        let words = ["explain", policy.to_str().unwrap(), "--to", PAYEE, "--pay", "transfer"];
        let error = desk.ask(&[&words[..], &[&format!("--amount={amount}")]].concat()).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage, "{amount}");
    }
}

#[test]
fn a_signed_policy_is_the_exact_text_under_all_keys() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", POLICY);
    let keys = ["a.key", "b.key"].map(|name| desk.folder.path().join(name));
    let made = keys.each_ref().map(|path| AuthorityKey::create(path).unwrap().public());
    let once = desk.folder.path().join("once.json");
    let [policy, once, a, b] =
        [&policy, &once, &keys[0], &keys[1]].map(|path| path.to_str().unwrap());
    desk.ask(&["sign", policy, "--key", a, "--out", once]).unwrap();
    let twice = desk.ask(&["sign", once, "--key", a, "--key", b]).unwrap();
    let signed: SignedPolicy = serde_json::from_value(twice.json).unwrap();
    assert_eq!((signed.document.yaml.as_str(), signed.signatures.len()), (POLICY, 2));
    let authority =
        Authority::try_from(AuthorityConfig { keys: made.to_vec(), threshold: 2 }).unwrap();
    assert_eq!(signed.open_policy(&authority).unwrap().epoch(), 7);
}

#[test]
fn a_policy_that_grants_nothing_is_told_apart() {
    let desk = Desk::new();
    let text = POLICY.replace("  - allow: { services: [api.search.example] }\n", "");
    let policy = desk.file("p.yaml", &text);
    let answer = desk.ask(&["check", policy.to_str().unwrap()]).unwrap();
    assert_eq!(
        (answer.exit, answer.json["grants_nothing"]["code"].as_str()),
        (Exit::Refused, Some("no_allow_rule"),)
    );
    let bad = desk.file("bad.yaml", "policy: x\nepoch: 1\nnonsense: 2\n");
    let error = desk.ask(&["check", bad.to_str().unwrap()]).unwrap_err();
    assert_eq!(error.exit(), Exit::Setup);
    assert!(error.to_string().contains("line 3"), "{error}");
}
