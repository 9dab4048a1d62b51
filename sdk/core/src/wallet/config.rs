//! What a wallet is opened with.

use std::path::Path;

use alloy_primitives::Address;
use serde::Deserialize;
use tercet_policy::party::AgentId;
use tercet_signer_node::config::NodeConfig;
use tercet_signer_node::{NodeHandle, StartOptions};

use super::not_ready;
use crate::error::Error;
use crate::rules::FetchRules;

/// The agent node's configuration inside a folder.
const NODE_FILE: &str = "agent.toml";
/// The agent's own rules beside the node's configuration: `wallet` (an address, needed where the
/// home has several) and a `[rules]` table of [`FetchRules`].
pub const RULES_FILE: &str = "wallet.toml";
/// Largest rules file, in bytes.
const RULES_BYTES_MAX: u64 = 64 * 1024;

/// What a wallet is opened with.
#[derive(Clone, Debug)]
pub struct WalletConfig {
    /// The agent's signer node, as `tercet-signer-node --role agent` would run it.
    pub node: NodeConfig,
    /// Which wallet; needed where the home has shares of several.
    pub wallet: Option<Address>,
    /// The agent's own rules for buying.
    pub rules: FetchRules,
    /// How the node is started.
    pub start: StartOptions,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RulesFile {
    wallet: Option<Address>,
    rules: FetchRules,
}

impl WalletConfig {
    /// The default rules around a node's configuration.
    #[must_use]
    pub fn new(node: NodeConfig) -> Self {
        let (wallet, rules) = (None, FetchRules::default());
        Self { node, wallet, rules, start: StartOptions::default() }
    }

    /// Reads `agent.toml` of a folder, or the file named, and [`RULES_FILE`] beside it if that is
    /// there.
    ///
    /// # Errors
    /// [`Error::NotReady`], naming the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = if path.is_dir() { path.join(NODE_FILE) } else { path.to_owned() };
        let mut config = Self::new(NodeConfig::read(&file).map_err(not_ready)?);
        let beside = file.parent().unwrap_or(Path::new("")).join(RULES_FILE);
        if let Some(found) = read_rules(&beside)? {
            config.wallet = found.wallet;
            config.rules = found.rules;
        }
        Ok(config)
    }
}

fn read_rules(path: &Path) -> Result<Option<RulesFile>, Error> {
    let failed = |what: String| Error::NotReady(format!("{}: {what}", path.display()));
    match std::fs::metadata(path) {
        Ok(found) if found.len() > RULES_BYTES_MAX => {
            return Err(failed(format!("larger than {RULES_BYTES_MAX} bytes")));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    }
    let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
    toml::from_str(&text).map(Some).map_err(|e| failed(e.to_string()))
}

/// The wallet that was asked for, or the only one there is.
pub(super) fn pick_wallet(
    node: &NodeHandle,
    agent: &AgentId,
    asked: Option<Address>,
) -> Result<Address, Error> {
    let held = node.wallets().map_err(not_ready)?;
    let mine: Vec<_> = held.iter().filter(|wallet| wallet.agent == *agent).collect();
    let wallet = match (asked, mine.as_slice()) {
        (Some(asked), _) => mine
            .iter()
            .find(|wallet| wallet.address == asked)
            .ok_or_else(|| Error::NotReady(format!("no share of {asked} is in this home")))?,
        (None, [only]) => only,
        (None, []) => {
            return Err(Error::NotReady(
                "this home has no wallet yet: make one with `tercet wallet create`".to_owned(),
            ));
        }
        (None, several) => {
            let list: Vec<_> = several.iter().map(|w| w.address.to_string()).collect();
            let list = list.join(", ");
            return Err(Error::NotReady(format!("say which wallet in {RULES_FILE}: {list}")));
        }
    };
    match &wallet.stopped {
        None => Ok(wallet.address),
        Some(why) => Err(Error::NotReady(format!("{} is stopped: {why}", wallet.address))),
    }
}

impl From<NodeConfig> for WalletConfig {
    fn from(node: NodeConfig) -> Self {
        Self::new(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_beside_the_configuration_are_read_and_unknown_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(RULES_FILE);
        assert!(read_rules(&path).unwrap().is_none());
        let text = "[rules]\nmax_price = \"0.25 USDC\"\nchains = [\"eip155:84532\"]\n";
        std::fs::write(&path, text).unwrap();
        let rules = read_rules(&path).unwrap().unwrap().rules;
        assert_eq!(rules.max_price.to_string(), "0.25 USDC");
        std::fs::write(&path, "[rules]\nmax_prize = \"1 USDC\"\n").unwrap();
        assert!(read_rules(&path).is_err());
    }
}
