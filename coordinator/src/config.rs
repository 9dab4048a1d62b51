//! The one TOML file of a coordinator.
//!
//! Promises: what loads is complete and consistent. Refuses: unknown keys, nodes that share a name
//! or a key, a chain twice, and a plain listener that others can reach unless the file spells
//! `insecure_plain_http = true`. TLS is the business of a reverse proxy in front.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tercet_chain::{BadEndpoints, Endpoints};
use tercet_policy::chain::{Chain, Family};
use tercet_policy::document::{Authority, ContentHash, Ed25519PublicKey};
use tercet_policy::party::NodeId;
use url::Url;

/// Largest configuration file that is read, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 256 * 1024;
/// Time between two looks at an open payment on Base, whose blocks take two seconds.
const BASE_POLL_SECONDS: u64 = 2;
/// Time between two looks at an open payment on Tempo, whose blocks take half a second.
const TEMPO_POLL_SECONDS: u64 = 1;

/// A coordinator's configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; loopback unless [`insecure_plain_http`](Self::insecure_plain_http).
    pub listen: SocketAddr,
    /// The SQLite file; relative to the configuration file's folder.
    pub database: PathBuf,
    /// Who signs enrolments, freezes and policies.
    pub authority: Authority,
    /// Lets plain HTTP be reached by others. Danger: bearer tokens and intents are readable.
    #[serde(default)]
    pub insecure_plain_http: bool,
    /// The operator's and the recovery officer's nodes. Agents' nodes come from enrolments.
    #[serde(default)]
    pub nodes: Vec<NodeConfig>,
    /// The chains to watch.
    #[serde(default)]
    pub chains: Vec<ChainConfig>,
    /// Bearer tokens for read-only views of everything.
    #[serde(default)]
    pub read_tokens: Vec<ReadToken>,
    /// How much at once, and for how long.
    #[serde(default)]
    pub limits: Limits,
}

/// A node that may connect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Its name.
    pub id: NodeId,
    /// Which share it holds.
    pub role: HouseRole,
    /// Its public signing key.
    pub signing: Ed25519PublicKey,
}

/// The roles of nodes that are configured and not enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HouseRole {
    /// Holds the Operator share.
    Operator,
    /// Holds the Recovery share.
    Recovery,
}

/// A chain and where to ask about it. `Debug` leaves the URLs out: they often carry a key.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// CAIP-2 name.
    #[serde(alias = "chain")]
    pub id: Chain,
    /// JSON-RPC endpoints.
    #[serde(alias = "urls")]
    pub rpc: Vec<Url>,
    /// How many of them must agree on what permits more; the smallest majority if absent.
    #[serde(default)]
    pub quorum: Option<usize>,
    /// How often an open payment is looked up, in seconds. Without it, once in a block: every 2 on
    /// Base, every 1 on Tempo.
    #[serde(default)]
    pub poll_seconds: Option<u64>,
}

impl ChainConfig {
    /// How often an open payment is looked up, in seconds.
    #[must_use]
    pub fn pace_seconds(&self) -> u64 {
        self.poll_seconds.unwrap_or(match self.id.family() {
            Family::Base => BASE_POLL_SECONDS,
            Family::Tempo => TEMPO_POLL_SECONDS,
        })
    }
}

impl std::fmt::Debug for ChainConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {} endpoints", self.id, self.rpc.len())
    }
}

/// A bearer token, known only by its hash.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadToken {
    /// For the log.
    pub name: String,
    /// SHA-256 of the token, hexadecimal.
    pub sha256: ContentHash,
}

