//! Server-sent events that are paid for as they come.
//!
//! Promises: a message that came counts as one unit; a demand for a voucher is answered up to what
//! came and one unit more; the events of payment are not handed on, and those without data are not
//! counted.
//!
//! Refuses: demands beyond that ([`Declined::Overdemand`](crate::Declined::Overdemand)), which end
//! the stream; an event larger than [`EVENT_BYTES_MAX`]; a demand for another channel; the same
//! demand more than [`VOUCHERS_REPEATED_MAX`] times for one message.
//!
//! Does not protect against: messages that are not worth their unit.

mod events;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use reqwest::{Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tokio::sync::OwnedMutexGuard;

pub use self::events::{EVENT_BYTES_MAX, Event};

use self::events::Events;
use super::receipt::SessionClaim;
use super::session::Sessions;
use crate::error::Error;
use crate::wire::check_strict;

/// How often a service gets a voucher that it had before, for one message.
const VOUCHERS_REPEATED_MAX: u8 = 3;
/// A demand for a voucher.
const NEED_VOUCHER: &str = "payment-need-voucher";
/// The service's word about the session.
const RECEIPT: &str = "payment-receipt";

/// Messages, each paid for when the service asks for it.
pub struct PaidStream {
    sessions: Sessions,
    channel: ChannelId,
    url: Url,
    body: BoxStream<'static, reqwest::Result<Bytes>>,
    events: Events,
    over: bool,
    /// How often a voucher was sent again since the last message.
    repeated: u8,
    /// Whether the voucher of an earlier request was presented, and nothing has come for it yet.
    is_resumed: bool,
    /// For as long as it lives, nothing else draws on the channel.
    drawing: Option<OwnedMutexGuard<()>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Demand {
    channel_id: alloy_primitives::B256,
    required_cumulative: Amount,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    channel_id: alloy_primitives::B256,
    accepted_cumulative: Amount,
    spent: Amount,
}

impl PaidStream {
    pub(super) fn new(
        sessions: Sessions,
        (channel, drawing): (ChannelId, OwnedMutexGuard<()>),
        is_resumed: bool,
        url: Url,
        response: Response,
    ) -> Self {
        let (body, events) = (response.bytes_stream().boxed(), Events::default());
        let drawing = Some(drawing);
        let repeated = 0;
        Self { sessions, channel, url, body, events, over: false, repeated, is_resumed, drawing }
    }

    /// The channel that pays.
    #[must_use]
    pub const fn channel(&self) -> ChannelId {
        self.channel
    }

    /// The next message; nothing at the end.
    ///
    /// # Errors
    /// [`Error`]; the stream is over then.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        while !self.over {
            let event = match self.events.next() {
                Ok(Some(event)) => event,
                Ok(None) => {
                    if let Err(error) = self.read_more().await {
                        return self.end(error);
                    }
                    continue;
                }
                Err(what) => return self.end(Error::Unreachable { detail: what.to_string() }),
            };
            match self.take(event).await {
                Ok(Some(message)) => return Ok(Some(message)),
                Ok(None) => {}
                Err(error) => return self.end(error),
            }
        }
        if self.drawing.take().is_some() {
            let (sessions, channel, _) = self.parts();
            apart(async move { sessions.release(&channel).await }).await.ok();
        }
        Ok(None)
    }

    fn end(&mut self, error: Error) -> Result<Option<Event>, Error> {
        self.over = true;
        self.drawing = None;
        Err(error)
    }

    async fn read_more(&mut self) -> Result<(), Error> {
        match self.body.next().await {
            Some(Ok(bytes)) => self.events.feed(&bytes),
            Some(Err(error)) => {
                return Err(Error::Unreachable { detail: crate::net::text_of(error) });
            }
            None => self.over = true,
        }
        Ok(())
    }

    /// A message, unless the event is about payment.
    async fn take(&mut self, event: Event) -> Result<Option<Event>, Error> {
        match event.name.as_str() {
            NEED_VOUCHER => {
                let demand: Demand = parse(&event.data)?;
                if ChannelId::from(demand.channel_id) != self.channel {
                    let detail = "a voucher of another channel is demanded".to_owned();
                    return Err(Error::Unreachable { detail });
                }
                let required = demand.required_cumulative;
                let is_resumed = std::mem::take(&mut self.is_resumed);
                let (sessions, channel, url) = self.parts();
                let answering = async move {
                    sessions.answer_demand(&channel, &url, required, is_resumed).await
                };
                if apart(answering).await?? {
                    self.count_repeated()?;
                }
                Ok(None)
            }
            RECEIPT => {
                if let Ok(receipt) = parse::<Receipt>(&event.data) {
                    let claim = SessionClaim {
                        channel: receipt.channel_id.into(),
                        accepted: receipt.accepted_cumulative,
                        spent: receipt.spent,
                    };
                    let (sessions, channel, _) = self.parts();
                    apart(async move { sessions.hear(&channel, claim).await }).await.ok();
                }
                Ok(None)
            }
            // Kept alive by nothing, a stream costs nothing.
            _ if event.data.is_empty() => Ok(Some(event)),
            _ => {
                self.is_resumed = false;
                self.repeated = 0;
                let (sessions, channel, _) = self.parts();
                apart(async move { sessions.count_unit(&channel).await }).await.ok();
                Ok(Some(event))
            }
        }
    }

    fn count_repeated(&mut self) -> Result<(), Error> {
        self.repeated = self.repeated.saturating_add(1);
        if self.repeated > VOUCHERS_REPEATED_MAX {
            let detail = "the same voucher is demanded again and again".to_owned();
            return Err(Error::Unreachable { detail });
        }
        Ok(())
    }

    fn parts(&self) -> (Sessions, ChannelId, Url) {
        (self.sessions.clone(), self.channel, self.url.clone())
    }

    /// The messages as the body of a response, in the form in which they came.
    pub(super) fn into_body(self) -> reqwest::Body {
        let messages = stream::unfold(self, |mut paid| async move {
            match paid.next().await {
                Ok(Some(event)) => Some((Ok(event.to_bytes()), paid)),
                Ok(None) => None,
                Err(error) => Some((Err(std::io::Error::other(error)), paid)),
            }
        });
        reqwest::Body::wrap_stream(messages)
    }
}

/// Does what takes the sessions of a service for itself, whether or not anybody goes on reading:
/// a body that nobody polls holds nobody else up.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, Error> {
    let stopped = |_| Error::Unreachable { detail: "the wallet is closing".to_owned() };
    tokio::spawn(work).await.map_err(stopped)
}

impl std::fmt::Debug for PaidStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PaidStream({})", self.channel)
    }
}

fn parse<T: DeserializeOwned>(data: &str) -> Result<T, Error> {
    let bad = |_| Error::Unreachable { detail: "an event of payment does not read".to_owned() };
    check_strict(data).map_err(bad)?;
    serde_json::from_str(data).map_err(bad)
}
