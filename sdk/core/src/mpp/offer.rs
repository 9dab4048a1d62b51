//! `WWW-Authenticate: Payment`: what a service asks for, read by the protocol's own SDK.
//!
//! Refuses: more than [`CHALLENGE_BYTES_MAX`] of headers or [`OFFERS_MAX`] challenges, a request in
//! which a key is given twice, a credential header other than `Authorization` and
//! `Payment-Authorization`, a parameter given twice.

use mpp::{PaymentChallenge, parse_www_authenticate_all_bytes};
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use serde::de::DeserializeOwned;
use tercet_policy::time::UnixSeconds;

use crate::choose::{Unacceptable, word};
use crate::wire::check_strict;

/// Most bytes of `WWW-Authenticate` that are read, over all of its lines.
pub const CHALLENGE_BYTES_MAX: usize = 64 * 1024;
/// Most challenges that are looked at.
pub const OFFERS_MAX: usize = 16;

/// The MPP challenges of a 402. Nothing in them is believed yet.
#[derive(Debug, Default)]
pub struct Offers(Vec<Result<PaymentChallenge, Unacceptable>>);

impl Offers {
    /// Reads every `Payment` challenge. Headers without any give none; too large or too many give
    /// one entry that says so.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        let values: Vec<&[u8]> =
            headers.get_all(WWW_AUTHENTICATE).iter().map(|value| value.as_bytes()).collect();
        let bytes = values.iter().map(|value| value.len()).fold(0, usize::saturating_add);
        if bytes > CHALLENGE_BYTES_MAX {
            return Self::unreadable(format!("{bytes} bytes, the limit is {CHALLENGE_BYTES_MAX}"));
        }
        let read: Vec<_> = parse_www_authenticate_all_bytes(values)
            .into_iter()
            .map(|read| read.map_err(|e| challenge(e.to_string())))
            .collect();
        match read.len() {
            count if count > OFFERS_MAX => {
                Self::unreadable(format!("{count} challenges, the limit is {OFFERS_MAX}"))
            }
            _ => Self(read),
        }
    }

    fn unreadable(what: String) -> Self {
        Self(vec![Err(Unacceptable::Challenge { what })])
    }

    /// Whether there is none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the service's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Result<PaymentChallenge, Unacceptable>> {
        self.0.iter()
    }
}

/// The request inside a challenge, as strict JSON.
pub(super) fn request<T: DeserializeOwned>(asked: &PaymentChallenge) -> Result<T, Unacceptable> {
    let json = text(asked.request.raw())?;
    check_strict(&json).map_err(challenge)?;
    serde_json::from_str(&json).map_err(challenge)
}

/// The text inside base64url.
pub(super) fn text(encoded: &str) -> Result<String, Unacceptable> {
    let bytes = mpp::base64url_decode(encoded).map_err(challenge)?;
    String::from_utf8(bytes).map_err(|_| challenge("its request is not UTF-8"))
}

/// When a challenge is over; nothing where it does not say, or not in a way that reads.
pub(super) fn expires(asked: &PaymentChallenge) -> Option<UnixSeconds> {
    let at = asked.expires_at()?.unix_timestamp();
    u64::try_from(at).ok().map(UnixSeconds)
}

fn challenge(what: impl ToString) -> Unacceptable {
    Unacceptable::Challenge { what: word(&what.to_string()) }
}
