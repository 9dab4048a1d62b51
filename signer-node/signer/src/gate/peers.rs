//! What peers tell about their journals and ours.
//!
//! Hellos of sessions that run side by side can overtake each other, so a peer's head may seem to
//! step back without any disk having done so. Each hello therefore names the start of the peer's
//! process: within one, an older head is only late; in another, it is a disk that went back.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tercet_policy::document::NodeKeys;
use tercet_policy::party::{NodeId, Party};
use tercet_policy::rows::PolicyEpochs;

use super::{GateError, Signer};
use crate::journal::Head;
use crate::session::{Hello, Hex32, PROTOCOL_VERSION, SessionError};

/// The latest of each peer, as heard in this process.
#[derive(Debug, Default)]
pub(super) struct Peers {
    heard: Mutex<BTreeMap<NodeId, Heard>>,
    start: std::sync::OnceLock<Hex32>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    start: Hex32,
    head: Head,
}

impl Peers {
    /// Random bytes that name this start of the process.
    fn start(&self) -> Result<Hex32, SessionError> {
        if let Some(start) = self.start.get() {
            return Ok(*start);
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| SessionError::Bug("no randomness"))?;
        Ok(*self.start.get_or_init(|| Hex32(bytes)))
    }

    /// Whether the hello is one that another overtook: the same start, an older head.
    fn is_late(&self, node: &NodeId, hello: &Hello) -> bool {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard
            .get(node)
            .is_some_and(|heard| heard.start == hello.start && hello.head.rows < heard.head.rows)
    }

    fn note(&self, node: &NodeId, hello: &Hello) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, head) = (hello.start, hello.head);
        let entry = heard.entry(node.clone()).or_insert(Heard { start, head });
        if entry.start != start || entry.head.rows < head.rows {
            *entry = Heard { start, head };
        }
    }
}

/// What this node's hellos say, before the nonce and the hearer are known.
pub(super) struct Greeting {
    start: Hex32,
    head: Head,
    seen: BTreeMap<Party, Option<Head>>,
    pub(super) aux: Option<tercet_policy::document::ContentHash>,
    pub(super) policies: Option<PolicyEpochs>,
}

impl Greeting {
    pub(super) fn hello(&self, nonce: Hex32, to: Party) -> Hello {
        Hello {
            version: PROTOCOL_VERSION,
            nonce,
            start: self.start,
            head: self.head,
            seen: self.seen.get(&to).copied().flatten(),
            aux: self.aux,
            policies: self.policies,
        }
    }
}

impl Signer {
    /// What to tell these peers.
    pub(super) async fn greeting(
        &self,
        peers: &[(Party, NodeKeys)],
    ) -> Result<Greeting, GateError> {
        let mut seen = BTreeMap::new();
        for (party, keys) in peers {
            seen.insert(*party, self.journal.peer_head(keys.id.clone()).await?);
        }
        let (start, head) = (self.peers.start()?, self.journal.head());
        Ok(Greeting { start, head, seen, aux: None, policies: None })
    }

    /// Checks and keeps what peers said about their journals and about ours.
    pub(super) async fn heed(
        &self,
        peers: &[(Party, NodeKeys)],
        hellos: &[(Party, Hello)],
    ) -> Result<(), GateError> {
        for (party, hello) in hellos {
            let keys = peers.iter().find(|(peer, _)| peer == party).map(|(_, keys)| keys);
            let Some(node) = keys.map(|keys| &keys.id) else { continue };
            if let Some(seen) = hello.seen {
                self.journal.compare_own_head(seen).await?;
            }
            if !self.peers.is_late(node, hello) {
                self.journal.note_peer_head(node.clone(), hello.head).await?;
                self.peers.note(node, hello);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tercet_policy::document::ContentHash;

    fn hello(start: u8, rows: u64) -> Hello {
        let head = Head { rows, hash: ContentHash([1; 32]), tag: ContentHash([0; 32]) };
        let (start, nonce) = (Hex32([start; 32]), Hex32([0; 32]));
        let version = PROTOCOL_VERSION;
        Hello { version, nonce, start, head, seen: None, aux: None, policies: None }
    }

    #[test]
    fn an_overtaken_hello_is_late_and_one_of_a_new_start_is_not() {
        let (peers, node) = (Peers::default(), NodeId::new("operator-01").unwrap());
        assert!(!peers.is_late(&node, &hello(1, 5)));
        peers.note(&node, &hello(1, 5));
        assert!(peers.is_late(&node, &hello(1, 4)));
        assert!(!peers.is_late(&node, &hello(1, 6)));
        assert!(!peers.is_late(&node, &hello(2, 4)));
        peers.note(&node, &hello(1, 4));
        assert!(peers.is_late(&node, &hello(1, 4)), "a late one does not count");
    }

    #[test]
    fn a_process_has_one_start() {
        let peers = Peers::default();
        assert_eq!(peers.start().unwrap(), peers.start().unwrap());
        assert_ne!(peers.start().unwrap(), Peers::default().start().unwrap());
    }
}
