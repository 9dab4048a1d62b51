//! Request signatures: HTTP Message Signatures (RFC 9421) with Ed25519 over method, path, query
//! and the body's digest (RFC 9530), in the one fixed form this service speaks.
//!
//! Promises: a [`Caller`] proved possession of the key named, for exactly this request, within
//! [`SIGNATURE_AGE_SECONDS_MAX`]. The caller's nonce must be refused when seen before; that is
//! the server's part, as it takes a memory.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};
use tercet_policy::document::{Ed25519PublicKey, Ed25519Signature};
use tercet_policy::party::NodeId;
use tercet_policy::time::UnixSeconds;

/// How far a signature's making may lie from now, in seconds, either way.
pub const SIGNATURE_AGE_SECONDS_MAX: u64 = 60;
/// Longest `Signature-Input` header that is read, in bytes.
pub const SIGNATURE_INPUT_BYTES_MAX: usize = 512;
/// Header with the covered components and parameters.
pub const SIGNATURE_INPUT: &str = "signature-input";
/// Header with the signature.
pub const SIGNATURE: &str = "signature";
/// Header with the body's digest.
pub const CONTENT_DIGEST: &str = "content-digest";

const COVERED: &str = r#"("@method" "@path" "@query" "content-digest")"#;

/// The parts of a request that are signed.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// Upper-case method.
    pub method: &'a str,
    /// Path, as sent.
    pub path: &'a str,
    /// Query without the question mark; empty if there is none.
    pub query: &'a str,
    /// The whole body; empty if there is none.
    pub body: &'a [u8],
}

/// The three headers that carry a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
    /// `Content-Digest`.
    pub content_digest: String,
}

/// Who made a request, proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The node, or the agent by its node's name.
    pub node: NodeId,
    /// Refuse this when seen before within [`SIGNATURE_AGE_SECONDS_MAX`].
    pub nonce: String,
}

/// Why a request is not believed to be anybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not in the one form that is spoken here.
    #[error("the signature headers are not in the form this service speaks")]
    Form,
    /// The body is not the one that was signed.
    #[error("the body does not have the digest that was signed")]
    Digest,
    /// Too old, or from the future.
    #[error("the signature was made too long ago or in the future")]
    Age,
    /// Nobody by that name is known.
    #[error("the key is not known here")]
    UnknownKey,
    /// The signature is not good.
    #[error("the signature is not good")]
    Signature,
}

fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)))
}

fn signature_base(parts: &RequestParts<'_>, digest: &str, params: &str) -> String {
    format!(
        "\"@method\": {}\n\"@path\": {}\n\"@query\": ?{}\n\"content-digest\": {digest}\n\
         \"@signature-params\": {params}",
        parts.method, parts.path, parts.query,
    )
}

/// Signs a request as `node`. `nonce` must be fresh randomness.
#[must_use]
pub fn sign(
    parts: &RequestParts<'_>,
    node: &NodeId,
    key: &SigningKey,
    now: UnixSeconds,
    nonce: [u8; 16],
) -> SignatureHeaders {
    let digest = content_digest(parts.body);
    let nonce = hex::encode(nonce);
    let params =
        format!("{COVERED};created={now};nonce=\"{nonce}\";keyid=\"{node}\";alg=\"ed25519\"");
    let signature = key.sign(signature_base(parts, &digest, &params).as_bytes());
    SignatureHeaders {
        signature_input: format!("tercet={params}"),
        signature: format!("tercet=:{}:", STANDARD.encode(signature.to_bytes())),
        content_digest: digest,
    }
}

/// Checks a request's signature and yields who made it.
///
/// # Errors
/// [`AuthError`], without telling more than the caller must know.
pub fn open(
    parts: &RequestParts<'_>,
    headers: &SignatureHeaders,
    key_of: impl FnOnce(&NodeId) -> Option<Ed25519PublicKey>,
    now: UnixSeconds,
) -> Result<Caller, AuthError> {
    let params = Params::parse(&headers.signature_input)?;
    if headers.content_digest != content_digest(parts.body) {
        return Err(AuthError::Digest);
    }
    if params.created.0.abs_diff(now.0) > SIGNATURE_AGE_SECONDS_MAX {
        return Err(AuthError::Age);
    }
    let key = key_of(&params.node).ok_or(AuthError::UnknownKey)?;
    let signature = parse_signature(&headers.signature)?;
    let base = signature_base(parts, &headers.content_digest, params.text);
    if !key.verifies(base.as_bytes(), &signature) {
        return Err(AuthError::Signature);
    }
    Ok(Caller { node: params.node, nonce: params.nonce.to_owned() })
}

