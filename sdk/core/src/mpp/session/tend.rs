//! The janitor: looks after sessions that are idle, over, stuck or being left.
//!
//! Promises: a deposit that the service does not give back is taken back: `requestClose`, the grace
//! period, `withdraw`. The first is signed only once no top-up can come after it, which would take it
//! back. What became of an opening or a top-up is what the chain shows. Each look does what can be
//! done now, so that it may be called at any time and after any crash.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use tercet_policy::intent::ExitStep;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::time::UnixSeconds;
use tokio::time::timeout;

use super::{Leaving, Session, SessionState, Sessions};
use crate::error::Error;
use crate::journal::Keeping;
use crate::seam::{ChannelSeen, DepositFate};

/// How many sessions are looked after at once: one whose service is slow holds up no other.
const TENDED_AT_ONCE_MAX: usize = 8;
/// How long a look waits for whoever else is at the sessions of a service, in seconds.
const LANE_WAIT_SECONDS: u64 = 30;
/// How long a service may take to bring an agreed close to the chain, in seconds.
const CLOSE_SECONDS_MAX: u64 = 120;
/// How long after its end was begun a channel that holds nothing is looked for in the logs, in
/// seconds. One that is not found then is over all the same.
const ENDED_SECONDS_MAX: u64 = 86_400;
/// The reserve's grace period is 900 seconds; a withdrawal one minute later is not too early.
const GRACE_SECONDS: u64 = 960;

/// Where a session stands after a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tended {
    /// Its channel.
    pub channel: ChannelId,
    /// Where it stands.
    pub state: SessionState,
    /// What went wrong, for people; it is tried again.
    pub trouble: Option<String>,
}

impl Sessions {
    /// Looks after every session with money in its channel.
    ///
    /// # Errors
    /// [`Error::Journal`]
    pub async fn tend(&self) -> Result<Vec<Tended>, Error> {
        let live = self.0.journal.readable_sessions(self.0.wallet).await?;
        let looks = live.into_iter().map(|session| Box::pin(self.look_after(session)));
        Ok(stream::iter(looks).buffered(TENDED_AT_ONCE_MAX).collect().await)
    }

    async fn look_after(&self, session: Session) -> Tended {
        let channel = session.channel;
        let looked = self.tend_one(&session).await;
        let trouble = looked.err().map(|error| error.to_string());
        match self.find(&channel).await {
            Ok(now) => Tended { channel, state: now.state, trouble },
            Err(error) => {
                let trouble = trouble.or_else(|| Some(error.to_string()));
                Tended { channel, state: session.state, trouble }
            }
        }
    }

    async fn tend_one(&self, session: &Session) -> Result<(), Error> {
        let entering = self.0.lanes.enter(session.service.clone());
        let busy = || Error::NotReady("busy: others are at the sessions of its service".to_owned());
        let patience = Duration::from_secs(LANE_WAIT_SECONDS);
        let _lane = timeout(patience, entering).await.map_err(|_| busy())?;
        let mut session = self.find(&session.channel).await?;
        self.look(&mut session).await?;
        let now = self.now();
        match session.state {
            SessionState::Open | SessionState::ToppingUp if self.is_due(&session, now) => {
                self.close_in_lane(&mut session, None).await
            }
            SessionState::Closing if over(session.ending_since, CLOSE_SECONDS_MAX, now) => {
                self.begin_to_leave(&mut session).await?;
                self.go_on_leaving(&mut session, now).await
            }
            SessionState::Exiting => self.go_on_leaving(&mut session, now).await,
            _ => Ok(()),
        }
    }

    fn is_due(&self, session: &Session, now: UnixSeconds) -> bool {
        let idle = self.0.rules.mpp.idle_seconds;
        now >= session.ends_at || now >= session.used_at.plus(idle)
    }

    /// The next step out of the channel, as the chain shows it. One that holds nothing, or is not
    /// there yet, is not worth a fee; a chain that does not tell is asked again at the next look.
    pub(super) async fn go_on_leaving(
        &self,
        session: &mut Session,
        now: UnixSeconds,
    ) -> Result<(), Error> {
        let Ok(seen) = self.0.evidence.channel(session.chain, session.channel).await else {
            return Ok(());
        };
        let step = match seen.close_requested_at {
            _ if seen.deposit == Amount::ZERO => return Ok(()),
            // On the chain a top-up that comes after takes back what is asked for here, and the
            // service may have one that nobody has seen: it is waited for, half a minute at most.
            None if session.may_be_topped_up(seen.at) => return Ok(()),
            None => ExitStep::RequestClose,
            // By the chain's own clock: one that is withdrawn too early costs a fee for nothing.
            Some(asked) if seen.at >= asked.plus(GRACE_SECONDS) => ExitStep::Withdraw,
            Some(_) => return Ok(()),
        };
        match session.leaving.as_ref().filter(|leaving| leaving.is_step(step)) {
            Some(leaving) if leaving.waits(now) => Ok(()),
            Some(Leaving { intent, signed: false, not_before: None })
                if now < intent.expires_at =>
            {
                self.sign_exit(session).await
            }
            _ => self.exit(session, step).await,
        }
    }

