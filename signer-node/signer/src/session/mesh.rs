//! The channels of one session, and what is said over them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tercet_policy::document::{ContentHash, X25519PublicKey};
use tercet_policy::party::Party;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{AbortReason, EARLY_MESSAGES_MAX, SEND_MS_MAX, SessionError, SessionWire, Stage, ms};
use crate::channel::{Channel, Initiator, Pairing, Responder, SESSION_ID_BYTES};
use crate::identity::NodeIdentity;

/// Longest wait for the wire to take a word of abort, in milliseconds.
const ABORT_MS_MAX: u64 = 1_000;

/// What a message is. Together with the number of the run it is the channel's `round`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hello,
    Nonce,
    Round,
    Closing,
    Kept,
    Abort,
    Stock,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Hello,
        Self::Nonce,
        Self::Round,
        Self::Closing,
        Self::Kept,
        Self::Abort,
        Self::Stock,
    ];

    const fn code(self) -> u8 {
        self as u8
    }

    fn of(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A message that was opened: from whom by the key it was sealed with.
pub(crate) struct Told {
    pub(crate) from: Party,
    pub(crate) kind: Kind,
    pub(crate) run: u8,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// What the channels of a session are made from.
pub(crate) struct MeshTerms<'a> {
    pub(crate) identity: &'a NodeIdentity,
    pub(crate) me: Party,
    /// The other parties and their pinned keys.
    pub(crate) peers: &'a [(Party, X25519PublicKey)],
    pub(crate) session: [u8; SESSION_ID_BYTES],
    pub(crate) context: ContentHash,
    /// Longest wait for all channels to stand.
    pub(crate) patience: Duration,
    /// Calls the session off.
    pub(crate) cancel: CancellationToken,
}

pub(crate) struct Mesh {
    me: Party,
    expected: Vec<Party>,
    channels: BTreeMap<Party, Channel>,
    wire: SessionWire,
    early: VecDeque<Told>,
    cancel: CancellationToken,
}

impl Mesh {
    /// Makes a channel with every peer.
    pub(crate) async fn open(
        terms: &MeshTerms<'_>,
        wire: SessionWire,
    ) -> Result<Self, SessionError> {
        let mut mesh = Self {
            me: terms.me,
            expected: terms.peers.iter().map(|(peer, _)| *peer).collect(),
            channels: BTreeMap::new(),
            wire,
            early: VecDeque::new(),
            cancel: terms.cancel.clone(),
        };
        match mesh.shake_hands(terms).await {
            Ok(()) => Ok(mesh),
            Err(error) => {
                mesh.abort(error.abort_reason()).await;
                Err(error)
            }
        }
    }

    async fn shake_hands(&mut self, terms: &MeshTerms<'_>) -> Result<(), SessionError> {
        let until = after(terms.patience);
        let mut calling = BTreeMap::new();
        for (peer, key) in terms.peers.iter().filter(|(peer, _)| terms.me < *peer) {
            let started = Initiator::start(terms.identity, key, terms.pairing(*peer));
            let (initiator, hello) = started.map_err(|error| broken(*peer, error))?;
            self.put(*peer, hello).await?;
            calling.insert(*peer, initiator);
        }
        while self.channels.len() < terms.peers.len() {
            let silent = self.not_yet_there();
            let (from, frame) = self.frame(Stage::Greeting, until, &silent).await?;
            let Some((peer, key)) = terms.peers.iter().find(|(peer, _)| *peer == from) else {
                continue;
            };
            if self.channels.contains_key(peer) {
                self.open_early(*peer, &frame)?;
            } else if let Some(initiator) = calling.remove(peer) {
                let channel = initiator.finish(&frame).map_err(|e| broken(*peer, e))?;
                self.channels.insert(*peer, channel);
            } else {
                let pairing = terms.pairing(*peer);
                let accepted = Responder::accept(terms.identity, key, pairing, &frame);
                let (channel, reply) = accepted.map_err(|error| broken(*peer, error))?;
                self.put(*peer, reply).await?;
                self.channels.insert(*peer, channel);
            }
        }
        Ok(())
    }

    fn not_yet_there(&self) -> Vec<Party> {
        let there = |peer: &Party| self.channels.contains_key(peer);
        self.expected.iter().copied().filter(|peer| !there(peer)).collect()
    }

    pub(crate) const fn me(&self) -> Party {
        self.me
    }

    pub(crate) fn peers(&self) -> Vec<Party> {
        self.channels.keys().copied().collect()
    }

    pub(crate) fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Seals a message for one peer.
    pub(crate) async fn tell(
        &mut self,
        to: Party,
        (kind, run): (Kind, u8),
        bytes: Vec<u8>,
    ) -> Result<(), SessionError> {
        let channel = self.channels.get_mut(&to).ok_or(SessionError::Bug("no such peer"))?;
        let round = u16::from_be_bytes([kind.code(), run]);
        let frames = channel.seal(round, bytes).map_err(|error| broken(to, error))?;
        for frame in frames {
            self.put(to, frame).await?;
        }
        Ok(())
    }

    /// The next message of this kind and run, from whomever. Cancel-safe.
    pub(crate) async fn hear(
        &mut self,
        wanted: (Kind, u8),
        stage: Stage,
        until: Instant,
        silent: &[Party],
    ) -> Result<Told, SessionError> {
        loop {
            if let Some(told) = self.take_early(wanted) {
                return Ok(told);
            }
            let (from, frame) = self.frame(stage, until, silent).await?;
            if self.channels.contains_key(&from) {
                self.open_early(from, &frame)?;
            }
        }
    }

    /// One message of this kind and run from each of `from`, in their order.
    pub(crate) async fn hear_each(
        &mut self,
        wanted: (Kind, u8),
        from: &[Party],
        (stage, wait): (Stage, Duration),
    ) -> Result<Vec<(Party, Zeroizing<Vec<u8>>)>, SessionError> {
        let until = after(wait);
        let mut heard: BTreeMap<Party, Zeroizing<Vec<u8>>> = BTreeMap::new();
        while heard.len() < from.len() {
            let silent: Vec<_> = from.iter().copied().filter(|p| !heard.contains_key(p)).collect();
            let told = self.hear(wanted, stage, until, &silent).await?;
            if !silent.contains(&told.from) {
                return Err(SessionError::OutOfPlace { peer: told.from });
            }
            heard.insert(told.from, told.bytes);
        }
        Ok(heard.into_iter().collect())
    }

    /// Tells every peer that this side gives up: sealed where there is a channel.
    pub(crate) async fn abort(&mut self, reason: AbortReason) {
        let bytes = serde_json::to_vec(&reason).unwrap_or_default();
        for peer in self.expected.clone() {
            // A courtesy: whoever is not reached has a deadline.
            if self.channels.contains_key(&peer) {
                let telling = self.seal_abort(peer, bytes.clone());
                drop(timeout(ms(ABORT_MS_MAX), telling).await);
            } else {
                drop(self.wire.outgoing.try_send((peer, Vec::new())));
            }
        }
    }

    /// Unlike [`Self::tell`] not stopped by the very cancellation that it tells of.
    async fn seal_abort(&mut self, to: Party, bytes: Vec<u8>) {
        let round = u16::from_be_bytes([Kind::Abort.code(), 0]);
        let sealed = self.channels.get_mut(&to).map(|channel| channel.seal(round, bytes));
        // A channel that is closed already has nothing to say.
        let frames = sealed.and_then(Result::ok).unwrap_or_else(|| vec![Vec::new()]);
        for frame in frames {
            drop(self.wire.outgoing.send((to, frame)).await);
        }
    }

    /// Takes a frame for later. An abort is not for later.
    fn open_early(&mut self, from: Party, frame: &[u8]) -> Result<(), SessionError> {
        let Some(channel) = self.channels.get_mut(&from) else { return Ok(()) };
        let opened = channel.open(frame).map_err(|error| broken(from, error))?;
        let Some(message) = opened else { return Ok(()) };
        let [code, run] = message.round.to_be_bytes();
        let kind = Kind::of(code).ok_or(SessionError::OutOfPlace { peer: from })?;
        if kind == Kind::Abort {
            let reason = serde_json::from_slice(&message.bytes).unwrap_or(AbortReason::Failed);
            return Err(SessionError::PeerAborted { by: from, reason });
        }
        if self.early.len() >= EARLY_MESSAGES_MAX {
            return Err(SessionError::OutOfPlace { peer: from });
        }
        self.early.push_back(Told { from, kind, run, bytes: message.bytes });
        Ok(())
    }

    fn take_early(&mut self, (kind, run): (Kind, u8)) -> Option<Told> {
        let place = self.early.iter().position(|told| (told.kind, told.run) == (kind, run))?;
        self.early.remove(place)
    }

    /// The next frame that has bytes. Cancel-safe.
    async fn frame(
        &mut self,
        stage: Stage,
        until: Instant,
        silent: &[Party],
    ) -> Result<(Party, Vec<u8>), SessionError> {
        let came = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(SessionError::CalledOff { by: None }),
            came = timeout_at(until, self.wire.incoming.recv()) => came,
        };
        match came {
            Err(_elapsed) => Err(SessionError::Deadline { stage, silent: silent.to_vec() }),
            Ok(None) => Err(SessionError::WireEnded { stage }),
            Ok(Some((from, bytes))) if bytes.is_empty() => {
                Err(SessionError::CalledOff { by: Some(from) })
            }
            Ok(Some(frame)) => Ok(frame),
        }
    }

    async fn put(&self, to: Party, frame: Vec<u8>) -> Result<(), SessionError> {
        let sending = self.wire.outgoing.send((to, frame));
        let sent = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(SessionError::CalledOff { by: None }),
            sent = timeout(ms(SEND_MS_MAX), sending) => sent,
        };
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_closed)) => Err(SessionError::WireEnded { stage: Stage::Rounds }),
            Err(_elapsed) => Err(SessionError::Deadline { stage: Stage::Rounds, silent: vec![to] }),
        }
    }
}

impl MeshTerms<'_> {
    /// The party with the lower index speaks first.
    fn pairing(&self, peer: Party) -> Pairing {
        Pairing {
            session: self.session,
            initiator: self.me.min(peer),
            responder: self.me.max(peer),
            context: self.context,
        }
    }
}

fn broken(peer: Party, error: crate::channel::ChannelError) -> SessionError {
    SessionError::Channel { peer, error }
}

/// The moment `wait` from now; a wait beyond the end of time is none.
pub(super) fn after(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or(now)
}
