//! Buys over HTTP: meets a 402, chooses, pays once, and says how it ended.
//!
//! ```text
//! request -> 402 -> choose -> journal -> sign -> request + header -> evidence -> receipt
//! ```
//! Promises: one intent, one payment (x402: one EIP-3009 nonce; MPP: one challenge, one transaction); the row is on disk before anything is signed; an equal
//! request goes on with the open intent instead of beginning another; a paid request is sent to the
//! URL that was asked for and is never redirected; what is said of settlement comes from the chain.
//!
//! Refuses: what [`crate::choose`], the limits and the known payee refuse, before anything is
//! signed.
//!
//! Does not protect against: a merchant that is paid and delivers nothing, or nothing of worth. It
//! can be paid what it quoted, once; the loss is named in [`Error::PaidNotDelivered`].

mod conclude;
mod made;
mod receive;
mod reconcile;
mod select;
mod send;

pub(crate) use self::receive::{Head, Received, is_event_stream, rebuild, receive};

use std::sync::Arc;

use alloy_primitives::Address;
use reqwest::header::HeaderMap;
use reqwest::{Request, Response, StatusCode};
use tercet_api::payment::SigningWay;
use tercet_policy::intent::{INTENT_VERSION, IntentId, PaymentIntent};
use tercet_policy::party::AgentId;
use tokio::time::timeout;

use self::made::header_of;
pub use self::reconcile::Standing;
use self::select::{Prepared, Selected};
use crate::ask::Ask;
use crate::declare::Declaration;
use crate::error::{Declined, Error, OutcomeUnknown};
use crate::journal::{Journal, NotBegun, Purchase, RequestKey, State};
use crate::lanes::Lanes;
use crate::mpp::session::Sessions;
use crate::mpp::{MppChoice, SessionChoice, VoucherSigner};
use crate::receipt::Receipt;
use crate::rules::{CHALLENGE_AGE_SECONDS_MAX, FetchRules, VALIDITY_SECONDS_MIN};
use crate::seam::{Clock, Evidence, Fate, PayError, Payer, Signed};
use crate::wire::{Challenge, PaymentHeader};

/// What is said to be paid by MPP.
const MPP_ACCEPTED: &str = "tempo/session, tempo/charge";
/// The same, without anybody who signs vouchers.
const MPP_CHARGES_ACCEPTED: &str = "tempo/charge";

/// What a buyer is put together from.
pub struct BuyerParts {
    /// The wallet that pays.
    pub wallet: Address,
    /// The agent that asks.
    pub agent: AgentId,
    /// Its own rules.
    pub rules: FetchRules,
    /// Where purchases are written down.
    pub journal: Journal,
    /// Who signs.
    pub payer: Arc<dyn Payer>,
    /// Who signs the vouchers of MPP sessions; nobody where none are to be opened.
    pub vouchers: Option<Arc<dyn VoucherSigner>>,
    /// Who has seen the chain.
    pub evidence: Arc<dyn Evidence>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

/// Buys over HTTP for one wallet.
pub struct Buyer {
    parts: BuyerParts,
    http: reqwest::Client,
    flights: Lanes<RequestKey>,
    sessions: Option<Sessions>,
}

/// What a fetch brought.
#[derive(Debug)]
pub struct Fetched {
    /// The service's answer.
    pub response: Response,
    /// The payment; nothing if none was needed.
    pub receipt: Option<Receipt>,
}

impl Buyer {
    /// Puts a buyer together.
    ///
    /// # Errors
    /// [`Error::NotReady`] if no HTTP client can be made.
    pub fn new(parts: BuyerParts) -> Result<Self, Error> {
        let http = send::http_client(&parts.rules)?;
        let sessions = Sessions::new(&parts, &http);
        Ok(Self { parts, http, flights: Lanes::default(), sessions })
    }

    /// Its MPP sessions; nothing where nobody signs vouchers.
    #[must_use]
    pub const fn sessions(&self) -> Option<&Sessions> {
        self.sessions.as_ref()
    }

    /// Where purchases and sessions are written down.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.parts.journal
    }

