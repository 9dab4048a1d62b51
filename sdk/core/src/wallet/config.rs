//! What a wallet is opened with.

use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use tercet_policy::party::AgentId;
use tercet_signer::gate::HeldWallet;
use tercet_signer_node::StartOptions;
use tercet_signer_node::config::{ChainConfig, CoordinatorUrl, NodeConfig};

use self::file::WalletFile;
use super::not_ready;
use crate::error::Error;
use crate::node::Beside;
use crate::rules::FetchRules;

mod file;

/// The agent node's configuration inside a folder.
const NODE_FILE: &str = "agent.toml";
/// The agent's own file beside the node's configuration, or instead of it:
///
/// | key | |
/// |---|---|
/// | `wallet` | an address; needed where the node has several |
/// | `purchases` | the folder of the journal of purchases; the node's home if the node is in this process, the folder of this file otherwise |
/// | `socket` | the socket of the agent's node, which then runs beside this process |
/// | `coordinator` | where the coordinator answers; with `socket` |
/// | `[[chains]]` | endpoints, as in the node's configuration; with `socket` |
/// | `[rules]` | [`FetchRules`] |
pub const RULES_FILE: &str = "wallet.toml";

/// Where the agent's node is.
#[derive(Clone, Debug)]
pub enum Housing {
    /// In this process, as `tercet-signer-node --role agent` would run it; where that runs and
    /// answers at the socket of this configuration, beside this process.
    Within(Box<NodeConfig>),
    /// Beside this process, at this socket.
    Beside(PathBuf),
}

/// What a wallet is opened with.
#[derive(Clone, Debug)]
pub struct WalletConfig {
    /// Where the agent's node is.
    pub housing: Housing,
    /// Where the coordinator answers.
    pub coordinator: CoordinatorUrl,
    /// Endpoints by which this process sees for itself what became of its payments.
    pub chains: Vec<ChainConfig>,
    /// The folder of the journal of purchases. Several processes may share it.
    pub purchases: PathBuf,
    /// Which wallet; needed where the node has shares of several.
    pub wallet: Option<Address>,
    /// The agent's own rules for buying.
    pub rules: FetchRules,
    /// How a node in this process is started.
    pub start: StartOptions,
}

impl WalletConfig {
    /// The default rules around a node's configuration.
    #[must_use]
    pub fn new(node: NodeConfig) -> Self {
        Self {
            coordinator: node.coordinator.clone(),
            chains: node.chains.clone(),
            purchases: node.home.clone(),
            housing: Housing::Within(Box::new(node)),
            wallet: None,
            rules: FetchRules::default(),
            start: StartOptions::default(),
        }
    }

    /// Reads [`RULES_FILE`] of a folder if it is there and names a `socket`; otherwise `agent.toml`
    /// with [`RULES_FILE`] beside it, if that is there. A file that is named is read as what its name
    /// says.
    ///
    /// # Errors
    /// [`Error::NotReady`], naming the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let named = path.file_name().is_some_and(|name| name == RULES_FILE);
        let (folder, node) = match (path.is_dir(), named) {
            (true, _) => (path, path.join(NODE_FILE)),
            (false, is_rules) => {
                let folder = path.parent().unwrap_or(Path::new(""));
                (folder, if is_rules { folder.join(NODE_FILE) } else { path.to_owned() })
            }
        };
        let rules = folder.join(RULES_FILE);
        let found = WalletFile::read(&rules)?.unwrap_or_default();
        let mut config = match found.beside(folder).map_err(|what| at(&rules, what))? {
            // A node's configuration that is named is what is asked for.
            Some(beside) if path.is_dir() || named => beside,
            _ => Self::new(NodeConfig::read(&node).map_err(not_ready)?),
        };
        config.wallet = found.wallet;
        config.rules = found.rules;
        if let Some(purchases) = found.purchases {
            config.purchases = folder.join(purchases);
        }
        Ok(config)
    }

    /// The socket at which the agent's node answers now, if it runs beside this process: named
    /// outright, or by the node's own configuration.
    #[must_use]
    pub fn live_socket(&self) -> Option<&Path> {
        match &self.housing {
            Housing::Beside(socket) => Some(socket),
            Housing::Within(node) => {
                let socket = node.socket.as_ref().map(|socket| socket.path.as_path());
                socket.filter(|path| Beside::answers_at(path))
            }
        }
    }
}

fn at(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::NotReady(format!("{}: {what}", path.display()))
}

/// The wallet that was asked for, or the only one there is.
pub(super) fn pick_wallet(
    held: &[HeldWallet],
    agent: &AgentId,
    asked: Option<Address>,
) -> Result<Address, Error> {
    let mine: Vec<_> = held.iter().filter(|wallet| wallet.agent == *agent).collect();
    let wallet = match (asked, mine.as_slice()) {
        (Some(asked), _) => mine
            .iter()
            .find(|wallet| wallet.address == asked)
            .ok_or_else(|| Error::NotReady(format!("the agent's node has no share of {asked}")))?,
        (None, [only]) => only,
        (None, []) => {
            return Err(Error::NotReady(
                "the agent's node has no wallet yet: make one with `tercet wallet create`"
                    .to_owned(),
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
mod tests;
