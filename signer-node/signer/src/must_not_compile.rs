//! Programs that must not compile: a second copy of a secret, a signature over raw bytes.
//!
//! Every one has a twin before it that does compile and differs in the offence alone, so that a
//! renamed item breaks the twin instead of keeping its rule by accident. The stable rustdoc does
//! not compare the error codes; they say what is meant.
//!
//! # Secrets cannot be copied
//!
//! ```
//! use tercet_signer::primes::SafePrimes;
//! use tercet_signer::tss::{GroupAux, SigningShare, WalletShare};
//! fn kept<T>(secret: T) -> T {
//!     secret
//! }
//! let _ = (kept::<WalletShare>, kept::<SigningShare>, kept::<GroupAux>, kept::<SafePrimes>);
//! ```
//! ```compile_fail,E0277
//! fn copied<T: Clone>() {}
//! copied::<tercet_signer::tss::WalletShare>();
//! ```
//! ```compile_fail,E0277
//! fn copied<T: Clone>() {}
//! copied::<tercet_signer::tss::SigningShare>();
//! ```
//! ```compile_fail,E0277
//! fn copied<T: Clone>() {}
//! copied::<tercet_signer::tss::GroupAux>();
//! ```
//! ```compile_fail,E0277
//! fn copied<T: Clone>() {}
//! copied::<tercet_signer::primes::SafePrimes>();
//! ```
//!
//! # Raw bytes are not signed
//!
//! ```
//! use std::sync::Arc;
//! use tercet_policy::payload::SigningPayload;
//! use tercet_signer::tss::{Session, SigningShare, Threads, sign};
//! async fn any(threads: Threads, run: Session, share: Arc<SigningShare>, what: SigningPayload) {
//!     drop(sign(&threads, run, share, what).await);
//! }
//! ```
//! ```compile_fail,E0308
//! use std::sync::Arc;
//! use tercet_policy::payload::SigningPayload;
//! use tercet_signer::tss::{Session, SigningShare, Threads, sign};
//! async fn any(threads: Threads, run: Session, share: Arc<SigningShare>, what: [u8; 32]) {
//!     drop(sign(&threads, run, share, what).await);
//! }
//! ```
//!
//! # An execution id serves one run
//!
//! ```
//! use tercet_signer::tss::{ExecutionId, Link, Patience, Session};
//! use tokio_util::sync::CancellationToken;
//! fn run(ids: [ExecutionId; 2], links: [Link; 2], cancel: CancellationToken) -> [Session; 2] {
//!     let ([eid, other], [one, two], patience) = (ids, links, Patience::SIGN);
//!     [
//!         Session { eid, link: one, patience, cancel: cancel.clone() },
//!         Session { eid: other, link: two, patience, cancel },
//!     ]
//! }
//! ```
//! ```compile_fail,E0382
//! use tercet_signer::tss::{ExecutionId, Link, Patience, Session};
//! use tokio_util::sync::CancellationToken;
//! fn run(ids: [ExecutionId; 2], links: [Link; 2], cancel: CancellationToken) -> [Session; 2] {
//!     let ([eid, other], [one, two], patience) = (ids, links, Patience::SIGN);
//!     [
//!         Session { eid, link: one, patience, cancel: cancel.clone() },
//!         Session { eid, link: two, patience, cancel },
//!     ]
//! }
//! ```
//!
//! # A presignature is used once, and neither copied, stored nor shown
//!
//! ```
//! use tercet_policy::payload::SigningPayload;
//! use tercet_signer::tss::{Half, Presignature};
//! fn used(made: Presignature, what: SigningPayload) -> Option<Half> {
//!     made.issue(what).ok()
//! }
//! ```
//! ```compile_fail,E0382
//! use tercet_policy::payload::SigningPayload;
//! use tercet_signer::tss::{Half, Presignature};
//! fn used(made: Presignature, [one, two]: [SigningPayload; 2]) -> [Option<Half>; 2] {
//!     [made.issue(one).ok(), made.issue(two).ok()]
//! }
//! ```
//! ```compile_fail,E0277
//! fn copied<T: Clone>() {}
//! copied::<tercet_signer::tss::Presignature>();
//! ```
//! ```compile_fail,E0277
//! fn copied<T: Clone>() {}
//! copied::<tercet_signer::tss::Half>();
//! ```
//! ```
//! fn stored<T: serde::Serialize>() {}
//! stored::<String>();
//! ```
//! ```compile_fail,E0277
//! fn stored<T: serde::Serialize>() {}
//! stored::<tercet_signer::tss::Presignature>();
//! ```
//! ```compile_fail,E0277
//! fn stored<T: serde::Serialize>() {}
//! stored::<tercet_signer::tss::Half>();
//! ```
//! ```compile_fail,E0277
//! fn printed<T: std::fmt::Display>() {}
//! printed::<tercet_signer::tss::Presignature>();
//! ```
//! ```compile_fail,E0277
//! fn printed<T: std::fmt::Display>() {}
//! printed::<tercet_signer::tss::PartialSignature>();
//! ```
