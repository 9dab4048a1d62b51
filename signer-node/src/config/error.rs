//! Why a configuration is not one to start with.

use std::path::PathBuf;

use tercet_chain::BadEndpoints;
use tercet_policy::chain::Chain;
use tercet_policy::party::Party;

use super::{CONFIG_BYTES_MAX, SOCKET_PATH_BYTES_MAX, SOCKET_USERS_MAX};

/// Why a configuration is not one to start with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Anybody may change what this node believes.
    #[error("{path} may be written by anybody: chmod o-w it")]
    WritableByAll {
        /// The file.
        path: PathBuf,
    },
    /// More than a configuration has.
    #[error("{path} has {bytes} bytes, the limit is {CONFIG_BYTES_MAX}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length, in bytes.
        bytes: u64,
    },
    /// Not TOML, an unknown key, a missing key, or a value that is none. The text names the place.
    #[error("{path}: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// Not exactly one source of the passphrase.
    #[error("[passphrase] takes exactly one of `file` and `credential`")]
    PassphraseSource,
    /// A bound that is none.
    #[error("limits.{key} = {value} is outside 1..={limit}")]
    Limit {
        /// The key.
        key: &'static str,
        /// What is configured.
        value: u64,
        /// The largest possible.
        limit: u64,
    },
    /// More than may be.
    #[error("{key} = {value} is more than {limit}")]
    AtMost {
        /// The key.
        key: &'static str,
        /// What is configured.
        value: u64,
        /// The largest possible.
        limit: u64,
    },
    /// Two entries for a chain.
    #[error("[[chains]] {chain} is given twice")]
    ChainTwice {
        /// The chain.
        chain: Chain,
    },
    /// Endpoints that cannot be used.
    #[error("[[chains]] {chain}: {fault}")]
    Endpoints {
        /// The chain.
        chain: Chain,
        /// Why not.
        fault: BadEndpoints,
    },
    /// A socket for a node that is no agent's.
    #[error("[socket] is for the role agent, and the configuration is of role {role}")]
    SocketRole {
        /// Of the file.
        role: Party,
    },
    /// A socket where there can be none.
    #[error("{path} has {bytes} bytes; a socket's path has at most {SOCKET_PATH_BYTES_MAX}")]
    SocketPath {
        /// The path, with the folder of the file before it.
        path: PathBuf,
        /// Its length, in bytes.
        bytes: usize,
    },
    /// Nobody, or too many.
    #[error("socket.users lists {users}; there must be 1 to {SOCKET_USERS_MAX}")]
    SocketUsers {
        /// How many.
        users: usize,
    },
    /// The role of the command line is another.
    #[error("--role {asked} was asked for, and the configuration is of role {configured}")]
    OtherRole {
        /// Of the command line.
        asked: Party,
        /// Of the file.
        configured: Party,
    },
}
