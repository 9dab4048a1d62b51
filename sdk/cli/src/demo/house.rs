//! The house on disk: three nodes' homes, their configurations, a coordinator's, and an authority.
//!
//! ```text
//! folder/
//!   authority.key  coordinator.toml  coordinator.sqlite  logs/
//!   agent/ operator/ recovery/   <role>.toml  passphrase  home/
//! ```
//! Does not protect against: anything. All three shares lie in one folder, which is the opposite
//! of what Tercet is for; it is a demonstration.

mod acts;
mod text;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use tercet_policy::document::NodeKeys;
use tercet_policy::party::{AgentId, NodeId, Party};
use tercet_policy::time::UnixSeconds;
use tercet_signer::home::{Home, HomeError};
use tercet_signer::identity::{IdentityError, NodeIdentity};
use tercet_signer::kek::{Argon2Cost, Kek, KekError, PassphraseSource};

pub use self::acts::{ActError, AgentLine, CEREMONY_SECONDS_MAX};
pub use self::text::{ConfigText, NodeText};
use super::process::{Process, ProcessError, free_address, program};
use crate::keyfile::{AuthorityKey, KeyFileError};

/// Why there is no house.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// A file or a socket.
    #[error("{what}: {source}")]
    Io {
        /// What was done.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// A home.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// A home's key.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// A node's identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The authority's key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] tercet_policy::party::BadName),
    /// A child process.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// Adds what was done to an I/O error.
fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> HouseError {
    let what = what.into();
    move |source| HouseError::Io { what, source }
}

/// One node's place.
#[derive(Debug)]
pub struct Seat {
    /// Which share it holds.
    pub party: Party,
    /// The public half of its identity.
    pub keys: NodeKeys,
    /// Its folder, with its configuration, `passphrase` and `home`.
    pub folder: PathBuf,
    /// Where its health is asked.
    pub health: SocketAddr,
}

impl Seat {
    /// Its home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.join(format!("{}.toml", self.party))
    }

    /// Opens the home, which no process may be using.
    ///
    /// # Errors
    /// [`HouseError`].
    pub fn open(&self) -> Result<(Home, Kek), HouseError> {
        open_home(&self.folder)
    }
}

/// The whole house on disk.
#[derive(Debug)]
pub struct House {
    /// Its folder.
    pub folder: PathBuf,
    /// The agent.
    pub agent: AgentId,
    /// The one authority key.
    pub authority: AuthorityKey,
    /// The chain's JSON-RPC endpoint.
    pub rpc: String,
    /// Where the coordinator listens.
    pub coordinator: SocketAddr,
    /// Agent, operator, recovery.
    pub seats: [Seat; 3],
    /// The agent's identity, which signs intents.
    pub identity: NodeIdentity,
}

impl House {
    /// Lays a house out in `folder`, or takes over the identities that are there.
    ///
    /// # Errors
    /// [`HouseError`].
    pub fn lay_out(folder: &Path, agent: &AgentId, rpc: &str) -> Result<Self, HouseError> {
        private_folder(folder)?;
        private_folder(&folder.join("logs"))?;
        let key = folder.join("authority.key");
        let authority =
            if key.exists() { AuthorityKey::open(&key)? } else { AuthorityKey::create(&key)? };
        let (agent_seat, identity) = seat(folder, Party::Agent, agent)?;
        let (operator_seat, _) = seat(folder, Party::Operator, agent)?;
        let (recovery_seat, _) = seat(folder, Party::Recovery, agent)?;
        let house = Self {
            folder: folder.to_owned(),
            agent: agent.clone(),
            authority,
            rpc: rpc.to_owned(),
            coordinator: free_address().map_err(io_error("a free port"))?,
            seats: [agent_seat, operator_seat, recovery_seat],
            identity,
        };
        house.write_configs(|_| house.coordinator_url(), &ConfigText::default())?;
        Ok(house)
    }

    /// Writes all configurations; `courier` says where each node dials.
    ///
    /// # Errors
    /// [`HouseError::Io`].
    pub fn write_configs(
        &self,
        courier: impl Fn(Party) -> String,
        text: &ConfigText,
    ) -> Result<(), HouseError> {
        write(&self.coordinator_config(), &text.coordinator(self))?;
        self.seats.iter().try_for_each(|seat| {
            write(&seat.config(), &text.node(self, seat, &courier(seat.party)))
        })
    }

    /// The coordinator's own address as a URL.
    #[must_use]
    pub fn coordinator_url(&self) -> String {
        format!("http://{}", self.coordinator)
    }

    /// The coordinator's configuration.
    #[must_use]
    pub fn coordinator_config(&self) -> PathBuf {
        self.folder.join("coordinator.toml")
    }

