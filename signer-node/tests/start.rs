//! What a node refuses to start on, and what its program answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    reason = "tests may fail, loudly"
)]

mod support {
    #[allow(dead_code, reason = "shared with other tests")]
    pub mod courier;
    #[allow(dead_code, reason = "shared with other tests")]
    pub mod group;
}

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::group::{Group, set_mode};
use tercet_policy::party::Party;
use tercet_signer::home::{Home, HomeError};
use tercet_signer_node::StartError;
use tercet_signer_node::cli::Told;

/// How often a race is run.
const ROUNDS: usize = 30;

#[tokio::test]
async fn a_policy_that_grants_nothing_keeps_the_node_from_starting() {
    let group = Group::new().await;
    let path = group.home(Party::Operator).with_extension("yaml");
    let empty = "policy: p\nepoch: 1\napplies_to: { agent: research-01 }\nrules: []\n";
    fs::write(&path, empty).unwrap();
    let key = format!("own_policy = \"{}\"", path.display());
    let refused = group.start_with(Party::Operator, &key).await.map(drop).unwrap_err();
    assert!(matches!(refused, StartError::GrantsNothing { .. }), "{refused}");
    assert!(refused.to_string().contains("grants nothing"), "{refused}");
}

#[tokio::test]
async fn an_unknown_key_keeps_the_node_from_starting_and_is_named() {
    let group = Group::new().await;
    let refused = group.start_with(Party::Operator, "colour = 1").await.map(drop).unwrap_err();
    assert!(refused.to_string().contains("unknown field `colour`"), "{refused}");
}

#[tokio::test]
async fn lax_modes_keep_the_node_from_starting() {
    let group = Group::new().await;
    let home = group.home(Party::Operator);
    for (path, lax, right) in [
        (home.clone(), 0o750, 0o700),
        (home.join("identity.sealed"), 0o640, 0o600),
        (home.with_extension("passphrase"), 0o644, 0o600),
    ] {
        set_mode(&path, lax);
        let refused = group.start(Party::Operator).await.map(drop).unwrap_err();
        assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
        set_mode(&path, right);
    }
    group.start(Party::Operator).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_home_is_used_by_one_node_at_a_time_and_by_its_own() {
    let group = Group::new().await;
    let first = group.start(Party::Operator).await.unwrap();
    let second = group.start(Party::Operator).await.map(drop).unwrap_err();
    assert!(matches!(second, StartError::Home(_)), "{second}");
    first.stop().await;
    fs::rename(group.home(Party::Recovery), group.home(Party::Recovery).with_extension("away"))
        .unwrap();
    fs::rename(group.home(Party::Operator), group.home(Party::Recovery)).unwrap();
    let stolen = group.start(Party::Recovery).await.map(drop).unwrap_err();
    assert!(matches!(stolen, StartError::OtherNode { .. }), "{stolen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stopped_node_has_given_its_home_back() {
    let group = Group::new().await;
    for round in 0..ROUNDS {
        group.start(Party::Operator).await.unwrap().stop().await;
        let opened = Home::open(&group.home(Party::Operator));
        assert!(opened.is_ok(), "round {round}: {}", opened.unwrap_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_does_not_start_has_given_its_home_back() {
    let group = Group::new().await;
    let (_taken, health) = taken_address();
    for round in 0..ROUNDS {
        let refused = group.start_with(Party::Operator, &health).await.map(drop).unwrap_err();
        assert!(matches!(refused, StartError::Health(_)), "{refused}");
        let opened = Home::open(&group.home(Party::Operator));
        assert!(opened.is_ok(), "round {round}: {}", opened.unwrap_err());
    }
}

/// Two nodes of one configuration share the health address, too.
#[tokio::test]
async fn a_home_in_use_is_told_before_a_taken_health_address() {
    let group = Group::new().await;
    let first = group.start(Party::Operator).await.unwrap();
    let (_taken, health) = taken_address();
    let second = group.start_with(Party::Operator, &health).await.map(drop).unwrap_err();
    assert!(matches!(second, StartError::Home(HomeError::InUse { .. })), "{second}");
    first.stop().await;
    let alone = group.start_with(Party::Operator, &health).await.map(drop).unwrap_err();
    let told = Told(&alone.into()).to_string();
    assert_eq!(told.matches("in use").count(), 1, "{told}");
}

/// A health address that somebody else has, and the line of a configuration that names it.
fn taken_address() -> (TcpListener, String) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let line = format!("health = \"{}\"", taken.local_addr().unwrap());
    (taken, line)
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tercet-signer-node"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_makes_a_home_serves_health_and_stops_on_sigterm() {
    let group = Group::new().await;
    let place = tempfile::tempdir().unwrap();
    let (home, secret) = (place.path().join("home"), place.path().join("secret"));
    fs::write(&secret, "correct horse battery").unwrap();
    set_mode(&secret, 0o600);
    let made = program()
        .args(["init", "--node", "operator", "--home"])
        .arg(&home)
        .arg("--passphrase-file")
        .arg(&secret)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let keys: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(keys["id"], "operator");
    assert_eq!(keys.as_object().unwrap().len(), 3, "public keys and nothing else: {keys}");

    let health = free_address();
    let text = group
        .config_text(Party::Operator)
        .replace(group.home(Party::Operator).with_extension("passphrase").to_str().unwrap(), "S")
        .replace(group.home(Party::Operator).to_str().unwrap(), "H")
        .replace("\"S\"", &format!("\"{}\"", secret.display()))
        .replace("\"H\"", &format!("\"{}\"", home.display()));
    let config = place.path().join("node.toml");
    fs::write(&config, format!("health = \"{health}\"\n{text}")).unwrap();
    let run = |role: &str| {
        let mut command = program();
        command.args(["--role", role, "--config"]).arg(&config);
        command
    };
    assert!(run("operator").arg("--check-config").output().unwrap().status.success());
    let other = run("agent").arg("--check-config").output().unwrap();
    assert!(!other.status.success());
    assert!(String::from_utf8_lossy(&other.stderr).contains("--role agent was asked for"));

    let mut node = run("operator").stderr(Stdio::null()).spawn().unwrap();
    let alive = wait_for(health, "/livez", 200);
    // The courier here knows other keys: it takes the line, reads the first words and drops it.
    let body = unready_body(health);
    let killed = Command::new("kill").args(["-TERM", &node.id().to_string()]).status().unwrap();
    let ended = node.wait().unwrap();
    assert!(alive && killed.success());
    assert!(body.contains("\"connected\":false"), "{body}");
    assert!(ended.success(), "{ended}");
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn wait_for(address: SocketAddr, path: &str, status: u16) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if get(address, path).is_some_and(|(found, _)| found == status) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// What a node says of itself while its line is down; empty if it stands all the time.
fn unready_body(address: SocketAddr) -> String {
    let looks = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(20));
        get(address, "/readyz").filter(|(status, _)| *status == 503)
    });
    looks.take(500).flatten().next().map(|(_, body)| body).unwrap_or_default()
}

fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer))
}
