//! Sessions: a deposit in a channel, drawn on by vouchers.
//!
//! ```text
//! opening -> open <-> topping_up
//!    |        |-> closing -> closed
//!    |        |-> exiting -> closed        (requestClose, grace period, withdraw)
//!    |        |-> void              (the service took the opening, and it was never mined)
//!    |-> void
//! ```
//! Promises: what a channel is opened as, its salt and its opening intent are on disk before
//! anything is signed for it, and every voucher is written down before it leaves; one request at a
//! time draws on the sessions with a service; terms are frozen when a channel is opened, and other
//! ones are refused, not opened anew; nothing is put into a channel that is ending; what was paid
//! for and came is handed on, whatever the disk says. A process that crashed goes on from the
//! journal and the chain.
//!
//! Refuses: a second opening while the first may still be mined, vouchers above our own count
//! ([`Meter`]), top-ups beyond the budget, and a request on a channel that a stream of this process
//! or anything of another process that still runs draws on; a session of another wallet.
//!
//! Does not protect against: a service that keeps what it was paid for. Of the deposit it can take
//! what was signed, and our own count says how much of that was delivered.

mod by_wallet;
mod close;
mod open;
mod state;
mod stream;
mod tend;
mod top_up;
mod unit;
mod wire;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use alloy_primitives::Address;
use reqwest::Response;
use tercet_policy::declared::Declared;
use tercet_policy::intent::{Payment, PaymentIntent, Service};
use tercet_policy::mpp::ChannelId;
use tercet_policy::party::AgentId;
use tercet_policy::time::UnixSeconds;
use tokio::sync::OwnedMutexGuard;

pub use self::state::{Drawing, Leaving, Session, SessionState, SignedVoucher};
pub use self::tend::Tended;

use super::stream::PaidStream;
use super::{SessionChoice, VoucherSigner};
use crate::ask::Ask;
use crate::buyer::{BuyerParts, Fetched, Head, Received, is_event_stream, receive};
use crate::error::{Declined, Error, OutcomeUnknown};
use crate::journal::{Claimant, Journal, JournalError, Keeping};
use crate::lanes::Lanes;
use crate::receipt::{Receipt, ResourceReceipt};
use crate::rules::FetchRules;
use crate::seam::{Clock, Evidence, Payer};

/// The sessions of one wallet. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Parts>);

struct Parts {
    wallet: Address,
    agent: AgentId,
    rules: FetchRules,
    journal: Journal,
    payer: Arc<dyn Payer>,
    vouchers: Arc<dyn VoucherSigner>,
    evidence: Arc<dyn Evidence>,
    clock: Arc<dyn Clock>,
    http: reqwest::Client,
    lanes: Lanes<Service>,
    /// This process among those that draw on its wallet's sessions.
    claimant: Claimant,
    /// Channels that a stream draws on.
    streams: Lanes<ChannelId>,
    /// Whether the policy demanded vouchers of the wallet's own.
    wallet_signs: AtomicBool,
}

/// How long a claim to a unit outlasts the time that its answer may take, in seconds: a stream may
/// be quiet for that long.
const DRAWING_SECONDS: u64 = 60;
/// How often a unit is counted anew on a row that somebody else changed meanwhile.
const COUNT_TRIES_MAX: u8 = 3;

impl Sessions {
    /// The sessions of a buyer's wallet; nothing where nobody signs vouchers.
    pub(crate) fn new(parts: &BuyerParts, http: &reqwest::Client) -> Option<Self> {
        let vouchers = Arc::clone(parts.vouchers.as_ref()?);
        Some(Self(Arc::new(Parts {
            wallet: parts.wallet,
            agent: parts.agent.clone(),
            rules: parts.rules.clone(),
            journal: parts.journal.clone(),
            payer: Arc::clone(&parts.payer),
            vouchers,
            evidence: Arc::clone(&parts.evidence),
            clock: Arc::clone(&parts.clock),
            http: http.clone(),
            lanes: Lanes::default(),
            claimant: parts.journal.claimant(),
            streams: Lanes::default(),
            wallet_signs: AtomicBool::new(false),
        })))
    }

    fn now(&self) -> UnixSeconds {
        self.0.clock.now()
    }

    /// Whether there is a session with this service, and whether it can be drawn on.
    pub(crate) async fn standing(&self, service: &Service) -> Result<SessionStanding, Error> {
        let live = self.0.journal.live_sessions(self.0.wallet, Some(service)).await?;
        let any = |is: fn(&Session) -> bool| live.iter().any(is);
        Ok(match () {
            () if any(|session| session.state.pays()) => SessionStanding::Pays,
            () if any(|session| session.state.ends()) => SessionStanding::Ends,
            () => SessionStanding::None,
        })
    }

