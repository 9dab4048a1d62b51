//! Frames between the coordinator and a node, one JSON text message each, over one WebSocket
//! that the node dials (`GET /v1/relay`, signed as every request is).
//!
//! The coordinator is a courier: documents come signed and are opened by the node itself, round
//! messages come sealed and pass as bounded opaque bytes.

use std::fmt;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use tercet_policy::approval::SignedApproval;
use tercet_policy::document::{ContentHash, Enrolment, Freeze, NotHex, Signed, WalletRequest};
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::party::{AgentId, Party};
use tercet_policy::proposal::ProposalClaim;
use tercet_policy::refusal::Refusal;
use tercet_policy::registry::SignedRegistry;
use tercet_policy::report::SignedReport;
use tercet_policy::rules::SignedPolicy;
use tercet_policy::subject::Subject;

/// Largest relay frame as JSON text, in bytes: a document of the largest size, however it is
/// escaped. A sealed Noise frame in base64 with its envelope takes less.
pub const RELAY_FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Largest sealed frame inside a relay frame, in bytes (a Noise message is at most 65,535).
pub const SEALED_FRAME_BYTES_MAX: usize = 65_535;
/// Most sealed frames of one session in one direction; a ceremony takes a few hundred.
pub const SESSION_FRAMES_MAX: u32 = 4_096;
/// Most presignatures made in one session.
pub const PRESIGN_RUNS_MAX: u16 = 8;
/// Largest sealed part of a signature, in bytes.
pub const SEALED_PART_BYTES_MAX: usize = 4_096;
/// Longest text of a failure, in characters.
pub const FAILURE_CHARS_MAX: usize = 500;

/// Names one run of a protocol; random, made by the coordinator, never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(pub [u8; 16]);

