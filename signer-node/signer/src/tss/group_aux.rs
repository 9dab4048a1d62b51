//! The auxiliary data of a group: every party's Paillier and ring-Pedersen moduli, with our
//! factors.
//!
//! Promises: made by all three parties in the protocol, never imported from one of them; checked
//! on every load beyond what the library checks; [`AuxHash`] covers all public values, so that
//! three equal hashes mean three equal views.
//!
//! Does not protect against: a use of one party's data by another group. The factors open the
//! recorded rounds of every wallet of the group, so treat them as a share.

use std::fmt;

use cggmp24::backend::Integer;
use cggmp24::key_share::{AuxInfo, DirtyAuxInfo, PedersenParams, Validate as _};
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tercet_policy::party::Party;
use zeroize::Zeroizing;

use super::eid::Protocol;
use super::error::{BadCall, BadShare, OurBug, PeerFault, TssError};
use super::guard::NoGuard;
use super::threads::{Session, Threads, Work};
use crate::primes::SafePrimes;

/// Length of a modulus, in bits: the product of two primes of 1536 bits.
const MODULUS_BITS: std::ops::RangeInclusive<u64> = 3071..=3072;
/// Room for the stored form, in bytes; reserved at once so that no copy is left by growing.
const STORED_BYTES_MAX: usize = 64 * 1024;
/// First field of the stored form.
const STORED_FORMAT: &str = "tercet/group-aux/v1";
/// First field of the hash.
const HASH_DOMAIN: &[u8] = b"tercet/group-aux-hash/v1";

/// `SHA-256` over all public values of a group's auxiliary data: length-prefixed domain, then
/// `N`, `hat N`, `s`, `t` of each party, big-endian, in the order of the parties.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuxHash(pub [u8; 32]);

/// One party's auxiliary data for its group. A secret; never copied out but into the sealed store.
pub struct GroupAux {
    aux: AuxInfo,
    me: Party,
    hash: AuxHash,
}

/// Runs the ceremony that makes a group's auxiliary data: some fifteen seconds of CPU and five
/// messages each. Compare [`GroupAux::aux_hash`] with both peers before it is used.
///
/// # Errors
/// [`TssError`], by whose fault it is.
pub async fn make_group_aux(
    threads: &Threads,
    session: Session,
    primes: SafePrimes,
) -> Result<GroupAux, TssError> {
    let eid = &session.eid;
    if eid.protocol != Protocol::GroupAux || eid.wallet.is_some() || eid.aux_hash.is_some() {
        return Err(BadCall::OtherRun.into());
    }
    let job = move |line: &mut super::driver::Line, eid: super::eid::ExecutionId| {
        let (i, n) = (eid.seats.my_index(), Party::ALL.len() as u16);
        let id = cggmp24::ExecutionId::new(eid.bytes());
        let primes = primes.into_pregenerated()?;
        let mut rng = OsRng;
        let machine = cggmp24::aux_info_gen(id, i, n, primes).into_state_machine(&mut rng);
        let aux = line.drive(&eid.seats, &mut NoGuard, machine)?;
        // The library has verified every proof; what is left can only be a peer's doing.
        GroupAux::checked(aux, eid.me).map_err(|_| TssError::BadPeer {
            suspects: eid.seats.peers().collect(),
            fault: PeerFault::ProofFailed,
            cause: None,
        })
    };
    threads.run(Work::Background, session, job).await
}

#[derive(Serialize)]
struct StoredRef<'a> {
    format: &'a str,
    party: Party,
    aux: &'a DirtyAuxInfo,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: String,
    party: Party,
    aux: AuxInfo,
}

impl GroupAux {
    /// Whose it is.
    #[must_use]
    pub fn party(&self) -> Party {
        self.me
    }

    /// What the parties compare.
    #[must_use]
    pub fn aux_hash(&self) -> AuxHash {
        self.hash
    }

    /// Builds the tables that make a signature some 25 % cheaper. Blocks for some 13 seconds of
    /// CPU and takes a megabyte, shared by all wallets; not stored. Worth it for a busy group.
    ///
    /// # Errors
    /// [`OurBug::Library`] if the library cannot.
    pub fn with_tables(&self) -> Result<Self, TssError> {
        let mut aux = DirtyAuxInfo::clone(&self.aux);
        aux.precompute_multiexp_tables().map_err(|_| OurBug::Library)?;
        let aux = aux.validate().map_err(|_| OurBug::Library)?;
        Ok(Self { aux, me: self.me, hash: self.hash })
    }