    /// A node's place.
    #[must_use]
    pub const fn seat(&self, party: Party) -> &Seat {
        let [agent, operator, recovery] = &self.seats;
        match party {
            Party::Agent => agent,
            Party::Operator => operator,
            Party::Recovery => recovery,
        }
    }

    /// A log file.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join("logs").join(format!("{name}.log"))
    }

    /// Forgets what belongs to one chain: journals, wallets and the coordinator's store. Aux info
    /// and identities stay.
    ///
    /// # Errors
    /// [`HouseError::Io`].
    pub fn forget_chain(&self) -> Result<(), HouseError> {
        for seat in &self.seats {
            forget(&seat.home(), &["journal", "purchases", "payments", "documents"])?;
            let wallets = seat.home().join("wallets");
            forget(&wallets, &["0x"])?;
        }
        forget(&self.folder, &["coordinator.sqlite"])
    }

    /// Starts the coordinator and waits until it answers.
    ///
    /// # Errors
    /// [`HouseError::Process`].
    pub async fn start_coordinator(&self, more: &[&str]) -> Result<Process, HouseError> {
        let mut command = Command::new(program("tercet-coordinator"));
        command.arg("--config").arg(self.coordinator_config()).args(more);
        let mut process = Process::start("coordinator", &mut command, &self.log("coordinator"))?;
        let health = format!("{}/readyz", self.coordinator_url());
        process.wait_until(async || acts::answers(&health).await).await?;
        Ok(process)
    }

    /// Starts a node and waits until it is ready: unlocked, and connected.
    ///
    /// # Errors
    /// [`HouseError::Process`].
    pub async fn start_node(&self, party: Party, more: &[&str]) -> Result<Process, HouseError> {
        let mut process = self.spawn_node(party, more)?;
        let ready = format!("http://{}/readyz", self.seat(party).health);
        process.wait_until(async || acts::answers(&ready).await).await?;
        Ok(process)
    }

    /// Starts a node without waiting for it.
    ///
    /// # Errors
    /// [`HouseError::Process`].
    pub fn spawn_node(&self, party: Party, more: &[&str]) -> Result<Process, HouseError> {
        let mut command = Command::new(program("tercet-signer-node"));
        command.args(["--role", party.word(), "--config"]).arg(self.seat(party).config());
        let log = self.log(party.word());
        Ok(Process::start(party.word(), command.args(more), &log)?)
    }
}

fn seat(folder: &Path, party: Party, agent: &AgentId) -> Result<(Seat, NodeIdentity), HouseError> {
    let folder = folder.join(party.word());
    let name = match party {
        Party::Agent => NodeId::from(agent.clone()),
        Party::Operator | Party::Recovery => NodeId::new(&format!("{party}-01"))?,
    };
    let identity = if folder.join("home").exists() {
        let (home, kek) = open_home(&folder)?;
        NodeIdentity::open(&home, &kek)?
    } else {
        make_home(&folder, name)?
    };
    let health = free_address().map_err(io_error("a free port"))?;
    let keys = identity.public().clone();
    Ok((Seat { party, keys, folder, health }, identity))
}

fn make_home(folder: &Path, name: NodeId) -> Result<NodeIdentity, HouseError> {
    private_folder(folder)?;
    let mut passphrase = [0u8; 32];
    getrandom::fill(&mut passphrase)
        .map_err(|_| io_error("a passphrase")(io::ErrorKind::Other.into()))?;
    write(&folder.join("passphrase"), &hex::encode(passphrase))?;
    let passphrase = PassphraseSource::File(folder.join("passphrase")).read()?;
    let home = Home::create(&folder.join("home"))?;
    let kek = Kek::create(&home, &passphrase, Argon2Cost::standard())?;
    let identity = NodeIdentity::generate(name)?;
    identity.seal(&home, &kek, now())?;
    Ok(identity)
}

fn open_home(folder: &Path) -> Result<(Home, Kek), HouseError> {
    let home = Home::open(&folder.join("home"))?;
    let passphrase = PassphraseSource::File(folder.join("passphrase")).read()?;
    let kek = Kek::unlock(&home, &passphrase, Argon2Cost::standard())?;
    Ok((home, kek))
}

fn private_folder(path: &Path) -> Result<(), HouseError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io_error(path.display().to_string()))
}

fn write(path: &Path, text: &str) -> Result<(), HouseError> {
    use std::io::Write as _;
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(io_error(path.display().to_string()))
}

/// Removes the files of a folder whose names begin with one of `prefixes`.
fn forget(folder: &Path, prefixes: &[&str]) -> Result<(), HouseError> {
    let failed = || io_error(folder.display().to_string());
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
            fs::remove_file(entry.path()).map_err(failed())?;
        }
    }
    Ok(())
}

/// The time of day.
#[must_use]
pub fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(since.as_secs())
}
