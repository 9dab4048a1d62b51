//! Who may link what, as cargo resolves it. cargo-deny holds the same rules.

use std::collections::BTreeSet;
use std::process::Command;

use tercet_tests::cluster::root;

/// What cargo would build for use, a crate a line.
fn tree(words: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(words)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// All crates that `package` links when it is built for use.
fn linked(package: &str) -> BTreeSet<String> {
    let text = tree(&["--format", "{lib}", "--package", package]);
    text.lines().map(|line| line.trim().trim_end_matches(" (*)").to_owned()).collect()
}

fn assert_links_none(package: &str, banned: &[&str]) {
    let linked = linked(package);
    assert!(linked.contains(&package.replace('-', "_")), "{package} is not in its own tree");
    for name in banned {
        assert!(!linked.contains(*name), "{package} links {name}");
    }
}

const SIGNER: [&str; 5] =
    ["tercet_signer", "cggmp24", "cggmp24_keygen", "key_share", "paillier_zk"];

#[test]
fn the_coordinator_cannot_touch_a_share() {
    for package in ["tercet-coordinator", "tercet-api", "tercet-chain"] {
        assert_links_none(package, &SIGNER);
    }
}

#[test]
fn the_policy_has_no_runtime_no_http_and_no_provider() {
    assert_links_none("tercet-policy", &SIGNER);
    assert_links_none("tercet-policy", &["tokio", "reqwest", "hyper", "alloy_provider", "sqlx"]);
}

/// Analysis starts a solver: in the command line, never beside a share or in the coordinator.
#[test]
fn only_the_command_line_analyses_policies() {
    let analysis = ["cedar_policy_symcc"];
    for package in
        ["tercet-policy", "tercet-signer", "tercet-signer-node", "tercet-coordinator", "tercet"]
    {
        assert_links_none(package, &analysis);
    }
    assert!(linked("tercet-cli").contains(analysis[0]), "it is not what cargo tree calls it");
}

/// Whoever knows the seed of a dealt presignature computes the key: for load tests alone. Asked of
/// each program by itself, and of the whole workspace, as `make build` builds it.
#[test]
fn no_program_that_ships_can_deal_presignatures() {
    const DEALER: &str = "insecure-dealer";
    let features = |words: &[&str]| tree(&[&["--format", "{lib} {f}"], words].concat());
    for package in ["tercet-signer-node", "tercet-coordinator", "tercet-cli", "tercet"] {
        assert!(!features(&["--package", package]).contains(DEALER), "{package} can");
    }
    assert!(!features(&["--workspace"]).contains(DEALER), "a build of the workspace can");
    let load = features(&["--package", "tercet-tests", "--features", DEALER]);
    assert!(load.contains(DEALER), "it is not what cargo tree calls it");
}

#[test]
fn a_ban_would_be_noticed() {
    let linked = linked("tercet-signer-node");
    for name in SIGNER {
        assert!(linked.contains(name), "{name} is not what cargo tree calls it");
    }
}
