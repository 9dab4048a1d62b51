//! The bytes that a signature is over.

use serde_json::Value;

use crate::document::{Document, DocumentError, JSON_INTEGER_MAX};

/// `tercet/<kind>/v1`, a zero byte, and the canonical form (RFC 8785).
///
/// Canonical JSON writes every number as a double, so two documents whose whole numbers differ
/// beyond 2^53 would have one form, and the signature of one would be good for the other. Such
/// numbers have no form here.
pub(super) fn signed_bytes<T: Document>(document: &T) -> Result<Vec<u8>, DocumentError> {
    let none = || DocumentError::NotCanonical { kind: T::KIND.to_owned() };
    let value = serde_json::to_value(document).map_err(|_| none())?;
    if !is_exact(&value) {
        return Err(none());
    }
    let mut bytes = format!("tercet/{}/v1\0", T::KIND).into_bytes();
    serde_json_canonicalizer::to_writer(&value, &mut bytes).map_err(|_| none())?;
    Ok(bytes)
}

/// Whether a double carries every whole number in it.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Array(values) => values.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(whole), _) => whole <= JSON_INTEGER_MAX,
            (None, Some(negative)) => negative.unsigned_abs() <= JSON_INTEGER_MAX,
            (None, None) => true,
        },
    }
}
