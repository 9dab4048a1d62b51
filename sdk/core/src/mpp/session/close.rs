//! The end of a session: agreed with the service, or by force.

use mpp::PaymentChallenge;
use reqwest::{Method, Request, Response, StatusCode, Url};
use tercet_api::payment::RefusalBy;
use tercet_policy::channel::EXIT_PAUSE_SECONDS;
use tercet_policy::intent::{
    CLOCK_SKEW_SECONDS_MAX, ExitChannel, ExitStep, LANE_SECONDS_MAX, MppExit, Payment, TempoNonce,
    TempoTerms,
};
use tercet_policy::mpp::ChannelId;
use tercet_policy::payload::MppSigned;
use tercet_policy::refusal::Refusal;
use tercet_policy::tempo::gas;
use tercet_policy::time::UnixSeconds;
use tokio::time::timeout;

use super::wire::Answer;
use super::{Leaving, Session, SessionState, Sessions, SignedVoucher};
use crate::ask::Ask;
use crate::declare::Declaration;
use crate::error::Error;
use crate::journal::Keeping;
use crate::mpp::charge;
use crate::rules::VALIDITY_SECONDS_MIN;

/// How long a lane's transaction of an exit may be mined, in seconds: as long as signers let no
/// other one of the same step follow.
const EXIT_SECONDS: u64 = LANE_SECONDS_MAX;
/// After how long a step of an exit is signed again, in seconds, by whichever clock the signers
/// have.
const STEP_SECONDS: u64 = EXIT_PAUSE_SECONDS + CLOCK_SKEW_SECONDS_MAX;
/// What is said to be paid where a challenge is asked for.
const SESSIONS_ACCEPTED: &str = "tempo/session";

impl Sessions {
    /// Ends a session at what was used: asks the service, and leaves by force where it does not
    /// agree. The chain's word comes with [`Sessions::tend`].
    ///
    /// # Errors
    /// [`Error`]
    pub async fn close(&self, channel: &ChannelId) -> Result<Session, Error> {
        let service = self.find(channel).await?.service;
        let _lane = self.0.lanes.enter(service).await;
        let mut session = self.find(channel).await?;
        self.look(&mut session).await?;
        if session.state.pays() {
            self.close_in_lane(&mut session, None).await?;
        }
        Ok(session)
    }

    /// The same for whoever has the lane, and perhaps a fresh challenge.
    pub(super) async fn close_in_lane(
        &self,
        session: &mut Session,
        fresh: Option<&PaymentChallenge>,
    ) -> Result<(), Error> {
        match fresh {
            Some(challenge) => session.answers(challenge),
            None => self.refresh(session).await,
        }
        session.state = SessionState::Closing;
        session.ending_since = Some(self.now());
        self.save(session, Keeping::OnDisk).await?;
        if !self.agree(session).await {
            tracing::warn!(channel = %session.channel, "the service does not close the session");
            self.leave(session).await?;
        }
        Ok(())
    }