    /// Pays for one request within a session, which is opened if there is none. A stream is one
    /// unit ahead for as long as it lives, and nothing else draws on its channel meanwhile.
    pub(crate) async fn buy(&self, ask: &Ask, choice: SessionChoice) -> Result<Fetched, Error> {
        let _lane = self.0.lanes.enter(ask.service().clone()).await;
        let found = self.session_for(ask, &choice).await?;
        if let Some(session) = &found {
            self.check_free(session)?;
            let channel = session.channel;
            if self.0.streams.try_enter(channel).is_none() {
                return Err(Declined::SessionStreams { channel }.into());
            }
        }
        let ahead = found.as_ref().map(|s| &s.meter).filter(|meter| meter.has_unit_ahead());
        let ahead = ahead.map(|meter| meter.signed);
        let (session, response) = match found {
            Some(session) => Box::pin(self.pay_unit(ask, session, choice)).await?,
            None => Box::pin(self.open(ask, choice)).await?,
        };
        if is_event_stream(response.headers()) {
            let is_resumed = ahead == Some(session.meter.signed);
            let drawing = self.0.streams.enter(session.channel).await;
            return Ok(self.stream(ask, &session, (drawing, is_resumed), response));
        }
        self.hand_over(ask, session, response).await
    }

    /// The session that pays for this request, if there is one that may.
    async fn session_for(
        &self,
        ask: &Ask,
        choice: &SessionChoice,
    ) -> Result<Option<Session>, Error> {
        let resource = state::resource_of(ask.url());
        for mut session in self.0.journal.live_sessions(self.0.wallet, Some(ask.service())).await? {
            self.look(&mut session).await?;
            let channel = session.channel;
            let same = session.has_terms(choice);
            match session.state {
                SessionState::Opening => return Err(open_unknown(&session.opened_by, None)),
                SessionState::Closing | SessionState::Exiting
                    if same || session.resource == resource =>
                {
                    return Err(Declined::SessionEnding { channel }.into());
                }
                state if state.pays() && session.ends_at <= self.now() => {
                    let fresh = same.then_some(&choice.challenge);
                    self.close_in_lane(&mut session, fresh).await?;
                    return Err(Declined::SessionEnding { channel }.into());
                }
                state if state.pays() && same => return Ok(Some(session)),
                // Terms that change at the same place are not agreed to by opening another channel.
                state if state.pays() && session.resource == resource => {
                    return Err(Declined::TermsChanged { channel }.into());
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// The resource is coming; once it is here, its unit counts as delivered.
    async fn hand_over(
        &self,
        ask: &Ask,
        mut session: Session,
        response: Response,
    ) -> Result<Fetched, Error> {
        let status = response.status().as_u16();
        let Ok(received) = receive(response, self.0.rules.patience.resource()).await else {
            self.let_go(&mut session).await;
            return Err(not_delivered(&session, Some(status)));
        };
        let session = self.count(session, None).await;
        let receipt = self.receipt(ask, &session, &received);
        Ok(Fetched { response: received.response, receipt: Some(receipt) })
    }

    /// Whether another process than this one draws on it, and runs as far as can be seen.
    fn is_drawn_by_another(&self, session: &Session) -> bool {
        let (own, now) = (self.0.claimant.name(), self.now());
        session.drawn_by.as_ref().is_some_and(|claim| {
            claim.by != own && now < claim.until && !self.0.journal.is_gone(claim)
        })
    }

    /// The unit ahead is another process's for as long as that one waits for it.
    fn check_free(&self, session: &Session) -> Result<(), Error> {
        if self.is_drawn_by_another(session) {
            return Err(Declined::SessionStreams { channel: session.channel }.into());
        }
        Ok(())
    }

    /// A claim to the unit ahead.
    fn drawing(&self) -> Drawing {
        let patience = self.0.rules.patience;
        let answer = patience.paid().saturating_add(patience.resource()).as_secs();
        let until = self.now().plus(answer).plus(DRAWING_SECONDS);
        let claimant = &self.0.claimant;
        Drawing { by: claimant.name().to_owned(), until, locked: claimant.is_locked() }
    }

    /// Nothing of this process is on its way any more.
    async fn let_go(&self, session: &mut Session) {
        if session.drawn_by.take().is_some() {
            self.try_to_save(session, Keeping::Quick).await;
        }
    }

    /// Writes down that a unit came, and who draws on. It is paid for and is handed on, whatever
    /// becomes of the row: one that somebody else changed meanwhile is read again, and a disk that
    /// says no is logged.
    async fn count(&self, mut session: Session, drawing: Option<Drawing>) -> Session {
        let channel = session.channel;
        let mut failed = None;
        for _ in 0..COUNT_TRIES_MAX {
            session.meter.deliver(self.0.rules.mpp.voucher_units_max);
            session.used_at = self.now();
            if !self.is_drawn_by_another(&session) {
                session.drawn_by.clone_from(&drawing);
            }
            match self.save(&mut session, Keeping::Quick).await {
                Ok(()) => return session,
                Err(Error::Journal(JournalError::SessionOvertaken { .. })) => {}
                Err(error) => failed = Some(error),
            }
            match self.find(&channel).await {
                Ok(newer) if failed.is_none() => session = newer,
                _ => break,
            }
        }
        let error = failed.map(|error| error.to_string());
        tracing::error!(%channel, error, "a delivery was not written down");
        session
    }

    /// The answer with a body that pays as it is read.
    fn stream(
        &self,
        ask: &Ask,
        session: &Session,
        (drawing, is_resumed): (OwnedMutexGuard<()>, bool),
        response: Response,
    ) -> Fetched {
        let head = Head::of(&response);
        let status = Some(response.status().as_u16());
        let receipt = self.unit_receipt(session, resource(ask, status));
        let (channel, url) = (session.channel, ask.url().clone());
        let paid = PaidStream::new(self.clone(), (channel, drawing), is_resumed, url, response);
        let response = crate::buyer::rebuild(head, paid.into_body());
        Fetched { response, receipt: Some(receipt) }
    }

    fn receipt(&self, ask: &Ask, session: &Session, received: &Received) -> Receipt {
        let mut bought = resource(ask, Some(received.response.status().as_u16()));
        if let Some((hash, bytes)) = received.body {
            bought.sha256 = Some(hash);
            bought.bytes = Some(bytes);
        }
        self.unit_receipt(session, bought)
    }

    fn unit_receipt(&self, session: &Session, bought: ResourceReceipt) -> Receipt {
        let why = format!("paid by a voucher on channel {}", session.channel);
        let mut receipt = Receipt::unproven(&session.opened_by, why, self.now());
        receipt.set_amount(session.meter.unit_price);
        receipt.resource = Some(bought);
        receipt
    }

    async fn save(&self, session: &mut Session, keeping: Keeping) -> Result<(), Error> {
        Ok(self.0.journal.save_session(session, keeping, self.now()).await?)
    }

    /// The same where what was paid for is here already: it is not held back for the disk's sake.
    async fn try_to_save(&self, session: &mut Session, keeping: Keeping) {
        let channel = session.channel;
        if let Err(error) = self.save(session, keeping).await {
            tracing::error!(%channel, %error, "a session was not written down");
        }
    }

    /// One session, as the journal has it.
    pub(super) async fn find(&self, channel: &ChannelId) -> Result<Session, Error> {
        let found = self.0.journal.session(channel).await?;
        let own = found.filter(|session| session.descriptor.payer == self.0.wallet);
        own.ok_or_else(|| Error::NotReady(format!("there is no session on channel {channel}")))
    }

    /// An intent of this wallet about a session.
    fn intent(
        &self,
        payment: Payment,
        declared: Declared,
        expires_at: UnixSeconds,
    ) -> Result<PaymentIntent, Error> {
        Ok(PaymentIntent {
            version: tercet_policy::intent::INTENT_VERSION,
            id: crate::buyer::fresh_intent_id()?,
            agent: self.0.agent.clone(),
            wallet: self.0.wallet,
            payment,
            declared,
            created_at: self.now(),
            expires_at,
        })
    }
}

/// How a service's sessions stand, when another request is to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionStanding {
    /// There is none that pays or ends.
    None,
    /// One pays.
    Pays,
    /// One is ending, and none pays.
    Ends,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions({})", self.0.wallet)
    }
}

fn resource(ask: &Ask, status: Option<u16>) -> ResourceReceipt {
    ResourceReceipt {
        method: ask.method().to_string(),
        url: ask.url().to_string(),
        status,
        sha256: None,
        bytes: None,
    }
}

fn not_delivered(session: &Session, status: Option<u16>) -> Error {
    let owed = session.meter.owed();
    let ahead = session.meter.signed.checked_sub(owed).unwrap_or_default();
    Error::UnitNotDelivered { channel: session.channel, ahead, status }
}

/// A deposit is on its way, and may still be mined.
fn open_unknown(intent: &PaymentIntent, status: Option<u16>) -> Error {
    let deadline = intent.payment.valid_before().unwrap_or(intent.expires_at);
    let unknown = OutcomeUnknown { intent: intent.id, deadline, status, merchant_reason: None };
    Error::Unknown(Box::new(unknown))
}
