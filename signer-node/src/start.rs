//! From a configuration to a signer that may sign, or the reason why not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tercet_policy::party::NodeId;
use tercet_policy::rules::{GrantsNothing, Policy, PolicyError, SignedPolicy};
use tercet_signer::gate::{CrashPoint, InstallError, OpenError, Signer, SignerParts};
use tercet_signer::home::{Home, HomeError};
use tercet_signer::identity::{IdentityError, NodeIdentity};
use tercet_signer::kek::{Argon2Cost, Kek, KekError, PassphraseSource};
use tercet_signer::vault::VaultError;
use tokio::time::timeout;

use crate::config::{ConfigError, NodeConfig};
use crate::health::HealthError;
use crate::reconcile::Unreadable;
use crate::relay::now;

/// Largest policy file that is read, in bytes: a policy, its signatures, and JSON around them.
const POLICY_FILE_BYTES_MAX: u64 = 512 * 1024;
/// How long whatever still holds the home, once everything was called off, gets to let go of it, in
/// milliseconds.
const HOME_FREED_MS_MAX: u64 = 10_000;

/// What does not come from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct StartOptions {
    /// The least that a guess at the passphrase must cost.
    pub kek_floor: Argon2Cost,
    /// Where the process aborts, for tests of what survives that. Never set by configuration.
    pub insecure_crash_at: Option<CrashPoint>,
}

impl Default for StartOptions {
    fn default() -> Self {
        Self { kek_floor: Argon2Cost::standard(), insecure_crash_at: None }
    }
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A policy file cannot be read.
    #[error("policy {path}: {reason}")]
    PolicyFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A policy file is not a policy.
    #[error("policy {path}: {source}")]
    Policy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PolicyError,
    },
    /// A policy file under which nothing could be paid.
    #[error("policy {path} grants nothing: {why}")]
    GrantsNothing {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: GrantsNothing,
    },
    /// A policy file could not be put into force.
    #[error("policy {path} is not in force: {source}")]
    Install {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: InstallError,
    },
    /// The home is missing, in use, or others may read it.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The passphrase is missing or wrong.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// There is no identity in the home.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The identity in the home is another node's.
    #[error("the home is that of node {found}, and the configuration is for node {configured}")]
    OtherNode {
        /// Of the configuration.
        configured: NodeId,
        /// Of the home.
        found: NodeId,
    },
    /// The journal or the shares.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A share that cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The health address.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// The chain readers.
    #[error(transparent)]
    Chain(#[from] Unreadable),
    /// A mistake of ours.
    #[error("a bug of ours: {0}")]
    Bug(&'static str),
}

/// The policies that a configuration names, read and found to grant something.
pub(crate) struct PolicyFiles {
    own: Vec<Policy>,
    signed: Vec<(PathBuf, SignedPolicy)>,
}

impl PolicyFiles {
    /// Reads and checks them. Signatures are checked when they are put into force.
    pub(crate) fn read(config: &NodeConfig) -> Result<Self, StartError> {
        let own = config.own_policy.iter().map(|path| parse(path, &read_text(path)?));
        let signed = config.policies.iter().map(|path| {
            let body: SignedPolicy = serde_json::from_str(&read_text(path)?).map_err(|e| {
                StartError::PolicyFile { path: path.clone(), reason: e.to_string() }
            })?;
            parse(path, &body.document.yaml)?;
            Ok((path.clone(), body))
        });
        Ok(Self {
            own: own.collect::<Result<_, StartError>>()?,
            signed: signed.collect::<Result<_, StartError>>()?,
        })
    }
}

/// Checks everything that can be checked without the passphrase.
///
/// # Errors
/// [`StartError`].
pub(crate) fn check(config: &NodeConfig) -> Result<(), StartError> {
    config.check()?;
    PolicyFiles::read(config).map(drop)
}

/// Opens the home and everything in it.
pub(crate) async fn open(
    config: &NodeConfig,
    options: StartOptions,
) -> Result<Arc<Signer>, StartError> {
    config.check()?;
    let files = PolicyFiles::read(config)?;
    let unlocked = unlock(config, options.kek_floor).await?;
    let found = &unlocked.identity.public().id;
    if *found != config.node {
        let (configured, found) = (config.node.clone(), found.clone());
        return Err(StartError::OtherNode { configured, found });
    }
    let parts = SignerParts {
        role: config.role,
        home: unlocked.home,
        kek: unlocked.kek,
        identity: Arc::new(unlocked.identity),
        authority: config.authority.clone(),
        own_policies: files.own,
        crash_at: options.insecure_crash_at,
    };
    let signer = Arc::new(Signer::open(parts, now()).await?);
    match make_ready(&signer, files.signed).await {
        Ok(()) => Ok(signer),
        Err(error) => {
            free(signer).await;
            Err(error)
        }
    }
}

async fn make_ready(
    signer: &Arc<Signer>,
    policies: Vec<(PathBuf, SignedPolicy)>,
) -> Result<(), StartError> {
    let shares = Arc::clone(signer);
    blocking(move || shares.check_shares()).await??;
    for (path, policy) in policies {
        let installed = signer.install_policy(policy).await;
        installed.map_err(|source| StartError::Install { path, source })?;
    }
    Ok(())
}

/// Closes the journal and lets go of the home, and waits until nobody else holds it either: a
/// session that was called off may still be on its way out.
pub(crate) async fn free(signer: Arc<Signer>) {
    if let Err(error) = signer.close().await {
        tracing::warn!(%error, "the journal did not close cleanly");
    }
    let freed = signer.home_freed();
    drop(signer);
    if timeout(Duration::from_millis(HOME_FREED_MS_MAX), freed).await.is_err() {
        tracing::error!("the home stays locked: a session that was called off does not end");
    }
}

struct Unlocked {
    home: Home,
    kek: Kek,
    identity: NodeIdentity,
}

/// Argon2 takes its time and memory, so it runs off the async runtime.
async fn unlock(config: &NodeConfig, floor: Argon2Cost) -> Result<Unlocked, StartError> {
    let (path, source) = (config.home.clone(), config.passphrase.source()?);
    blocking(move || unlock_at(&path, &source, floor)).await?
}

fn unlock_at(
    path: &Path,
    source: &PassphraseSource,
    floor: Argon2Cost,
) -> Result<Unlocked, StartError> {
    let passphrase = source.read()?;
    let home = Home::open(path)?;
    home.refuse_missing_journal()?;
    let kek = Kek::unlock(&home, &passphrase, floor)?;
    let identity = NodeIdentity::open(&home, &kek)?;
    Ok(Unlocked { home, kek, identity })
}

async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StartError> {
    let done = tokio::task::spawn_blocking(act).await;
    done.map_err(|_| StartError::Bug("opening ended without a result"))
}

fn read_text(path: &Path) -> Result<String, StartError> {
    let failed = |reason| StartError::PolicyFile { path: path.to_owned(), reason };
    let bytes = std::fs::metadata(path).map_err(|e| failed(e.to_string()))?.len();
    if bytes > POLICY_FILE_BYTES_MAX {
        return Err(failed(format!("{bytes} bytes, the limit is {POLICY_FILE_BYTES_MAX}")));
    }
    std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))
}

fn parse(path: &Path, yaml: &str) -> Result<Policy, StartError> {
    let policy = Policy::parse(yaml)
        .map_err(|source| StartError::Policy { path: path.to_owned(), source })?;
    match policy.grants_nothing() {
        None => Ok(policy),
        Some(why) => Err(StartError::GrantsNothing { path: path.to_owned(), why }),
    }
}
