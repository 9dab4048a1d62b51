//! Where a payment stands and what happens next: a pure function.
//!
//! Promises: nothing leaves a terminal state; nothing that may have been signed becomes refused or
//! failed; a payment whose signing ended without a clear no stays unknown until the chain speaks;
//! a deposit that was in its channel at a safe block ends with the channel alone.
//!
//! ```text
//! received --> awaiting approval --> signing        (or at once, where nobody is asked)
//! signing  --> signed --> submitted --> settled | void
//! signing  --> unknown <--overdue-- signed          (a signature may exist)
//! unknown  --> signed | settled | void
//! any before signed --> refused | failed            (no node can have signed)
//! ```
//!
//! When may a signature exist? Both everyday nodes have to take part, so one that says *refused*
//! or *not ready* says that this session made none. A line that broke, a timeout or a crash says
//! nothing: from then on (`unclear`) no later no undoes the doubt.

use serde::{Deserialize, Serialize};
use tercet_api::payment::PaymentStatus;
use tercet_policy::intent::Payment;

/// Most signing sessions of one payment before the chain alone decides.
pub const SIGN_ATTEMPTS_MAX: u32 = 8;

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum State {
    /// Stored; no node knows of it.
    Received,
    /// A policy asks people; no node knows of it, and nothing is reserved.
    AwaitingApproval,
    /// Nodes are or were asked to sign.
    Signing {
        /// Which session this is, from 1.
        attempt: u32,
        /// Whether an earlier session ended without a clear no.
        unclear: bool,
    },
    /// Somebody said no and nothing was signed.
    Refused,
    /// No signature was made before the intent's end.
    Failed,
    /// A signature exists.
    Signed,
    /// Its transaction was handed to the chain; a deposit is in its channel at a safe block.
    Submitted,
    /// A signature may exist; the chain will tell.
    Unknown,
    /// The chain has it, at a safe block.
    Settled,
    /// The chain proves that it never will.
    Void,
}

/// What differs between the kinds on this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A transaction of the wallet, which we broadcast.
    Transfer,
    /// An authorization that whoever holds it may settle until its end.
    Authorization,
    /// A cancellation of an authorization, broadcast by whoever holds it.
    Cancellation,
    /// Money put into a channel, which stays out until the channel ends.
    Deposit,
    /// A signature that moves nothing: with it, it is over.
    Statement,
}

impl Kind {
    /// The kind of this payment.
    #[must_use]
    pub const fn of(payment: &Payment) -> Self {
        match payment {
            Payment::Transfer(_)
            | Payment::TempoTransfer(_)
            | Payment::MppExit(_)
            | Payment::TempoAccessKey(_) => Self::Transfer,
            Payment::X402Exact(_) | Payment::MppCharge(_) => Self::Authorization,
            Payment::X402Cancel(_) => Self::Cancellation,
            Payment::MppOpen(_) | Payment::MppTopUp(_) => Self::Deposit,
            Payment::MppProof(_) | Payment::MppVoucher(_) | Payment::MppClose(_) => Self::Statement,
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// The process was started, or the payment was just stored.
    Resumed,
    /// A fact was learned that moves nothing.
    Noted,
    /// The preview approves and the terms are fixed.
    Prepared,
    /// The preview asks people, or asks them anew.
    Asked,
    /// Somebody who was asked answered.
    Answered,
    /// The preview refuses.
    Declined,
    /// The intent's end has passed without a signature.
    Expired,
    /// A node reported the signature.
    Signature,
    /// A node refused in this session, so this session signed nothing.
    NodeRefused,
    /// This session ended without a signature that we know of.
    AttemptFailed {
        /// Whether a node says that it took no part.
        clean: bool,
        /// Whether there is time and a number left for another session.
        again: bool,
    },
    /// An endpoint of the chain took the transaction, or a deposit is in its channel at a safe
    /// block.
    Broadcast,
    /// The endpoints refuse the transaction of ours that they took before, and the chain does not
    /// have it.
    Dropped,
    /// The authorization's end has passed by the clock; the chain has not spoken.
    Overdue,
    /// The chain has it at a safe block.
    ChainSettled,
    /// The chain proves that it never will.
    ChainVoid,
}

/// What to do next. None: nothing, the payment is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Preview it, fix its terms.
    Prepare,
    /// Run one signing session.
    Sign,
    /// Hand the transaction to the chain.
    Broadcast,
    /// Look at the chain until it says something.
    Watch,
}

impl State {
    /// The state as the API names it.
    #[must_use]
    pub const fn status(self) -> PaymentStatus {
        match self {
            Self::Received => PaymentStatus::Received,
            Self::AwaitingApproval => PaymentStatus::AwaitingApproval,
            Self::Signing { .. } => PaymentStatus::Signing,
            Self::Refused => PaymentStatus::Refused,
            Self::Failed => PaymentStatus::Failed,
            Self::Signed => PaymentStatus::Signed,
            Self::Submitted => PaymentStatus::Submitted,
            Self::Unknown => PaymentStatus::Unknown,
            Self::Settled => PaymentStatus::Settled,
            Self::Void => PaymentStatus::Void,
        }
    }

