//! Addresses a node may be given: where it dials, and where its health is asked.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::Deserialize;
use url::{Host, Url};

const RELAY_PATH: &str = "/v1/relay";

/// Why an address is not one to use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadPlace {
    /// Not a URL of the form that is needed.
    #[error("{given:?} is not https://host[:port] of a coordinator")]
    NotAnOrigin {
        /// What was given.
        given: String,
    },
    /// Without TLS, frames and request signatures would be seen by the network.
    #[error("{given} is not on this machine, so it needs https")]
    NeedsTls {
        /// What was given.
        given: String,
    },
    /// The health endpoint tells too much for others.
    #[error("{given:?} is not a loopback address with a port, such as 127.0.0.1:9101")]
    NotLoopback {
        /// What was given.
        given: String,
    },
}

/// The origin of a coordinator: `https`, or `http` on this machine; no path, user or query.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct CoordinatorUrl(Url);

impl CoordinatorUrl {
    /// The origin as given.
    #[must_use]
    pub const fn origin(&self) -> &Url {
        &self.0
    }

    /// Where the relay is dialled, and its path as it is signed.
    #[must_use]
    pub fn relay(&self) -> (Url, &'static str) {
        let mut url = self.0.clone();
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        // Between these special schemes the change is always possible.
        let changed = url.set_scheme(scheme);
        debug_assert!(changed.is_ok(), "http to ws is allowed by the URL standard");
        url.set_path(RELAY_PATH);
        (url, RELAY_PATH)
    }
}

impl FromStr for CoordinatorUrl {
    type Err = BadPlace;
    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let bad = || BadPlace::NotAnOrigin { given: text.chars().take(128).collect() };
        let url = Url::parse(text).map_err(|_| bad())?;
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare || !matches!(url.scheme(), "http" | "https") {
            return Err(bad());
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err(BadPlace::NeedsTls { given: text.to_owned() });
        }
        Ok(Self(url))
    }
}

impl TryFrom<String> for CoordinatorUrl {
    type Error = BadPlace;
    fn try_from(text: String) -> Result<Self, BadPlace> {
        text.parse()
    }
}

impl fmt::Display for CoordinatorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Where health is asked: loopback only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HealthAddress(SocketAddr);

impl HealthAddress {
    /// The address to bind.
    #[must_use]
    pub const fn address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for HealthAddress {
    type Err = BadPlace;
    fn from_str(text: &str) -> Result<Self, BadPlace> {
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Self(address)),
            _ => Err(BadPlace::NotLoopback { given: text.chars().take(128).collect() }),
        }
    }
}

impl TryFrom<String> for HealthAddress {
    type Error = BadPlace;
    fn try_from(text: String) -> Result<Self, BadPlace> {
        text.parse()
    }
}
