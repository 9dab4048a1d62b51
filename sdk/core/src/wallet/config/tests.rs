use std::os::unix::fs::PermissionsExt as _;

use super::*;

const BESIDE: &str = r#"
socket = "/run/tercet/agent.sock"
coordinator = "https://tercet.example"
purchases = "bought"

[[chains]]
chain = "eip155:8453"
endpoints = ["https://base.example/"]

[rules]
max_price = "0.25 USDC"
"#;

fn folder_with(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(RULES_FILE), text).unwrap();
    folder
}

#[test]
fn rules_are_read_and_unknown_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(RULES_FILE);
    assert!(WalletFile::read(&path).unwrap().is_none());
    let text = "[rules]\nmax_price = \"0.25 USDC\"\nchains = [\"eip155:84532\"]\n";
    std::fs::write(&path, text).unwrap();
    let rules = WalletFile::read(&path).unwrap().unwrap().rules;
    assert_eq!(rules.max_price.to_string(), "0.25 USDC");
    std::fs::write(&path, "[rules]\nmax_prize = \"1 USDC\"\n").unwrap();
    assert!(WalletFile::read(&path).is_err());
}

#[test]
fn one_file_is_enough_where_the_node_runs_beside() {
    let folder = folder_with(BESIDE);
    for path in [folder.path().to_owned(), folder.path().join(RULES_FILE)] {
        let config = WalletConfig::read(&path).unwrap();
        let Housing::Beside(socket) = &config.housing else { panic!("{config:?}") };
        assert_eq!(socket, Path::new("/run/tercet/agent.sock"));
        assert_eq!(config.coordinator.origin().as_str(), "https://tercet.example/");
        assert_eq!(config.purchases, folder.path().join("bought"));
        assert_eq!(config.chains.len(), 1);
        assert_eq!(config.rules.max_price.to_string(), "0.25 USDC");
    }
}

#[test]
fn what_does_not_fit_together_is_refused_with_its_reason() {
    for (text, reason) in [
        (BESIDE.replace("coordinator =", "#"), "needs a `coordinator`"),
        (BESIDE.replace("socket =", "#"), "unless a `socket` is named"),
        (BESIDE.replace("https://tercet", "http://tercet"), "needs https"),
        (BESIDE.replace("socket =", "sockets ="), "unknown field `sockets`"),
    ] {
        let refused = WalletConfig::read(folder_with(&text).path()).unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    let lax = folder_with(BESIDE);
    let mode = std::fs::Permissions::from_mode(0o646);
    std::fs::set_permissions(lax.path().join(RULES_FILE), mode).unwrap();
    let refused = WalletConfig::read(lax.path()).unwrap_err().to_string();
    assert!(refused.contains("may be written by anybody"), "{refused}");
}
