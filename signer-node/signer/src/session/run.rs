//! One run of a protocol over the channels of a session.

use tercet_policy::document::ContentHash;
use tercet_policy::party::Party;
use zeroize::Zeroizing;

use super::hello::Hex32;
use super::mesh::{Kind, Mesh, Told, after};
use super::{
    AbortReason, CLOSING_MS_MAX, GREETING_MS_MAX, Hello, PROTOCOL_VERSION, SessionError, Stage,
    WIRE_END_MS_MAX, ms,
};
use crate::tss::{
    Courier, ExecutionFields, ExecutionId, Inbound, OurBug, Outbound, OwnNonce, Patience,
    Recipient, Session, TssError, link,
};

/// The random bytes of one run, ours and theirs.
pub(crate) struct Nonces {
    mine: OwnNonce,
    theirs: Vec<(Party, [u8; 32])>,
}

/// What one run is.
pub(crate) struct RunTerms<'a> {
    pub(crate) fields: ExecutionFields<'a>,
    pub(crate) patience: Patience,
    /// Number of the run within the session.
    pub(crate) run: u8,
}

impl Mesh {
    /// Says hello to every peer and hears theirs. What they say is for the caller to check.
    pub(crate) async fn greet(
        &mut self,
        hello: impl Fn(Hex32, Party) -> Hello,
    ) -> Result<(Nonces, Vec<(Party, Hello)>), SessionError> {
        let mine = OwnNonce::draw().map_err(TssError::from)?;
        let peers = self.peers();
        for peer in &peers {
            let hello = hello(Hex32(mine.bytes()), *peer);
            let bytes = serde_json::to_vec(&hello).map_err(|_| SessionError::Bug("hello"))?;
            self.tell(*peer, (Kind::Hello, 0), bytes).await?;
        }
        let wait = (Stage::Greeting, ms(GREETING_MS_MAX));
        let heard = self.hear_each((Kind::Hello, 0), &peers, wait).await?;
        let read = |(peer, bytes): (Party, Zeroizing<Vec<u8>>)| {
            let hello: Option<Hello> = serde_json::from_slice(&bytes).ok();
            let hello = hello.ok_or(SessionError::OutOfPlace { peer })?;
            match hello.version {
                PROTOCOL_VERSION => Ok((peer, hello)),
                _ => Err(SessionError::Differs { peer, what: "the version of the protocol" }),
            }
        };
        let hellos = heard.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let theirs = hellos.iter().map(|(peer, hello)| (*peer, hello.nonce.0)).collect();
        Ok((Nonces { mine, theirs }, hellos))
    }

