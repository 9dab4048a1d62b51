//! A request that may be paid for: checked before anything is sent, and the same every time it is
//! sent.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, Request, Url};
use sha2::{Digest as _, Sha256};
use tercet_policy::declared::{Declared, HttpMethod, PaymentFlow, SessionName};
use tercet_policy::document::ContentHash;
use tercet_policy::intent::Service;

use crate::declare::Declaration;
use crate::error::{BadRequest, Declined};
use crate::journal::RequestKey;
use crate::net;
use crate::wire::{Challenge, PAYMENT_SIGNATURE, PaymentHeader, X_PAYMENT};

/// Says which payments of MPP are made.
const ACCEPT_PAYMENT: &str = "accept-payment";
/// Header of a credential, where the challenge wants it there.
const PAYMENT_AUTHORIZATION: &str = "payment-authorization";

/// A checked request.
#[derive(Debug)]
pub(crate) struct Ask {
    request: Request,
    service: Service,
    body_sha256: ContentHash,
    declaration: Declaration,
}

impl Ask {
    pub(crate) fn new(
        request: Request,
        declaration: Declaration,
        private_hosts: bool,
    ) -> Result<Self, BadRequest> {
        for header in [PAYMENT_SIGNATURE, X_PAYMENT, PAYMENT_AUTHORIZATION] {
            if request.headers().contains_key(header) {
                return Err(BadRequest::Header { header: header.to_owned() });
            }
        }
        if carries_credential(request.headers()) {
            return Err(BadRequest::Header { header: AUTHORIZATION.to_string() });
        }
        check_url(request.url(), private_hosts)?;
        let service = Service::of(request.url().as_str()).map_err(|_| BadRequest::Url)?;
        let body = match request.body() {
            None => &[][..],
            Some(body) => body.as_bytes().ok_or(BadRequest::Body)?,
        };
        let body_sha256 = ContentHash(Sha256::digest(body).into());
        Ok(Self { request, service, body_sha256, declaration })
    }

    pub(crate) fn method(&self) -> &Method {
        self.request.method()
    }

    /// What an intent for this request declares.
    pub(crate) fn declared(&self, flow: PaymentFlow) -> Declared {
        let method = self.declared_method();
        Declared { method, flow: Some(flow), ..self.declaration.clone().into() }
    }

    /// What the intent that opens a session declares; policies count a session under its name, which
    /// is this one where the agent gives none.
    pub(crate) fn declared_in(&self, session: SessionName) -> Declared {
        let declared: Declared = self.declaration.clone().into();
        let session = declared.session.clone().or(Some(session));
        Declared { method: self.declared_method(), session, ..declared }
    }

    /// The method as an intent declares it; nothing for one that policies do not name.
    fn declared_method(&self) -> Option<HttpMethod> {
        match *self.method() {
            Method::GET => Some(HttpMethod::Get),
            Method::HEAD => Some(HttpMethod::Head),
            Method::POST => Some(HttpMethod::Post),
            Method::PUT => Some(HttpMethod::Put),
            Method::PATCH => Some(HttpMethod::Patch),
            Method::DELETE => Some(HttpMethod::Delete),
            Method::OPTIONS => Some(HttpMethod::Options),
            _ => None,
        }
    }

    pub(crate) fn url(&self) -> &Url {
        self.request.url()
    }

    pub(crate) const fn service(&self) -> &Service {
        &self.service
    }

    pub(crate) const fn body_sha256(&self) -> ContentHash {
        self.body_sha256
    }

    pub(crate) fn key(&self) -> RequestKey {
        RequestKey::of(self.method().as_str(), self.url().as_str(), &self.body_sha256.0)
    }