    /// Whether nothing will change any more.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        self.status().is_terminal()
    }
}

/// The next state and what to do in it. An event that says nothing new changes nothing.
#[must_use]
pub const fn step(kind: Kind, state: State, event: Event) -> (State, Option<Effect>) {
    let next = match state {
        State::Received | State::AwaitingApproval => before_signing(state, event),
        State::Signing { attempt, unclear } => from_signing(kind, attempt, unclear, event),
        State::Signed => from_signed(kind, event),
        State::Submitted => from_submitted(kind, event),
        State::Unknown => from_unknown(kind, event),
        State::Refused | State::Failed | State::Settled | State::Void => state,
    };
    (next, effect_in(kind, next))
}

/// What a payment in this state needs, whatever happened before: why a crash is only a replay.
const fn effect_in(kind: Kind, state: State) -> Option<Effect> {
    match (state, kind) {
        (State::Received | State::AwaitingApproval, _) => Some(Effect::Prepare),
        (State::Signing { .. }, _) => Some(Effect::Sign),
        (State::Signed, Kind::Transfer) => Some(Effect::Broadcast),
        (State::Signed | State::Submitted | State::Unknown, _) => Some(Effect::Watch),
        (State::Refused | State::Failed | State::Settled | State::Void, _) => None,
    }
}

const fn before_signing(state: State, event: Event) -> State {
    match event {
        Event::Asked => State::AwaitingApproval,
        Event::Prepared => State::Signing { attempt: 1, unclear: false },
        Event::Declined => State::Refused,
        Event::Expired | Event::AttemptFailed { again: false, .. } => State::Failed,
        _ => state,
    }
}

const fn from_signing(kind: Kind, attempt: u32, unclear: bool, event: Event) -> State {
    match event {
        // The process died in a session: nobody knows how far it came.
        Event::Resumed => State::Signing { attempt, unclear: true },
        Event::Signature if matches!(kind, Kind::Statement) => State::Settled,
        Event::Signature => State::Signed,
        Event::NodeRefused if unclear => State::Unknown,
        Event::NodeRefused => State::Refused,
        Event::AttemptFailed { clean, again: true } => {
            State::Signing { attempt: attempt.saturating_add(1), unclear: unclear || !clean }
        }
        Event::AttemptFailed { clean: true, again: false } | Event::Expired if !unclear => {
            State::Failed
        }
        Event::AttemptFailed { again: false, .. } | Event::Expired => State::Unknown,
        Event::ChainSettled => State::Settled,
        Event::ChainVoid => State::Void,
        _ => State::Signing { attempt, unclear },
    }
}

const fn from_signed(kind: Kind, event: Event) -> State {
    match (event, kind) {
        (Event::Broadcast, Kind::Transfer) => State::Submitted,
        (Event::Overdue, Kind::Authorization | Kind::Cancellation | Kind::Deposit) => {
            State::Unknown
        }
        (Event::Broadcast, Kind::Deposit) => State::Submitted,
        (Event::ChainSettled, _) => State::Settled,
        (Event::ChainVoid, _) => State::Void,
        _ => State::Signed,
    }
}

const fn from_submitted(kind: Kind, event: Event) -> State {
    match (event, kind) {
        (Event::Dropped, Kind::Transfer) => State::Signed,
        (Event::ChainSettled, _) => State::Settled,
        // It was in its channel at a safe block: a chain that shows nothing now has lost its logs.
        (Event::ChainVoid, Kind::Deposit) => State::Submitted,
        (Event::ChainVoid, _) => State::Void,
        _ => State::Submitted,
    }
}

const fn from_unknown(kind: Kind, event: Event) -> State {
    match event {
        Event::Signature | Event::Overdue if matches!(kind, Kind::Statement) => State::Settled,
        Event::Signature => State::Signed,
        Event::Broadcast if matches!(kind, Kind::Deposit) => State::Submitted,
        Event::ChainSettled => State::Settled,
        Event::ChainVoid => State::Void,
        _ => State::Unknown,
    }
}

#[cfg(test)]
mod tests;