struct Params<'a> {
    text: &'a str,
    created: UnixSeconds,
    nonce: &'a str,
    node: NodeId,
}

impl<'a> Params<'a> {
    fn parse(header: &'a str) -> Result<Self, AuthError> {
        if header.len() > SIGNATURE_INPUT_BYTES_MAX {
            return Err(AuthError::Form);
        }
        let text = header.strip_prefix("tercet=").ok_or(AuthError::Form)?;
        let rest = text.strip_prefix(COVERED).and_then(|r| r.strip_prefix(";created="));
        let (created, rest) =
            rest.and_then(|r| r.split_once(";nonce=\"")).ok_or(AuthError::Form)?;
        let (nonce, rest) = rest.split_once("\";keyid=\"").ok_or(AuthError::Form)?;
        let node = rest.strip_suffix("\";alg=\"ed25519\"").ok_or(AuthError::Form)?;
        let nonce_is_hex = nonce.len() == 32 && nonce.bytes().all(|b| b.is_ascii_hexdigit());
        Ok(Self {
            text,
            created: created.parse().map(UnixSeconds).map_err(|_| AuthError::Form)?,
            nonce: nonce_is_hex.then_some(nonce).ok_or(AuthError::Form)?,
            node: NodeId::new(node).map_err(|_| AuthError::Form)?,
        })
    }
}

fn parse_signature(header: &str) -> Result<Ed25519Signature, AuthError> {
    let text = header.strip_prefix("tercet=:").and_then(|rest| rest.strip_suffix(':'));
    let bytes = STANDARD.decode(text.ok_or(AuthError::Form)?).map_err(|_| AuthError::Form)?;
    bytes.try_into().map(Ed25519Signature).map_err(|_| AuthError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_700_000_000);

    fn parts() -> RequestParts<'static> {
        RequestParts { method: "POST", path: "/v1/payments", query: "a=1", body: b"{}" }
    }

    fn signed() -> (SignatureHeaders, Ed25519PublicKey) {
        let key = SigningKey::from_bytes(&[3; 32]);
        let node = NodeId::new("research-01").unwrap();
        (sign(&parts(), &node, &key, NOW, [9; 16]), Ed25519PublicKey::of(&key))
    }

    #[test]
    fn a_signed_request_names_its_caller() {
        let (headers, key) = signed();
        let caller = open(&parts(), &headers, |_| Some(key), NOW.plus(60)).unwrap();
        assert_eq!(caller.node.as_str(), "research-01");
    }

    #[test]
    fn any_change_is_noticed() {
        let (headers, key) = signed();
        let check = |parts: RequestParts<'_>, headers: &SignatureHeaders, now| {
            open(&parts, headers, |_| Some(key), now).unwrap_err()
        };
        let p = parts();
        assert_eq!(check(RequestParts { method: "PUT", ..p }, &headers, NOW), AuthError::Signature);
        assert_eq!(check(RequestParts { path: "/v1/x", ..p }, &headers, NOW), AuthError::Signature);
        assert_eq!(check(RequestParts { query: "", ..p }, &headers, NOW), AuthError::Signature);
        assert_eq!(check(RequestParts { body: b"[]", ..p }, &headers, NOW), AuthError::Digest);
        assert_eq!(check(p, &headers, NOW.plus(61)), AuthError::Age);
        assert_eq!(check(p, &headers, NOW.minus(61)), AuthError::Age);
        let renamed = SignatureHeaders {
            signature_input: headers.signature_input.replace("research-01", "research-02"),
            ..headers.clone()
        };
        assert_eq!(check(p, &renamed, NOW), AuthError::Signature);
        assert_eq!(open(&p, &headers, |_| None, NOW), Err(AuthError::UnknownKey));
        for bad in ["", "tercet=", "tercet=();created=1", "sig=x"] {
            let bad = SignatureHeaders { signature_input: bad.into(), ..headers.clone() };
            assert_eq!(check(p, &bad, NOW), AuthError::Form);
        }
    }
}
