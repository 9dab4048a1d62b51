//! Small files that people hand to the command, read with a bound.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::CliError;

/// Largest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The text of a file.
///
/// # Errors
/// [`CliError::File`], [`CliError::Form`] for what is too long.
pub fn read_text(path: &Path) -> Result<String, CliError> {
    let file = std::fs::File::open(path).map_err(CliError::file(path))?;
    let mut text = String::new();
    let read = file
        .take(FILE_BYTES_MAX.saturating_add(1))
        .read_to_string(&mut text)
        .map_err(CliError::file(path))?;
    if read as u64 > FILE_BYTES_MAX {
        let detail = format!("it is longer than {FILE_BYTES_MAX} bytes");
        return Err(CliError::Form { path: path.into(), expected: "a small text file", detail });
    }
    Ok(text)
}

/// A JSON file.
///
/// # Errors
/// [`CliError::File`], [`CliError::Form`].
pub fn read_json<T: DeserializeOwned>(path: &Path, expected: &'static str) -> Result<T, CliError> {
    serde_json::from_str(&read_text(path)?).map_err(|error| CliError::Form {
        path: path.into(),
        expected,
        detail: error.to_string(),
    })
}

/// Writes a file of ours, mode 0600, replacing what was there.
///
/// # Errors
/// [`CliError::File`].
pub fn write_private(path: &Path, text: &str) -> Result<(), CliError> {
    write_private_bytes(path, text.as_bytes())
}

/// [`write_private`] of bytes that need not be text.
///
/// # Errors
/// [`CliError::File`].
pub fn write_private_bytes(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(CliError::file(path))
}

/// A value as indented JSON with a line break at its end.
///
/// # Errors
/// [`CliError::Failed`], which a type with text keys never gives.
pub fn pretty(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value)
        .map(|text| format!("{text}\n"))
        .map_err(|error| CliError::Failed(error.to_string()))
}
