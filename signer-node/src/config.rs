//! One TOML file that says what a node is and whom it believes.
//!
//! Promises: every key is documented here and known; what is missing has the stated default.
//! Refuses: unknown keys by name, a coordinator without TLS that is not on this machine, a health
//! address that others can reach, a file that anybody may write.
//! Does not protect against: an owner of the file who pins the wrong authority.

mod error;
mod place;
mod socket;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tercet_chain::Endpoints;
use tercet_policy::chain::Chain;
use tercet_policy::document::Authority;
use tercet_policy::party::{NodeId, Party};
use tercet_signer::kek::PassphraseSource;
use tercet_signer::stock::PRESIGNATURES_PER_WALLET_MAX;
use tercet_signer::vault::PRIME_SETS_MAX;
use url::Url;

pub use self::error::ConfigError;
pub use self::place::{BadPlace, CoordinatorUrl, HealthAddress};
pub use self::socket::{NameOrId, SOCKET_PATH_BYTES_MAX, SOCKET_USERS_MAX, SocketConfig};

/// Largest configuration file, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 64 * 1024;
/// Sessions at a time, unless configured otherwise.
pub const SESSIONS_DEFAULT: usize = 8;
/// Most sessions at a time that can be configured.
pub const SESSIONS_MAX: usize = 256;
/// Time between two looks at the chain, in seconds, unless configured otherwise.
pub const RECONCILE_SECONDS_DEFAULT: u64 = 30;
/// Time that running sessions get to end after a stop signal, in seconds, unless configured
/// otherwise.
pub const STOP_SECONDS_DEFAULT: u64 = 20;
/// Sets of primes in stock at an operator's node, unless configured otherwise.
pub const PRIME_STOCK_OPERATOR_DEFAULT: usize = 4;
/// Sets of primes in stock at another node, unless configured otherwise.
pub const PRIME_STOCK_DEFAULT: usize = 1;

/// Presignatures in stock of a wallet that pays, unless configured otherwise.
pub const STOCK_FLOOR_DEFAULT: usize = 8;
/// Most presignatures in stock of a wallet, unless configured otherwise.
pub const STOCK_MAX_DEFAULT: usize = 64;
/// How long after its last payment a wallet's stock is kept up, in seconds, unless configured
/// otherwise.
pub const STOCK_IDLE_SECONDS_DEFAULT: u64 = 900;

/// A node's configuration. Relative paths are taken from the folder of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// `agent`, `operator` or `recovery`; must equal `--role`.
    pub role: Party,
    /// This node's name; must be that of the identity in the home. An agent's node carries the
    /// agent's name.
    pub node: NodeId,
    /// The folder with identity, shares and journal, mode 0700.
    pub home: PathBuf,
    /// Where the coordinator answers: `https://host[:port]`, or `http` on this machine.
    pub coordinator: CoordinatorUrl,
    /// Loopback address of `/livez` and `/readyz`, `127.0.0.1:9101`; without it there is none.
    pub health: Option<HealthAddress>,
    /// Where an agent's processes speak to this node, which keeps their share and their stock of
    /// presignatures; without it nobody does.
    pub socket: Option<SocketConfig>,
    /// Where the passphrase of the home comes from.
    pub passphrase: PassphraseConfig,
    /// The keys that may enrol agents and loosen policies: `keys` (hexadecimal) and `threshold`.
    pub authority: Authority,
    /// A policy of this node's own (YAML, unsigned), for an organisation, an agent or a wallet:
    /// it must approve what it applies to, beside the authority's.
    pub own_policy: Option<PathBuf>,
    /// Signed policies (JSON, as `tercet policy sign` writes them) to install at start, without a courier.
    #[serde(default)]
    pub policies: Vec<PathBuf>,
    /// RPC endpoints by which this node reconciles its journal with the chain.
    #[serde(default)]
    pub chains: Vec<ChainConfig>,
    /// Primes that are found ahead of need.
    #[serde(default)]
    pub primes: PrimesConfig,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
    /// Presignatures; of use at an agent's node.
    #[serde(default)]
    pub stock: StockConfig,
    /// Logging, to standard error.
    #[serde(default)]
    pub log: LogConfig,
}

/// Where the passphrase comes from: exactly one of `file` and `credential`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassphraseConfig {
    /// A file of ours, mode 0600 or stricter.
    pub file: Option<PathBuf>,
    /// A systemd credential, by name (`LoadCredential=`).
    pub credential: Option<String>,
}

impl PassphraseConfig {
    /// The one source.
    ///
    /// # Errors
    /// [`ConfigError::PassphraseSource`] for none or both.
    pub fn source(&self) -> Result<PassphraseSource, ConfigError> {
        match (&self.file, &self.credential) {
            (Some(file), None) => Ok(PassphraseSource::File(file.clone())),
            (None, Some(name)) => Ok(PassphraseSource::SystemdCredential(name.clone())),
            _ => Err(ConfigError::PassphraseSource),
        }
    }
}

/// A chain and the endpoints that tell about it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// CAIP-2 name, `eip155:8453`.
    pub chain: Chain,
    /// JSON-RPC endpoints. What gives a reservation back takes the agreement of most of them.
    pub endpoints: Vec<Url>,
    /// How many endpoints must agree; a majority of them if not given.
    pub quorum: Option<usize>,
}

impl ChainConfig {
    /// The endpoints, checked.
    ///
    /// # Errors
    /// [`ConfigError::Endpoints`].
    pub fn endpoints(&self) -> Result<Endpoints, ConfigError> {
        Endpoints::new(self.chain, self.endpoints.clone(), self.quorum)
            .map_err(|fault| ConfigError::Endpoints { chain: self.chain, fault })
    }
}