    /// What the chain says of a session; writes down what that changes.
    pub(super) async fn look(&self, session: &mut Session) -> Result<(), Error> {
        // Until its end, an opening that the service took is given the time to be mined.
        let doubtful = !session.funded && self.now() >= session.opened_by.expires_at;
        if session.state == SessionState::Opening || (session.state.pays() && doubtful) {
            self.look_at_opening(session).await?;
        }
        if session.flight.is_some() && !session.state.is_over() {
            self.look_at_top_up(session).await?;
        }
        let (now, ends) = (self.now(), session.state.ends());
        if session.believed.as_ref().is_some_and(|intent| ends || now >= intent.expires_at)
            && !session.state.is_over()
        {
            self.look_at_believed(session).await?;
        }
        match session.state {
            SessionState::ToppingUp if session.flight.is_none() => {
                self.landed(session, Amount::ZERO).await
            }
            SessionState::Closing | SessionState::Exiting => self.look_at_end(session).await,
            _ => Ok(()),
        }
    }

    async fn look_at_opening(&self, session: &mut Session) -> Result<(), Error> {
        match self.deposit_fate(&session.opened_by).await {
            DepositFate::InChannel => {
                session.funded = true;
                if session.state == SessionState::Opening {
                    session.state = SessionState::Open;
                }
                self.save(session, Keeping::OnDisk).await
            }
            DepositFate::Ended { settled, .. } => self.ended(session, settled).await,
            DepositFate::Void => self.never_was(session).await,
            DepositFate::Open => Ok(()),
        }
    }

    async fn look_at_top_up(&self, session: &mut Session) -> Result<(), Error> {
        let Some(flight) = session.flight.clone() else { return Ok(()) };
        match self.deposit_fate(&flight).await {
            DepositFate::InChannel => self.landed(session, flight.payment.amount()).await,
            DepositFate::Void => self.landed(session, Amount::ZERO).await,
            DepositFate::Ended { .. } => self.look_at_end(session).await,
            DepositFate::Open => Ok(()),
        }
    }

    /// What became of a top-up that the service says it took. One that was never mined is taken out
    /// of the deposit again.
    pub(super) async fn look_at_believed(&self, session: &mut Session) -> Result<(), Error> {
        let Some(believed) = session.believed.clone() else { return Ok(()) };
        match self.deposit_fate(&believed).await {
            DepositFate::InChannel => {}
            DepositFate::Void => {
                let deposit = session.meter.deposit.checked_sub(believed.payment.amount());
                session.meter.deposit = deposit.unwrap_or_default();
            }
            DepositFate::Ended { .. } => return self.look_at_end(session).await,
            DepositFate::Open => return Ok(()),
        }
        session.believed = None;
        self.save(session, Keeping::OnDisk).await
    }

    /// A channel that held money and holds none is over, and so is one that never was. What the
    /// payee got where no log shows it is what was signed.
    pub(super) async fn look_at_end(&self, session: &mut Session) -> Result<(), Error> {
        let seen = self.0.evidence.channel(session.chain, session.channel).await;
        if !matches!(seen, Ok(ChannelSeen { deposit: Amount::ZERO, .. })) {
            return Ok(());
        }
        let since = session.ending_since;
        let long_ago = since.is_some() && over(since, ENDED_SECONDS_MAX, self.now());
        match self.deposit_fate(&session.opened_by).await {
            DepositFate::Ended { settled, .. } => self.ended(session, settled).await,
            DepositFate::Void if !session.funded => self.never_was(session).await,
            DepositFate::InChannel | DepositFate::Open if !long_ago => Ok(()),
            _ => self.ended(session, session.meter.signed).await,
        }
    }

    /// The opening was never mined, whatever the service said, and no longer can be.
    async fn never_was(&self, session: &mut Session) -> Result<(), Error> {
        session.state = SessionState::Void;
        (session.flight, session.believed, session.leaving) = (None, None, None);
        self.save(session, Keeping::OnDisk).await
    }

    /// The payee got so much in all.
    async fn ended(&self, session: &mut Session, settled: Amount) -> Result<(), Error> {
        session.settled = Some(settled);
        session.state = SessionState::Closed;
        (session.flight, session.believed, session.leaving) = (None, None, None);
        self.save(session, Keeping::OnDisk).await
    }
}

fn over(since: Option<UnixSeconds>, seconds: u64, now: UnixSeconds) -> bool {
    since.is_none_or(|since| now >= since.plus(seconds))
}