/// How much at once, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests being answered at once.
    pub requests_in_flight_max: usize,
    /// Payments that are being taken in or signed in one round trip at once. What is let in waits
    /// for those before it, so this over what is signed in a second is the longest wait.
    pub payments_in_flight_max: usize,
    /// Payments that are not terminal, of all agents.
    pub payments_open_max: u64,
    /// Payments that are not terminal, of one agent; deposits are counted apart.
    pub payments_open_per_agent_max: u64,
    /// Deposits in channels that are not terminal, of one agent. Each is open as long as its
    /// session, for up to 31 days.
    pub deposits_open_per_agent_max: u64,
    /// Ceremonies at once.
    pub ceremonies_max: usize,
    /// How long `POST /v1/payments` waits for an outcome before it answers 202, in seconds.
    pub payment_wait_seconds: u64,
    /// How long any other request may take, in seconds.
    pub request_seconds_max: u64,
    /// How long a ceremony waits for its three nodes, in seconds.
    pub ceremony_nodes_seconds_max: u64,
    /// How long making aux info may take, in seconds.
    pub prepare_seconds_max: u64,
    /// How long a keygen may take, in seconds.
    pub keygen_seconds_max: u64,
    /// How long one signing session may take, in seconds.
    pub sign_seconds_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_in_flight_max: 256,
            payments_in_flight_max: 128,
            payments_open_max: 30_000,
            payments_open_per_agent_max: 3_000,
            deposits_open_per_agent_max: 1_000,
            ceremonies_max: 4,
            payment_wait_seconds: 20,
            request_seconds_max: 30,
            ceremony_nodes_seconds_max: 60,
            prepare_seconds_max: 900,
            keygen_seconds_max: 60,
            sign_seconds_max: 30,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than is read.
    #[error("{} is larger than {CONFIG_BYTES_MAX} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// The text is not a configuration.
    #[error("{}: {source}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// Others could reach a plain listener.
    #[error(
        "listen = {listen} is plain HTTP that others can reach; put a TLS proxy in front of a \
         loopback address, or spell insecure_plain_http = true"
    )]
    PlainHttp {
        /// The address.
        listen: SocketAddr,
    },
    /// Two nodes with one name or one key.
    #[error("node {id} shares its name or its key with another node")]
    NodeTwice {
        /// The later one.
        id: NodeId,
    },
    /// One chain twice.
    #[error("chain {chain} is configured twice")]
    ChainTwice {
        /// The chain.
        chain: Chain,
    },
    /// Endpoints that cannot be used.
    #[error("chain {chain}: {source}")]
    BadEndpoints {
        /// The chain.
        chain: Chain,
        /// Why.
        source: BadEndpoints,
    },
    /// A limit of zero lets nothing in.
    #[error("limits.{name} must not be 0")]
    ZeroLimit {
        /// Which one.
        name: &'static str,
    },
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`] with what to change.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(unreadable)?.len() > CONFIG_BYTES_MAX {
            return Err(ConfigError::TooLarge { path: path.to_owned() });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let mut config: Self = toml::from_str(&text).map_err(|source| ConfigError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        if let Some(folder) = path.parent() {
            config.database = folder.join(&config.database);
        }
        config.check()?;
        Ok(config)
    }

    /// Checks what the types alone do not say.
    ///
    /// # Errors
    /// [`ConfigError`] with what to change.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback() && !self.insecure_plain_http {
            return Err(ConfigError::PlainHttp { listen: self.listen });
        }
        self.check_nodes()?;
        self.check_chains()?;
        self.limits.check()
    }

    fn check_nodes(&self) -> Result<(), ConfigError> {
        let (mut ids, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for node in &self.nodes {
            if !ids.insert(&node.id) || !keys.insert(node.signing) {
                return Err(ConfigError::NodeTwice { id: node.id.clone() });
            }
        }
        Ok(())
    }

    fn check_chains(&self) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        for chain in &self.chains {
            if !seen.insert(chain.id) {
                return Err(ConfigError::ChainTwice { chain: chain.id });
            }
            Endpoints::new(chain.id, chain.rpc.clone(), chain.quorum)
                .map_err(|source| ConfigError::BadEndpoints { chain: chain.id, source })?;
        }
        Ok(())
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        let limits = [
            ("requests_in_flight_max", self.requests_in_flight_max as u64),
            ("payments_in_flight_max", self.payments_in_flight_max as u64),
            ("payments_open_max", self.payments_open_max),
            ("payments_open_per_agent_max", self.payments_open_per_agent_max),
            ("deposits_open_per_agent_max", self.deposits_open_per_agent_max),
            ("ceremonies_max", self.ceremonies_max as u64),
            ("payment_wait_seconds", self.payment_wait_seconds),
            ("request_seconds_max", self.request_seconds_max),
            ("ceremony_nodes_seconds_max", self.ceremony_nodes_seconds_max),
            ("prepare_seconds_max", self.prepare_seconds_max),
            ("keygen_seconds_max", self.keygen_seconds_max),
            ("sign_seconds_max", self.sign_seconds_max),
        ];
        match limits.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(ConfigError::ZeroLimit { name }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
