//! What a session sends: credentials with the request, and by themselves.

use reqwest::{Method, Request, Response, Url};
use serde_json::{Value, json};
use tercet_policy::money::Amount;
use tokio::time::timeout;

use super::{Session, Sessions, SignedVoucher};
use crate::mpp::credential::header;
use crate::wire::PaymentHeader;

/// What came back.
pub(super) enum Answer {
    /// A response.
    Response(Response),
    /// Nothing; whether the request can have arrived.
    Broken { sent: bool },
}

impl Answer {
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Response(response) => Some(response.status().as_u16()),
            Self::Broken { .. } => None,
        }
    }
}

impl Sessions {
    /// Sends a request once, and once more if it cannot have arrived.
    pub(super) async fn send(&self, request: Request) -> Answer {
        let again = request.try_clone();
        match (self.send_once(request).await, again) {
            (Answer::Broken { sent: false }, Some(again)) => self.send_once(again).await,
            (answer, _) => answer,
        }
    }

    async fn send_once(&self, request: Request) -> Answer {
        let patience = self.0.rules.patience.paid();
        match timeout(patience, self.0.http.execute(request)).await {
            Ok(Ok(response)) => Answer::Response(response),
            Ok(Err(error)) => Answer::Broken { sent: !error.is_connect() },
            Err(_) => Answer::Broken { sent: true },
        }
    }

    /// Sends a credential that is about the session and pays for no request: as a `POST` without a
    /// body. Where the URL has a query, servers take that for a request to serve and to charge for,
    /// and a `HEAD` for none.
    pub(super) async fn manage(&self, url: &Url, credential: &PaymentHeader) -> Answer {
        let method = if url.query().is_some() { Method::HEAD } else { Method::POST };
        let mut request = Request::new(method, url.clone());
        if let Some(value) = credential.expose() {
            request.headers_mut().insert(credential.name(), value);
        }
        self.send(request).await
    }
}

impl Session {
    /// The credential with this payload, for the last challenge.
    pub(super) fn credential(&self, payload: Value) -> Option<PaymentHeader> {
        header(&self.challenge, self.chain, self.descriptor.payer, payload)
    }

    pub(super) fn open_credential(
        &self,
        raw: &alloy_primitives::Bytes,
        first: &SignedVoucher,
    ) -> Option<PaymentHeader> {
        self.credential(json!({
            "action": "open",
            "type": "transaction",
            "channelId": self.channel_hex(),
            "transaction": raw,
            "descriptor": self.descriptor,
            "authorizedSigner": self.descriptor.authorized_signer,
            "cumulativeAmount": first.cumulative,
            "signature": first.signature,
        }))
    }

    pub(super) fn voucher_credential(&self, voucher: &SignedVoucher) -> Option<PaymentHeader> {
        self.credential(json!({
            "action": "voucher",
            "channelId": self.channel_hex(),
            "descriptor": self.descriptor,
            "cumulativeAmount": voucher.cumulative,
            "signature": voucher.signature,
        }))
    }

    pub(super) fn top_up_credential(
        &self,
        raw: &alloy_primitives::Bytes,
        additional: Amount,
    ) -> Option<PaymentHeader> {
        self.credential(json!({
            "action": "topUp",
            "type": "transaction",
            "channelId": self.channel_hex(),
            "transaction": raw,
            "descriptor": self.descriptor,
            "additionalDeposit": additional,
        }))
    }

    pub(super) fn close_credential(
        &self,
        voucher: &SignedVoucher,
        agreed: &str,
    ) -> Option<PaymentHeader> {
        self.credential(json!({
            "action": "close",
            "channelId": self.channel_hex(),
            "descriptor": self.descriptor,
            "cumulativeAmount": voucher.cumulative,
            "signature": voucher.signature,
            "closeSignature": agreed,
        }))
    }

    /// The channel's name as MPP writes it.
    fn channel_hex(&self) -> String {
        format!("0x{}", self.channel)
    }
}
