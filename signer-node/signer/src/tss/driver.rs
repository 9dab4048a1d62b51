//! The loop that runs one protocol on its thread.
//!
//! Promises: no wait without a deadline; an abort, a cancellation and the end of the whole run's
//! time are noticed at every wait and between any two steps of computation; each peer is heard at
//! most once a round, under the index its channel gives it. A step is up to half a second of
//! computation and is not interrupted.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use round_based::state_machine::{ProceedResult, StateMachine};
use round_based::{Incoming, MessageDestination, Outgoing};
use tercet_policy::party::Party;
use tokio::runtime::Runtime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::blame;
use super::error::{OurBug, PeerFault, TssError, Wait};
use super::guard::Guard;
use super::link::{Inbound, Link, Outbound, Recipient};
use super::patience::Patience;
use super::seats::Seats;
use super::wire::{self, Wire};

/// Longest wait for the word of abort to be taken, in milliseconds.
const ABORT_WAIT_MS_MAX: u64 = 1_000;

/// What a run has at hand on its thread.
pub(super) struct Line {
    pub(super) link: Link,
    pub(super) patience: Patience,
    pub(super) cancel: CancellationToken,
    /// A runtime of this thread alone: it waits, and nothing else runs on it.
    pub(super) clock: Runtime,
    pub(super) ends_at: Instant,
}

struct Driver<'a, M> {
    line: &'a mut Line,
    seats: &'a Seats,
    guard: &'a mut dyn Guard<M>,
    waiting: VecDeque<Incoming<M>>,
    /// Every message taken in: who sent it, for which round.
    heard: Vec<(Party, u16)>,
}

impl Line {
    /// Runs the protocol to its end.
    pub(super) fn drive<SM, T, E>(
        &mut self,
        seats: &Seats,
        guard: &mut dyn Guard<SM::Msg>,
        mut machine: SM,
    ) -> Result<T, TssError>
    where
        SM: StateMachine<Output = Result<T, E>>,
        SM::Msg: Wire,
        E: std::error::Error + Send + Sync + 'static,
    {
        let (waiting, heard) = (VecDeque::new(), Vec::new());
        let mut driver = Driver { line: self, seats, guard, waiting, heard };
        loop {
            driver.listen()?;
            match driver.step(&mut machine)? {
                ProceedResult::SendMsg(message) => driver.send(message)?,
                ProceedResult::NeedsOneMoreMessage => {
                    let message = driver.next_message()?;
                    machine.received_msg(message).map_err(|_| OurBug::Driver)?;
                }
                ProceedResult::Yielded => {}
                ProceedResult::Output(Ok(output)) => return Ok(output),
                ProceedResult::Output(Err(err)) => {
                    return Err(blame::of_library(err, seats, !driver.heard.is_empty()));
                }
                ProceedResult::Error(_) => return Err(OurBug::Driver.into()),
            }
        }
    }

    /// Tells the peers that this side has given up.
    pub(super) fn abort(&self) {
        let wait = Duration::from_millis(ABORT_WAIT_MS_MAX);
        // If nobody takes it, the session is gone, and its channels with it.
        let _ = self.clock.block_on(async {
            tokio::time::timeout(wait, self.link.outbound.send(Outbound::Abort)).await
        });
    }

    /// Waits for `what` until it comes, the time is up, or the run is cancelled.
    fn wait<T>(&self, waiting: Wait, what: impl Future<Output = T>) -> Result<T, WaitEnd> {
        let patient_until = Instant::now().checked_add(self.patience.message);
        let until = patient_until.map_or(self.ends_at, |at| at.min(self.ends_at));
        let reason = if until == self.ends_at { Wait::Whole } else { waiting };
        self.clock.block_on(async {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(WaitEnd::Cancelled),
                done = tokio::time::timeout_at(until, what) => {
                    done.map_err(|_| WaitEnd::TimeUp(reason))
                }
            }
        })
    }
}

