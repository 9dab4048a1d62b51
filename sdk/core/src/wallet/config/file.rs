//! The agent's own file, as people write it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use serde::Deserialize;
use tercet_signer_node::StartOptions;
use tercet_signer_node::config::{ChainConfig, CoordinatorUrl};

use super::{Housing, WalletConfig, at};
use crate::error::Error;
use crate::rules::FetchRules;

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WalletFile {
    pub(super) wallet: Option<Address>,
    pub(super) purchases: Option<PathBuf>,
    socket: Option<PathBuf>,
    coordinator: Option<CoordinatorUrl>,
    chains: Vec<ChainConfig>,
    pub(super) rules: FetchRules,
}

impl WalletFile {
    /// The file, if it is there.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        match std::fs::metadata(path) {
            Ok(found) if found.len() > FILE_BYTES_MAX => {
                return Err(at(path, format!("larger than {FILE_BYTES_MAX} bytes")));
            }
            Ok(found) if found.permissions().mode() & 0o002 != 0 => {
                return Err(at(path, "may be written by anybody: chmod o-w it"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(path, error)),
        }
        let text = std::fs::read_to_string(path).map_err(|e| at(path, e))?;
        toml::from_str(&text).map(Some).map_err(|e| at(path, e))
    }

    /// A wallet whose node runs beside this process, if that is what the file says.
    pub(super) fn beside(&self, folder: &Path) -> Result<Option<WalletConfig>, &'static str> {
        let Some(socket) = &self.socket else {
            if self.coordinator.is_some() || !self.chains.is_empty() {
                return Err(
                    "`coordinator` and [[chains]] are of agent.toml, unless a `socket` is named",
                );
            }
            return Ok(None);
        };
        let coordinator = self.coordinator.clone().ok_or("a `socket` needs a `coordinator`")?;
        Ok(Some(WalletConfig {
            housing: Housing::Beside(folder.join(socket)),
            coordinator,
            chains: self.chains.clone(),
            purchases: folder.to_owned(),
            wallet: None,
            rules: FetchRules::default(),
            start: StartOptions::default(),
        }))
    }
}
