//! A new home with a new identity.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use tercet_policy::document::NodeKeys;
use tercet_policy::party::NodeId;
use tercet_policy::time::UnixSeconds;
use tercet_signer::home::{Home, HomeError};
use tercet_signer::identity::{IdentityError, NodeIdentity};
use tercet_signer::kek::{Argon2Cost, Kek, KekError, PassphraseSource};

/// Why a home was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// Something is there already, or the folder cannot be made.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// No passphrase, or no key from it.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// The identity could not be made or sealed.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Makes a home at `path` for a node of that name, and yields the public half of its identity,
/// which the authority enrols. Takes the time and memory of `cost`.
///
/// # Errors
/// [`InitError`]; nothing that exists is overwritten.
pub fn init(
    path: &Path,
    node: NodeId,
    passphrase: &PassphraseSource,
    cost: Argon2Cost,
) -> Result<NodeKeys, InitError> {
    let passphrase = passphrase.read()?;
    let home = Home::create(path)?;
    let kek = Kek::create(&home, &passphrase, cost)?;
    let identity = NodeIdentity::generate(node)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    identity.seal(&home, &kek, UnixSeconds(since.as_secs()))?;
    Ok(identity.public().clone())
}
