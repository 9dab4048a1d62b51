//! Who is let in.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use rustix::process::geteuid;

use super::SocketError;
use crate::config::{NameOrId, SocketConfig};

const USERS_FILE: &str = "/etc/passwd";
const GROUPS_FILE: &str = "/etc/group";

/// The users that are let in, and the group that may open the file.
#[derive(Clone)]
pub(super) struct Users {
    ids: BTreeSet<u32>,
    group: Option<u32>,
}

impl Users {
    /// Looks names up in the system's own files.
    pub(super) fn of(config: &SocketConfig) -> Result<Self, SocketError> {
        let own = geteuid().as_raw();
        let ids = match &config.users {
            None => BTreeSet::from([own]),
            Some(users) => users.iter().map(user).collect::<Result<_, _>>()?,
        };
        let group = config.group.as_ref().map(group).transpose()?;
        // Root opens whatever it likes.
        let other = ids.iter().find(|id| ![0, own].contains(*id));
        match (other, group) {
            (Some(&user), None) => Err(SocketError::NeedsGroup { user }),
            _ => Ok(Self { ids, group }),
        }
    }

    pub(super) fn are_let_in(&self, user: u32) -> bool {
        self.ids.contains(&user)
    }

    pub(super) const fn group(&self) -> Option<u32> {
        self.group
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.ids).finish()
    }
}

fn user(given: &NameOrId) -> Result<u32, SocketError> {
    looked_up("users", USERS_FILE, given)
}

fn group(given: &NameOrId) -> Result<u32, SocketError> {
    looked_up("group", GROUPS_FILE, given)
}

/// Both files have the name first and the number third (passwd(5), group(5)).
fn looked_up(key: &'static str, file: &'static str, given: &NameOrId) -> Result<u32, SocketError> {
    let name = match given {
        NameOrId::Id(id) => return Ok(*id),
        NameOrId::Name(name) => name,
    };
    let path = Path::new(file);
    let failed = |source| SocketError::System { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let line = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1))
    });
    let id = line.flatten().and_then(|id| id.parse().ok());
    id.ok_or_else(|| SocketError::UnknownName { key, file, name: name.clone() })
}