    /// Whether sending it twice asks for the same thing twice (RFC 9110, section 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        self.method().is_idempotent()
    }

    /// Whether the caller's own credentials travel with it.
    pub(crate) fn has_authorization(&self) -> bool {
        self.request.headers().contains_key(AUTHORIZATION)
    }

    /// Says which payments of MPP are made here, unless the caller said so: the newer clients and
    /// servers speak of payment only where it was asked for.
    pub(crate) fn accept_payment(&mut self, accepted: &'static str) {
        let headers = self.request.headers_mut();
        headers.entry(ACCEPT_PAYMENT).or_insert(HeaderValue::from_static(accepted));
    }

    pub(crate) fn unpaid(&self) -> Result<Request, BadRequest> {
        self.request.try_clone().ok_or(BadRequest::Body)
    }

    pub(crate) fn paid(&self, header: &PaymentHeader) -> Result<Request, BadRequest> {
        let mut request = self.unpaid()?;
        let bad = || BadRequest::Header { header: header.name().to_owned() };
        let value: HeaderValue = header.expose().ok_or_else(bad)?;
        request.headers_mut().insert(header.name(), value);
        Ok(request)
    }

    /// A challenge must be for what was asked for: the same host and path. Scheme and query may
    /// differ, as a merchant behind a proxy does not know them.
    pub(crate) fn check_resource(&self, challenge: &Challenge) -> Result<(), Declined> {
        let Some(offered) = challenge.resource_url() else {
            return Ok(());
        };
        let same = self.url().join(offered).is_ok_and(|url| {
            url.host_str() == self.url().host_str()
                && url.port() == self.url().port()
                && url.path() == self.url().path()
        });
        if same {
            return Ok(());
        }
        let offered = offered.chars().filter(char::is_ascii_graphic).take(256).collect();
        Err(Declined::OtherResource { asked: self.url().to_string(), offered })
    }
}

/// Whether `Authorization` carries a payment, which is not the caller's to make.
fn carries_credential(headers: &HeaderMap) -> bool {
    headers.get_all(AUTHORIZATION).iter().any(|value| {
        let scheme = value.as_bytes().split(|b| *b == b' ').next().unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"payment")
    })
}

fn check_url(url: &Url, private_hosts: bool) -> Result<(), BadRequest> {
    let loopback = is_loopback(url);
    let plain = url.username().is_empty() && url.password().is_none();
    let safe = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    if !(plain && safe) {
        return Err(BadRequest::Url);
    }
    if !(loopback || private_hosts || has_public_host(url)) {
        return Err(BadRequest::PrivateHost { host: url.host_str().unwrap_or("").to_owned() });
    }
    Ok(())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// A name counts as public here: what it resolves to is looked at when it is resolved.
fn has_public_host(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => net::is_public(ip.into()),
        Some(url::Host::Ipv6(ip)) => net::is_public(ip.into()),
        Some(url::Host::Domain(_)) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(url: &str) -> Result<Ask, BadRequest> {
        Ask::new(Request::new(Method::GET, url.parse().unwrap()), Declaration::default(), false)
    }

    #[test]
    fn only_https_or_loopback_without_credentials_is_asked() {
        for good in [
            "https://a.example/x?y=1",
            "http://127.0.0.1:8080/",
            "http://localhost/",
            "http://[::1]/",
        ] {
            assert!(ask(good).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example/",
            "ftp://a.example/",
            "https://u:p@a.example/",
            "http://localhost.a.example/",
        ] {
            assert_eq!(ask(bad).unwrap_err(), BadRequest::Url, "{bad}");
        }
        for private in [
            "https://10.0.0.1/",
            "https://169.254.169.254/",
            "https://[fe80::1]/",
            "https://[::ffff:10.0.0.1]/",
        ] {
            assert!(matches!(ask(private), Err(BadRequest::PrivateHost { .. })), "{private}");
            let request = Request::new(Method::GET, private.parse().unwrap());
            assert!(Ask::new(request, Declaration::default(), true).is_ok(), "{private}");
        }
    }

    #[test]
    fn a_callers_own_payment_header_is_refused() {
        let mut request = Request::new(Method::GET, "https://a.example/".parse().unwrap());
        request.headers_mut().insert(X_PAYMENT, HeaderValue::from_static("x"));
        assert!(matches!(
            Ask::new(request, Declaration::default(), false),
            Err(BadRequest::Header { .. })
        ));
    }

    #[test]
    fn method_url_and_body_name_a_request() {
        let with_body = |body: &'static str| {
            let mut request = Request::new(Method::POST, "https://a.example/".parse().unwrap());
            *request.body_mut() = Some(body.into());
            Ask::new(request, Declaration::default(), false).unwrap().key()
        };
        assert_eq!(with_body("a"), with_body("a"));
        assert_ne!(with_body("a"), with_body("b"));
        assert_ne!(
            ask("https://a.example/a").unwrap().key(),
            ask("https://a.example/b").unwrap().key()
        );
    }
}
