//! One sealed letter and its sealed answer: the two messages of a Noise KK handshake, each with a
//! payload.
//!
//! Promises: a letter opens only for the pinned receiver, and only if the pinned sender sealed it,
//! about this presignature and this context; an answer opens only for whoever wrote the letter, as
//! the answer to it.
//! Refuses: letters for others, of others, about something else, altered, or too long.
//! Does not protect against: a courier that delivers a letter twice (whoever opens it acts on it
//! once), or a stolen channel key of the *receiver*, with which letters to it can be forged (Noise
//! section 7.7, KK). What a letter asks for must be signed by somebody else besides.
//!
//! ```text
//! Letter::write ---- letter ---> Letter::open -> (payload, Reply)
//! Sent::open <------ answer ---- Reply::write
//! ```

use alloy_primitives::B256;
use snow::HandshakeState;
use tercet_policy::document::{ContentHash, X25519PublicKey};
use tercet_policy::party::Party;
use zeroize::Zeroizing;

use super::handshake::{bug, builder};
use super::{ChannelError, party_byte};
use crate::identity::NodeIdentity;

const DOMAIN: &[u8] = b"tercet/letter/v1\0";
/// An ephemeral key and a tag.
const OVERHEAD_BYTES: usize = 32 + 16;
/// Longest payload of a letter or an answer, in bytes.
pub const LETTER_BYTES_MAX: usize = 4_000 - OVERHEAD_BYTES;

/// What a letter is about. All of it is in the prologue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The presignature it uses up.
    pub presignature: B256,
    /// Who writes.
    pub from: Party,
    /// For whom.
    pub to: Party,
    /// Hash of the proposal and of the enrolment whose keys speak.
    pub context: ContentHash,
}

/// A letter that is on its way: opens the answer.
pub struct Sent(Box<HandshakeState>);

/// A letter that was opened: seals the answer.
pub struct Reply(Box<HandshakeState>);

impl Letter {
    /// Seals a payload for the pinned receiver.
    ///
    /// # Errors
    /// [`ChannelError::SameParty`], [`ChannelError::MessageTooLarge`], [`ChannelError::Noise`].
    pub fn write(
        &self,
        identity: &NodeIdentity,
        to: &X25519PublicKey,
        payload: &[u8],
    ) -> Result<(Sent, Vec<u8>), ChannelError> {
        let prologue = self.prologue()?;
        let mut noise = builder(identity, to, &prologue)
            .and_then(snow::Builder::build_initiator)
            .map_err(bug)?;
        let sealed = seal(&mut noise, payload)?;
        Ok((Sent(Box::new(noise)), sealed))
    }

    /// Opens a letter of the pinned sender.
    ///
    /// # Errors
    /// [`ChannelError::Handshake`] for one that is not its, not for us, or about something else.
    pub fn open(
        &self,
        identity: &NodeIdentity,
        from: &X25519PublicKey,
        sealed: &[u8],
    ) -> Result<(Zeroizing<Vec<u8>>, Reply), ChannelError> {
        let prologue = self.prologue()?;
        let mut noise = builder(identity, from, &prologue)
            .and_then(snow::Builder::build_responder)
            .map_err(bug)?;
        let payload = unseal(&mut noise, sealed)?;
        Ok((payload, Reply(Box::new(noise))))
    }

    fn prologue(&self) -> Result<Vec<u8>, ChannelError> {
        if self.from == self.to {
            return Err(ChannelError::SameParty { party: self.from });
        }
        // Fixed lengths throughout, so no two letters have one prologue.
        let parties = [party_byte(self.from), party_byte(self.to)];
        Ok([DOMAIN, self.presignature.as_slice(), &parties, &self.context.0].concat())
    }
}

impl Sent {
    /// Opens the answer.
    ///
    /// # Errors
    /// [`ChannelError::Handshake`] for anything else.
    pub fn open(mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
        unseal(&mut self.0, sealed)
    }
}

impl Reply {
    /// Seals the answer.
    ///
    /// # Errors
    /// [`ChannelError::MessageTooLarge`], [`ChannelError::Noise`].
    pub fn write(mut self, payload: &[u8]) -> Result<Vec<u8>, ChannelError> {
        seal(&mut self.0, payload)
    }
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sent(..)")
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply(..)")
    }
}

