//! What this party holds of its groups and wallets.
//!
//! Promises: parameters and shares rest sealed and are opened when they are needed; a share comes
//! out only together with the parameters it was made under; neither leaves this crate. What is open
//! at once is bounded ([`OPEN_SHARES_MAX`]), so that a wallet nobody pays from costs a file.
//! Refuses: a share of another party, or one made under other parameters than those at hand.
//! Does not protect against: who may use a share, and for what. That is the gate's.

mod open;
mod primes;
mod tables;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alloy_primitives::Address;
use tercet_policy::document::ContentHash;
use tercet_policy::party::{AgentId, Party};
use tercet_policy::time::UnixSeconds;

pub use self::open::OPEN_SHARES_MAX;
pub use self::primes::{NotStocked, PRIME_SETS_MAX, PrimeLevels};

use self::open::Open;
use self::primes::PrimeStock;
use self::tables::Tables;
use crate::home::{DiskError, Home};
use crate::kek::Kek;
use crate::sealed::{SealedError, SealedName};
use crate::tss::{BadShare, GroupAux, SigningShare, TssError, WalletShare};

/// Why something is not to be had from the vault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The group has no parameters here.
    #[error("the group of agent {agent} has not been prepared at this node")]
    NoAux {
        /// Whose group.
        agent: AgentId,
    },
    /// The file is there and is not this party's consistent share or parameters.
    #[error("{what} cannot be used: {fault}")]
    Unfit {
        /// Which file.
        what: String,
        /// What is wrong with it.
        fault: BadShare,
    },
    /// The file cannot be opened: damaged, cut, of another home, or gone.
    #[error("{what} cannot be opened: {source}")]
    Unopened {
        /// Which file.
        what: String,
        /// What is wrong with it.
        source: SealedError,
    },
    /// A file could not be sealed.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// The home could not be looked into.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The value could not be written.
    #[error("the stored form could not be written: {0}")]
    Encoding(TssError),
}

/// Sealed parameters and shares of one party, opened as they are needed.
pub struct Vault {
    home: Arc<Home>,
    kek: Kek,
    party: Party,
    open: Mutex<Open>,
    /// The wallets whose shares rest in the home.
    held: Mutex<BTreeSet<Address>>,
    primes: PrimeStock,
    tables: Tables,
}

impl Vault {
    /// The vault of `party` in its home. Opens nothing, and knows of nothing before
    /// [`Vault::look_through`].
    #[must_use]
    pub fn new(home: Arc<Home>, kek: Kek, party: Party) -> Self {
        let (open, held, primes) = (Mutex::default(), Mutex::default(), PrimeStock::default());
        Self { home, kek, party, open, held, primes, tables: Tables::default() }
    }

    /// Finds which wallets and which primes rest in the home: the one time that it is listed, as a
    /// list grows with the wallets.
    ///
    /// # Errors
    /// [`VaultError::Disk`] if it cannot be looked into.
    pub fn look_through(&self) -> Result<(), VaultError> {
        *self.held() = self.home.wallets()?.into_iter().collect();
        self.count_primes()
    }

    /// The wallets whose shares rest here, in order of address.
    #[must_use]
    pub fn wallets(&self) -> Vec<Address> {
        self.held().iter().copied().collect()
    }

    /// How many wallets' shares rest here.
    #[must_use]
    pub fn wallets_count(&self) -> usize {
        self.held().len()
    }

