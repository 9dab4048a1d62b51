//! The opening of a session: the transaction and the first voucher are signed side by side.

use alloy_primitives::{Address, B256, Bytes};
use reqwest::Response;
use tercet_policy::ask::VoucherSigner;
use tercet_policy::declared::SessionName;
use tercet_policy::intent::{MppOpen, Payment, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::payload::{FinishedPayment, opened_channel};
use tercet_policy::proposal::tempo_terms_of;
use tercet_policy::tempo::gas;

use super::wire::Answer;
use super::{Session, SessionState, Sessions, not_delivered, open_unknown, state};
use crate::ask::Ask;
use crate::error::{Declined, Error};
use crate::journal::{Keeping, NotBegun};
use crate::mpp::{Meter, SessionChoice, VoucherAsk, accepted, charge};
use crate::seam::DepositFate;

impl Sessions {
    /// Opens a channel with a request that it pays for. Where the policy demands that the wallet
    /// signs vouchers, nothing was signed, and the wallet does from now on.
    pub(super) async fn open(
        &self,
        ask: &Ask,
        choice: SessionChoice,
    ) -> Result<(Session, Response), Error> {
        let signer = self.voucher_signer();
        match self.open_with(ask, &choice, signer).await {
            Err(Error::Refused { refusals, .. }) if self.wallet_must_sign(signer, &refusals) => {
                self.open_with(ask, &choice, VoucherSigner::Wallet).await
            }
            opened => opened,
        }
    }

    async fn open_with(
        &self,
        ask: &Ask,
        choice: &SessionChoice,
        signer: VoucherSigner,
    ) -> Result<(Session, Response), Error> {
        let mut session = self.draft(ask, choice, signer).await?;
        match self.0.journal.begin_session(&session, &self.0.rules).await {
            Ok(()) => {}
            Err(NotBegun::Declined(why)) => return Err(why.into()),
            Err(NotBegun::Journal(error)) => return Err(error.into()),
        }
        let raw = self.sign_open(&mut session).await?;
        self.save(&mut session, Keeping::OnDisk).await?;
        let failed = || Error::NotReady("the opening has no JSON form".to_owned());
        let first = session.voucher(session.meter.signed).ok_or_else(failed)?;
        let header = session.open_credential(&raw, first).ok_or_else(failed)?;
        let answer = self.send(ask.paid(&header)?).await;
        self.opened(session, answer).await
    }

    /// A session that is to be opened, with everything its channel hangs on.
    async fn draft(
        &self,
        ask: &Ask,
        choice: &SessionChoice,
        signer: VoucherSigner,
    ) -> Result<Session, Error> {
        let now = self.now();
        let salt = fresh_salt()?;
        let signer = self.signer_address(signer, salt).await?;
        let open = self.opening(ask, choice, salt, signer)?;
        let (deposit, ends_at) = (open.deposit, open.ends_at);
        let (declared, ends) = (ask.declared_in(name_of(salt)?), charge::ends(choice.expires, now));
        let opened_by = self.intent(Payment::MppOpen(open), declared, ends)?;
        let descriptor = tempo_terms_of(&opened_by)
            .and_then(|terms| opened_channel(&opened_by, &terms))
            .ok_or_else(|| Error::NotReady("the intent opens no channel".to_owned()))?;
        let chain = choice.asset.chain;
        let challenge = accepted(&choice.challenge)
            .map_err(|_| Error::NotReady("the challenge has no JSON form".to_owned()))?;
        Ok(Session {
            channel: descriptor.channel_id(chain.id()),
            chain,
            descriptor,
            service: ask.service().clone(),
            resource: state::resource_of(ask.url()),
            url: ask.url().to_string(),
            state: SessionState::Opening,
            meter: Meter::new(choice.unit_price, deposit),
            vouchers: Vec::new(),
            opened_by,
            asked: None,
            flight: None,
            believed: None,
            drawn_by: Some(self.drawing()),
            leaving: None,
            funded: false,
            topped_up_at: None,
            challenge,
            challenge_ends: choice.expires,
            ends_at,
            opened_at: now,
            used_at: now,
            ending_since: None,
            settled: None,
            version: 0,
        })
    }

    fn opening(
        &self,
        ask: &Ask,
        choice: &SessionChoice,
        salt: B256,
        authorized_signer: Address,
    ) -> Result<MppOpen, Error> {
        let now = self.now();
        let (price, asset) = (choice.unit_price, choice.asset);
        let limit = self.0.rules.mpp.max_deposit(asset).unwrap_or(Amount::ZERO);
        let deposit = choice.suggested.unwrap_or(limit).max(price).min(limit);
        if price > deposit {
            return Err(Declined::SessionBudget { asked: price, limit }.into());
        }
        let fee_token = (!choice.sponsored).then_some(asset.token);
        Ok(MppOpen {
            chain: asset.chain,
            token: asset.token,
            payee: choice.payee,
            operator: choice.operator,
            deposit,
            salt,
            authorized_signer,
            unit_price: price,
            ends_at: now.plus(self.0.rules.mpp.lasts_seconds()),
            challenge: charge::challenge(ask, &choice.challenge),
            terms: charge::terms(gas::OPEN_GAS, fee_token, charge::ends(choice.expires, now)),
        })
    }

    /// The signed opening, and the first voucher in the session.
    async fn sign_open(&self, session: &mut Session) -> Result<Bytes, Error> {
        let price = session.meter.unit_price;
        let (opening, early) =
            tokio::join!(self.authorize(&session.opened_by), self.early_voucher(session, price));
        let made = match opening {
            Err(error @ Error::Refused { .. }) => {
                session.state = SessionState::Void;
                self.save(session, Keeping::OnDisk).await?;
                return Err(error);
            }
            opening => opening?,
        };
        let raw = match made {
            FinishedPayment::Tempo(made)
                if made.chain == session.chain && made.opens == Some(session.descriptor) =>
            {
                made.raw
            }
            _ => {
                return Err(not_signed(
                    &session.opened_by,
                    "what was signed opens another channel",
                ));
            }
        };
        let voucher = match early {
            Some(voucher) => voucher,
            None => self.sign_voucher(session, price).await?,
        };
        session.signed(price, &voucher);
        Ok(raw)
    }

    /// The service has the opening, whatever it answers. Nothing else is opened there until the
    /// chain shows what became of it; that it was mined is only the service's word until then.
    async fn opened(
        &self,
        mut session: Session,
        answer: Answer,
    ) -> Result<(Session, Response), Error> {
        match answer {
            Answer::Response(response) if response.status().is_success() => {
                session.state = SessionState::Open;
                self.note_receipt(&mut session, response.headers());
                self.try_to_save(&mut session, Keeping::OnDisk).await;
                Ok((session, response))
            }
            answer => {
                let status = answer.status();
                let intent = session.opened_by.clone();
                if self.deposit_fate(&intent).await == DepositFate::InChannel {
                    (session.state, session.funded) = (SessionState::Open, true);
                    session.drawn_by = None;
                    self.save(&mut session, Keeping::OnDisk).await?;
                    return Err(not_delivered(&session, status));
                }
                Err(open_unknown(&intent, status))
            }
        }
    }

    /// The wallet's signature under an intent.
    pub(super) async fn authorize(&self, intent: &PaymentIntent) -> Result<FinishedPayment, Error> {
        let payer = &self.0.payer;
        let made = match payer.sign(intent.clone()).await {
            Ok(signed) => payer.authorize(signed).await,
            Err(error) => Err(error),
        };
        made.map(|signed| signed.payment).map_err(|error| Error::of_payer(intent.id, error))
    }

    /// Has a transaction signed that the coordinator brings to the chain.
    pub(super) async fn submit(&self, intent: &PaymentIntent) -> Result<(), Error> {
        let payer = &self.0.payer;
        let ended = match payer.sign(intent.clone()).await {
            Ok(signed) => payer.submit(signed).await,
            Err(error) => Err(error),
        };
        ended.map_err(|error| Error::of_payer(intent.id, error))
    }

    /// A chain that does not tell leaves it open.
    pub(super) async fn deposit_fate(&self, intent: &PaymentIntent) -> DepositFate {
        match self.0.evidence.deposit(intent).await {
            Ok(fate) => fate,
            Err(error) => {
                tracing::warn!(%error, "the fate of a deposit is not known");
                DepositFate::Open
            }
        }
    }
}

impl Session {
    pub(super) const fn voucher_ask(&self, cumulative: Amount) -> VoucherAsk {
        VoucherAsk { chain: self.chain, channel: self.descriptor, cumulative }
    }
}

fn fresh_salt() -> Result<B256, Error> {
    let mut salt = B256::ZERO;
    getrandom::fill(salt.as_mut_slice())
        .map_err(|_| Error::NotReady("the operating system gives no randomness".to_owned()))?;
    Ok(salt)
}

/// The name under which policies count a session that the agent gives none.
fn name_of(salt: B256) -> Result<SessionName, Error> {
    let [first, ..] = salt.0.as_chunks::<8>().0 else {
        return Err(Error::NotReady("a salt has 32 bytes".to_owned()));
    };
    let name = format!("mpp-{}", hex::encode(first));
    name.parse().map_err(|bad| Error::NotReady(format!("{bad}")))
}

pub(super) fn not_signed(intent: &PaymentIntent, detail: &str) -> Error {
    Error::NotSigned { intent: intent.id, retryable: false, detail: detail.to_owned() }
}