    /// Fetches a resource, and pays for it once if the service asks and the rules agree.
    ///
    /// Dropping the future leaves the journal's row as it is; the same request goes on from there.
    ///
    /// # Errors
    /// [`Error`], which says what to do next.
    pub async fn fetch(&self, request: Request) -> Result<Fetched, Error> {
        self.fetch_declaring(request, Declaration::default()).await
    }

    /// [`Buyer::fetch`], with what the agent declares for its policies. A request that goes on with
    /// an open intent goes on with what that intent declares.
    ///
    /// # Errors
    /// As for [`Buyer::fetch`].
    pub async fn fetch_declaring(
        &self,
        request: Request,
        declaration: Declaration,
    ) -> Result<Fetched, Error> {
        let mut ask = Ask::new(request, declaration, self.parts.rules.allow_private_hosts)?;
        if self.parts.rules.pays_on_tempo() {
            let sessions = self.sessions.is_some();
            ask.accept_payment(if sessions { MPP_ACCEPTED } else { MPP_CHARGES_ACCEPTED });
        }
        let _flight = self.flights.enter(ask.key()).await;
        for mut purchase in self.parts.journal.pending(&ask.key()).await? {
            match (self.look(&mut purchase).await?, purchase.state) {
                (_, State::PaidNotDelivered) => return self.without_paying(&ask, &purchase).await,
                (Fate::Open, State::Chosen | State::Sent | State::Unknown) => {
                    return self.go_on(&ask, purchase).await;
                }
                _ => {}
            }
        }
        self.buy(&ask).await
    }

    async fn buy(&self, ask: &Ask) -> Result<Fetched, Error> {
        let mut response = self.send_unpaid(ask).await?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return Ok(Fetched { response, receipt: None });
        }
        let headers = response.headers().clone();
        // A merchant that drips its challenge's body is not waited for.
        let _ = timeout(self.parts.rules.patience.unpaid(), receive::drain(&mut response)).await;
        let id = fresh_intent_id()?;
        let prepared = match self.select(ask, &headers).await? {
            Selected::X402(offer) => self.prepare_x402(ask, &id, *offer),
            Selected::Mpp(choice) => match *choice {
                MppChoice::Charge(charge) => self.prepare_charge(ask, &charge)?,
                MppChoice::Session(session) => return self.buy_in_session(ask, session).await,
            },
        };
        let purchase = self.begin(ask, id, prepared).await?;
        self.pay(ask, purchase, Attempt::First).await
    }

    async fn buy_in_session(&self, ask: &Ask, choice: SessionChoice) -> Result<Fetched, Error> {
        let Some(sessions) = &self.sessions else {
            return Err(Error::NotReady("nobody signs vouchers here".to_owned()));
        };
        Box::pin(sessions.buy(ask, choice)).await
    }

    async fn begin(&self, ask: &Ask, id: IntentId, prepared: Prepared) -> Result<Purchase, Error> {
        let now = self.parts.clock.now();
        let intent = PaymentIntent {
            version: INTENT_VERSION,
            id,
            agent: self.parts.agent.clone(),
            wallet: self.parts.wallet,
            payment: prepared.payment,
            declared: ask.declared(prepared.flow),
            created_at: now,
            expires_at: prepared.ends,
        };
        let purchase = Purchase {
            created_at: now,
            intent,
            request_key: ask.key(),
            method: ask.method().to_string(),
            url: ask.url().to_string(),
            body_sha256: ask.body_sha256(),
            service: ask.service().clone(),
            requirement: prepared.requirement,
            resource: prepared.resource,
            nonce: prepared.nonce,
            state: State::Chosen,
            header_sha256: None,
            status: None,
            receipt: None,
        };
        match self.parts.journal.begin(&purchase, &self.parts.rules).await {
            Ok(()) => Ok(purchase),
            Err(NotBegun::Declined(why)) => Err(why.into()),
            Err(NotBegun::Journal(error)) => Err(error.into()),
        }
    }

    /// Goes on with an intent whose outcome is open, as long as there is time for it.
    async fn go_on(&self, ask: &Ask, mut purchase: Purchase) -> Result<Fetched, Error> {
        let left = purchase.deadline().minus(self.parts.clock.now().0).0;
        if left >= VALIDITY_SECONDS_MIN {
            return self.pay(ask, purchase, Attempt::Again).await;
        }
        let now = self.parts.clock.now();
        self.parts.journal.mark(&mut purchase, State::Unknown, None, now).await?;
        Err(unknown(&purchase, purchase.status, None))
    }

    async fn pay(
        &self,
        ask: &Ask,
        mut purchase: Purchase,
        attempt: Attempt,
    ) -> Result<Fetched, Error> {
        let Signed { payment: header, by } = self.authorize(&mut purchase, attempt).await?;
        let now = self.parts.clock.now();
        self.parts.journal.mark_sent(&mut purchase, header.hash(), now).await?;
        let answer = self.send_paid(ask, &header).await?;
        drop(header);
        Box::pin(self.conclude(ask, Sent { purchase, signed_by: by }, answer)).await
    }

    async fn authorize(
        &self,
        purchase: &mut Purchase,
        attempt: Attempt,
    ) -> Result<Signed<PaymentHeader>, Error> {
        let intent = purchase.intent.id;
        let payer = &self.parts.payer;
        let made = match payer.sign(purchase.intent.clone()).await {
            Ok(signed) => payer.authorize(signed).await,
            Err(error) => Err(error),
        };
        let failed =
            |detail: &str| Error::NotSigned { intent, retryable: false, detail: detail.to_owned() };
        match made {
            Ok(Signed { payment, by }) => header_of(purchase, &payment)
                .map(|payment| Signed { payment, by })
                .ok_or_else(|| failed("what was signed is not the intent's")),
            Err(PayError::Refused { refusals }) => {
                if attempt == Attempt::First {
                    let now = self.parts.clock.now();
                    self.parts.journal.mark(purchase, State::Refused, None, now).await?;
                }
                Err(Error::Refused { intent, refusals })
            }
            // What is not refused may be signed all the same: the row stays until the chain tells.
            Err(error) => Err(Error::of_payer(intent, error)),
        }
    }

    /// The resource may come without a payment; it is not paid for again.
    async fn without_paying(&self, ask: &Ask, purchase: &Purchase) -> Result<Fetched, Error> {
        let response = self.send_unpaid(ask).await?;
        if response.status() != StatusCode::PAYMENT_REQUIRED {
            return Ok(Fetched { response, receipt: purchase.receipt.clone() });
        }
        let why = "paid, and not delivered";
        let receipt = purchase
            .receipt
            .clone()
            .unwrap_or_else(|| Receipt::unproven(&purchase.intent, why, self.parts.clock.now()));
        Err(Error::PaidNotDelivered { receipt: Box::new(receipt) })
    }
}

