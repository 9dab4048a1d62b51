//! Failures, grouped by what the caller does next.

use tercet_policy::party::Party;

use crate::primes::PrimesError;

/// Why a protocol run gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum TssError {
    /// The caller asked for something that cannot be: correct the call.
    #[error("this run cannot be started: {0}")]
    BadCall(#[from] BadCall),
    /// A share or a group's parameters are not fit for use: restore or repair them.
    #[error("this share cannot be used: {0}")]
    BadShare(#[from] BadShare),
    /// A peer broke the protocol: stop signing with it until someone has looked.
    #[error("a peer broke the protocol ({fault}); to blame: {suspects:?}")]
    BadPeer {
        /// The parties to blame. One, if the fault can be pinned on one; otherwise all peers.
        suspects: Vec<Party>,
        /// What was wrong.
        fault: PeerFault,
        /// The library's own words, for the log.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Time ran out: try again.
    #[error("time ran out while {waiting}; not heard from: {silent:?}")]
    Deadline {
        /// What was waited for.
        waiting: Wait,
        /// The peers from whom least has come. Empty when none was waited for.
        silent: Vec<Party>,
    },
    /// Someone called it off: try again if the reason has passed.
    #[error("the run was called off by {}", by.map_or("this side", Party::word))]
    Aborted {
        /// The peer that did, or `None` for this side.
        by: Option<Party>,
    },
    /// Our mistake: fail the session, raise an alarm.
    #[error("a bug of ours: {0}")]
    Bug(#[from] OurBug),
}

/// A call that cannot succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCall {
    /// The parties are not distinct, not in order, or not as many as the protocol has.
    #[error("the parties are not those of such a run")]
    Parties,
    /// This party is not one of the parties.
    #[error("this party does not take part")]
    NotTakingPart,
    /// Not exactly one nonce of 32 bytes from each peer.
    #[error("the peers' nonces are not one each")]
    Nonces,
    /// A session id of no or too many bytes.
    #[error("the session id is empty or too long")]
    SessionId,
    /// The execution id was derived for another protocol, party, wallet, epoch or group.
    #[error("the execution id belongs to another run")]
    OtherRun,
    /// The primes do not serve the library.
    #[error("the primes do not fit")]
    Primes,
}

/// A share or group parameters that do not hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadShare {
    /// The stored bytes do not read, or the library found them inconsistent.
    #[error("it does not read as a valid one")]
    Form,
    /// It belongs to another party.
    #[error("it belongs to another party")]
    OtherParty,
    /// It was made under other group parameters than the ones at hand.
    #[error("it was made under other group parameters")]
    OtherAux,
    /// It is not a share of a 2-of-3 key with the usual indices.
    #[error("it is not a share of a 2-of-3 key")]
    OtherScheme,
    /// Moduli are missing, repeated, of a wrong length or not our primes' product.
    #[error("its moduli do not hold together")]
    Moduli,
    /// The stored address is not that of the public key.
    #[error("its address is not that of its key")]
    Address,
}

/// What a peer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerFault {
    /// A message that does not read as one of this protocol, or holds numbers it never has.
    #[error("a message that does not read")]
    Undecodable,
    /// A message over the limit.
    #[error("a message over the limit")]
    TooLarge,
    /// A second message for one round.
    #[error("a second message for one round")]
    Repeated,
    /// A message that comes after the next one in every honest run.
    #[error("a message out of order")]
    OutOfOrder,
    /// A message from a party that does not take part.
    #[error("a message from outside the run")]
    NotTakingPart,
    /// Different parties were told different things; which of them lies is not known.
    #[error("different parties were told different things")]
    Equivocation,
    /// A proof or commitment that does not hold. Also what unequal group parameters, execution
    /// ids or messages look like.
    #[error("a proof or commitment that does not hold")]
    ProofFailed,
    /// The library failed on a message in a way it calls its own bug, or panicked. Charged to the
    /// peer, so that no peer can halt a node with a message that looks like our fault.
    #[error("a message that broke the library")]
    BrokeTheLibrary,
    /// A second use of one presignature.
    #[error("a second use of one presignature")]
    ReusedPresignature,
    /// All rounds passed, and the result is not a signature of the wallet.
    #[error("a result that is not a signature of the wallet")]
    WrongResult,
}

/// What a run was waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A free thread.
    Thread,
    /// A peer's message.
    Message,
    /// Room in the outgoing channel.
    Courier,
    /// The run as a whole.
    Whole,
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Thread => "waiting for a free thread",
            Self::Message => "waiting for a peer's message",
            Self::Courier => "waiting for a message to be taken",
            Self::Whole => "running as a whole",
        })
    }
}

/// A mistake on this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OurBug {
    /// The library refused our arguments, or failed before any peer was heard.
    #[error("the library failed on our own input")]
    Library,
    /// The protocol's state machine was driven wrongly.
    #[error("the protocol was driven wrongly")]
    Driver,
    /// The thread of the run ended without a result.
    #[error("the thread ended without a result")]
    Panicked,
    /// A value could not be written.
    #[error("a value could not be written")]
    Encoding,
    /// No thread or timer could be had from the operating system, or no randomness.
    #[error("the operating system refused a resource")]
    Resources,
}

impl From<PrimesError> for TssError {
    fn from(_: PrimesError) -> Self {
        Self::BadCall(BadCall::Primes)
    }
}
