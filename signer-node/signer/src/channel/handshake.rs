//! The two messages that make a channel.

use snow::{Builder, HandshakeState};
use tercet_policy::document::{ContentHash, X25519PublicKey};
use tercet_policy::party::Party;

use super::{Channel, ChannelError, SESSION_ID_BYTES, party_byte};
use crate::identity::NodeIdentity;

/// Pins primitives and pattern; both ends must use the same to the letter.
const NOISE: &str = "Noise_KK_25519_ChaChaPoly_SHA256";
const DOMAIN: &[u8] = b"tercet/channel/v1\0";
/// An ephemeral key and the tag of an empty payload.
const HANDSHAKE_BYTES: usize = 32 + 16;

/// What both ends must agree on before the first byte. All of it is in the prologue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// The session.
    pub session: [u8; SESSION_ID_BYTES],
    /// Who speaks first.
    pub initiator: Party,
    /// Who answers.
    pub responder: Party,
    /// What it is about: the hash of the proposal, or of the ceremony's terms.
    pub context: ContentHash,
}

impl Pairing {
    fn prologue(&self) -> Result<Vec<u8>, ChannelError> {
        if self.initiator == self.responder {
            return Err(ChannelError::SameParty { party: self.initiator });
        }
        // Fixed lengths throughout, so no two pairings have one prologue.
        let parties = [party_byte(self.initiator), party_byte(self.responder)];
        Ok([DOMAIN, &self.session, &parties, &self.context.0].concat())
    }
}

/// The end that speaks first, waiting for the reply.
pub struct Initiator {
    noise: Box<HandshakeState>,
    pairing: Pairing,
}

impl Initiator {
    /// Makes the hello for the pinned responder.
    ///
    /// # Errors
    /// [`ChannelError::SameParty`], [`ChannelError::Noise`].
    pub fn start(
        identity: &NodeIdentity,
        responder: &X25519PublicKey,
        pairing: Pairing,
    ) -> Result<(Self, Vec<u8>), ChannelError> {
        let prologue = pairing.prologue()?;
        let mut noise = builder(identity, responder, &prologue)
            .and_then(Builder::build_initiator)
            .map_err(bug)?;
        let hello = write(&mut noise)?;
        Ok((Self { noise: Box::new(noise), pairing }, hello))
    }

    /// Takes the reply.
    ///
    /// # Errors
    /// [`ChannelError::Handshake`] unless the responder holds the pinned key and the same pairing.
    pub fn finish(mut self, reply: &[u8]) -> Result<Channel, ChannelError> {
        read(&mut self.noise, reply)?;
        let noise = self.noise.into_transport_mode().map_err(bug)?;
        let Pairing { initiator, responder, .. } = self.pairing;
        Ok(Channel::new(noise, &self.pairing, initiator, responder))
    }
}

impl std::fmt::Debug for Initiator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Initiator({:?})", self.pairing)
    }
}

/// The end that answers. It has no state of its own: one hello, one channel and one reply.
#[derive(Debug)]
pub struct Responder;

impl Responder {
    /// Takes the hello of the pinned initiator, and makes the channel and the reply.
    ///
    /// # Errors
    /// [`ChannelError::Handshake`] unless the initiator holds the pinned key and the same pairing.
    pub fn accept(
        identity: &NodeIdentity,
        initiator: &X25519PublicKey,
        pairing: Pairing,
        hello: &[u8],
    ) -> Result<(Channel, Vec<u8>), ChannelError> {
        let prologue = pairing.prologue()?;
        let mut noise = builder(identity, initiator, &prologue)
            .and_then(Builder::build_responder)
            .map_err(bug)?;
        read(&mut noise, hello)?;
        let reply = write(&mut noise)?;
        let noise = noise.into_transport_mode().map_err(bug)?;
        let Pairing { initiator: peer, responder: me, .. } = pairing;
        Ok((Channel::new(noise, &pairing, me, peer), reply))
    }
}

pub(super) fn builder<'a>(
    identity: &'a NodeIdentity,
    peer: &'a X25519PublicKey,
    prologue: &'a [u8],
) -> Result<Builder<'a>, snow::Error> {
    Builder::new(NOISE.parse()?)
        .local_private_key(identity.expose_channel())?
        .remote_public_key(&peer.0)?
        .prologue(prologue)
}

fn write(noise: &mut HandshakeState) -> Result<Vec<u8>, ChannelError> {
    let mut message = vec![0; HANDSHAKE_BYTES];
    let bytes = noise.write_message(&[], &mut message).map_err(bug)?;
    message.truncate(bytes);
    Ok(message)
}

fn read(noise: &mut HandshakeState, message: &[u8]) -> Result<(), ChannelError> {
    // The pattern has no payload, and one of another length is nobody's of ours.
    if message.len() != HANDSHAKE_BYTES {
        return Err(ChannelError::Handshake);
    }
    noise.read_message(message, &mut [0; HANDSHAKE_BYTES]).map_err(|_| ChannelError::Handshake)?;
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape `map_err` wants")]
pub(super) fn bug(error: snow::Error) -> ChannelError {
    ChannelError::Noise(error.to_string())
}
