//! How a payment's asker in this process learns what this node made of it.
//!
//! A finished authorization is a bearer instrument: it goes from the gate to the ticket's holder
//! and nowhere else.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tercet_api::relay::FailureKind;
use tercet_policy::intent::IntentId;
use tercet_policy::payload::FinishedPayment;
use tercet_policy::refusal::Refusal;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Most payments that are waited for at a time.
pub const TICKETS_MAX: usize = 1_024;
/// Most ends of sessions that one ticket holds unread.
const ENDS_MAX: usize = 8;

/// How one session of a payment ended at this node.
#[derive(Debug)]
pub enum PaymentEnd {
    /// Signed: verified, recovered to the wallet, ready to use.
    Signed(Box<FinishedPayment>),
    /// Not signed.
    NotPaid(NotPaid),
}

/// Why this node did not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", content = "said", rename_all = "snake_case")]
pub enum NotPaid {
    /// This node's own rules or records say no.
    #[error("{0}")]
    Refused(Refusal),
    /// The session failed; the coordinator may open another for the same intent.
    #[error("the session failed: {detail}")]
    Failed {
        /// Whose doing.
        kind: FailureKind,
        /// What happened, for people.
        detail: String,
    },
    /// Nothing was heard of the payment in time.
    #[error("nothing was heard of the payment in time")]
    TimedOut,
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
    /// [`TICKETS_MAX`] payments are waited for already.
    #[error("{TICKETS_MAX} payments are waited for already")]
    TooMany,
}

/// A place in which the ends of an intent's sessions appear. Take it before the intent is posted.
#[derive(Debug)]
pub struct Ticket {
    intent: IntentId,
    ends: mpsc::Receiver<PaymentEnd>,
}

impl Ticket {
    /// A ticket of a node elsewhere: its ends come through `ends`.
    #[must_use]
    pub const fn over(intent: IntentId, ends: mpsc::Receiver<PaymentEnd>) -> Self {
        Self { intent, ends }
    }

    /// The intent it is for.
    #[must_use]
    pub const fn intent(&self) -> IntentId {
        self.intent
    }

    /// How the next session of this intent ends: a failed one may be followed by another.
    /// Cancel-safe. Nothing any more when the node has stopped.
    pub async fn next_end(&mut self) -> Option<PaymentEnd> {
        self.ends.recv().await
    }

    /// The finished payment, waiting through failures that another session may mend.
    ///
    /// # Errors
    /// [`NotPaid`]: a refusal or a failure that is not the network's at once, the last failure or
    /// [`NotPaid::TimedOut`] after `patience`.
    pub async fn finished(mut self, patience: Duration) -> Result<FinishedPayment, NotPaid> {
        let mut last = NotPaid::TimedOut;
        let waiting = async {
            loop {
                match self.next_end().await {
                    None => return Err(NotPaid::Stopped),
                    Some(PaymentEnd::Signed(payment)) => return Ok(*payment),
                    Some(PaymentEnd::NotPaid(why)) if why.may_be_mended() => last = why,
                    Some(PaymentEnd::NotPaid(why)) => return Err(why),
                }
            }
        };
        let ended = timeout(patience, waiting).await;
        ended.unwrap_or(Err(last))
    }
}

impl NotPaid {
    /// Whether another session for the same intent can end better.
    #[must_use]
    pub const fn may_be_mended(&self) -> bool {
        matches!(self, Self::Failed { kind: FailureKind::Network | FailureKind::Peer, .. })
    }
}

/// The tickets that are out.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    out: Mutex<HashMap<IntentId, Vec<mpsc::Sender<PaymentEnd>>>>,
}

impl Tickets {
    pub(crate) fn issue(&self, intent: IntentId) -> Ticket {
        let (to, ends) = mpsc::channel(ENDS_MAX);
        let mut out = self.lock();
        out.retain(|_, tos| {
            tos.retain(|to| !to.is_closed());
            !tos.is_empty()
        });
        if out.len() >= TICKETS_MAX {
            // A fresh channel has room.
            drop(to.try_send(PaymentEnd::NotPaid(NotPaid::TooMany)));
        } else {
            out.entry(intent).or_default().push(to);
        }
        Ticket { intent, ends }
    }

    /// Tells how a session ended. A finished payment goes to the first ticket that is still held.
    pub(crate) fn tell(&self, intent: IntentId, end: PaymentEnd) {
        let mut out = self.lock();
        let Some(tos) = out.get_mut(&intent) else { return };
        tos.retain(|to| !to.is_closed());
        match end {
            PaymentEnd::Signed(payment) => {
                let mut payment = Some(payment);
                for to in tos {
                    let Some(left) = payment.take() else { return };
                    payment = match to.try_send(PaymentEnd::Signed(left)) {
                        Ok(()) => None,
                        Err(error) => unsent(error),
                    };
                }
            }
            PaymentEnd::NotPaid(why) => {
                for to in tos {
                    // A ticket that reads nothing misses what came last.
                    drop(to.try_send(PaymentEnd::NotPaid(why.clone())));
                }
            }
        }
    }

    /// A panic of another holder leaves the map whole: every change to it is one call.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IntentId, Vec<mpsc::Sender<PaymentEnd>>>> {
        self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn unsent(error: mpsc::error::TrySendError<PaymentEnd>) -> Option<Box<FinishedPayment>> {
    match error.into_inner() {
        PaymentEnd::Signed(payment) => Some(payment),
        PaymentEnd::NotPaid(_) => None,
    }
}

#[cfg(test)]
mod tests;
