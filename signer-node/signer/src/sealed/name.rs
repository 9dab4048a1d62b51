//! The names of sealed files. Path and header subject come from one value, so that a file in the
//! wrong place cannot pass for the right one.

use alloy_primitives::Address;
use tercet_policy::party::AgentId;

use super::header::Header;
use super::{SealedError, SealedKind};

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
}

/// A folder of a home in which sealed files lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shelf {
    Root,
    Groups,
    Wallets,
}

const AUX_SUFFIX: &str = ".aux.sealed";
const SHARE_SUFFIX: &str = ".share.sealed";

impl SealedName {
    pub(super) fn kind(&self) -> SealedKind {
        match self {
            Self::Identity => SealedKind::Identity,
            Self::AuxInfo { .. } => SealedKind::AuxInfo,
            Self::KeyShare { .. } => SealedKind::KeyShare,
        }
    }

    pub(super) fn subject(&self) -> String {
        match self {
            Self::Identity => "node".to_owned(),
            Self::AuxInfo { agent } => agent.to_string(),
            Self::KeyShare { wallet } => lower_hex(*wallet),
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
        }
    }

    pub(crate) fn file_name(&self) -> String {
        match self {
            Self::Identity => "identity.sealed".to_owned(),
            Self::AuxInfo { agent } => format!("{agent}{AUX_SUFFIX}"),
            Self::KeyShare { wallet } => format!("{}{SHARE_SUFFIX}", lower_hex(*wallet)),
        }
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
