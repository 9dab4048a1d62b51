//! Leaving a channel of an escrow contract from before TIP-1034, which another client opened for
//! this wallet.
//!
//! Promises: before anything is signed, our own endpoints are asked whether the chain would take
//! the step, so that one it would not take costs no fee; and a step is done only when they show it.
//!
//! Refuses: a channel that is not there or is somebody else's, its end twice, and the deposit
//! before the grace period is over. Whether the channel may be left at all, the policy says
//! (`v1_channels`).
//!
//! Does not protect against: a payee that settles vouchers during the grace period.

use std::time::Duration;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use tercet_api::payment::{PaymentStatus, PaymentView};
use tercet_chain::V1Channel;
use tercet_policy::chain::{Asset, Chain, PATH_USD};
use tercet_policy::intent::{
    ExitChannel, ExitStep, IntentId, LANE_SECONDS_MAX, MppExit, Payment, PaymentIntent, TempoNonce,
    TempoTerms, V1_ESCROWS,
};
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::tempo::gas;
use tercet_policy::time::UnixSeconds;
use tokio::time::{Instant, sleep};

use super::{ChainEvidence, PAYMENT_SECONDS_MAX, Wallet, not_ready};
use crate::error::{BadRequest, Error, OutcomeUnknown};
use crate::mpp::charge;
use crate::seam::{EvidenceUnavailable, Payer as _};
use crate::wallet::evidence::unavailable;

/// How long the contract gives the payee to settle once its end was asked for, in seconds.
pub const V1_GRACE_SECONDS: u64 = 900;
/// Time between two looks at the chain, in milliseconds.
const LOOK_MS: u64 = 500;

/// A step out of a channel, done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct V1Exit {
    /// The intent.
    pub intent: IntentId,
    /// Chain.
    pub chain: Chain,
    /// The channel.
    pub channel: ChannelId,
    /// The step.
    pub step: ExitStep,
    /// Token of the deposit.
    pub token: Address,
    /// Base units that the payee had not taken when the step was signed.
    pub left: Amount,
    /// From when on it can be taken back, by the chain's clock; nothing once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraw_from: Option<UnixSeconds>,
    /// The transaction, as the coordinator names it.
    pub transaction: Option<B256>,
}

impl Wallet {
    /// Takes a step out of a channel of the escrow contract from before TIP-1034: asks for its end,
    /// or takes back what the payee did not settle, 15 minutes later. Waits until the chain shows
    /// it.
    ///
    /// # Errors
    /// [`BadRequest::Step`] for a step that the chain would not take, [`Error::NotReady`] without
    /// endpoints that tell; otherwise [`Error`], which says what to do next.
    pub async fn leave_v1(
        &self,
        chain: Chain,
        channel: ChannelId,
        step: ExitStep,
    ) -> Result<V1Exit, Error> {
        let place = Place { chain, escrow: escrow_of(chain)?, channel };
        let seen = self.evidence.v1_channel(place).await.map_err(not_ready)?;
        if let Some(why) = seen.objection(self.address(), step) {
            return Err(BadRequest::Step { channel, why }.into());
        }
        let intent = self.draft_exit(place, &seen.state, step)?;
        let (id, ends) = (intent.id, intent.expires_at);
        let of_payer = |error| Error::of_payer(id, error);
        let signed = self.payer.sign(intent).await.map_err(of_payer)?;
        self.payer.submit(signed).await.map_err(of_payer)?;
        let (after, transaction) = self.see(place, step, id, ends).await?;
        let left = seen.state.deposit.checked_sub(seen.state.settled).unwrap_or_default();
        let token = seen.state.token;
        let withdraw_from = after.withdraw_from().filter(|_| !after.state.finalized);
        Ok(V1Exit { intent: id, chain, channel, step, token, left, withdraw_from, transaction })
    }

