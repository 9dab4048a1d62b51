//! `PAYMENT-REQUIRED`: what a merchant asks for.

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ACCEPTS_MAX, BadHeader, PAYMENT_REQUIRED, X402_VERSION, decode, not_json};

/// Longest resource text that is kept, in bytes.
const RESOURCE_BYTES_MAX: usize = 4 * 1024;

/// A challenge in good form. Nothing in it is believed yet.
#[derive(Debug)]
pub struct Challenge {
    accepts: Vec<Box<RawValue>>,
    resource: Option<Box<RawValue>>,
    resource_url: Option<String>,
    extensions_required: Vec<String>,
}

#[derive(Deserialize)]
struct PaymentRequired<'a> {
    #[serde(rename = "x402Version")]
    version: u64,
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    accepts: Vec<&'a RawValue>,
    #[serde(default)]
    extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct ResourceInfo {
    url: String,
}

impl Challenge {
    /// Reads the one `PAYMENT-REQUIRED` header.
    ///
    /// # Errors
    /// [`BadHeader`].
    pub fn read(headers: &HeaderMap) -> Result<Self, BadHeader> {
        let json = decode(headers, PAYMENT_REQUIRED)?;
        Self::parse(&json)
    }

    fn parse(json: &str) -> Result<Self, BadHeader> {
        let malformed = |e: serde_json::Error| not_json(PAYMENT_REQUIRED, e);
        let required: PaymentRequired<'_> = serde_json::from_str(json).map_err(malformed)?;
        if required.version != X402_VERSION {
            return Err(BadHeader::Version { given: required.version });
        }
        if required.accepts.len() > ACCEPTS_MAX {
            return Err(BadHeader::TooManyAccepts { count: required.accepts.len() });
        }
        let resource = required.resource.filter(|raw| raw.get() != "null");
        if resource.is_some_and(|raw| raw.get().len() > RESOURCE_BYTES_MAX) {
            return Err(not_json(PAYMENT_REQUIRED, "`resource` is too long"));
        }
        let resource_url = resource
            .map(|raw| serde_json::from_str::<ResourceInfo>(raw.get()).map(|info| info.url))
            .transpose()
            .map_err(malformed)?;
        Ok(Self {
            accepts: required.accepts.into_iter().map(ToOwned::to_owned).collect(),
            resource: resource.map(ToOwned::to_owned),
            resource_url,
            extensions_required: extensions_required(required.extensions.as_ref()),
        })
    }

    /// The requirements, in the merchant's order, each exactly as it was written.
    #[must_use]
    pub fn accepts(&self) -> &[Box<RawValue>] {
        &self.accepts
    }

    /// The description of the resource, exactly as it was written.
    #[must_use]
    pub fn resource(&self) -> Option<&RawValue> {
        self.resource.as_deref()
    }

    /// The URL that the merchant says is being paid for.
    #[must_use]
    pub fn resource_url(&self) -> Option<&str> {
        self.resource_url.as_deref()
    }

    /// Extensions whose `info.required` is true. None is spoken here, so a payment would be
    /// refused after it was signed.
    #[must_use]
    pub fn extensions_required(&self) -> &[String] {
        &self.extensions_required
    }
}

fn extensions_required(
    extensions: Option<&serde_json::Map<String, serde_json::Value>>,
) -> Vec<String> {
    let required = |value: &serde_json::Value| {
        value.pointer("/info/required").and_then(serde_json::Value::as_bool) == Some(true)
    };
    extensions
        .into_iter()
        .flatten()
        .filter(|(_, value)| required(value))
        .map(|(key, _)| key.chars().filter(|c| !c.is_control()).take(64).collect())
        .collect()
}
