//! One unit: a voucher with a request, and what its answer means.

use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use tercet_policy::money::Amount;
use tercet_policy::payload::{MppSignature, MppSigned};

use super::wire::Answer;
use super::{Session, Sessions, SignedVoucher, not_delivered, open};
use crate::ask::Ask;
use crate::error::{Declined, Error};
use crate::journal::{JournalError, Keeping};
use crate::mpp::{Judge, MppChoice, Offers, ProblemKind, ReceiptClaim, SessionChoice};

impl Sessions {
    /// Pays for a request with a voucher. A unit that was paid before and did not come is asked for
    /// with the same voucher; only if the service insists that it is used up is it given up, and
    /// never more of them than the rules allow.
    pub(super) async fn pay_unit(
        &self,
        ask: &Ask,
        mut session: Session,
        mut choice: SessionChoice,
    ) -> Result<(Session, Response), Error> {
        let presented_again = session.meter.has_unit_ahead();
        let response = match self.present(ask, &mut session, &choice).await? {
            Answer::Response(response) => response,
            Answer::Broken { .. } => return Err(not_delivered(&session, None)),
        };
        if response.status().is_success() {
            self.note_receipt(&mut session, response.headers());
            return Ok((session, response));
        }
        let status = response.status();
        let fresh = self.fresh(ask, &session, &response);
        match (self.problem(response).await, fresh) {
            (ProblemKind::InsufficientBalance | ProblemKind::DeltaTooSmall, Some(fresh))
                if presented_again =>
            {
                self.concede(&mut session, &fresh).await?;
                choice = fresh;
            }
            (problem, _) => return Err(self.unserved(&mut session, problem, status).await),
        }
        match self.present(ask, &mut session, &choice).await? {
            Answer::Response(response) if response.status().is_success() => {
                self.note_receipt(&mut session, response.headers());
                Ok((session, response))
            }
            Answer::Response(response) => {
                self.let_go(&mut session).await;
                Err(not_delivered(&session, Some(response.status().as_u16())))
            }
            Answer::Broken { .. } => Err(not_delivered(&session, None)),
        }
    }

    /// Nothing came. A service that calls the channel gone is left; whether a resource that is gone
    /// means the channel is for the chain to say.
    async fn unserved(
        &self,
        session: &mut Session,
        problem: ProblemKind,
        status: StatusCode,
    ) -> Error {
        self.let_go(session).await;
        let looked = match problem {
            ProblemKind::ChannelGone => self.leave(session).await,
            _ if status == StatusCode::GONE => self.look_at_end(session).await,
            _ => Ok(()),
        };
        looked.err().unwrap_or_else(|| not_delivered(session, Some(status.as_u16())))
    }

    /// Signs the next voucher, writes it down, and sends it with the request.
    async fn present(
        &self,
        ask: &Ask,
        session: &mut Session,
        choice: &SessionChoice,
    ) -> Result<Answer, Error> {
        session.answers(&choice.challenge);
        session.url = ask.url().to_string();
        let next = session.meter.next_voucher();
        if next > session.meter.deposit {
            Box::pin(self.top_up(ask.url(), session, next, choice.sponsored)).await?;
        }
        let voucher = match self.voucher(session, next).await {
            // Another process was quicker, and the unit is its own.
            Err(Error::Journal(JournalError::SessionOvertaken { channel })) => {
                return Err(Declined::SessionStreams { channel }.into());
            }
            voucher => voucher?,
        };
        let header = session
            .voucher_credential(&voucher)
            .ok_or_else(|| Error::NotReady("the voucher has no JSON form".to_owned()))?;
        Ok(self.send(ask.paid(&header)?).await)
    }

    /// The voucher up to this amount, signed and written down.
    pub(super) async fn voucher(
        &self,
        session: &mut Session,
        cumulative: Amount,
    ) -> Result<SignedVoucher, Error> {
        if session.voucher(cumulative).is_none() {
            let made = self.sign_voucher(session, cumulative).await?;
            session.signed(cumulative, &made);
        }
        session.drawn_by = Some(self.drawing());
        self.save(session, Keeping::Quick).await?;
        let kept = session.voucher(cumulative).cloned();
        kept.ok_or_else(|| Error::NotReady("the voucher was not kept".to_owned()))
    }

    pub(super) async fn sign_voucher(
        &self,
        session: &mut Session,
        cumulative: Amount,
    ) -> Result<MppSignature, Error> {
        let made = if session.is_signed_by_wallet() {
            self.wallet_voucher(session, cumulative).await?
        } else {
            let made = self.0.vouchers.sign_voucher(session.voucher_ask(cumulative)).await;
            made.map_err(|error| Error::of_payer(session.opened_by.id, error))?
        };
        let about = MppSigned::Voucher { channel: session.channel, cumulative };
        if made.about == about && made.chain == session.chain {
            return Ok(made);
        }
        Err(open::not_signed(&session.opened_by, "what was signed is another voucher"))
    }

    /// The next challenge, if it is for the terms of the session.
    pub(super) fn fresh(
        &self,
        ask: &Ask,
        session: &Session,
        response: &Response,
    ) -> Option<SessionChoice> {
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return None;
        }
        let (wallet, rules, now) = (self.0.wallet, &self.0.rules, self.now());
        let judge = Judge { ask, wallet, rules, now };
        let offers = Offers::read(response.headers());
        offers.iter().flatten().find_map(|offer| match judge.judge(offer) {
            Ok(MppChoice::Session(choice)) if session.has_terms(&choice) => Some(choice),
            _ => None,
        })
    }

    pub(super) async fn problem(&self, response: Response) -> ProblemKind {
        ProblemKind::read(response, self.0.rules.patience.unpaid()).await
    }

    /// Gives up on a unit that was paid and did not come, or on the session.
    async fn concede(&self, session: &mut Session, fresh: &SessionChoice) -> Result<(), Error> {
        if session.meter.concede(self.0.rules.mpp.lost_units_max) {
            return self.save(session, Keeping::OnDisk).await;
        }
        let (channel, lost) = (session.channel, session.meter.lost);
        self.close_in_lane(session, Some(&fresh.challenge)).await?;
        Err(Declined::TooMuchLost { channel, lost }.into())
    }

    /// Takes in what the service says it used, where that can be true.
    pub(super) fn note_receipt(&self, session: &mut Session, headers: &HeaderMap) {
        let Some(claim) = ReceiptClaim::read(headers).and_then(|claim| claim.session) else {
            return;
        };
        match claim.plausible(session.channel, &session.meter) {
            Some(spent) => session.meter.claimed = Some(spent),
            None => {
                let channel = session.channel;
                tracing::warn!(%channel, ?claim, "a receipt that cannot be true is not believed");
            }
        }
    }
}