    /// Fresh random bytes for a later run, shown to `peers` and heard from them.
    pub(crate) async fn nonces(
        &mut self,
        run: u8,
        peers: &[Party],
        wait_ms: u64,
    ) -> Result<Nonces, SessionError> {
        let mine = OwnNonce::draw().map_err(TssError::from)?;
        for peer in peers {
            self.tell(*peer, (Kind::Nonce, run), mine.bytes().to_vec()).await?;
        }
        let wait = (Stage::Opening, ms(wait_ms));
        let heard = self.hear_each((Kind::Nonce, run), peers, wait).await?;
        let read = |(peer, bytes): (Party, Zeroizing<Vec<u8>>)| {
            let nonce = bytes.as_slice().try_into();
            nonce.map(|nonce| (peer, nonce)).map_err(|_| SessionError::OutOfPlace { peer })
        };
        let theirs = heard.into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Nonces { mine, theirs })
    }

    /// The id of a run, with the random bytes of all its parties in it.
    pub(crate) fn execution(
        &self,
        terms: &RunTerms<'_>,
        nonces: Nonces,
    ) -> Result<ExecutionId, SessionError> {
        let Nonces { mine, theirs } = nonces;
        Ok(ExecutionId::derive(&terms.fields, self.me(), mine, &theirs)?)
    }

    /// Runs a protocol: `start` gets the run's end of the link.
    pub(crate) async fn run<T, F>(
        &mut self,
        eid: ExecutionId,
        terms: &RunTerms<'_>,
        start: impl FnOnce(Session) -> F,
    ) -> Result<T, SessionError>
    where
        F: Future<Output = Result<T, TssError>>,
    {
        let (link, courier) = link();
        let cancel = self.cancel().child_token();
        let session = Session { eid, link, patience: terms.patience, cancel };
        let me = self.me();
        let parties = terms.fields.parties.iter().copied();
        let peers: Vec<_> = parties.filter(|party| *party != me).collect();
        // The future is large; it lives on the heap, so that ours does not.
        self.pump(terms, courier, &peers, Box::pin(start(session))).await
    }

    async fn pump<T>(
        &mut self,
        terms: &RunTerms<'_>,
        mut courier: Courier,
        peers: &[Party],
        mut running: std::pin::Pin<Box<impl Future<Output = Result<T, TssError>>>>,
    ) -> Result<T, SessionError> {
        let mut until = after(terms.patience.run.saturating_add(terms.patience.thread));
        let mut wire_ended = false;
        let wanted = (Kind::Round, terms.run);
        loop {
            tokio::select! {
                done = &mut running => {
                    while let Some(outbound) = courier.from_run.recv().await {
                        self.carry(outbound, terms.run, peers).await?;
                    }
                    return done.map_err(SessionError::from);
                }
                Some(outbound) = courier.from_run.recv() => {
                    self.carry(outbound, terms.run, peers).await?;
                }
                told = self.hear(wanted, Stage::Rounds, until, peers), if !wire_ended => {
                    match told {
                        Ok(told) => deliver(&courier, told)?,
                        Err(SessionError::WireEnded { .. }) => {
                            wire_ended = true;
                            until = after(ms(WIRE_END_MS_MAX)).min(until);
                        }
                        Err(error) => return Err(error),
                    }
                }
                () = tokio::time::sleep_until(until), if wire_ended => {
                    return Err(SessionError::WireEnded { stage: Stage::Rounds });
                }
            }
        }
    }

    async fn carry(
        &mut self,
        outbound: Outbound,
        run: u8,
        peers: &[Party],
    ) -> Result<(), SessionError> {
        match outbound {
            Outbound::Message { to: Recipient::One(to), bytes } => {
                self.tell(to, (Kind::Round, run), bytes).await
            }
            Outbound::Message { to: Recipient::All, bytes } => {
                for peer in peers {
                    self.tell(*peer, (Kind::Round, run), bytes.clone()).await?;
                }
                Ok(())
            }
            Outbound::Abort => {
                self.abort(AbortReason::Failed).await;
                Ok(())
            }
        }
    }

    /// Compares a hash with every peer's.
    pub(crate) async fn compare(
        &mut self,
        run: u8,
        ours: ContentHash,
        what: &'static str,
    ) -> Result<(), SessionError> {
        for (peer, theirs) in self.exchange((Kind::Closing, run), &ours.0).await? {
            if theirs.as_slice() != ours.0 {
                return Err(SessionError::Differs { peer, what });
            }
        }
        Ok(())
    }

    /// Tells every peer that the result rests on this node's disk, and hears the same of them.
    pub(crate) async fn kept(&mut self, run: u8) -> Result<(), SessionError> {
        self.exchange((Kind::Kept, run), b"kept").await.map(drop)
    }

    /// Tells the one peer what is in stock here, and hears the same of it.
    pub(crate) async fn tell_stock(
        &mut self,
        ours: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SessionError> {
        let heard = self.exchange((Kind::Stock, 0), ours).await?;
        let heard = heard.into_iter().next().map(|(_, theirs)| theirs);
        heard.ok_or(SessionError::Bug("no peer"))
    }

    async fn exchange(
        &mut self,
        kind: (Kind, u8),
        ours: &[u8],
    ) -> Result<Vec<(Party, Zeroizing<Vec<u8>>)>, SessionError> {
        let peers = self.peers();
        for peer in &peers {
            self.tell(*peer, kind, ours.to_vec()).await?;
        }
        self.hear_each(kind, &peers, (Stage::Closing, ms(CLOSING_MS_MAX))).await
    }
}

/// Hands a message to the run. One that has no room for the few of a protocol is flooded.
fn deliver(courier: &Courier, told: Told) -> Result<(), SessionError> {
    let Told { from, mut bytes, .. } = told;
    let bytes = std::mem::take(&mut *bytes);
    match courier.to_run.try_send(Inbound::Message { from, bytes }) {
        // A run that has ended needs no more messages; its result says what happened.
        Ok(()) | Err(tokio::sync::mpsc::error::TrySendError::Closed(_)) => Ok(()),
        Err(tokio::sync::mpsc::error::TrySendError::Full(_)) => {
            Err(SessionError::OutOfPlace { peer: from })
        }
    }
}

impl From<OurBug> for SessionError {
    fn from(bug: OurBug) -> Self {
        Self::Tss(TssError::Bug(bug))
    }
}
