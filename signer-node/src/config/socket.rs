//! The socket at which an agent's processes speak to the node beside them.

use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use serde::Deserialize;
use tercet_policy::party::Party;

use super::ConfigError;

/// Longest path of a Unix socket, in bytes: 108 with the zero at its end (unix(7)).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Most users that may be let in.
pub const SOCKET_USERS_MAX: usize = 64;

/// Where an agent's processes speak to this node. For the role `agent` alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketConfig {
    /// The socket file. Its folder must be there, belong to root or to the node's user, and be
    /// writable by nobody else.
    pub path: PathBuf,
    /// Who is let in, by name or by number; the node's own user alone if not given. The kernel says
    /// who asks; root is let in only where it is listed.
    pub users: Option<Vec<NameOrId>>,
    /// The group that may open the socket file (mode 0660), by name or by number; without it only the
    /// node's own user may (0600). Needed where `users` lists others.
    pub group: Option<NameOrId>,
}

/// A user or a group, as configurations name them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum NameOrId {
    /// By number.
    Id(u32),
    /// By name, as `/etc/passwd` or `/etc/group` has it when the node starts.
    Name(String),
}

impl SocketConfig {
    pub(super) fn check(&self, role: Party) -> Result<(), ConfigError> {
        if role != Party::Agent {
            return Err(ConfigError::SocketRole { role });
        }
        let bytes = self.path.as_os_str().as_bytes().len();
        if bytes > SOCKET_PATH_BYTES_MAX {
            return Err(ConfigError::SocketPath { path: self.path.clone(), bytes });
        }
        let users = self.users.as_ref().map_or(1, Vec::len);
        if (1..=SOCKET_USERS_MAX).contains(&users) {
            return Ok(());
        }
        Err(ConfigError::SocketUsers { users })
    }
}
