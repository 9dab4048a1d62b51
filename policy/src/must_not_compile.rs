//! Programs that must not compile: the ways round [`crate::admission::admit`].
//!
//! Every one has a twin before it that does compile and differs in the offence alone, so that a
//! renamed item breaks the twin instead of keeping its rule by accident. The stable rustdoc does
//! not compare the error codes; they say what is meant.
//!
//! # A digest is not a payload
//!
//! ```
//! use tercet_policy::payload::SigningPayload;
//! fn same(payload: SigningPayload) -> SigningPayload {
//!     SigningPayload::from(payload)
//! }
//! ```
//! ```compile_fail,E0308
//! use tercet_policy::payload::SigningPayload;
//! fn same(payload: [u8; 32]) -> SigningPayload {
//!     SigningPayload::from(payload)
//! }
//! ```
//!
//! # A payload is not put together by hand
//!
//! ```
//! use tercet_policy::payload::SigningPayload;
//! fn parts(payload: &SigningPayload) -> (&[u8], alloy_primitives::B256) {
//!     (payload.preimage(), payload.digest())
//! }
//! ```
//! ```compile_fail,E0616
//! use tercet_policy::payload::SigningPayload;
//! fn parts(payload: &SigningPayload) -> (&[u8], alloy_primitives::B256) {
//!     (&payload.preimage, payload.digest)
//! }
//! ```
//! ```compile_fail
//! use tercet_policy::payload::SigningPayload;
//! fn made(preimage: Vec<u8>, digest: alloy_primitives::B256) -> SigningPayload {
//!     SigningPayload { preimage, digest }
//! }
//! ```
//!
//! # A proposal that was not admitted has no payload
//!
//! ```
//! use tercet_policy::payload::SigningPayload;
//! use tercet_policy::proposal::Proposal;
//! fn sign(proposal: &Proposal) -> Option<SigningPayload> {
//!     proposal.slot();
//!     None
//! }
//! ```
//! ```compile_fail,E0624
//! use tercet_policy::payload::SigningPayload;
//! use tercet_policy::proposal::Proposal;
//! fn sign(proposal: &Proposal) -> Option<SigningPayload> {
//!     SigningPayload::of(proposal)
//! }
//! ```
//!
//! # A payload is signed once
//!
//! ```
//! use tercet_policy::payload::SigningPayload;
//! fn once(payload: SigningPayload) -> SigningPayload {
//!     payload
//! }
//! ```
//! ```compile_fail,E0599
//! use tercet_policy::payload::SigningPayload;
//! fn once(payload: SigningPayload) -> SigningPayload {
//!     payload.clone()
//! }
//! ```
//!
//! # A reservation gives one payload
//!
//! ```
//! use tercet_policy::{admission::Reserved, payload::SigningPayload};
//! fn both(one: Reserved, other: Reserved) -> [SigningPayload; 2] {
//!     [one.into_payload(), other.into_payload()]
//! }
//! ```
//! ```compile_fail,E0382
//! use tercet_policy::{admission::Reserved, payload::SigningPayload};
//! fn both(one: Reserved, other: Reserved) -> [SigningPayload; 2] {
//!     [one.into_payload(), one.into_payload()]
//! }
//! ```
//! ```compile_fail,E0277
//! use tercet_policy::admission::Reserved;
//! fn copied(reserved: &Reserved) -> Reserved {
//!     Reserved::clone(reserved)
//! }
//! ```
//!
//! # A reservation is neither written down nor read back
//!
//! ```
//! fn stored<T: serde::Serialize + serde::de::DeserializeOwned>() {}
//! stored::<tercet_policy::rows::SpendRow>();
//! ```
//! ```compile_fail,E0277
//! fn stored<T: serde::Serialize + serde::de::DeserializeOwned>() {}
//! stored::<tercet_policy::admission::Reserved>();
//! ```
//! ```compile_fail,E0277
//! fn written<T: serde::Serialize>() {}
//! written::<tercet_policy::admission::Reserved>();
//! ```
//! ```compile_fail,E0277
//! fn read<T: serde::de::DeserializeOwned>() {}
//! read::<tercet_policy::admission::Reserved>();
//! ```
//!
//! # A reservation is not given back without evidence
//!
//! ```
//! use tercet_policy::evidence::{SafeBlock, VoidProof, VoidReason};
//! use tercet_policy::rows::SpendRow;
//! fn release(_: &SpendRow, _: VoidReason, _: SafeBlock, proof: VoidProof) -> VoidProof {
//!     proof
//! }
//! ```
//! ```compile_fail,E0624
//! use tercet_policy::evidence::{SafeBlock, VoidProof, VoidReason};
//! use tercet_policy::rows::SpendRow;
//! fn release(row: &SpendRow, reason: VoidReason, at: SafeBlock, _: VoidProof) -> VoidProof {
//!     VoidProof::new(row, reason, at)
//! }
//! ```
//!
//! # A policy that nobody signed is not in force
//!
//! ```
//! use tercet_policy::rules::{AuthenticPolicy, Policy};
//! fn in_force(policy: AuthenticPolicy) -> AuthenticPolicy {
//!     policy
//! }
//! ```
//! ```compile_fail,E0308
//! use tercet_policy::rules::{AuthenticPolicy, Policy};
//! fn in_force(policy: Policy) -> AuthenticPolicy {
//!     policy
//! }
//! ```
//! ```compile_fail
//! use tercet_policy::document::ContentHash;
//! use tercet_policy::rules::{AuthenticPolicy, Policy};
//! fn in_force(policy: Policy, content_hash: ContentHash) -> AuthenticPolicy {
//!     AuthenticPolicy { policy, content_hash }
//! }
//! ```
//!
//! # A policy that nobody signed judges no payment
//!
//! ```
//! use std::sync::Arc;
//! use tercet_policy::rules::{AuthenticPolicy, Policy, PolicySet};
//! fn held(policy: AuthenticPolicy, _: Option<Policy>) -> PolicySet {
//!     PolicySet::default().with(Arc::new(policy))
//! }
//! ```
//! ```compile_fail,E0308
//! use std::sync::Arc;
//! use tercet_policy::rules::{AuthenticPolicy, Policy, PolicySet};
//! fn held(_: Option<AuthenticPolicy>, policy: Policy) -> PolicySet {
//!     PolicySet::default().with(Arc::new(policy))
//! }
//! ```
//! ```
//! use tercet_policy::admission::Rulebook;
//! use tercet_policy::rules::{Policy, PolicySet};
//! fn judged<'a>(policies: &'a PolicySet, _: &'a [Policy]) -> Rulebook<'a> {
//!     Rulebook { policies, registry: None, frozen: None }
//! }
//! ```
//! ```compile_fail,E0308
//! use tercet_policy::admission::Rulebook;
//! use tercet_policy::rules::{Policy, PolicySet};
//! fn judged<'a>(_: &'a PolicySet, policies: &'a [Policy]) -> Rulebook<'a> {
//!     Rulebook { policies, registry: None, frozen: None }
//! }
//! ```
//!
//! # A registry that nobody signed vouches for nobody
//!
//! ```
//! use tercet_policy::admission::Rulebook;
//! use tercet_policy::registry::{AuthenticRegistry, Registry};
//! use tercet_policy::rules::PolicySet;
//! fn judged<'a>(policies: &'a PolicySet, known: &'a AuthenticRegistry) -> Rulebook<'a> {
//!     Rulebook { policies, registry: Some(known), frozen: None }
//! }
//! ```
//! ```compile_fail,E0308
//! use tercet_policy::admission::Rulebook;
//! use tercet_policy::registry::{AuthenticRegistry, Registry};
//! use tercet_policy::rules::PolicySet;
//! fn judged<'a>(policies: &'a PolicySet, known: &'a Registry) -> Rulebook<'a> {
//!     Rulebook { policies, registry: Some(known), frozen: None }
//! }
//! ```
//!
//! # An approval whose signature nobody checked is not heard
//!
//! ```
//! use tercet_policy::admission::Submission;
//! use tercet_policy::approval::{AuthenticApproval, SignedApproval};
//! use tercet_policy::proposal::Proposal;
//! fn heard(proposal: Proposal, said: SignedApproval) -> Option<Submission> {
//!     let approvals = vec![said.open_approval().ok()?];
//!     Some(Submission { approvals, ..Submission::from(proposal) })
//! }
//! ```
//! ```compile_fail,E0308
//! use tercet_policy::admission::Submission;
//! use tercet_policy::approval::{AuthenticApproval, SignedApproval};
//! use tercet_policy::proposal::Proposal;
//! fn heard(proposal: Proposal, said: SignedApproval) -> Option<Submission> {
//!     let approvals = vec![said];
//!     Some(Submission { approvals, ..Submission::from(proposal) })
//! }
//! ```
//! ```
//! use tercet_policy::approval::{Approval, AuthenticApproval};
//! use tercet_policy::document::{Authentic, Ed25519PublicKey};
//! fn parts(said: &AuthenticApproval) -> (Ed25519PublicKey, &Approval) {
//!     (said.key(), said.approval())
//! }
//! ```
//! ```compile_fail
//! use tercet_policy::approval::{Approval, AuthenticApproval};
//! use tercet_policy::document::{Authentic, Ed25519PublicKey};
//! fn made(key: Ed25519PublicKey, approval: Authentic<Approval>) -> AuthenticApproval {
//!     AuthenticApproval { key, approval }
//! }
//! ```
//! ```compile_fail,E0277
//! fn read<T: serde::de::DeserializeOwned>() {}
//! read::<tercet_policy::approval::AuthenticApproval>();
//! ```
//! ```compile_fail,E0277
//! fn read<T: serde::de::DeserializeOwned>() {}
//! read::<tercet_policy::rules::AuthenticPolicy>();
//! ```
//!
//! # A document that nobody checked is not authentic
//!
//! ```
//! use tercet_policy::document::{Authentic, ContentHash, Freeze};
//! fn hash(freeze: &Authentic<Freeze>) -> (ContentHash, &Freeze) {
//!     (freeze.content_hash(), freeze.document())
//! }
//! ```
//! ```compile_fail
//! use tercet_policy::document::{Authentic, ContentHash, Freeze};
//! fn made(document: Freeze, content_hash: ContentHash) -> Authentic<Freeze> {
//!     Authentic { document, content_hash }
//! }
//! ```
