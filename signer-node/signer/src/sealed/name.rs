//! The names of sealed files. Path and header subject come from one value, so that a file in the
//! wrong place cannot pass for the right one.

use std::fmt;

use alloy_primitives::Address;
use tercet_policy::party::AgentId;

use super::aead::{self, CipherFailure};
use super::header::Header;
use super::{SealedError, SealedKind};

/// Length of the name of a set of primes, in bytes.
const PRIME_SET_ID_BYTES: usize = 16;

/// Names a set of primes in stock: random, and nothing of the primes themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PrimeSetId([u8; PRIME_SET_ID_BYTES]);

impl PrimeSetId {
    /// A name that no other set has.
    pub(crate) fn random() -> Result<Self, CipherFailure> {
        aead::random().map(|bytes| Self(*bytes))
    }
}

impl fmt::Display for PrimeSetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Which sealed file of a home is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SealedName {
    /// `identity.sealed`: this node's keys.
    Identity,
    /// `groups/<agent>.aux.sealed`: auxiliary information of an agent's signer group.
    AuxInfo {
        /// The agent whose wallets the group signs for.
        agent: AgentId,
    },
    /// `wallets/<address>.share.sealed`: this node's share of a wallet's key.
    KeyShare {
        /// The wallet.
        wallet: Address,
    },
    /// `primes/<id>.primes.sealed`: a set of safe primes that no group has yet.
    PrimeSet {
        /// The set.
        set: PrimeSetId,
    },
}

/// A folder of a home in which sealed files lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shelf {
    Root,
    Groups,
    Wallets,
    Primes,
}

const AUX_SUFFIX: &str = ".aux.sealed";
const SHARE_SUFFIX: &str = ".share.sealed";
const PRIMES_SUFFIX: &str = ".primes.sealed";

impl SealedName {
    pub(super) fn kind(&self) -> SealedKind {
        match self {
            Self::Identity => SealedKind::Identity,
            Self::AuxInfo { .. } => SealedKind::AuxInfo,
            Self::KeyShare { .. } => SealedKind::KeyShare,
            Self::PrimeSet { .. } => SealedKind::PrimeSet,
        }
    }

    pub(super) fn subject(&self) -> String {
        match self {
            Self::Identity => "node".to_owned(),
            Self::AuxInfo { agent } => agent.to_string(),
            Self::KeyShare { wallet } => lower_hex(*wallet),
            Self::PrimeSet { set } => set.to_string(),
        }
    }

    pub(super) fn expect(&self, header: &Header) -> Result<(), SealedError> {
        if header.kind == self.kind() && header.subject == self.subject() {
            return Ok(());
        }
        let told = |kind: SealedKind, subject: &str| format!("{} of {subject}", kind.words());
        Err(SealedError::OtherSubject {
            expected: told(self.kind(), &self.subject()),
            found: told(header.kind, &header.subject),
        })
    }

    pub(crate) fn shelf(&self) -> Shelf {
        match self {
            Self::Identity => Shelf::Root,
            Self::AuxInfo { .. } => Shelf::Groups,
            Self::KeyShare { .. } => Shelf::Wallets,
            Self::PrimeSet { .. } => Shelf::Primes,
        }
    }

    pub(crate) fn file_name(&self) -> String {
        match self {
            Self::Identity => "identity.sealed".to_owned(),
            Self::AuxInfo { agent } => format!("{agent}{AUX_SUFFIX}"),
            Self::KeyShare { wallet } => format!("{}{SHARE_SUFFIX}", lower_hex(*wallet)),
            Self::PrimeSet { set } => format!("{set}{PRIMES_SUFFIX}"),
        }
    }

    /// Whether a file of that name holds auxiliary information.
    pub(crate) fn is_aux_info(file_name: &str) -> bool {
        file_name.ends_with(AUX_SUFFIX) && !file_name.starts_with('.')
    }

    /// The set of primes that a file of that name holds.
    pub(crate) fn prime_set_of(file_name: &str) -> Option<PrimeSetId> {
        let mut id = [0; PRIME_SET_ID_BYTES];
        hex::decode_to_slice(file_name.strip_suffix(PRIMES_SUFFIX)?, &mut id).ok()?;
        let set = PrimeSetId(id);
        (Self::PrimeSet { set }.file_name() == file_name).then_some(set)
    }

    /// The wallet whose share a file of that name holds.
    pub(crate) fn wallet_of(file_name: &str) -> Option<Address> {
        let wallet: Address = file_name.strip_suffix(SHARE_SUFFIX)?.parse().ok()?;
        (Self::KeyShare { wallet }.file_name() == file_name).then_some(wallet)
    }
}

/// One spelling for paths and headers, whatever the checksum case of the source.
fn lower_hex(wallet: Address) -> String {
    format!("0x{}", hex::encode(wallet))
}