fn seal(noise: &mut HandshakeState, payload: &[u8]) -> Result<Vec<u8>, ChannelError> {
    if payload.len() > LETTER_BYTES_MAX {
        return Err(ChannelError::MessageTooLarge { bytes: payload.len() });
    }
    let mut sealed = vec![0; payload.len().saturating_add(OVERHEAD_BYTES)];
    let bytes = noise.write_message(payload, &mut sealed).map_err(bug)?;
    sealed.truncate(bytes);
    Ok(sealed)
}

fn unseal(noise: &mut HandshakeState, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
    if sealed.len() > LETTER_BYTES_MAX.saturating_add(OVERHEAD_BYTES) {
        return Err(ChannelError::FrameTooLarge { bytes: sealed.len() });
    }
    let mut payload = Zeroizing::new(vec![0; sealed.len()]);
    let bytes = noise.read_message(sealed, &mut payload).map_err(|_| ChannelError::Handshake)?;
    payload.truncate(bytes);
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use tercet_policy::party::NodeId;

    use super::*;

    fn node(name: &str) -> NodeIdentity {
        NodeIdentity::generate(NodeId::new(name).unwrap()).unwrap()
    }

    fn letter() -> Letter {
        Letter {
            presignature: B256::repeat_byte(1),
            from: Party::Agent,
            to: Party::Operator,
            context: ContentHash([2; 32]),
        }
    }

    #[test]
    fn a_letter_and_its_answer_reach_their_readers() {
        let (agent, operator) = (node("agent-01"), node("operator-01"));
        let (sent, sealed) = letter().write(&agent, &operator.public().channel, b"part").unwrap();
        assert!(!sealed.windows(4).any(|window| window == b"part"));
        let opened = letter().open(&operator, &agent.public().channel, &sealed);
        let (payload, reply) = opened.unwrap();
        assert_eq!(payload.as_slice(), b"part");
        assert_eq!(sent.open(&reply.write(b"theirs").unwrap()).unwrap().as_slice(), b"theirs");
    }

    #[test]
    fn a_letter_of_another_key_or_about_something_else_does_not_open() {
        let (agent, operator, other) = (node("agent-01"), node("operator-01"), node("agent-02"));
        let (_, sealed) = letter().write(&agent, &operator.public().channel, b"part").unwrap();
        let presignature = B256::repeat_byte(9);
        let elsewhere = [
            Letter { presignature, ..letter() },
            Letter { context: ContentHash([3; 32]), ..letter() },
            Letter { from: Party::Recovery, ..letter() },
        ];
        for about in elsewhere {
            let opened = about.open(&operator, &agent.public().channel, &sealed);
            assert!(matches!(opened, Err(ChannelError::Handshake)), "{about:?}");
        }
        let opened = letter().open(&operator, &other.public().channel, &sealed);
        assert!(matches!(opened, Err(ChannelError::Handshake)));
        let opened = letter().open(&other, &agent.public().channel, &sealed);
        assert!(matches!(opened, Err(ChannelError::Handshake)));
        for cut in 0..sealed.len() {
            assert!(letter().open(&operator, &agent.public().channel, &sealed[..cut]).is_err());
        }
    }

    #[test]
    fn an_answer_to_another_letter_does_not_open() {
        let (agent, operator) = (node("agent-01"), node("operator-01"));
        let write = || letter().write(&agent, &operator.public().channel, b"part").unwrap();
        let ((first, _), (_, second)) = (write(), write());
        let (_, reply) = letter().open(&operator, &agent.public().channel, &second).unwrap();
        let answer = reply.write(b"theirs").unwrap();
        assert!(matches!(first.open(&answer), Err(ChannelError::Handshake)));
    }

    #[test]
    fn a_letter_has_a_length() {
        let (agent, operator) = (node("agent-01"), node("operator-01"));
        let to = &operator.public().channel;
        let long = vec![0; LETTER_BYTES_MAX + 1];
        let refused = letter().write(&agent, to, &long).unwrap_err();
        assert!(matches!(refused, ChannelError::MessageTooLarge { .. }));
        let (_, sealed) = letter().write(&agent, to, &long[1..]).unwrap();
        assert!(letter().open(&operator, &agent.public().channel, &sealed).is_ok());
        let too_long = vec![0; LETTER_BYTES_MAX + OVERHEAD_BYTES + 1];
        let refused = letter().open(&operator, &agent.public().channel, &too_long).unwrap_err();
        assert!(matches!(refused, ChannelError::FrameTooLarge { .. }));
        let same = Letter { to: Party::Agent, ..letter() };
        let refused = same.write(&agent, to, b"").unwrap_err();
        assert!(matches!(refused, ChannelError::SameParty { .. }));
    }
}
