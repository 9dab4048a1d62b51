//! What a 402 offers, in both protocols, and which of it is paid.

use reqwest::header::HeaderMap;
use tercet_policy::declared::PaymentFlow;
use tercet_policy::intent::{Payment, X402Exact};
use tercet_policy::proposal::eip3009_nonce;
use tercet_policy::time::UnixSeconds;

use alloy_primitives::B256;
use serde_json::value::RawValue;
use tercet_policy::intent::IntentId;

use super::{Buyer, read_challenge};
use crate::ask::Ask;
use crate::choose::{Choice, Skipped, Unacceptable, choose};
use crate::error::{Declined, Error};
use crate::mpp::session::SessionStanding;
use crate::mpp::{ChargeChoice, Judge, MppChoice, Offers, accepted, charge};
use crate::wire::Challenge;

/// What is paid.
pub(super) enum Selected {
    X402(Box<(Choice, Challenge)>),
    Mpp(Box<MppChoice>),
}

/// A payment that is to be journalled and signed.
pub(super) struct Prepared {
    pub(super) payment: Payment,
    pub(super) requirement: Box<RawValue>,
    pub(super) resource: Option<Box<RawValue>>,
    /// What names it on its chain.
    pub(super) nonce: B256,
    pub(super) flow: PaymentFlow,
    /// When nobody signs for it any more.
    pub(super) ends: UnixSeconds,
}

impl Buyer {
    /// The cheapest acceptable offer; at equal prices the order of the rules' chains decides.
    pub(super) async fn select(&self, ask: &Ask, headers: &HeaderMap) -> Result<Selected, Error> {
        let x402 = self.select_x402(ask, headers);
        let offers = if self.parts.rules.pays_on_tempo() {
            super::check_age(headers)?;
            Offers::read(headers)
        } else {
            Offers::default()
        };
        if offers.is_empty() {
            return Ok(Selected::X402(Box::new(x402?)));
        }
        match (x402, self.select_mpp(ask, &offers).await?) {
            (Ok(x402), Ok(mpp)) if self.is_cheaper(&mpp, &x402.0) => {
                Ok(Selected::Mpp(Box::new(mpp)))
            }
            (Ok(x402), _) => Ok(Selected::X402(Box::new(x402))),
            (Err(_), Ok(mpp)) => Ok(Selected::Mpp(Box::new(mpp))),
            (Err(why), Err(skipped)) => Err(neither(why, skipped).into()),
        }
    }

    fn select_x402(&self, ask: &Ask, headers: &HeaderMap) -> Result<(Choice, Challenge), Declined> {
        let challenge = read_challenge(headers)?;
        ask.check_resource(&challenge)?;
        if !challenge.extensions_required().is_empty() {
            let extensions = challenge.extensions_required().to_vec();
            return Err(Declined::ExtensionRequired { extensions });
        }
        let choice = choose(&challenge, self.parts.wallet, &self.parts.rules)
            .map_err(|skipped| Declined::NothingAcceptable { skipped })?;
        Ok((choice, challenge))
    }

    /// A session that is open already comes first: its money is away. Otherwise the lowest price,
    /// and a charge before a session; while a session ends, any charge before another session.
    async fn select_mpp(
        &self,
        ask: &Ask,
        offers: &Offers,
    ) -> Result<Result<MppChoice, Vec<Skipped>>, Error> {
        let (wallet, rules, now) = (self.parts.wallet, &self.parts.rules, self.parts.clock.now());
        let judge = Judge { ask, wallet, rules, now };
        let standing = match &self.sessions {
            Some(sessions) => sessions.standing(ask.service()).await?,
            None => SessionStanding::None,
        };
        let mut best: Option<((u8, _, usize, bool), MppChoice)> = None;
        let mut skipped = Vec::new();
        for (entry, offer) in offers.iter().enumerate() {
            let judged = offer.as_ref().map_err(Clone::clone).and_then(|o| judge.judge(o));
            match judged.and_then(|choice| self.with_sessions(choice)) {
                Ok(choice) => {
                    let session = matches!(choice, MppChoice::Session(_));
                    let place = self.place(&choice);
                    let turn = match standing {
                        SessionStanding::Pays if session => 0,
                        SessionStanding::Ends if session => 2,
                        _ => 1,
                    };
                    let rank = (turn, choice.price(), place, session);
                    if best.as_ref().is_none_or(|(other, _)| rank < *other) {
                        best = Some((rank, choice));
                    }
                }
                Err(why) => skipped.push(Skipped { entry, why }),
            }
        }
        Ok(best.map(|(_, choice)| choice).ok_or(skipped))
    }

    /// Without anybody who signs vouchers there is no session.
    fn with_sessions(&self, choice: MppChoice) -> Result<MppChoice, Unacceptable> {
        match &choice {
            MppChoice::Session(session) if self.sessions.is_none() => {
                Err(Unacceptable::NoSessions { symbol: session.asset.symbol.to_owned() })
            }
            _ => Ok(choice),
        }
    }

    fn place(&self, choice: &MppChoice) -> usize {
        let chains = &self.parts.rules.chains;
        chains.iter().position(|&chain| chain == choice.asset().chain).unwrap_or(usize::MAX)
    }

    /// Every asset of the registry is a dollar with six decimals, so that prices compare.
    fn is_cheaper(&self, mpp: &MppChoice, x402: &Choice) -> bool {
        let chains = &self.parts.rules.chains;
        let place = chains.iter().position(|&chain| chain == x402.asset.chain);
        (mpp.price(), self.place(mpp)) < (x402.amount, place.unwrap_or(usize::MAX))
    }

    /// An x402 payment, in an intent's words.
    pub(super) fn prepare_x402(
        &self,
        ask: &Ask,
        id: &IntentId,
        (choice, challenge): (Choice, Challenge),
    ) -> Prepared {
        let (chain, token) = (choice.asset.chain, choice.asset.token);
        let valid_before = self.parts.clock.now().plus(choice.validity_seconds);
        let payment = Payment::X402Exact(X402Exact {
            chain,
            token,
            to: choice.pay_to,
            amount: choice.amount,
            valid_before,
            resource: ask.url().to_string(),
            service: ask.service().clone(),
        });
        Prepared {
            payment,
            nonce: eip3009_nonce(chain, token, self.parts.wallet, id),
            requirement: choice.requirement,
            resource: challenge.resource().map(ToOwned::to_owned),
            flow: choice.flow,
            // An authorization that can no longer be used is not worth signing.
            ends: valid_before,
        }
    }

    /// A charge on Tempo, in an intent's words.
    pub(super) fn prepare_charge(
        &self,
        ask: &Ask,
        choice: &ChargeChoice,
    ) -> Result<Prepared, Error> {
        let now = self.parts.clock.now();
        let (payment, nonce) = charge::payment(ask, choice, now);
        let requirement = accepted(&choice.challenge)
            .map_err(|_| Error::NotReady("the challenge has no JSON form".to_owned()))?;
        let ends = charge::ends(choice.expires, now);
        let flow = PaymentFlow::Upfront;
        Ok(Prepared { payment, requirement, resource: None, nonce, flow, ends })
    }
}

/// Why neither protocol's offers are paid.
fn neither(x402: Declined, mpp: Vec<Skipped>) -> Declined {
    let mut skipped = match x402 {
        Declined::NothingAcceptable { skipped } => skipped,
        Declined::NoChallenge { .. } => Vec::new(),
        other => return other,
    };
    let before = skipped.len();
    let later = mpp.into_iter().map(|s| Skipped { entry: s.entry.saturating_add(before), ..s });
    skipped.extend(later);
    Declined::NothingAcceptable { skipped }
}