    /// The fee is paid in the channel's token where that is one of ours, otherwise in pathUSD.
    fn draft_exit(
        &self,
        place: Place,
        state: &V1Channel,
        step: ExitStep,
    ) -> Result<PaymentIntent, Error> {
        let Place { chain, escrow, channel } = place;
        let token = Asset::find(chain, state.token).map_or(PATH_USD, |asset| asset.token);
        let gas_limit = match step {
            ExitStep::RequestClose => gas::REQUEST_CLOSE_GAS,
            ExitStep::Withdraw => gas::WITHDRAW_GAS,
        };
        let channel = ExitChannel::V1 { escrow, channel };
        let terms = charge::terms(gas_limit, Some(token), UnixSeconds(0));
        let terms = TempoTerms { nonce: TempoNonce::Lane, ..terms };
        let mut intent =
            self.draft(Payment::MppExit(MppExit { chain, token, channel, step, terms }))?;
        let ends = intent.created_at.plus(LANE_SECONDS_MAX);
        intent.expires_at = ends;
        if let Payment::MppExit(exit) = &mut intent.payment {
            exit.terms.valid_before = ends;
        }
        Ok(intent)
    }

    /// Looks until our own endpoints show the step, or the coordinator says that it came to
    /// nothing.
    async fn see(
        &self,
        place: Place,
        step: ExitStep,
        intent: IntentId,
        ends: UnixSeconds,
    ) -> Result<(V1Seen, Option<B256>), Error> {
        let until = Instant::now().checked_add(Duration::from_secs(PAYMENT_SECONDS_MAX));
        loop {
            // A line that breaks, to either, leaves it open.
            let view = self.client.payment(&intent).await.ok();
            if let Ok(seen) = self.evidence.v1_channel(place).await
                && seen.shows(step)
            {
                return Ok((seen, view.and_then(|view| view.transaction)));
            }
            if let Some(end) = view.as_ref().and_then(bad_end) {
                return Err(end);
            }
            if until.is_none_or(|until| Instant::now() >= until) {
                return Err(open(intent, ends));
            }
            sleep(Duration::from_millis(LOOK_MS)).await;
        }
    }
}

impl ChainEvidence {
    /// What an escrow contract from before TIP-1034 keeps of a channel.
    async fn v1_channel(&self, place: Place) -> Result<V1Seen, EvidenceUnavailable> {
        let read = self.reader(place.chain)?.v1_channel(place.escrow, place.channel).await;
        let (at, state) = read.map_err(unavailable)?;
        Ok(V1Seen { at, state })
    }
}

/// Where a channel is.
#[derive(Clone, Copy, Debug)]
struct Place {
    chain: Chain,
    escrow: Address,
    channel: ChannelId,
}

/// A channel, as our endpoints show it.
#[derive(Clone, Copy, Debug)]
struct V1Seen {
    /// The chain's time.
    at: UnixSeconds,
    state: V1Channel,
}

impl V1Seen {
    /// Why the chain would not take a step of this wallet now.
    fn objection(&self, wallet: Address, step: ExitStep) -> Option<String> {
        let Self { at, state } = self;
        if state.finalized {
            return Some("it has ended, and nothing is in it".to_owned());
        }
        if state.payer.is_zero() {
            return Some("the escrow contract has no such channel".to_owned());
        }
        if state.payer != wallet {
            return Some(format!("it is {}'s, and this wallet is {wallet}", state.payer));
        }
        match (step, state.close_requested_at, self.withdraw_from()) {
            (ExitStep::RequestClose, Some(asked), Some(from)) => Some(format!(
                "its end was asked for at {asked}; what is left can be withdrawn from {from} on"
            )),
            (ExitStep::Withdraw, None, _) => {
                Some("ask for its end first, and withdraw 15 minutes later".to_owned())
            }
            (ExitStep::Withdraw, Some(asked), Some(from)) if *at < from => Some(format!(
                "its end was asked for at {asked}, and 15 minutes have to pass: withdraw from \
                 {from} on; by the chain's clock it is {at}"
            )),
            _ => None,
        }
    }

    fn withdraw_from(&self) -> Option<UnixSeconds> {
        self.state.close_requested_at.map(|asked| asked.plus(V1_GRACE_SECONDS))
    }

