//! The examples in `deploy/` are taken by the programs they are for.

use std::path::PathBuf;
use std::process::{Command, Output};

use tercet::WalletConfig;
use tercet::wallet::Housing;
use tercet_cli::demo::process::program;
use tercet_tests::cluster::root;

fn deploy(path: &str) -> PathBuf {
    root().join("deploy").join(path)
}

fn run(name: &str, words: &[&str], file: &str) -> Output {
    let mut command = Command::new(program(name));
    command.args(words).arg(deploy(file)).arg("--check-config");
    command.output().unwrap()
}

fn assert_good(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_node_takes_its_example() {
    for role in ["operator", "recovery", "agent"] {
        let file = format!("config/{role}.toml");
        assert_good(&run("tercet-signer-node", &["--role", role, "--config"], &file));
    }
}

#[test]
fn an_agents_process_takes_its_example() {
    let read = |path: &str| WalletConfig::read(&deploy(path)).unwrap().housing;
    let Housing::Beside(socket) = read("config/wallet.toml") else { panic!("another housing") };
    let Housing::Within(node) = read("config/agent.toml") else { panic!("another housing") };
    assert_eq!(node.socket.unwrap().path, socket, "both examples name one socket");
}

#[test]
fn the_coordinator_takes_its_example() {
    assert_good(&run("tercet-coordinator", &["--config"], "config/coordinator.toml"));
}

#[test]
fn an_example_for_another_role_is_not_taken() {
    let words = ["--role", "recovery", "--config"];
    let output = run("tercet-signer-node", &words, "config/operator.toml");
    assert!(!output.status.success());
}

#[test]
fn the_example_policy_is_one_and_grants_something() {
    let output = Command::new(program("tercet"))
        .args(["policy", "check"])
        .arg(deploy("config/policies/research-agent.yaml"))
        .output()
        .unwrap();
    assert_good(&output);
}

#[test]
fn every_unit_starts_its_own_program_without_privileges() {
    for (unit, start) in [
        ("operator", "tercet-signer-node --role operator --config /etc/tercet/operator.toml"),
        ("recovery", "tercet-signer-node --role recovery --config /etc/tercet/recovery.toml"),
        ("agent", "tercet-signer-node --role agent --config /etc/tercet/agent.toml"),
        ("coordinator", "tercet-coordinator --config /etc/tercet/coordinator.toml"),
    ] {
        let text =
            std::fs::read_to_string(deploy(&format!("systemd/tercet-{unit}.service"))).unwrap();
        assert!(text.contains(&format!("ExecStart=/usr/local/bin/{start}\n")), "{unit}");
        for line in ["NoNewPrivileges=yes", "ProtectSystem=strict", "LimitCORE=0"] {
            assert!(text.lines().any(|l| l == line), "{unit} lacks {line}");
        }
        let reads_passphrase = text.contains("LoadCredentialEncrypted=tercet-passphrase:");
        assert_eq!(reads_passphrase, unit != "coordinator", "{unit}");
    }
}
