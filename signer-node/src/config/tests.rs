use std::fs::Permissions;

use super::*;

const GOOD: &str = r#"
role = "operator"
node = "operator-01"
home = "home"
coordinator = "http://127.0.0.1:7070"
health = "127.0.0.1:7071"
own_policy = "/etc/tercet/own.yaml"
policies = ["a.json"]

[passphrase]
file = "passphrase"

[authority]
keys = ["1111111111111111111111111111111111111111111111111111111111111111"]
threshold = 1

[[chains]]
chain = "eip155:8453"
endpoints = ["http://127.0.0.1:8545"]

[limits]
sessions = 4

[log]
format = "json"
"#;

fn parse(text: &str) -> Result<NodeConfig, String> {
    NodeConfig::parse(text, Path::new("/etc/node")).map_err(|error| match error {
        ParseError::Toml(error) => error.to_string(),
        ParseError::Config(error) => error.to_string(),
    })
}

fn refusal(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    parse(&GOOD.replace(old, new)).unwrap_err()
}

#[test]
fn paths_are_taken_from_the_folder_of_the_file() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.home, Path::new("/etc/node/home"));
    assert_eq!(config.policies, [Path::new("/etc/node/a.json")]);
    assert_eq!(config.own_policy.as_deref(), Some(Path::new("/etc/tercet/own.yaml")));
    assert_eq!(config.limits.sessions, 4);
    assert_eq!(config.limits.reconcile_seconds, RECONCILE_SECONDS_DEFAULT);
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn an_unknown_key_is_refused_by_name_at_every_level() {
    for (old, new, key) in [
        ("role =", "rolle = 1\nrole =", "rolle"),
        ("threshold =", "quorum = 1\nthreshold =", "quorum"),
        ("sessions = 4", "session = 4", "session"),
        ("format =", "colour = true\nformat =", "colour"),
        ("file =", "env = \"X\"\nfile =", "env"),
        ("endpoints =", "urls = []\nendpoints =", "urls"),
    ] {
        let refusal = refusal(old, new);
        assert!(refusal.contains(&format!("unknown field `{key}`")), "{refusal}");
    }
}

#[test]
fn values_that_cannot_be_are_refused_with_their_reason() {
    for (old, new, reason) in [
        ("\"operator\"", "\"boss\"", "unknown variant `boss`"),
        ("operator-01", "Operator 01", "is not a name"),
        ("file = \"passphrase\"", "", "exactly one of"),
        ("file =", "credential = \"x\"\nfile =", "exactly one of"),
        ("threshold = 1", "threshold = 2", "an authority has"),
        ("sessions = 4", "sessions = 0", "outside 1..=256"),
        ("[\"http://127.0.0.1:8545\"]", "[]", "there must be 1 to"),
        ("eip155:8453", "eip155:1", "is not a chain"),
        ("\"127.0.0.1:7071\"", "\"0.0.0.0:7071\"", "is not a loopback address"),
    ] {
        let refusal = refusal(old, new);
        assert!(refusal.contains(reason), "{refusal}");
    }
}

#[test]
fn a_coordinator_elsewhere_needs_tls() {
    for good in ["https://c.example", "http://localhost:1", "http://[::1]:1", "http://127.0.0.9"] {
        assert!(good.parse::<CoordinatorUrl>().is_ok(), "{good}");
    }
    for lax in ["http://c.example", "http://192.168.0.1:1", "http://localhost.example"] {
        let refused = lax.parse::<CoordinatorUrl>();
        assert!(matches!(refused, Err(BadPlace::NeedsTls { .. })), "{lax}");
    }
    for bad in ["c.example", "ftp://c.example", "https://c.example/x", "https://u:p@c.example"] {
        let refused = bad.parse::<CoordinatorUrl>();
        assert!(matches!(refused, Err(BadPlace::NotAnOrigin { .. })), "{bad}");
    }
}

#[test]
fn the_relay_is_dialled_at_its_path() {
    let relay = |text: &str| text.parse::<CoordinatorUrl>().unwrap().relay().0.to_string();
    assert_eq!(relay("https://c.example"), "wss://c.example/v1/relay");
    assert_eq!(relay("http://127.0.0.1:7070"), "ws://127.0.0.1:7070/v1/relay");
}

/// The usual configuration with a socket.
fn with_socket(role: &str, section: &str) -> Result<NodeConfig, String> {
    parse(&format!("{}\n[socket]\n{section}\n", GOOD.replace("\"operator\"", role)))
}

#[test]
fn a_socket_is_for_an_agents_node_and_has_a_path_that_fits() {
    let long = format!("path = \"/run/{}\"", "x".repeat(103));
    for (role, section, reason) in [
        ("\"operator\"", "path = \"a.sock\"", "is for the role agent"),
        ("\"recovery\"", "path = \"a.sock\"", "is for the role agent"),
        ("\"agent\"", "users = [0]", "missing field `path`"),
        ("\"agent\"", "path = \"a.sock\"\nusers = []", "socket.users lists 0"),
        ("\"agent\"", "path = \"a.sock\"\nmode = 438", "unknown field `mode`"),
        ("\"agent\"", &long, "has 108 bytes; a socket's path has at most 107"),
    ] {
        let refusal = with_socket(role, section).unwrap_err();
        assert!(refusal.contains(reason), "{refusal}");
    }
    let fits = format!("path = \"/run/{}\"", "x".repeat(102));
    assert!(with_socket("\"agent\"", &fits).is_ok());
    let good = with_socket("\"agent\"", "path = \"a.sock\"\nusers = [7, \"daemon\"]").unwrap();
    let socket = good.socket.unwrap();
    assert_eq!(socket.path, Path::new("/etc/node/a.sock"));
    let users = vec![NameOrId::Id(7), NameOrId::Name("daemon".to_owned())];
    assert_eq!(socket.users, Some(users));
}

#[test]
fn a_file_that_anybody_may_write_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("node.toml");
    std::fs::write(&path, GOOD).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o646)).unwrap();
    let refused = NodeConfig::read(&path);
    assert!(matches!(refused, Err(ConfigError::WritableByAll { .. })), "{refused:?}");
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(NodeConfig::read(&path).is_ok());
}

#[test]
fn the_role_of_the_command_line_must_be_that_of_the_file() {
    let config = parse(GOOD).unwrap();
    assert!(config.expect_role(Party::Operator).is_ok());
    let refused = config.expect_role(Party::Agent);
    assert!(matches!(refused, Err(ConfigError::OtherRole { .. })), "{refused:?}");
}

#[test]
fn the_stock_of_primes_goes_by_the_role_unless_it_is_set() {
    let stock = |text: &str, role| parse(text).unwrap().primes.stock_at(role);
    let roles = [Party::Agent, Party::Operator, Party::Recovery];
    assert_eq!(roles.map(|role| stock(GOOD, role)), [1, 4, 1]);
    let set = |n: usize| format!("{GOOD}\n[primes]\nstock = {n}\n");
    assert_eq!(roles.map(|role| stock(&set(0), role)), [0, 0, 0]);
    assert_eq!(roles.map(|role| stock(&set(PRIME_SETS_MAX), role)), [PRIME_SETS_MAX; 3]);
    let refused = parse(&set(PRIME_SETS_MAX + 1)).unwrap_err();
    assert!(refused.contains("primes.stock = 65 is more than 64"), "{refused}");
}
