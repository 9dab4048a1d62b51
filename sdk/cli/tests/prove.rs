//! `tercet policy prove` and `tercet policy diff` as people call them, with the real solver.
//!
//! Without cvc5 these tests fail, and say where to get it: a proof that nobody tried is none.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test on made-up data: a wrong assumption shall stop it"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

const PROVED: i32 = 0;
const USAGE: i32 = 2;
const SETUP: i32 = 6;
const COUNTEREXAMPLE: i32 = 8;
const NOT_PROVED: i32 = 9;

const PAYEE: &str = "0x209693bc6afc0c5328ba36faf03c514ef312287c";
const HEAD: &str = "\
policy: research-01
epoch: 7
applies_to: { agent: research-01 }
people: { alice: { key: \"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c\" } }
approvals: { any: 1, of: [alice] }
context: { confidence: decimal, task: string, attempts: long }
lists:
  vendors: [api.search.example, \"*.inference.example\"]
  payees: [\"0x209693bc6afc0c5328ba36faf03c514ef312287c\"]
rules:
";
const VENDORS: &str = "- allow: { services: vendors }";
const PAYEES: &str = "- allow: { recipients: payees }";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn policy(&self, name: &str, rules: &[&str]) -> PathBuf {
        let path = self.0.path().join(name);
        let rules: String = rules.iter().map(|rule| format!("  {rule}\n")).collect();
        std::fs::write(&path, format!("{HEAD}{rules}")).unwrap();
        path
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tercet"));
        command.arg("--json").arg("--home").arg(self.0.path()).args(["policy"]);
        command
    }

    /// The exit code and the answer to a question about a policy.
    fn prove(&self, rules: &[&str], question: &[&str]) -> (i32, Value) {
        let policy = self.policy("policy.yaml", rules);
        run(self.command().arg("prove").arg(policy).args(question))
    }

    fn diff(&self, old: &[&str], new: &[&str]) -> Value {
        let (old, new) = (self.policy("old.yaml", old), self.policy("new.yaml", new));
        let (code, answer) = run(self.command().arg("diff").args([old, new]));
        assert_eq!(code, PROVED, "{answer:#}");
        assert!(answer["analysis"]["missing"].is_null(), "{answer:#}");
        answer["analysis"].clone()
    }
}

fn run(command: &mut Command) -> (i32, Value) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let answer = serde_json::from_str(&said);
    let answer = answer.unwrap_or_else(|error| panic!("{error}: {said}{output:?}"));
    (output.status.code().unwrap(), answer)
}

#[track_caller]
fn assert_proves(rules: &[&str], question: &str, expected: i32) -> Value {
    let (code, answer) = Folder::new().prove(rules, &["--never", question]);
    assert_eq!(code, expected, "{question} of {rules:?}: {answer:#}");
    let word = match expected {
        PROVED => "proved",
        COUNTEREXAMPLE => "counterexample",
        _ => "unknown",
    };
    assert_eq!(answer["answer"], word, "{answer:#}");
    answer
}

#[test]
fn what_a_policy_never_does_is_proved_and_what_it_does_is_shown() {
    let most = "- max_amount: 5 USDC";
    for (rules, question, expected) in [
        (&[VENDORS][..], "pays outside list vendors", PROVED),
        (&[VENDORS, PAYEES], "pays outside list vendors", COUNTEREXAMPLE),
        (&[VENDORS, PAYEES], "pays outside list vendors and outside list payees", PROVED),
        (&[VENDORS], "pays over transfer", PROVED),
        (&[VENDORS], "pays over x402", COUNTEREXAMPLE),
        (&[VENDORS], "pays over mpp", COUNTEREXAMPLE),
        (&[VENDORS, most], "pays more than 5 USDC", PROVED),
        (&[VENDORS, most], "pays more than 4.999999 USDC", COUNTEREXAMPLE),
        (&[VENDORS], "pays service api.search.example", COUNTEREXAMPLE),
        (&[VENDORS], "pays service other.example", PROVED),
        (&[VENDORS], "pays service *.search.example", COUNTEREXAMPLE),
        (&[PAYEES], "pays recipient 0x209693Bc6afc0C5328bA36FaF03C514EF312287C", COUNTEREXAMPLE),
        (&[PAYEES], "pays recipient 0x0000000000000000000000000000000000000009", PROVED),
        (&[PAYEES], "pays not recipient 0x209693Bc6afc0C5328bA36FaF03C514EF312287C", PROVED),
        (&[most], "pays", PROVED),
        (
            &[VENDORS, "- block: { services: [api.search.example] }"],
            "pays service api.search.example",
            PROVED,
        ),
        (&[VENDORS, "- trust: { min: 60 }"], "pays trust below 60", PROVED),
        (&[VENDORS, "- trust: { min: 60 }"], "pays trust below 61", COUNTEREXAMPLE),
        (&[VENDORS, "- country: { block: [US] }"], "pays country US", PROVED),
        (&[VENDORS, "- country: { block: [US] }"], "pays country FR", COUNTEREXAMPLE),
        (&["- allow: { categories: [data] }"], "pays category games", PROVED),
        (&["- allow: { categories: [data] }"], "pays category data", COUNTEREXAMPLE),
        (&[VENDORS, "- allow: { chains: [\"eip155:8453\"] }"], "pays on eip155:84532", PROVED),
    ] {
        assert_proves(rules, question, expected);
    }
}

#[test]
fn asking_people_is_told_apart_from_paying() {
    let rules = [VENDORS, "- ask: { above: 5 USDC }"];
    assert_proves(&rules, "approves without asking above 5 USDC", PROVED);
    let answer = assert_proves(&rules, "pays above 5 USDC", COUNTEREXAMPLE);
    assert_eq!(answer["counterexample"]["verdict"], "ask_human", "{answer:#}");
    let warns = [VENDORS, "- { max_amount: 1 USDC, then: warn }"];
    assert_proves(&warns, "approves without asking above 1 USDC", COUNTEREXAMPLE);
}

#[test]
fn the_clock_is_analysed() {
    let open = "- hours: { from: \"09:00\", to: \"17:00\", days: [mon, tue], zone: Europe/Berlin }";
    assert_proves(&[VENDORS, open], "pays outside hours", PROVED);
    let answer = assert_proves(&[VENDORS, open], "pays", COUNTEREXAMPLE);
    assert!(answer["counterexample"]["payment"]["at"].is_string(), "{answer:#}");
    let warns = open.replace("- hours: {", "- { then: warn, hours: {") + " }";
    assert_proves(&[VENDORS, &warns], "pays outside hours", COUNTEREXAMPLE);
    let late = "- dates: { from: 2031-03-01, zone: Europe/Berlin }";
    let answer = assert_proves(&[VENDORS, late], "pays", COUNTEREXAMPLE);
    let at = answer["counterexample"]["payment"]["at"].as_str().unwrap().to_owned();
    assert!(at.starts_with("2031-"), "{at}");
}

#[test]
fn a_counterexample_is_a_payment_that_the_policy_lets_through() {
    let folder = Folder::new();
    let rules = [
        PAYEES,
        "- limit: { amount: 10 USDC, per: day }",
        "- max_share_of_balance: 50%",
        "- max_fee: 0.01 ETH",
        "- when: 'context.attempts < 3 && context.confidence.greaterThan(decimal(\"0.8\"))'",
    ];
    let (code, answer) = folder.prove(&rules, &["--never", "pays more than 9 USDC"]);
    assert_eq!(code, COUNTEREXAMPLE, "{answer:#}");
    let payment = &answer["counterexample"]["payment"];
    assert_eq!(payment["to"], PAYEE, "{answer:#}");
    let unmodelled = answer["unmodelled"].as_array().unwrap();
    assert_eq!(unmodelled.len(), 2, "{answer:#}");
    let text = |name: &str| payment[name].as_str().unwrap().to_owned();
    let context = payment["context"].to_string();
    let (code, explained) = run(folder
        .command()
        .arg("explain")
        .arg(folder.0.path().join("policy.yaml"))
        .args(["--amount", &text("amount"), "--to", &text("to"), "--at", &text("at")])
        .args(["--context", &context, "--balance", &text("balance")])
        .args(["--fee-wei", &text("fee_wei"), "--chain", &text("chain")]));
    assert_eq!(code, 0, "{payment:#}: {explained:#}");
}

#[test]
fn a_past_is_made_up_where_a_rule_wants_one() {
    let pinned = "- payee_pinning: { new: ask, changed: refuse }";
    let answer = assert_proves(&[VENDORS, pinned], "approves without asking", COUNTEREXAMPLE);
    assert_eq!(answer["counterexample"]["past"].as_array().unwrap().len(), 1, "{answer:#}");
    assert!(answer["unmodelled"].to_string().contains("payee_pinning"), "{answer:#}");
}

/// No scheme but `exact` is ever used, so nothing is paid; the solver is not told.
#[test]
fn what_is_neither_proved_nor_shown_is_said_to_be_neither() {
    let rules = [VENDORS, "- x402: { schemes: [upto] }"];
    let answer = assert_proves(&rules, "pays over x402", NOT_PROVED);
    assert!(answer["unmodelled"].to_string().contains("x402.schemes"), "{answer:#}");
    assert!(answer["counterexample"].is_null(), "{answer:#}");
}

#[test]
fn cedar_is_taken_as_a_question() {
    let rules = [VENDORS, "- when: 'context.attempts < 3'", "- ask: { above: 1 USDC }"];
    let folder = Folder::new();
    for (question, expected) in [
        (&["--cedar", "context.attempts >= 3"][..], PROVED),
        (&["--cedar", "context.attempts == 2"], COUNTEREXAMPLE),
        (&["--cedar", "context.attempts + 9223372036854775807 > 0"], COUNTEREXAMPLE),
        (&["--cedar", "resource.amount > 1000000"], COUNTEREXAMPLE),
        (&["--cedar", "resource.amount > 1000000", "--without-asking"], PROVED),
        (&["--cedar", "resource has endpoint && resource.endpoint == \"/v1\""], COUNTEREXAMPLE),
    ] {
        let (code, answer) = folder.prove(&rules, question);
        assert_eq!(code, expected, "{question:?}: {answer:#}");
    }
}

#[test]
fn what_is_no_question_is_refused() {
    let folder = Folder::new();
    let deep = format!("{}true{}", "(".repeat(1_000), ")".repeat(1_000));
    let (long, nots) = ("a".repeat(10_000), format!("pays {}anything", "not ".repeat(200)));
    let many = format!("pays anything{}", " and anything".repeat(16));
    for question in [
        &["--never", "buys a horse"][..],
        &["--never", "pays outside list nobody"],
        &["--never", "pays more than 5 EUR"],
        &["--never", "pays over carrier-pigeon"],
        &["--never", "pays recipient 0x12"],
        &["--never", "pays service UPPER.example"],
        &["--never", "pays country XX"],
        &["--never", "pays outside hours"],
        &["--never", &long],
        &["--never", &nots],
        &["--never", &many],
        &["--cedar", &deep],
        &["--cedar", "resource.amonut > 1"],
        &["--cedar", "true } unless { false"],
        &["--never", "pays", "--cedar", "true"],
        &["--never", "pays", "--timeout", "0"],
    ] {
        let (code, answer) = folder.prove(&[VENDORS], question);
        assert_eq!(code, USAGE, "{question:?}: {answer:#}");
    }
}

#[test]
fn a_missing_solver_is_named_with_where_to_get_it() {
    let folder = Folder::new();
    let policy = folder.policy("policy.yaml", &[VENDORS]);
    let prove = |program: &str| {
        let mut command = folder.command();
        run(command.env("CVC5", program).arg("prove").arg(&policy).args(["--never", "pays"]))
    };
    let (code, answer) = prove("/nonexistent/cvc5");
    assert_eq!(code, SETUP, "{answer:#}");
    assert!(answer["error"]["next"].as_str().unwrap().contains("apt-get install cvc5"));
    let mut command = folder.command();
    let (code, answer) =
        run(command.env("CVC5", "/nonexistent/cvc5").arg("diff").args([&policy, &policy]));
    assert_eq!(code, 0, "{answer:#}");
    assert!(answer["analysis"]["missing"].as_str().unwrap().contains("cvc5"), "{answer:#}");
}

#[test]
fn a_solver_that_thinks_too_long_is_no_proof() {
    let folder = Folder::new();
    let slow = folder.0.path().join("slow");
    std::fs::write(&slow, "#!/bin/sh\n[ \"$1\" = --version ] || exec sleep 600\n").unwrap();
    std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).unwrap();
    let policy = folder.policy("policy.yaml", &[VENDORS]);
    let mut command = folder.command();
    command.env("CVC5", &slow).arg("prove").arg(&policy);
    let (code, answer) = run(command.args(["--never", "pays", "--timeout", "1"]));
    assert_eq!(code, NOT_PROVED, "{answer:#}");
    assert!(answer["why"].as_str().unwrap().contains("within 1 s"), "{answer:#}");
}

#[test]
fn two_versions_are_compared_by_analysis() {
    let folder = Folder::new();
    let (few, many) = ("- rate: { count: 2, per: hour }", "- rate: { count: 3, per: hour }");
    let (small, large) = ("- max_amount: 1 USDC", "- max_amount: 2 USDC");
    let (day, week) =
        ("- limit: { amount: 9 USDC, per: day }", "- limit: { amount: 9 USDC, per: week }");
    for (old, new, approves, admits) in [
        (&[VENDORS, small][..], &[VENDORS, small][..], "equal", "equal"),
        (&[VENDORS, small], &[small, VENDORS, large], "equal", "equal"),
        (&[VENDORS, large], &[VENDORS, small], "narrower", "narrower"),
        (&[VENDORS, small], &[VENDORS, large], "wider", "wider"),
        (&[VENDORS], &[VENDORS, "- ask: { above: 1 USDC }"], "narrower", "equal"),
        (&[VENDORS], &[PAYEES], "different", "different"),
        (&[VENDORS, few], &[VENDORS, many], "wider", "wider"),
        (&[VENDORS, week], &[VENDORS, day, week], "equal", "equal"),
    ] {
        let analysis = folder.diff(old, new);
        let said = json!([analysis["approves"], analysis["admits"]]);
        assert_eq!(said, json!([approves, admits]), "{old:?} to {new:?}: {analysis:#}");
        let loosened = ["wider", "different"].contains(&approves);
        assert_eq!(analysis["loosened"].is_object(), loosened, "{analysis:#}");
    }
}