impl TryFrom<String> for SessionId {
    type Error = NotHex;
    fn try_from(text: String) -> Result<Self, NotHex> {
        let mut bytes = [0u8; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NotHex { bytes: 16 })?;
        Ok(Self(bytes))
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        hex::encode(id.0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// From the coordinator to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToNode {
    /// An enrolment; sent on connection and when it changes.
    Enrolment {
        /// Signed by the authority.
        document: Signed<Enrolment>,
    },
    /// A freeze or unfreeze; sent on connection and when it changes.
    Freeze {
        /// Signed by the authority.
        document: Signed<Freeze>,
    },
    /// A policy of an organisation, an agent or a wallet; sent on connection and when it changes.
    Policy {
        /// Signed by the authority.
        document: SignedPolicy,
    },
    /// The counterparty registry; sent on connection and when it changes.
    Registry {
        /// Signed by the authority.
        document: SignedRegistry,
    },
    /// What an agent says became of one of its payments. The same again changes nothing.
    Report {
        /// Signed by the agent.
        document: SignedReport,
    },
    /// Make the group's aux info with the other two parties.
    Prepare {
        /// This run.
        session: SessionId,
        /// Whose group.
        agent: AgentId,
    },
    /// Make a wallet with the other two parties.
    Keygen {
        /// This run.
        session: SessionId,
        /// Signed by the agent.
        request: Signed<WalletRequest>,
    },
    /// Judge a payment and, if it is allowed, sign it with the everyday peer.
    Sign {
        /// This run.
        session: SessionId,
        /// Signed by the agent.
        envelope: SignedIntent,
        /// What the courier says it is; compared, never believed.
        claim: ProposalClaim,
        /// What people said to it, each signed. At most
        /// [`APPROVALS_MAX`](tercet_policy::approval::APPROVALS_MAX) are looked at, and the
        /// policies say whose word counts.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approvals: Vec<SignedApproval>,
    },
    /// Make presignatures of a wallet with the everyday peer, to keep in stock. Of none, the peers
    /// only agree on what is in stock.
    Presign {
        /// This run.
        session: SessionId,
        /// The wallet.
        wallet: Address,
        /// How many, at most [`PRESIGN_RUNS_MAX`].
        count: u16,
    },
    /// Judge a payment and, if it is allowed, sign this node's part of it with a presignature in
    /// stock. The part is answered sealed, for the everyday peer alone.
    Part {
        /// This run.
        session: SessionId,
        /// Signed by the agent.
        envelope: SignedIntent,
        /// What the courier says it is; compared, never believed.
        claim: ProposalClaim,
        /// What people said to it, each signed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approvals: Vec<SignedApproval>,
    },
    /// Judge a payment and, if it is allowed, finish it with the everyday peer's part.
    Join {
        /// This run.
        session: SessionId,
        /// Signed by the agent.
        envelope: SignedIntent,
        /// What the courier says it is; compared, never believed.
        claim: ProposalClaim,
        /// What people said to it, each signed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approvals: Vec<SignedApproval>,
        /// The peer's part.
        part: SealedPart,
    },
    /// A sealed frame of a session.
    Frame {
        /// The run it belongs to.
        session: SessionId,
        /// Who sealed it, by the courier's word; the seal itself decides.
        from: Party,
        /// Sealed bytes, base64.
        #[serde(with = "base64_bytes")]
        bytes: Vec<u8>,
    },
    /// The session is over for the reason given; drop it.
    Abort {
        /// The run.
        session: SessionId,
        /// For the log.
        reason: String,
    },
}

/// From a node to the coordinator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromNode {
    /// First frame, and again whenever the journal's head moves.
    Head {
        /// Rows in the node's journal.
        rows: u64,
        /// Hash of the last row.
        hash: ContentHash,
    },
    /// A document arrived and was taken or refused.
    Document {
        /// `enrolment`, `freeze`, `policy`, `registry` or `report`.
        kind: String,
        /// Whom it is about.
        subject: Subject,
        /// Its epoch; 0 for a report, which has none.
        epoch: u64,
        /// Why it was refused, if it was.
        refused: Option<String>,
    },
    /// A sealed frame for another party of the session.
    Frame {
        /// The run.
        session: SessionId,
        /// For whom.
        to: Party,
        /// Sealed bytes, base64.
        #[serde(with = "base64_bytes")]
        bytes: Vec<u8>,
    },
    /// How far a long ceremony is.
    Progress {
        /// The run.
        session: SessionId,
        /// What is being done, for people.
        stage: String,
        /// Steps done.
        done: u32,
        /// Steps in all.
        total: u32,
    },
    /// The node has admitted a payment: decided and recorded, before any round message leaves.
    /// For a transfer the courier asks the operator first and the agent only after this, so that
    /// an operator's refusal does not leave the account nonce taken in the agent's journal.
    Admitted {
        /// The run.
        session: SessionId,
    },
    /// This node's part of a payment's signature: admitted and recorded before it left.
    Part {
        /// The run.
        session: SessionId,
        /// For the everyday peer alone.
        part: SealedPart,
    },
    /// The agent's node wants presignatures of a wallet made. The courier answers with a session
    /// ([`ToNode::Presign`]) when it has room for one, and may drop the wish.
    Restock {
        /// The wallet.
        wallet: Address,
        /// How many, at most [`PRESIGN_RUNS_MAX`].
        count: u16,
    },
    /// The session ended well.
    Done {
        /// The run.
        session: SessionId,
        /// What came of it.
        outcome: Outcome,
    },
    /// The node says no. A normal outcome.
    Refused {
        /// The run.
        session: SessionId,
        /// Why, with numbers.
        refusal: Refusal,
    },
    /// The session failed; nothing is known to be wrong with the request.
    Failed {
        /// The run.
        session: SessionId,
        /// Whose doing, for programs.
        kind: FailureKind,
        /// What happened, for people; never a secret.
        detail: String,
    },
}

/// What came of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// The group has aux info.
    Prepared {
        /// Hash over the public part; the same at all three.
        aux: ContentHash,
    },
    /// The wallet exists: every pair has signed a test message.
    WalletMade {
        /// Its address.
        address: Address,
        /// Hash over all public values of the ceremony; the same at all three.
        transcript: ContentHash,
    },
    /// A signature exists. Where it is a bearer instrument it stays with the agent.
    Signed {
        /// The intent.
        intent: IntentId,
        /// The slot it fills for ever.
        slot: String,
        /// What was signed.
        digest: B256,
        /// The signed transaction to broadcast, hexadecimal, for a transfer.
        transaction: Option<alloy_primitives::Bytes>,
        /// Where the peer's part was joined and the signature is a bearer instrument: this node's
        /// part, sealed for that peer alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<SealedBytes>,
    },
    /// Presignatures were put in stock.
    Stocked {
        /// How many.
        made: u16,
    },
}

/// A node's part of a signature, for its everyday peer alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SealedPart {
    /// The presignature that was used up for it, 32 bytes. Its name says nothing about it.
    #[schema(value_type = String)]
    pub presignature: B256,
    /// Sealed by the node to its peer, base64; at most [`SEALED_PART_BYTES_MAX`].
    #[schema(value_type = String)]
    pub sealed: SealedBytes,
}

/// Sealed bytes, in JSON as standard base64.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedBytes(#[serde(with = "base64_bytes")] pub Vec<u8>);

impl fmt::Debug for SealedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedBytes({} bytes)", self.0.len())
    }
}

/// Whose doing a failure was, as the caller's next move differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A party did not answer in time, or the line broke. Try again.
    Network,
    /// A peer sent something that does not verify.
    Peer,
    /// The presignature named is not in stock, or there is none: sign interactively.
    NoPresignature,
    /// This node is not able to: no aux info, no share, no room, journal unreadable.
    NotReady,
    /// This node has a bug and refuses until it is restarted.
    Bug,
}

/// Bytes as standard base64 text.
pub mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer};

    /// Writes base64.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    /// Reads base64.
    ///
    /// # Errors
    /// For what is not padded standard base64.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
