//! Execution ids: what ties every proof of a run to that run.
//!
//! Promises: an id never repeats, because it contains 32 bytes that this process drew for it and
//! uses once ([`OwnNonce`] and [`ExecutionId`] are moved, never copied); two parties that differ
//! in any field have different ids, and their run fails at the first proof.

use std::fmt;

use alloy_primitives::Address;
use sha2::{Digest, Sha256};
use tercet_policy::party::Party;

use super::error::{BadCall, OurBug};
use super::group_aux::AuxHash;
use super::seats::Seats;

/// First field of every id.
const DOMAIN: &[u8] = b"tercet/eid/v1";
/// Longest session id, in bytes.
pub const SESSION_ID_BYTES_MAX: usize = 64;

/// The protocol of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Auxiliary data of a group, by all three.
    GroupAux,
    /// A new wallet, by all three.
    Wallet,
    /// A signature, by two.
    Sign,
    /// A presignature, by two.
    Presign,
}

impl Protocol {
    fn word(self) -> &'static str {
        match self {
            Self::GroupAux => "group-aux",
            Self::Wallet => "wallet",
            Self::Sign => "sign",
            Self::Presign => "presign",
        }
    }

    fn parties_count(self) -> usize {
        match self {
            Self::GroupAux | Self::Wallet => Party::ALL.len(),
            Self::Sign | Self::Presign => Party::EVERYDAY.len(),
        }
    }
}

/// What a run is about. All parties must hold the same.
#[derive(Clone, Copy, Debug)]
pub struct ExecutionFields<'a> {
    /// Which protocol.
    pub protocol: Protocol,
    /// The wallet; `None` while there is none.
    pub wallet: Option<Address>,
    /// Generation of the key's shares, from 0.
    pub key_epoch: u64,
    /// Session id, 1 to 64 bytes.
    pub session: &'a [u8],
    /// The parties, in order.
    pub parties: &'a [Party],
    /// Attempt within the session, from 0.
    pub attempt: u32,
    /// The group's parameters; `None` while there are none.
    pub aux_hash: Option<AuxHash>,
}

/// Our 32 random bytes for one run. Shown to the peers, used for one id.
pub struct OwnNonce([u8; 32]);

impl OwnNonce {
    /// Draws fresh bytes from the operating system.
    ///
    /// # Errors
    /// [`OurBug::Resources`] if it has none.
    pub fn draw() -> Result<Self, OurBug> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| OurBug::Resources)?;
        Ok(Self(bytes))
    }

    /// What to send to the peers.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

/// The id of one run, and what it was derived from. Moved into the run.
pub struct ExecutionId {
    id: [u8; 32],
    pub(super) protocol: Protocol,
    pub(super) wallet: Option<Address>,
    pub(super) key_epoch: u64,
    pub(super) aux_hash: Option<AuxHash>,
    pub(super) me: Party,
    pub(super) seats: Seats,
}

impl ExecutionId {
    /// `SHA-256` over length-prefixed `"tercet/eid/v1"`, protocol, wallet, key epoch, session,
    /// parties, attempt, aux hash and each party's nonce in the order of the parties.
    ///
    /// # Errors
    /// [`BadCall`] for parties that are not those of such a run, nonces that are not one from
    /// each peer, or a session id of a wrong length.
    pub fn derive(
        fields: &ExecutionFields<'_>,
        me: Party,
        mine: OwnNonce,
        theirs: &[(Party, [u8; 32])],
    ) -> Result<Self, BadCall> {
        let seats = Seats::new(me, fields.parties, fields.protocol.parties_count())?;
        if fields.session.is_empty() || fields.session.len() > SESSION_ID_BYTES_MAX {
            return Err(BadCall::SessionId);
        }
        let nonces = nonces_in_order(&seats, me, &mine, theirs)?;
        let &ExecutionFields { protocol, wallet, key_epoch, aux_hash, .. } = fields;
        Ok(Self { id: hash(fields, &nonces), protocol, wallet, key_epoch, aux_hash, me, seats })
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.id
    }
}

impl fmt::Debug for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExecutionId({:?}, {})", self.protocol, hex::encode(self.id))
    }
}

fn nonces_in_order(
    seats: &Seats,
    me: Party,
    mine: &OwnNonce,
    theirs: &[(Party, [u8; 32])],
) -> Result<Vec<[u8; 32]>, BadCall> {
    if theirs.len() != seats.peers().count() {
        return Err(BadCall::Nonces);
    }
    let nonce_of = |party: Party| {
        let peer = theirs.iter().find(|(from, _)| *from == party).map(|(_, nonce)| *nonce);
        if party == me { Some(mine.0) } else { peer }
    };
    seats.parties().iter().map(|&p| nonce_of(p)).collect::<Option<_>>().ok_or(BadCall::Nonces)
}

fn hash(fields: &ExecutionFields<'_>, nonces: &[[u8; 32]]) -> [u8; 32] {
    let parties: Vec<u8> = fields.parties.iter().map(|&p| p as u8).collect();
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(DOMAIN);
    field(fields.protocol.word().as_bytes());
    field(fields.wallet.as_ref().map_or(&[], |w| w.as_slice()));
    field(&fields.key_epoch.to_be_bytes());
    field(fields.session);
    field(&parties);
    field(&fields.attempt.to_be_bytes());
    field(fields.aux_hash.as_ref().map_or(&[], |h| h.0.as_slice()));
    nonces.iter().for_each(|nonce| field(nonce));
    hash.finalize().into()
}

#[cfg(test)]
mod tests;