    /// The form that goes into the sealed store, and nowhere else. Without tables.
    ///
    /// # Errors
    /// [`OurBug::Encoding`] if the form cannot be written.
    pub fn to_sealed_bytes(&self) -> Result<Zeroizing<Vec<u8>>, TssError> {
        let mut aux = DirtyAuxInfo::clone(&self.aux);
        aux.pedersen_params.iter_mut().for_each(|params| params.multiexp = None);
        let stored = StoredRef { format: STORED_FORMAT, party: self.me, aux: &aux };
        let mut bytes = Zeroizing::new(Vec::with_capacity(STORED_BYTES_MAX));
        serde_json::to_writer(&mut *bytes, &stored).map_err(|_| OurBug::Encoding)?;
        Ok(bytes)
    }

    /// Reads the form of [`Self::to_sealed_bytes`] for `party` and checks it anew.
    ///
    /// # Errors
    /// [`BadShare`] for anything that is not this party's consistent data.
    pub fn from_sealed_bytes(bytes: &[u8], party: Party) -> Result<Self, BadShare> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|_| BadShare::Form)?;
        if stored.format != STORED_FORMAT {
            return Err(BadShare::Form);
        }
        if stored.party != party {
            return Err(BadShare::OtherParty);
        }
        Self::checked(stored.aux, party)
    }

    pub(super) fn library_form(&self) -> AuxInfo {
        self.aux.clone()
    }

    fn checked(aux: AuxInfo, me: Party) -> Result<Self, BadShare> {
        check_moduli(&aux)?;
        check_own_factors(&aux, me)?;
        let hash = hash(&aux);
        Ok(Self { aux, me, hash })
    }
}

impl fmt::Debug for GroupAux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupAux({}, {})", self.me, self.hash)
    }
}

impl fmt::Display for AuxHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for AuxHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuxHash({self})")
    }
}

/// Positive, odd and of the right length. The library looks at the length alone, and of the
/// absolute value.
pub(super) fn is_plausible_modulus(n: &Integer) -> bool {
    n.cmp0().is_gt() && !n.is_even() && MODULUS_BITS.contains(&n.significant_bits())
}

fn check_moduli(aux: &AuxInfo) -> Result<(), BadShare> {
    let count = Party::ALL.len();
    if aux.N.len() != count || aux.pedersen_params.len() != count {
        return Err(BadShare::Moduli);
    }
    let hats = aux.pedersen_params.iter().map(|params| &params.hat_N);
    let mut moduli: Vec<&Integer> = aux.N.iter().chain(hats).collect();
    moduli.sort_unstable();
    let distinct = moduli.is_sorted_by(|a, b| a < b);
    let is_residue = |x: &Integer, n: &Integer| x.cmp0().is_gt() && x < n;
    let residues = aux
        .pedersen_params
        .iter()
        .all(|p| is_residue(&p.s, &p.hat_N) && is_residue(&p.t, &p.hat_N));
    let plausible = moduli.iter().all(|n| is_plausible_modulus(n));
    if distinct && residues && plausible { Ok(()) } else { Err(BadShare::Moduli) }
}

#[allow(clippy::arithmetic_side_effects, reason = "GMP integers do not overflow")]
fn check_own_factors(aux: &AuxInfo, me: Party) -> Result<(), BadShare> {
    let mine = usize::from(me.index());
    let own_product = aux.N.get(mine) == Some(&(&aux.p * &aux.q)) && aux.p != aux.q;
    let crt =
        aux.pedersen_params.iter().enumerate().all(|(i, params)| {
            if i == mine { own_crt_holds(params) } else { params.crt.is_none() }
        });
    if own_product && crt { Ok(()) } else { Err(BadShare::Moduli) }
}

/// The fast path for our own ring-Pedersen modulus agrees with the plain one.
fn own_crt_holds(params: &PedersenParams) -> bool {
    let base = &params.t;
    // Longer than the factors' orders, so that the stored orders are used.
    let exponent = &params.hat_N;
    let fast = params.crt.as_ref().and_then(|crt| crt.exp(base, &crt.prepare_exponent(exponent)));
    fast.is_some() && fast == base.pow_mod_ref(exponent, &params.hat_N)
}

fn hash(aux: &AuxInfo) -> AuxHash {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(HASH_DOMAIN);
    for (n, params) in aux.N.iter().zip(&aux.pedersen_params) {
        for value in [n, &params.hat_N, &params.s, &params.t] {
            field(&value.to_bytes_msf());
        }
    }
    AuxHash(hash.finalize().into())
}