/// A purchase whose payment went out.
struct Sent {
    purchase: Purchase,
    signed_by: SigningWay,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// Nobody but this call has seen the intent.
    First,
    /// The intent may have been signed before.
    Again,
}

/// 32 bytes of the operating system's randomness.
pub(crate) fn fresh_intent_id() -> Result<IntentId, Error> {
    let mut id = [0u8; 32];
    getrandom::fill(&mut id)
        .map_err(|_| Error::NotReady("the operating system gives no randomness".to_owned()))?;
    Ok(IntentId(id))
}

fn read_challenge(headers: &HeaderMap) -> Result<Challenge, Declined> {
    check_age(headers)?;
    Challenge::read(headers).map_err(|problem| Declined::NoChallenge { problem })
}

/// A challenge out of a cache is somebody else's.
fn check_age(headers: &HeaderMap) -> Result<(), Declined> {
    let age_seconds = headers.get(reqwest::header::AGE).map_or(0, |age| {
        age.to_str().ok().and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX)
    });
    let limit_seconds = CHALLENGE_AGE_SECONDS_MAX;
    if age_seconds > limit_seconds {
        return Err(Declined::StaleChallenge { age_seconds, limit_seconds });
    }
    Ok(())
}

fn unknown(purchase: &Purchase, status: Option<u16>, reason: Option<String>) -> Error {
    Error::Unknown(Box::new(OutcomeUnknown {
        intent: purchase.intent.id,
        deadline: purchase.deadline(),
        status,
        merchant_reason: reason,
    }))
}