    /// Whether the service takes the close. One that asks to be paid counts more than we do, or
    /// another challenge: it gets both once more, at the most that it has a voucher for. That costs
    /// no more than the voucher does, for the chain closes a channel once.
    async fn agree(&self, session: &mut Session) -> bool {
        let Some(voucher) = session.closing_voucher().cloned() else { return false };
        let Some(response) = self.ask_to_close(session, &voucher).await else { return false };
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return response.status().is_success();
        }
        let ask = session.ask(self.0.rules.allow_private_hosts);
        let fresh = ask.and_then(|ask| self.fresh(&ask, session, &response));
        let Some(highest) = session.highest_voucher().cloned() else { return false };
        match fresh {
            Some(choice) => session.answers(&choice.challenge),
            None if highest == voucher => return false,
            None => {}
        }
        let answer = self.ask_to_close(session, &highest).await;
        answer.is_some_and(|response| response.status().is_success())
    }

    /// What the service says to a close with this voucher.
    async fn ask_to_close(
        &self,
        session: &mut Session,
        voucher: &SignedVoucher,
    ) -> Option<Response> {
        let agreed = match self.sign_close(session, voucher.cumulative).await {
            Ok(agreed) if agreed.about == session.close_at(voucher) => agreed,
            Ok(_) => return None,
            Err(error) => {
                tracing::warn!(channel = %session.channel, %error, "a close was not signed");
                return None;
            }
        };
        let agreed = format!("0x{}", hex::encode(agreed.signature.to_rsv()));
        let header = session.close_credential(voucher, &agreed)?;
        match self.manage(&Url::parse(&session.url).ok()?, &header).await {
            Answer::Response(response) => Some(response),
            Answer::Broken { .. } => None,
        }
    }

    /// Gets another challenge to answer, where the last one is over.
    pub(super) async fn refresh(&self, session: &mut Session) {
        if session.challenge_ends > self.now().plus(VALIDITY_SECONDS_MIN) {
            return;
        }
        if let Some(challenge) = self.fresh_challenge(session).await {
            session.answers(&challenge);
        }
    }

    /// A challenge for the session's own terms, judged like any other.
    async fn fresh_challenge(&self, session: &Session) -> Option<PaymentChallenge> {
        let mut ask = session.ask(self.0.rules.allow_private_hosts)?;
        ask.accept_payment(SESSIONS_ACCEPTED);
        let sent = self.0.http.execute(ask.unpaid().ok()?);
        let response = timeout(self.0.rules.patience.unpaid(), sent).await.ok()?.ok()?;
        self.fresh(&ask, session, &response).map(|choice| choice.challenge)
    }

    /// Leaves a channel without the service: asks the chain for its end, if there is one to ask.
    /// What does not work now is tried again at the next look.
    pub(super) async fn leave(&self, session: &mut Session) -> Result<(), Error> {
        self.begin_to_leave(session).await?;
        if let Err(error) = self.go_on_leaving(session, self.now()).await {
            tracing::warn!(channel = %session.channel, %error, "a channel is not left yet");
        }
        Ok(())
    }

    pub(super) async fn begin_to_leave(&self, session: &mut Session) -> Result<(), Error> {
        session.state = SessionState::Exiting;
        session.ending_since.get_or_insert(self.now());
        self.save(session, Keeping::OnDisk).await
    }

    /// Brings a step of a forced exit to the chain.
    pub(super) async fn exit(&self, session: &mut Session, step: ExitStep) -> Result<(), Error> {
        let now = self.now();
        let ends = now.plus(EXIT_SECONDS);
        let gas_limit = match step {
            ExitStep::RequestClose => gas::REQUEST_CLOSE_GAS,
            ExitStep::Withdraw => gas::WITHDRAW_GAS,
        };
        let token = session.descriptor.token;
        let payment = Payment::MppExit(MppExit {
            chain: session.chain,
            token,
            channel: ExitChannel::V2 { descriptor: session.descriptor },
            step,
            terms: TempoTerms {
                nonce: TempoNonce::Lane,
                ..charge::terms(gas_limit, Some(token), ends)
            },
        });
        let intent = self.intent(payment, session.opened_by.declared.clone(), ends)?;
        session.leaving = Some(Leaving { intent, signed: false, not_before: None });
        self.save(session, Keeping::OnDisk).await?;
        self.sign_exit(session).await
    }

    /// Has the step signed and brought to the chain. What could not be signed now is tried again,
    /// with the same intent, when the session is looked after the next time; what was refused is
    /// not, and where signers say from when on another one may follow, not before.
    pub(super) async fn sign_exit(&self, session: &mut Session) -> Result<(), Error> {
        let Some(leaving) = session.leaving.clone() else { return Ok(()) };
        let ended = self.submit(&leaving.intent).await;
        session.leaving = match &ended {
            Ok(()) => Some(Leaving { signed: true, ..leaving }),
            Err(Error::Refused { refusals, .. }) => under_way_until(refusals).map(|until| {
                let latest = self.now().plus(STEP_SECONDS);
                Leaving { not_before: Some(until.min(latest)), ..leaving }
            }),
            Err(Error::NotSigned { retryable: false, .. }) => None,
            Err(_) => return ended,
        };
        self.save(session, Keeping::OnDisk).await?;
        ended
    }
}

impl Leaving {
    /// Whether this step is not to be signed again yet.
    pub(super) fn waits(&self, now: UnixSeconds) -> bool {
        let signed = self.signed.then(|| self.intent.created_at.plus(STEP_SECONDS));
        self.not_before.or(signed).is_some_and(|until| now < until)
    }

    pub(super) fn is_step(&self, step: ExitStep) -> bool {
        matches!(&self.intent.payment, Payment::MppExit(exit) if exit.step == step)
    }
}

/// From when on a step may be signed that was signed for another intent.
fn under_way_until(refusals: &[RefusalBy]) -> Option<UnixSeconds> {
    refusals.iter().find_map(|refused| match refused.refusal {
        Refusal::ExitUnderWay { until, .. } => Some(until),
        _ => None,
    })
}

impl Session {
    /// The voucher that the session is closed with: up to what was used, or the nearest above it
    /// that is at hand, which the payee has anyway.
    pub(super) fn closing_voucher(&self) -> Option<&SignedVoucher> {
        let used = self.meter.close_at();
        let enough = self.vouchers.iter().filter(|voucher| voucher.cumulative >= used);
        enough.min_by_key(|voucher| voucher.cumulative)
    }

    fn highest_voucher(&self) -> Option<&SignedVoucher> {
        self.vouchers.iter().max_by_key(|voucher| voucher.cumulative)
    }

    /// A request for what was asked for last.
    fn ask(&self, private_hosts: bool) -> Option<Ask> {
        let request = Request::new(Method::GET, Url::parse(&self.url).ok()?);
        Ask::new(request, Declaration::default(), private_hosts).ok()
    }

    const fn close_at(&self, voucher: &SignedVoucher) -> MppSigned {
        MppSigned::Close { channel: self.channel, cumulative: voucher.cumulative }
    }
}
