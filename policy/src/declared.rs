//! What an agent says of a payment beside the payment itself: signed by it, and believed as far
//! as the agent is. No chain checks any of it.
//!
//! Refuses: unknown fields, and names that are not names.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::intent::Service;
use crate::party::BadName;

/// Longest path of an endpoint that is told apart, in bytes; longer ones are one endpoint.
pub const ENDPOINT_PATH_BYTES_MAX: usize = 256;

/// What an agent declares with an intent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// The method of the request that is paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// In which order the merchant serves and settles, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<PaymentFlow>,
    /// The session the payment belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionName>,
    /// Values that conditions of the policy may ask for.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
}

impl Declared {
    /// Whether nothing is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The name an agent gives a session of payments: as an agent's, 1 to 63 of `a-z0-9-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionName(String);

impl SessionName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SessionName {
    type Error = BadName;
    fn try_from(name: String) -> Result<Self, BadName> {
        crate::party::checked_name(&name).map(Self)
    }
}

impl std::str::FromStr for SessionName {
    type Err = BadName;
    fn from_str(name: &str) -> Result<Self, BadName> {
        crate::party::checked_name(name).map(Self)
    }
}

impl From<SessionName> for String {
    fn from(name: SessionName) -> Self {
        name.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The order in which a merchant serves and settles (x402 v2, section 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaymentFlow {
    /// It serves, then settles.
    Authorization,
    /// It settles before it serves.
    Upfront,
    /// It settles a deposit, serves, and settles the charge.
    Escrow,
}

impl PaymentFlow {
    /// As policies and x402 write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Upfront => "upfront",
            Self::Escrow => "escrow",
        }
    }
}

/// A method of HTTP (RFC 9110, section 9; PATCH: RFC 5789).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "each is the method of that name")]
pub enum HttpMethod {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl HttpMethod {
    /// As requests write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

/// One route of a service: method, service and path. Query and fragment do not tell endpoints
/// apart, or a service could make a new one for every request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The method, where the agent declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    /// The service.
    pub service: Service,
    /// The path, cut at [`ENDPOINT_PATH_BYTES_MAX`].
    pub path: String,
}

impl Endpoint {
    /// The endpoint of `service` that answers at the URL `resource`.
    #[must_use]
    pub fn of(service: &Service, resource: &str, method: Option<HttpMethod>) -> Self {
        let url = url::Url::parse(resource);
        let path = url.as_ref().map_or("/", url::Url::path);
        let end = path.floor_char_boundary(ENDPOINT_PATH_BYTES_MAX);
        let path = path.get(..end).unwrap_or(path).to_owned();
        Self { method, service: service.clone(), path }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.method {
            Some(method) => write!(f, "{} {}{}", method.word(), self.service, self.path),
            None => write!(f, "{}{}", self.service, self.path),
        }
    }
}
