//! `tercet authority`: the keys that bind operators' decisions.

use std::path::Path;

use serde_json::json;

use crate::answer::Answer;
use crate::args::Authority;
use crate::error::CliError;
use crate::keyfile::AuthorityKey;

/// Runs the command.
///
/// # Errors
/// [`CliError::Key`].
pub fn run(command: &Authority) -> Result<Answer, CliError> {
    match command {
        Authority::New { file } => Ok(answer(file, &AuthorityKey::create(file)?)),
        Authority::Show { file } => Ok(answer(file, &AuthorityKey::open(file)?)),
    }
}

fn answer(file: &Path, key: &AuthorityKey) -> Answer {
    let public = key.public();
    let text = format!(
        "{public}\n\nPin it in every node's and the coordinator's configuration:\n\n  \
         [authority]\n  keys = [\"{public}\"]\n  threshold = 1"
    );
    Answer::new(text, json!({ "file": file, "public": public }))
}
