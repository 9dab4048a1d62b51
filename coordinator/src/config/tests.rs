use super::*;

const GOOD: &str = r#"
listen = "127.0.0.1:7700"
database = "coordinator.sqlite"
[authority]
keys = ["3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"]
threshold = 1
[[nodes]]
id = "operator-1"
role = "operator"
signing = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
[[chains]]
id = "eip155:8453"
rpc = ["http://127.0.0.1:8545"]
[[read_tokens]]
name = "console"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"#;

fn load(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coordinator.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path)
}

#[test]
fn a_good_file_loads_with_its_database_beside_it() {
    let config = load(GOOD).unwrap();
    assert!(config.database.is_absolute());
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn what_is_wrong_is_said() {
    let node = r#"
[[nodes]]
id = "operator-1"
role = "recovery"
signing = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
"#;
    let cases = [
        (GOOD.replace("listen", "lisen"), "lisen"),
        (GOOD.replace("127.0.0.1:7700", "0.0.0.0:7700"), "insecure_plain_http"),
        (GOOD.replace("threshold = 1", "threshold = 2"), "threshold"),
        (format!("{GOOD}{node}"), "operator-1"),
        (GOOD.replace("rpc =", "quorum = 2\nrpc ="), "quorum of 2"),
        (format!("{GOOD}[limits]\nceremonies_max = 0\n"), "ceremonies_max"),
        (GOOD.replace("\"operator\"", "\"agent\""), "agent"),
        (GOOD.replace("eip155:8453", "eip155:1"), "eip155:1"),
    ];
    for (text, expected) in cases {
        let error = load(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected:?} not in {error:?}");
    }
}

#[test]
fn danger_can_be_spelled_out() {
    let text = GOOD.replace("127.0.0.1:7700", "0.0.0.0:7700");
    assert!(load(&format!("insecure_plain_http = true\n{text}")).is_ok());
}

#[test]
fn an_open_payment_is_looked_up_once_in_a_block_unless_said_otherwise() {
    for (chain, said, pace) in [
        ("eip155:8453", "", 2),
        ("eip155:4217", "", 1),
        ("eip155:42431", "", 1),
        ("eip155:4217", "poll_seconds = 7\n", 7),
    ] {
        let text = GOOD.replace("eip155:8453", chain).replace("rpc =", &format!("{said}rpc ="));
        let config = load(&text).unwrap();
        assert_eq!(config.chains[0].pace_seconds(), pace, "{chain} {said}");
    }
}