    /// The home it lies in.
    #[must_use]
    pub const fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Hash of a group's parameters, if there are any here.
    ///
    /// # Errors
    /// [`VaultError`] for parameters that cannot be opened.
    pub fn aux_hash(&self, agent: &AgentId) -> Result<Option<ContentHash>, VaultError> {
        match self.aux(agent) {
            Ok(aux) => Ok(Some(ContentHash(aux.aux_hash().0))),
            Err(VaultError::NoAux { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether there are parameters of any group here. A home that cannot be looked into has some.
    #[must_use]
    pub fn has_aux(&self) -> bool {
        !self.open().groups.is_empty() || self.home.has_groups().unwrap_or(true)
    }

    /// Hash over all public values of a wallet's ceremony.
    ///
    /// # Errors
    /// [`VaultError`] for a share that cannot be opened.
    pub fn transcript(&self, wallet: Address) -> Result<ContentHash, VaultError> {
        self.sealed_share(wallet).map(|share| ContentHash(share.transcript_hash()))
    }

    /// Opens and checks each share, and closes it again, so that a damaged file is noticed at start.
    ///
    /// # Errors
    /// [`VaultError`] for the first file that cannot be used.
    pub fn check(&self, wallets: &[(Address, AgentId)]) -> Result<(), VaultError> {
        wallets.iter().try_for_each(|(wallet, agent)| self.assembled(*wallet, agent).map(drop))
    }

    /// A group's parameters.
    pub(crate) fn aux(&self, agent: &AgentId) -> Result<Arc<GroupAux>, VaultError> {
        if let Some(aux) = self.open().groups.get(agent) {
            return Ok(Arc::clone(aux));
        }
        let name = aux_name(agent);
        if !self.home.holds(&name)? {
            return Err(VaultError::NoAux { agent: agent.clone() });
        }
        let what = || format!("the aux info of agent {agent}'s group");
        let unsealed = self.home.unseal(&name, &self.kek);
        let unsealed = unsealed.map_err(|source| VaultError::Unopened { what: what(), source })?;
        let aux = GroupAux::from_sealed_bytes(&unsealed.secret, self.party);
        let aux = aux.map_err(|fault| VaultError::Unfit { what: what(), fault })?;
        let aux = Arc::new(aux);
        self.open().groups.insert(agent.clone(), Arc::clone(&aux));
        Ok(aux)
    }

    /// A share that was opened before.
    pub(crate) fn opened_share(&self, wallet: Address) -> Option<Arc<SigningShare>> {
        self.open().share(wallet)
    }

    /// A wallet's share with the parameters of its group, ready to sign.
    pub(crate) fn share(
        &self,
        wallet: Address,
        agent: &AgentId,
    ) -> Result<Arc<SigningShare>, VaultError> {
        if let Some(share) = self.open().share(wallet) {
            return Ok(share);
        }
        let share = self.assembled(wallet, agent)?;
        self.open().keep(wallet, Arc::clone(&share));
        Ok(share)
    }

    fn assembled(&self, wallet: Address, agent: &AgentId) -> Result<Arc<SigningShare>, VaultError> {
        let aux = self.aux(agent)?;
        let share = self.sealed_share(wallet)?.assemble(&aux);
        share.map_err(|fault| unfit_share(wallet, fault))
    }

    /// Seals new parameters, over those of a preparation that was not finished at all parties.
    /// The caller has made sure that no wallet rests on the old ones.
    pub(crate) fn keep_aux(
        &self,
        agent: &AgentId,
        aux: GroupAux,
        now: UnixSeconds,
    ) -> Result<Arc<GroupAux>, VaultError> {
        let bytes = aux.to_sealed_bytes().map_err(VaultError::Encoding)?;
        self.home.seal_over(&aux_name(agent), now, &bytes, &self.kek)?;
        let aux = Arc::new(aux);
        self.open().groups.insert(agent.clone(), Arc::clone(&aux));
        Ok(aux)
    }

    /// Seals the share of a new wallet.
    pub(crate) fn keep_share(
        &self,
        share: &WalletShare,
        now: UnixSeconds,
    ) -> Result<(), VaultError> {
        let wallet = share.card().address;
        let bytes = share.to_sealed_bytes().map_err(VaultError::Encoding)?;
        self.home.seal(&SealedName::KeyShare { wallet }, now, &bytes, &self.kek)?;
        self.held().insert(wallet);
        Ok(())
    }

    /// Forgets what was opened, as a restart does.
    #[cfg(test)]
    pub(crate) fn forget(&self) {
        *self.open() = Open::default();
    }

    fn sealed_share(&self, wallet: Address) -> Result<WalletShare, VaultError> {
        let unsealed = self.home.unseal(&SealedName::KeyShare { wallet }, &self.kek);
        let unsealed = unsealed.map_err(|source| VaultError::Unopened {
            what: format!("the share of wallet {wallet}"),
            source,
        })?;
        let share = WalletShare::from_sealed_bytes(&unsealed.secret, self.party)
            .map_err(|fault| unfit_share(wallet, fault))?;
        if share.card().address == wallet {
            Ok(share)
        } else {
            Err(unfit_share(wallet, BadShare::Address))
        }
    }

    /// A panic of another holder leaves the set whole: every change to it is one call.
    fn held(&self) -> MutexGuard<'_, BTreeSet<Address>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic of another holder leaves the maps whole: every change to them is one call.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({}, {})", self.party, self.home.path().display())
    }
}

fn aux_name(agent: &AgentId) -> SealedName {
    SealedName::AuxInfo { agent: agent.clone() }
}

fn unfit_share(wallet: Address, fault: BadShare) -> VaultError {
    VaultError::Unfit { what: format!("the share of wallet {wallet}"), fault }
}
