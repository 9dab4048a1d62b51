//! What peers tell about their journals and ours.
//!
//! Messages of sessions that run side by side can overtake each other, so a peer's head may seem to
//! step back without any disk having done so. Each therefore names the start of the peer's
//! process: within one, an older head is only late; in another, it is a disk that went back. A new
//! start also means that the peer has none of the presignatures that it had.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use tercet_policy::document::{ContentHash, NodeKeys};
use tercet_policy::party::{NodeId, Party};
use tercet_policy::rows::PolicyEpochs;

use super::{GateError, Signer};
use crate::journal::{Head, Heard, Start};
use crate::session::{Hello, Hex32, PROTOCOL_VERSION, SessionError};

/// Starts of processes: ours, and the latest of each peer as heard in ours.
#[derive(Debug, Default)]
pub(super) struct Peers {
    heard: Mutex<BTreeMap<NodeId, Start>>,
    start: OnceLock<Hex32>,
}

impl Peers {
    #[cfg(test)]
    pub(super) fn own_start(&self) -> Start {
        self.start().unwrap().0
    }

    /// Random bytes that name this start of the process.
    fn start(&self) -> Result<Hex32, SessionError> {
        if let Some(start) = self.start.get() {
            return Ok(*start);
        }
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| SessionError::Bug("no randomness"))?;
        Ok(*self.start.get_or_init(|| Hex32(bytes)))
    }

    /// What a peer says in a letter, if it says it in the start that was heard last.
    pub(super) fn hear_again(&self, node: &NodeId, word: Word) -> Option<Heard> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let start = word.start.0;
        let is_known = heard.get(node).is_none_or(|known| *known == start);
        is_known.then(|| Heard { node: node.clone(), start, head: word.head })
    }

    /// Whether the peer began anew since it was heard last.
    fn has_begun_anew(&self, node: &NodeId, start: Start) -> bool {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(node.clone(), start).is_some_and(|before| before != start)
    }
}

/// What a node says of itself whenever it speaks to a peer, under its seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Word {
    /// Names this start of the node's process.
    pub(super) start: Hex32,
    /// Where the node's journal ends.
    pub(super) head: Head,
    /// Where the node saw the hearer's journal end, if it ever did.
    pub(super) seen: Option<Head>,
}

/// What this node's hellos say, before the nonce and the hearer are known.
pub(super) struct Greeting {
    start: Hex32,
    head: Head,
    seen: BTreeMap<Party, Option<Head>>,
    pub(super) aux: Option<ContentHash>,
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

    /// What to tell one peer, beside what is about the matter itself.
    pub(super) async fn word(&self, to: &NodeKeys) -> Result<Word, GateError> {
        let seen = self.journal.peer_head(to.id.clone()).await?;
        Ok(Word { start: self.peers.start()?, head: self.journal.head(), seen })
    }

    /// Checks and keeps what peers said about their journals and about ours.
    pub(super) async fn heed(
        &self,
        peers: &[(Party, NodeKeys)],
        hellos: &[(Party, Hello)],
    ) -> Result<(), GateError> {
        // Side by side, so that what they said becomes durable at once.
        let heeding = hellos.iter().filter_map(|(party, hello)| {
            let (_, keys) = peers.iter().find(|(peer, _)| peer == party)?;
            let Hello { start, head, seen, .. } = *hello;
            Some(self.heed_word(&keys.id, Word { start, head, seen }))
        });
        try_join_all(heeding).await.map(drop)
    }

    /// [`Self::heed`] for what one peer said.
    pub(super) async fn heed_word(&self, node: &NodeId, word: Word) -> Result<(), GateError> {
        let heard = self.hear_start(node, word);
        self.hear_of_us(word).await?;
        Ok(self.journal.note_peer_head(heard).await?)
    }

    /// Takes in that a peer may have begun anew; what it said of its journal is left to be kept.
    pub(super) fn hear_start(&self, node: &NodeId, word: Word) -> Heard {
        let start = word.start.0;
        if self.peers.has_begun_anew(node, start) {
            self.drop_stock_with(node);
        }
        Heard { node: node.clone(), start, head: word.head }
    }

    /// Checks what a peer said about our journal.
    pub(super) async fn hear_of_us(&self, word: Word) -> Result<(), GateError> {
        match word.seen {
            Some(seen) => Ok(self.journal.compare_own_head(seen).await?),
            None => Ok(()),
        }
    }

    /// What to tell a peer that has just told us where its journal ends.
    pub(super) fn word_after(&self, theirs: Word) -> Result<Word, GateError> {
        let (start, head) = (self.peers.start()?, self.journal.head());
        Ok(Word { start, head, seen: Some(theirs.head) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_one_start() {
        let peers = Peers::default();
        assert_eq!(peers.start().unwrap(), peers.start().unwrap());
        assert_ne!(peers.start().unwrap(), Peers::default().start().unwrap());
    }

    #[test]
    fn another_start_is_a_beginning_anew_and_the_first_is_not() {
        let (peers, node) = (Peers::default(), NodeId::new("operator-01").unwrap());
        let anew = [[1; 32], [1; 32], [2; 32], [2; 32]].map(|s| peers.has_begun_anew(&node, s));
        assert_eq!(anew, [false, false, true, false]);
    }
}
