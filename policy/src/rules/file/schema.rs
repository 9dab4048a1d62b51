//! The JSON Schema of a policy file, for editors.
//!
//! Promises: it describes the very types that are read, key by key. Texts with a form of their
//! own (amounts, windows, times) have patterns.
//!
//! Does not protect against: what takes a look at two places at once, such as a name of a list
//! that is not there. Only reading the file does.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::chain::ASSETS;
use crate::context::CONTEXT_ENTRIES_MAX;
use crate::document::JSON_INTEGER_MAX;
use crate::rules::file::PolicyFile;

/// The JSON Schema (2020-12) of a policy file.
pub(crate) fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12();
    let settings = settings.with_transform(RecursiveTransform(absent_is_not_null));
    settings.into_generator().into_root_schema_for::<PolicyFile>()
}

/// A key that is left away is not written as `null`.
fn absent_is_not_null(schema: &mut Schema) {
    let null = json!({ "type": "null" });
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        alternatives.retain(|alternative| *alternative != null);
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| *name != json!("null"));
    }
}

/// What an entry has beside its rule.
const BESIDE_A_RULE: [&str; 3] = ["then", "approvers", "expires"];

/// Beside `then` and who is asked, an entry has one key.
pub(super) fn exactly_one_rule(schema: &mut Schema) {
    let properties = schema.get("properties").and_then(Value::as_object);
    let rules = properties.into_iter().flat_map(|properties| properties.keys());
    let rules = rules.filter(|key| !BESIDE_A_RULE.contains(&key.as_str()));
    let alternatives: Vec<_> = rules.map(|key| json!({ "required": [key] })).collect();
    schema.insert("oneOf".to_owned(), alternatives.into());
}

fn text(pattern: &str, example: &str) -> Schema {
    json_schema!({ "type": "string", "pattern": pattern, "examples": [example] })
}

fn word(words: &[&str]) -> Schema {
    json_schema!({ "type": "string", "enum": words })
}

pub(super) fn name(_: &mut SchemaGenerator) -> Schema {
    text("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "research-01")
}

pub(super) fn epoch(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 1, "maximum": JSON_INTEGER_MAX })
}

pub(super) fn address(_: &mut SchemaGenerator) -> Schema {
    text("^0x[0-9a-fA-F]{40}$", "0x209693Bc6afc0C5328bA36FaF03C514EF312287C")
}

pub(super) fn key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[0-9a-fA-F]{64}$" })
}

pub(super) fn factor(_: &mut SchemaGenerator) -> Schema {
    text("^[1-9][0-9]*x$", "5x")
}

pub(super) fn span(_: &mut SchemaGenerator) -> Schema {
    text("^[1-9][0-9]*[smhd]$", "30m")
}

pub(super) fn mode(_: &mut SchemaGenerator) -> Schema {
    word(&["enforce", "warn"])
}

pub(super) fn then(_: &mut SchemaGenerator) -> Schema {
    word(&["refuse", "ask", "warn"])
}

pub(super) fn context(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "pattern": "^[a-z][a-z0-9_]{0,31}$" },
        "additionalProperties": word(&["bool", "long", "decimal", "string"]),
        "maxProperties": CONTEXT_ENTRIES_MAX,
    })
}

pub(super) fn money(_: &mut SchemaGenerator) -> Schema {
    let symbols: BTreeSet<_> =
        ASSETS.iter().map(|asset| asset.symbol.replace('.', "\\.")).collect();
    let symbols = symbols.into_iter().collect::<Vec<_>>().join("|");
    text(&format!("^(0|[1-9][0-9]*)(\\.[0-9]{{1,6}})? ({symbols})$"), "0.50 USDC")
}

pub(super) fn period(_: &mut SchemaGenerator) -> Schema {
    text("^(minute|hour|day|week|month|[1-9][0-9]*[mhd])$", "day")
}

pub(super) fn by(_: &mut SchemaGenerator) -> Schema {
    word(&["recipient", "service", "endpoint", "category", "protocol", "asset"])
}

pub(super) fn zone(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "examples": ["UTC", "Europe/Berlin", "America/New_York"] })
}

pub(super) fn clock(_: &mut SchemaGenerator) -> Schema {
    text("^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", "09:00")
}

pub(super) fn days(_: &mut SchemaGenerator) -> Schema {
    let day = word(&["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
    json_schema!({ "type": "array", "items": day, "minItems": 1 })
}

pub(super) fn list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "oneOf": [
            { "type": "string", "description": "the name of an entry of lists" },
            { "type": "array", "items": { "type": "string" } },
        ],
    })
}

pub(super) fn native_money(_: &mut SchemaGenerator) -> Schema {
    text("^(0|[1-9][0-9]*)(\\.[0-9]{1,18})? ETH$", "0.0005 ETH")
}

pub(super) fn share(_: &mut SchemaGenerator) -> Schema {
    text("^(0|[1-9][0-9]?|100)(\\.[0-9]{1,2})?%$", "25%")
}

pub(super) fn length(_: &mut SchemaGenerator) -> Schema {
    text("^[1-9][0-9]*[smhd]$", "5m")
}

pub(super) fn moment(_: &mut SchemaGenerator) -> Schema {
    let pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T([01][0-9]|2[0-3]):[0-5][0-9])?$";
    text(pattern, "2026-11-21T09:00")
}

fn some_of(words: &[&str]) -> Schema {
    json_schema!({ "type": "array", "items": word(words), "minItems": 1 })
}

pub(super) fn schemes(_: &mut SchemaGenerator) -> Schema {
    some_of(&["exact", "upto", "batch-settlement", "auth-capture"])
}

pub(super) fn transfer_methods(_: &mut SchemaGenerator) -> Schema {
    some_of(&["eip3009", "permit2", "erc7710"])
}

pub(super) fn flows(_: &mut SchemaGenerator) -> Schema {
    some_of(&["authorization", "upfront", "escrow"])
}

pub(super) fn mpp_intents(_: &mut SchemaGenerator) -> Schema {
    some_of(&["charge", "session"])
}

pub(super) fn mpp_methods(_: &mut SchemaGenerator) -> Schema {
    some_of(&["tempo"])
}

pub(super) fn http_methods(_: &mut SchemaGenerator) -> Schema {
    some_of(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
}

pub(super) fn voucher_signer(_: &mut SchemaGenerator) -> Schema {
    word(&["session_key", "wallet"])
}
