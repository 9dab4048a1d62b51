//! How rows are chained, and what peers keep of the chain.
//!
//! A row's hash is `SHA-256("tercet/journal-row/v1\0" ‖ previous hash 32 ‖ number 8 ‖ body)`,
//! the number big-endian and from 1, the body the exact bytes that are stored. The row before the
//! first has a hash of zeros.
//!
//! A head carries a tag that only the journal's own node can make and check. A peer shows it back
//! as it was told; one that makes up a head of ours cannot stop us with it.

use std::fmt;

use hkdf::hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tercet_policy::document::ContentHash;
use tercet_policy::party::NodeId;
use zeroize::Zeroizing;

/// How far a journal goes: what a peer keeps of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Rows in it.
    pub rows: u64,
    /// Hash of the last row.
    pub hash: ContentHash,
    /// By which its own node knows it again; means nothing to anybody else.
    pub tag: ContentHash,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {} ({})", self.rows, self.hash)
    }
}

/// Names one start of a node's process; 32 random bytes.
pub type Start = [u8; 32];

/// What a peer said of its journal, under its seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The peer.
    pub node: NodeId,
    /// The start of its process.
    pub start: Start,
    /// Where its journal ends.
    pub head: Head,
}

/// The end of a chain of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) rows: u64,
    pub(super) hash: ContentHash,
}

impl Tip {
    /// Of a journal without rows.
    pub(super) const EMPTY: Self = Self { rows: 0, hash: ContentHash([0; 32]) };

    /// The tip once `body` follows.
    pub(super) fn follow(self, body: &str) -> Self {
        let rows = self.rows.saturating_add(1);
        let mut hasher = Sha256::new();
        hasher.update(b"tercet/journal-row/v1\0");
        hasher.update(self.hash.0);
        hasher.update(rows.to_be_bytes());
        hasher.update(body);
        Self { rows, hash: ContentHash(hasher.finalize().into()) }
    }
}

/// Makes and checks the tags of one journal: HMAC-SHA-256 under its seed.
pub(super) struct Tagger(Zeroizing<[u8; 32]>);

impl Tagger {
    pub(super) fn new(seed: &ContentHash) -> Self {
        Self(Zeroizing::new(seed.0))
    }

    pub(super) fn head(&self, tip: Tip) -> Head {
        let tag = self.mac(tip).map(|mac| mac.finalize().into_bytes().into()).unwrap_or_default();
        Head { rows: tip.rows, hash: tip.hash, tag: ContentHash(tag) }
    }

    /// The tip that this head names, if we made the head.
    pub(super) fn open(&self, head: &Head) -> Option<Tip> {
        let tip = Tip { rows: head.rows, hash: head.hash };
        self.mac(tip)?.verify_slice(&head.tag.0).is_ok().then_some(tip)
    }

    fn mac(&self, tip: Tip) -> Option<Hmac<Sha256>> {
        // HMAC takes a key of any length.
        let mut mac = <Hmac<Sha256> as hkdf::hmac::Mac>::new_from_slice(self.0.as_slice()).ok()?;
        mac.update(b"tercet/journal-head/v1\0");
        mac.update(&tip.rows.to_be_bytes());
        mac.update(&tip.hash.0);
        Some(mac)
    }
}

impl fmt::Debug for Tagger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tagger(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_seed_and_the_same_place_open_a_head() {
        let tagger = Tagger::new(&ContentHash([1; 32]));
        let tip = Tip { rows: 3, hash: ContentHash([7; 32]) };
        let head = tagger.head(tip);
        assert_eq!(tagger.open(&head), Some(tip));
        assert_eq!(tagger.open(&Head { rows: 4, ..head }), None);
        assert_eq!(tagger.open(&Head { hash: ContentHash([8; 32]), ..head }), None);
        assert_eq!(tagger.open(&Head { tag: ContentHash([0; 32]), ..head }), None);
        assert_eq!(Tagger::new(&ContentHash([2; 32])).open(&head), None);
    }

    /// Pins the chain: a change of it makes every journal unreadable.
    #[test]
    fn the_chain_is_hashed_as_written_above() {
        let tip = Tip::EMPTY.follow("{}").follow("x");
        let expected = "c5868ae15483144a3f1fa8f4df2a6e78869d30d0318847669f4762b2193d7dee";
        assert_eq!((tip.rows, tip.hash.to_string().as_str()), (2, expected));
    }
}
