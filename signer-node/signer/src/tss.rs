//! Threshold signing: ceremonies and signatures of a 2-of-3 group, over CGGMP24.
//!
//! Promises: one protocol run is one thread, away from the async runtime, that speaks to it over
//! bounded channels; every wait has a deadline; a word of abort from either side ends it at once,
//! and so does dropping its future. What comes out has been checked by us, not by the library
//! alone: a signature is low-s, verifies under the wallet's key with another implementation and
//! recovers to its address; a share that is loaded fits its group's parameters.
//!
//! ```text
//! primes --make_group_aux--> GroupAux --make_wallet--> WalletShare --assemble--> SigningShare
//!                                                                                     |
//!                                    SigningPayload (admitted) ---------------sign----+--> FinishedPayment
//! ```
//!
//! Refuses: raw bytes and raw digests (there is no function that signs them), an execution id
//! made for another run, a message from a party outside the run, a second message for a round,
//! messages over [`MESSAGE_BYTES_MAX`].
//!
//! Does not protect against: a flaw in the protocol or in its implementation, which is an alpha
//! and not audited; a peer that has our partial signature, finishes alone and reports failure
//! (hence: admit and record before the first round); someone who reads this process's memory
//! (curve secrets are overwritten when dropped, Paillier numbers inside the library are not).
//!
//! # The library's gaps, and where they are closed
//!
//! | gap in cggmp24 0.7.0-alpha.3 | closed in |
//! |---|---|
//! | accepts a false range proof beside a true one, which gives a signer's share to its peer | `guard`: both proofs hold before anything is answered |
//! | accepts auxiliary data with another modulus for a peer | [`AuxHash`]: in every share and every [`ExecutionId`], compared by all at the end of a ceremony |
//! | execution ids are the caller's affair | [`ExecutionId`]: derived from everything a run is about, usable once |
//! | an abort is not told to the peers, and nothing has a deadline | [`Outbound::Abort`], [`Patience`] |
//! | the list of signers is not checked | [`ExecutionId::derive`]: sorted, distinct, contains us |
//! | a crafted number can panic the receiver | caught, and charged to the peer |
//! | equal or negative moduli pass its length check | refused before the library sees them |

mod blame;
mod driver;
mod eid;
mod error;
mod group_aux;
mod guard;
mod link;
mod patience;
mod presign;
mod presignature;
mod seats;
mod share;
mod sign;
mod signature;
mod threads;
mod wallet;
mod wire;

pub use self::eid::{ExecutionFields, ExecutionId, OwnNonce, Protocol, SESSION_ID_BYTES_MAX};
pub use self::error::{BadCall, BadShare, OurBug, PeerFault, TssError, Wait};
pub use self::group_aux::{AuxHash, GroupAux, make_group_aux};
pub use self::link::{Courier, Inbound, LINK_MESSAGES_MAX, Link, Outbound, Recipient, link};
pub use self::patience::Patience;
pub use self::presign::presign;
#[cfg(feature = "insecure-dealer")]
pub use self::presignature::InsecureDeal;
#[cfg(test)]
pub(crate) use self::presignature::MASK;
pub use self::presignature::{
    Half, PARTIAL_BYTES, PartialSignature, Presignature, PresignatureCard, PresignatureId,
};
pub use self::share::{SigningShare, WalletCard, WalletShare};
pub use self::sign::sign;
pub use self::threads::{BACKGROUND_RUNS_MAX, PAYMENT_RUNS_MAX, Session, ThreadLimits, Threads};
pub use self::wallet::make_wallet;
pub use self::wire::MESSAGE_BYTES_MAX;

#[cfg(test)]
mod tests;
