//! What a stream asks of its session: counts what came, and answers demands for vouchers.

use reqwest::Url;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;

use super::wire::Answer;
use super::{Sessions, not_delivered};
use crate::error::{Declined, Error};
use crate::journal::Keeping;
use crate::mpp::receipt::SessionClaim;

impl Sessions {
    /// A unit came.
    pub(in crate::mpp) async fn count_unit(&self, channel: &ChannelId) {
        match self.take(channel).await {
            Ok((_lane, session)) => {
                self.count(session, Some(self.drawing())).await;
            }
            Err(error) => tracing::error!(%channel, %error, "a delivery was not written down"),
        }
    }

    /// A stream is at its end.
    pub(in crate::mpp) async fn release(&self, channel: &ChannelId) {
        if let Ok((_lane, mut session)) = self.take(channel).await
            && !self.is_drawn_by_another(&session)
        {
            self.let_go(&mut session).await;
        }
    }

    /// The service says what it used.
    pub(in crate::mpp) async fn hear(&self, channel: &ChannelId, claim: SessionClaim) {
        let Ok((_lane, mut session)) = self.take(channel).await else { return };
        match claim.plausible(session.channel, &session.meter) {
            Some(spent) => {
                session.meter.claimed = Some(spent);
                self.try_to_save(&mut session, Keeping::Quick).await;
            }
            None => {
                tracing::warn!(%channel, ?claim, "a receipt that cannot be true is not believed");
            }
        }
    }

    /// The service demands a voucher: it gets one up to what was delivered and one unit more, and no
    /// higher. Where the voucher of an earlier request was presented again, since its unit had not
    /// come (`is_resumed`), a service that counts that unit as used is believed as far as units are
    /// given up. The answer says whether it was one that the service had before.
    pub(in crate::mpp) async fn answer_demand(
        &self,
        channel: &ChannelId,
        url: &Url,
        required: Amount,
        is_resumed: bool,
    ) -> Result<bool, Error> {
        let (_lane, mut session) = self.take(channel).await?;
        self.check_free(&session)?;
        if !session.state.pays() {
            return Err(Declined::SessionEnding { channel: *channel }.into());
        }
        let (units_max, lost_max) =
            (self.0.rules.mpp.voucher_units_max, self.0.rules.mpp.lost_units_max);
        if is_resumed
            && session.meter.counts_unit_ahead_as_used(required)
            && session.meter.concede(lost_max)
        {
            self.save(&mut session, Keeping::OnDisk).await?;
        }
        let again = required <= session.meter.signed;
        let demand = match session.meter.demanded(required, units_max) {
            Ok(demand) => demand.unwrap_or(session.meter.signed),
            Err(demand) => return Err(Declined::Overdemand { channel: *channel, demand }.into()),
        };
        self.refresh(&mut session).await;
        if demand > session.meter.deposit {
            let sponsored = session.is_sponsored();
            Box::pin(self.top_up(url, &mut session, demand, sponsored)).await?;
        }
        let voucher = self.voucher(&mut session, demand).await?;
        let header = session
            .voucher_credential(&voucher)
            .ok_or_else(|| Error::NotReady("the voucher has no JSON form".to_owned()))?;
        match self.manage(url, &header).await {
            Answer::Response(response) if response.status().is_success() => {
                self.note_receipt(&mut session, response.headers());
                self.try_to_save(&mut session, Keeping::Quick).await;
                Ok(again)
            }
            answer => Err(not_delivered(&session, answer.status())),
        }
    }

    /// The session as it stands, with nobody else at it.
    async fn take(
        &self,
        channel: &ChannelId,
    ) -> Result<(tokio::sync::OwnedMutexGuard<()>, super::Session), Error> {
        let service = self.find(channel).await?.service;
        let lane = self.0.lanes.enter(service).await;
        Ok((lane, self.find(channel).await?))
    }
}

impl super::Session {
    /// Whether the service paid the fee of the opening.
    fn is_sponsored(&self) -> bool {
        self.opened_by.payment.tempo_terms().is_some_and(|terms| terms.fee_token.is_none())
    }
}
