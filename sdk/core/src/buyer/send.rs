//! Requests to a service: no redirects, no proxy, no retry but ours.

use std::time::Duration;

use reqwest::{Request, Response, StatusCode};
use tokio::time::{sleep, timeout};

use super::Buyer;
use crate::ask::Ask;
use crate::error::Error;
use crate::net;
use crate::rules::FetchRules;
use crate::wire::{MerchantClaim, PaymentHeader};

/// What came back for a payment.
#[derive(Debug)]
pub(super) enum Answer {
    /// A response.
    Response(Response),
    /// Nothing that is one.
    Broken {
        /// Whether the request can have reached the service.
        sent: bool,
    },
}

pub(super) fn http_client(rules: &FetchRules) -> Result<reqwest::Client, Error> {
    let patience = &rules.patience;
    let mut builder = net::builder(patience.connect()).read_timeout(patience.paid());
    if !rules.allow_private_hosts {
        builder = builder.dns_resolver(net::PublicNames);
    }
    builder.build().map_err(|e| Error::NotReady(format!("no HTTP client: {}", net::text_of(e))))
}

impl Buyer {
    /// Sends the request as it is.
    pub(super) async fn send_unpaid(&self, ask: &Ask) -> Result<Response, Error> {
        let sent = self.http.execute(ask.unpaid()?);
        match timeout(self.parts.rules.patience.unpaid(), sent).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Error::Unreachable { detail: net::text_of(error) }),
            Err(_) => Err(Error::Unreachable { detail: "no answer in time".to_owned() }),
        }
    }

    /// Sends a payment, and the same bytes once more where that can help.
    pub(super) async fn send_paid(
        &self,
        ask: &Ask,
        header: &PaymentHeader,
    ) -> Result<Answer, Error> {
        let patience = &self.parts.rules.patience;
        let first = self.send_once(ask.paid(header)?, patience.paid()).await;
        if !is_worth_repeating(ask, &first) {
            return Ok(first);
        }
        sleep(patience.pause()).await;
        Ok(self.send_once(ask.paid(header)?, patience.paid()).await)
    }

    async fn send_once(&self, request: Request, patience: Duration) -> Answer {
        match timeout(patience, self.http.execute(request)).await {
            Ok(Ok(response)) => Answer::Response(response),
            Ok(Err(error)) => Answer::Broken { sent: !error.is_connect() },
            Err(_) => Answer::Broken { sent: true },
        }
    }
}

/// A line that broke, unless repeating could do something twice; and a settlement that the
/// merchant says it is waiting for.
fn is_worth_repeating(ask: &Ask, answer: &Answer) -> bool {
    match answer {
        Answer::Broken { sent } => !sent || ask.is_idempotent(),
        Answer::Response(response) => {
            response.status() == StatusCode::PAYMENT_REQUIRED
                && MerchantClaim::read(response.headers()).is_ok_and(|claim| claim.is_pending())
        }
    }
}
