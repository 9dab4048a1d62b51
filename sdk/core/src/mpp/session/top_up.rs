//! More money for a session that pays, within its budget.

use alloy_primitives::Bytes;
use reqwest::Url;
use tercet_policy::chain::Asset;
use tercet_policy::intent::{MppChallenge, MppTopUp, Payment, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelAmount;
use tercet_policy::payload::{FinishedPayment, SignedTempoTransaction};
use tercet_policy::tempo::{Call, SPONSORED_ENVELOPE_TYPE, TRANSACTION_TYPE, calls, gas};
use tercet_policy::time::UnixSeconds;

use super::wire::Answer;
use super::{Session, SessionState, Sessions, open, open_unknown};
use crate::error::{Declined, Error};
use crate::journal::{Keeping, NotBegun};
use crate::mpp::charge;
use crate::seam::DepositFate;

impl Sessions {
    /// Puts so much into the channel that a voucher of `needed` is covered, and as much again as
    /// was put in first where the budget has it. Never into a channel that is ending, and never while
    /// an earlier top-up may still be mined.
    pub(super) async fn top_up(
        &self,
        url: &Url,
        session: &mut Session,
        needed: Amount,
        sponsored: bool,
    ) -> Result<(), Error> {
        // Of two that may not be mined none is believed.
        if session.believed.is_some() {
            self.look_at_believed(session).await?;
        }
        if let Some(believed) = &session.believed {
            return Err(open_unknown(believed, None));
        }
        match session.state {
            SessionState::Open => {}
            SessionState::ToppingUp => {
                let flight = session.flight.as_ref().unwrap_or(&session.opened_by);
                return Err(open_unknown(flight, None));
            }
            _ => return Err(Declined::SessionEnding { channel: session.channel }.into()),
        }
        let additional = self.additional(session, needed)?;
        let payment = self.topping_up(session, additional, sponsored)?;
        let now = self.now();
        let ends = charge::ends(session.challenge_ends, now);
        let declared = session.opened_by.declared.clone();
        let intent = self.intent(payment.clone(), declared, ends)?;
        session.state = SessionState::ToppingUp;
        session.flight = Some(intent.clone());
        match self.0.journal.begin_top_up(session, &payment, &self.0.rules, now).await {
            Ok(()) => {}
            Err(NotBegun::Declined(why)) => return Err(why.into()),
            Err(NotBegun::Journal(error)) => return Err(error.into()),
        }
        let raw = self.sign_top_up(session, &intent).await?;
        let header = session
            .top_up_credential(&raw, additional)
            .ok_or_else(|| Error::NotReady("the top-up has no JSON form".to_owned()))?;
        let answer = self.manage(url, &header).await;
        if matches!(&answer, Answer::Response(r) if r.status().is_success()) {
            session.believed = Some(intent);
            return self.landed(session, additional).await;
        }
        if self.deposit_fate(&intent).await == DepositFate::InChannel {
            return self.landed(session, additional).await;
        }
        Err(open_unknown(&intent, answer.status()))
    }

    async fn sign_top_up(
        &self,
        session: &mut Session,
        intent: &PaymentIntent,
    ) -> Result<Bytes, Error> {
        match self.authorize(intent).await {
            Ok(FinishedPayment::Tempo(made)) if is_of(&made, &intent.payment) => Ok(made.raw),
            Ok(_) => Err(open::not_signed(intent, "what was signed is not this top-up")),
            Err(error @ Error::Refused { .. }) => {
                self.landed(session, Amount::ZERO).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// A top-up is over, with this much more in the channel.
    pub(super) async fn landed(&self, session: &mut Session, more: Amount) -> Result<(), Error> {
        if session.state == SessionState::ToppingUp {
            session.state = SessionState::Open;
        }
        let asked_at = session.flight.take().map_or(self.now(), |intent| intent.created_at);
        if more != Amount::ZERO {
            session.topped_up_at = Some(asked_at);
            let deposit = session.meter.deposit.checked_add(more);
            session.meter.deposit = deposit.unwrap_or(session.meter.deposit);
        }
        self.save(session, Keeping::OnDisk).await
    }

    fn additional(&self, session: &Session, needed: Amount) -> Result<Amount, Error> {
        let deposit = session.meter.deposit;
        let limit = Asset::find(session.chain, session.descriptor.token)
            .ok()
            .and_then(|asset| self.0.rules.mpp.max_deposit(asset))
            .unwrap_or(Amount::ZERO);
        let over = || Error::from(Declined::SessionBudget { asked: needed, limit });
        if needed > limit {
            return Err(over());
        }
        let first = session.opened_by.payment.amount();
        let wish = deposit.checked_add(first).unwrap_or(limit).max(needed).min(limit);
        wish.checked_sub(deposit).filter(|more| *more != Amount::ZERO).ok_or_else(over)
    }

    fn topping_up(
        &self,
        session: &Session,
        additional: Amount,
        sponsored: bool,
    ) -> Result<Payment, Error> {
        let fee_token = (!sponsored).then_some(session.descriptor.token);
        let ends = charge::ends(session.challenge_ends, self.now());
        Ok(Payment::MppTopUp(MppTopUp {
            chain: session.chain,
            channel: session.descriptor,
            additional,
            challenge: session.answered()?,
            terms: charge::terms(gas::TOP_UP_GAS, fee_token, ends),
        }))
    }
}

/// The node derived the bytes from the intent; here they are held against kind, channel and amount.
fn is_of(made: &SignedTempoTransaction, payment: &Payment) -> bool {
    let Payment::MppTopUp(asked) = payment else { return false };
    let Ok(additional) = ChannelAmount::try_from(asked.additional) else { return false };
    let sponsored = asked.terms.fee_token.is_none();
    let kind = if sponsored { SPONSORED_ENVELOPE_TYPE } else { TRANSACTION_TYPE };
    let Call { to, input } = calls::top_up(&asked.channel, additional);
    let has = |part: &[u8]| made.raw.windows(part.len()).any(|window| window == part);
    made.chain == asked.chain
        && made.for_service
        && made.opens.is_none()
        && made.raw.first() == Some(&kind)
        && has(to.as_slice())
        && has(&input)
}

impl Session {
    /// Whether a top-up that was signed, and was not seen, can be mined after a safe block of this
    /// time.
    pub(super) fn may_be_topped_up(&self, safe_at: UnixSeconds) -> bool {
        let unseen = self.flight.iter().chain(&self.believed);
        let ends = |intent: &PaymentIntent| intent.payment.valid_before();
        unseen.map(|intent| ends(intent).unwrap_or(intent.expires_at)).any(|end| safe_at < end)
    }

    /// The last challenge, as an intent names it.
    fn answered(&self) -> Result<MppChallenge, Error> {
        let unread = |_| Error::NotReady("the last challenge does not read".to_owned());
        let echo: mpp::ChallengeEcho =
            serde_json::from_str(self.challenge.get()).map_err(unread)?;
        Ok(MppChallenge {
            id: echo.id,
            realm: echo.realm,
            resource: self.url.clone(),
            service: self.service.clone(),
        })
    }
}
