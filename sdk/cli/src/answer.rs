//! What a command has to say: the same answer as text for people and as JSON for programs.

use serde::Serialize;
use serde_json::{Value, json};

use crate::exit::Exit;

/// A command's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// For people; several lines, without a last line break.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// How the command ended; a check that finds fault answers and still does not end with 0.
    pub exit: Exit,
}

impl Answer {
    /// An answer to something that worked.
    #[must_use]
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, exit: Exit::Ok }
    }

    /// An answer whose JSON is a value of the API.
    #[must_use]
    pub fn of(text: impl Into<String>, value: &impl Serialize) -> Self {
        // Types of the API have string keys only, so this cannot fail; null would be seen at once.
        Self::new(text, serde_json::to_value(value).unwrap_or(Value::Null))
    }

    /// The same with another ending.
    #[must_use]
    pub fn ending(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

/// What `--json` prints for an error.
#[must_use]
pub fn error_json(exit: Exit, detail: &str, next: &str, more: Value) -> Value {
    json!({ "error": {
        "exit": exit.code(), "code": exit.word(), "detail": detail, "next": next, "more": more,
    }})
}