enum WaitEnd {
    Cancelled,
    TimeUp(Wait),
}

impl<M: Wire> Driver<'_, M> {
    /// One step of the machine, with its panics caught.
    fn step<SM>(&self, machine: &mut SM) -> Result<ProceedResult<SM::Output, M>, TssError>
    where
        SM: StateMachine<Msg = M>,
    {
        // A machine that panicked is not used again.
        catch_unwind(AssertUnwindSafe(|| machine.proceed()))
            .map_err(|_panic| blame::of_panic(self.seats, !self.heard.is_empty()))
    }

    /// Takes in what has come, so that an abort is noticed before more is computed.
    fn listen(&mut self) -> Result<(), TssError> {
        if self.line.cancel.is_cancelled() {
            return Err(TssError::Aborted { by: None });
        }
        if Instant::now() >= self.line.ends_at {
            return Err(TssError::Deadline { waiting: Wait::Whole, silent: vec![] });
        }
        while let Ok(inbound) = self.line.link.inbound.try_recv() {
            self.take(inbound)?;
        }
        Ok(())
    }

    fn next_message(&mut self) -> Result<Incoming<M>, TssError> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            // The receiver leaves the line for the wait, which borrows the rest of it.
            let (_, nobody) = tokio::sync::mpsc::channel(1);
            let mut inbound = std::mem::replace(&mut self.line.link.inbound, nobody);
            let came = self.line.wait(Wait::Message, inbound.recv());
            self.line.link.inbound = inbound;
            match came.map_err(|end| self.gave_up(end))? {
                Some(inbound) => self.take(inbound)?,
                None => return Err(TssError::Aborted { by: None }),
            }
        }
    }

    fn send(&mut self, outgoing: Outgoing<M>) -> Result<(), TssError> {
        let to = match outgoing.recipient {
            MessageDestination::AllParties => Recipient::All,
            MessageDestination::OneParty(i) => {
                Recipient::One(self.seats.at(i).ok_or(OurBug::Driver)?)
            }
        };
        let bytes = wire::encode(&outgoing.msg)?;
        let sending = self.line.link.outbound.send(Outbound::Message { to, bytes });
        let sent = self.line.wait(Wait::Courier, sending).map_err(|end| self.gave_up(end))?;
        sent.map_err(|_closed| TssError::Aborted { by: None })
    }

    fn take(&mut self, inbound: Inbound) -> Result<(), TssError> {
        match inbound {
            Inbound::Abort { from } => Err(TssError::Aborted { by: Some(from) }),
            Inbound::Message { from, bytes } => self
                .take_message(from, &bytes)
                .map_err(|fault| TssError::BadPeer { suspects: vec![from], fault, cause: None }),
        }
    }

    fn take_message(&mut self, from: Party, bytes: &[u8]) -> Result<(), PeerFault> {
        let sender = self.seats.peer_index(from).ok_or(PeerFault::NotTakingPart)?;
        let msg: M = wire::decode(bytes)?;
        let entry = (from, msg.round());
        if self.heard.contains(&entry) {
            return Err(PeerFault::Repeated);
        }
        self.heard.push(entry);
        let (id, msg) = (self.heard.len() as u64, self.guard.admit(sender, msg)?);
        self.waiting.push_back(Incoming { id, sender, msg_type: msg.kind(), msg });
        Ok(())
    }

    fn gave_up(&self, end: WaitEnd) -> TssError {
        match end {
            WaitEnd::Cancelled => TssError::Aborted { by: None },
            WaitEnd::TimeUp(waiting) => TssError::Deadline { waiting, silent: self.silent() },
        }
    }

    /// The peers from whom least has come.
    fn silent(&self) -> Vec<Party> {
        let count = |peer: Party| self.heard.iter().filter(|(from, _)| *from == peer).count();
        let least = self.seats.peers().map(count).min();
        self.seats.peers().filter(|&peer| Some(count(peer)) == least).collect()
    }
}