/// Primes that are found ahead of need, so that a new agent's group does not wait for the search.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrimesConfig {
    /// Sets to keep in stock, one for each group to come; 0 for none. Without it 4 at an operator's
    /// node and 1 at the others; an agent's node keeps none once its group is prepared.
    pub stock: Option<usize>,
}

impl PrimesConfig {
    /// Sets to keep in stock at a node of this role.
    #[must_use]
    pub fn stock_at(self, role: Party) -> usize {
        self.stock.unwrap_or(match role {
            Party::Operator => PRIME_STOCK_OPERATOR_DEFAULT,
            Party::Agent | Party::Recovery => PRIME_STOCK_DEFAULT,
        })
    }
}

/// Bounds of a node.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Sessions at a time; more are answered with a failure.
    pub sessions: usize,
    /// Time between two looks at the chain, in seconds.
    pub reconcile_seconds: u64,
    /// Time that running sessions get to end after a stop signal, in seconds.
    pub stop_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: SESSIONS_DEFAULT,
            reconcile_seconds: RECONCILE_SECONDS_DEFAULT,
            stop_seconds: STOP_SECONDS_DEFAULT,
        }
    }
}

/// How many presignatures an agent's node keeps of each wallet that pays. Each takes about half a
/// second of processor time on either side, and is dropped after an hour.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StockConfig {
    /// Least, of a wallet that paid or was opened lately.
    pub floor: usize,
    /// Most, however fast it pays. 0 keeps no stock: payments are signed interactively.
    pub max: usize,
    /// A wallet that has not paid for so long gets no more, in seconds.
    pub idle_seconds: u64,
}

impl Default for StockConfig {
    fn default() -> Self {
        Self {
            floor: STOCK_FLOOR_DEFAULT,
            max: STOCK_MAX_DEFAULT,
            idle_seconds: STOCK_IDLE_SECONDS_DEFAULT,
        }
    }
}

/// How a node logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, or a filter as `tracing` writes it.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl NodeConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(|error| match error {
            ParseError::Toml(source) => {
                ConfigError::Malformed { path: path.to_owned(), source: Box::new(source) }
            }
            ParseError::Config(error) => error,
        })
    }

    /// Parses and checks a text whose relative paths are taken from `folder`.
    fn parse(text: &str, folder: &Path) -> Result<Self, ParseError> {
        let mut config: Self = toml::from_str(text).map_err(ParseError::Toml)?;
        config.resolve(folder);
        config.check().map_err(ParseError::Config)?;
        Ok(config)
    }

    /// Checks that the command line asks for the role this is for.
    ///
    /// # Errors
    /// [`ConfigError::OtherRole`].
    pub fn expect_role(&self, asked: Party) -> Result<(), ConfigError> {
        if asked == self.role {
            return Ok(());
        }
        Err(ConfigError::OtherRole { asked, configured: self.role })
    }

    /// Checks what types alone do not hold. [`Self::read`] has done so.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn check(&self) -> Result<(), ConfigError> {
        self.passphrase.source()?;
        let sessions = u64::try_from(self.limits.sessions).unwrap_or(u64::MAX);
        within("sessions", sessions, SESSIONS_MAX as u64)?;
        at_most("stock.max", self.stock.max, PRESIGNATURES_PER_WALLET_MAX)?;
        at_most("stock.floor", self.stock.floor, PRESIGNATURES_PER_WALLET_MAX)?;
        within("reconcile_seconds", self.limits.reconcile_seconds, 86_400)?;
        within("stop_seconds", self.limits.stop_seconds, 3_600)?;
        if let Some(socket) = &self.socket {
            socket.check(self.role)?;
        }
        at_most("primes.stock", self.primes.stock.unwrap_or_default(), PRIME_SETS_MAX)?;
        self.check_chains()
    }

    fn check_chains(&self) -> Result<(), ConfigError> {
        for (i, entry) in self.chains.iter().enumerate() {
            let again = self.chains.iter().take(i).any(|earlier| earlier.chain == entry.chain);
            if again {
                return Err(ConfigError::ChainTwice { chain: entry.chain });
            }
            entry.endpoints()?;
        }
        Ok(())
    }

    fn resolve(&mut self, folder: &Path) {
        let socket = self.socket.as_mut().map(|socket| &mut socket.path);
        let paths =
            [Some(&mut self.home), self.own_policy.as_mut(), self.passphrase.file.as_mut(), socket];
        for path in paths.into_iter().flatten().chain(&mut self.policies) {
            *path = folder.join(&*path);
        }
    }
}

enum ParseError {
    Toml(toml::de::Error),
    Config(ConfigError),
}

fn at_most(key: &'static str, value: usize, limit: usize) -> Result<(), ConfigError> {
    if value <= limit {
        return Ok(());
    }
    let (value, limit) = (value as u64, limit as u64);
    Err(ConfigError::AtMost { key, value, limit })
}

fn within(key: &'static str, value: u64, limit: u64) -> Result<(), ConfigError> {
    if (1..=limit).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::Limit { key, value, limit })
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.permissions().mode() & 0o002 != 0 {
        return Err(ConfigError::WritableByAll { path: path.to_owned() });
    }
    if metadata.len() > CONFIG_BYTES_MAX {
        return Err(ConfigError::TooLarge { path: path.to_owned(), bytes: metadata.len() });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

#[cfg(test)]
mod tests;