    /// Whether the chain has taken the step. A channel that has ended needs none.
    fn shows(&self, step: ExitStep) -> bool {
        let asked = self.state.close_requested_at.is_some();
        self.state.finalized || (step == ExitStep::RequestClose && asked)
    }
}

fn escrow_of(chain: Chain) -> Result<Address, Error> {
    let found = V1_ESCROWS.iter().find(|(on, _)| *on == chain);
    let none = || Error::NotReady(format!("{chain} has no escrow contract from before TIP-1034"));
    found.map(|(_, escrow)| *escrow).ok_or_else(none)
}

/// An end in which the step was not taken.
fn bad_end(view: &PaymentView) -> Option<Error> {
    let detail = view.detail.clone().unwrap_or_default();
    let intent = view.id;
    match view.status {
        PaymentStatus::Failed => Some(Error::NotSigned { intent, retryable: false, detail }),
        PaymentStatus::Void => Some(Error::NotPaid { intent, cause: detail }),
        _ => None,
    }
}

fn open(intent: IntentId, deadline: UnixSeconds) -> Error {
    let (status, merchant_reason) = (None, None);
    Error::Unknown(Box::new(OutcomeUnknown { intent, deadline, status, merchant_reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALLET: Address = Address::repeat_byte(0x11);
    const ASKED: UnixSeconds = UnixSeconds(1_800_000_000);

    fn seen(asked: Option<UnixSeconds>, at: UnixSeconds) -> V1Seen {
        let state = V1Channel {
            payer: WALLET,
            token: PATH_USD,
            deposit: Amount::from_base_units(10),
            settled: Amount::from_base_units(3),
            close_requested_at: asked,
            finalized: false,
        };
        V1Seen { at, state }
    }

    #[test]
    fn a_step_that_the_chain_would_not_take_is_not_signed() {
        let end = ASKED.plus(V1_GRACE_SECONDS);
        let (open, early, late) =
            (seen(None, ASKED), seen(Some(ASKED), end.minus(1)), seen(Some(ASKED), end));
        let with = |change: fn(&mut V1Channel)| {
            let mut seen = seen(None, ASKED);
            change(&mut seen.state);
            seen
        };
        let (ask, take) = (ExitStep::RequestClose, ExitStep::Withdraw);
        let cases = [
            (open, ask, None),
            (open, take, Some("ask for its end first")),
            (early, ask, Some("1800000900")),
            (early, take, Some("15 minutes have to pass: withdraw from 1800000900")),
            (late, ask, Some("was asked for at")),
            (late, take, None),
            (with(|state| state.payer = PATH_USD), ask, Some("this wallet is")),
            (with(|state| state.payer = Address::ZERO), take, Some("no such channel")),
            (with(|state| state.finalized = true), ask, Some("it has ended")),
        ];
        for (seen, step, expected) in cases {
            let said = seen.objection(WALLET, step);
            let fits = match (&said, expected) {
                (Some(said), Some(expected)) => said.contains(expected),
                (said, expected) => said.is_none() && expected.is_none(),
            };
            assert!(fits, "{step:?} of {seen:?}: {said:?}");
        }
    }

    #[test]
    fn a_step_is_done_when_the_chain_shows_it() {
        let (before, asked) = (seen(None, ASKED), seen(Some(ASKED), ASKED));
        let mut ended = before;
        ended.state.finalized = true;
        let shown = |step| [before, asked, ended].map(|seen| seen.shows(step));
        assert_eq!(shown(ExitStep::RequestClose), [false, true, true]);
        assert_eq!(shown(ExitStep::Withdraw), [false, false, true]);
    }

    #[test]
    fn contracts_are_pinned_by_chain() {
        for (chain, escrow) in V1_ESCROWS {
            assert_eq!(escrow_of(chain).unwrap(), escrow);
        }
        assert!(matches!(escrow_of(Chain::Base), Err(Error::NotReady(_))));
    }
}
