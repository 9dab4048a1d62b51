//! The Machine Payments Protocol over HTTP: charges and sessions on Tempo.
//!
//! ```text
//! charge:  402 -> choose -> journal -> sign -> request + credential -> evidence -> receipt
//! session: 402 -> open (deposit, first voucher) -> request -> 402 -> voucher -> request -> .. -> close
//! ```
//! Promises: headers, challenges and receipts are read and written by the protocol's own SDK
//! (the core of the `mpp` crate, pinned); everything in a challenge is checked against registry and
//! rules before anything is signed; one credential answers one request, and a charge that was sent
//! is never paid again while it can still settle. Of a session at most the deposit can be lost, and
//! a voucher says at most what was delivered and one unit more, by our own count.
//!
//! Refuses: every method but `tempo` and every intent but `charge` and `session`; a chain that is
//! not named, an escrow of the service's choice, the session protocol from before TIP-1034, a realm
//! that is not the host, amounts that are not plain digits, splits to payees that the rules do not
//! list, challenges that are over or never would be.
//!
//! Does not protect against: a service that takes what it was paid and delivers nothing of worth.
//! What a challenge describes in words is neither shown nor believed.

pub mod charge;
#[cfg(test)]
mod conformance;
mod credential;
mod details;
mod judge;
mod meter;
pub mod offer;
mod problem;
mod receipt;
pub mod session;
mod signer;
mod stream;

pub use self::judge::{ChargeChoice, MppChoice, SessionChoice};
pub use self::meter::{Meter, Overdemand};
pub use self::offer::Offers;
pub use self::problem::ProblemKind;
pub use self::receipt::{ReceiptClaim, SessionClaim};
pub use self::session::{Drawing, Leaving, Session, SessionState, Sessions, SignedVoucher, Tended};
pub use self::signer::{VoucherAsk, VoucherSigner};
pub use self::stream::{EVENT_BYTES_MAX, Event, PaidStream};

pub(crate) use self::credential::{accepted, charge_header, wants_authorization};
pub(crate) use self::judge::Judge;
