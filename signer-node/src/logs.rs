//! Log lines, to standard error. Nothing that is secret has a voice to be logged with.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogConfig, LogFormat};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The filter is none.
    #[error("log.filter {filter:?} cannot be read: {reason}")]
    Filter {
        /// As configured.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody installed another log before.
    #[error("a log is installed already")]
    Installed,
}

/// Installs the process's log. Programs call this; a library that houses a node has its own.
///
/// # Errors
/// [`LogError`].
pub fn install_logs(config: &LogConfig) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|e| LogError::Filter { filter: config.filter.clone(), reason: e.to_string() })?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = match config.format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    installed.map_err(|_| LogError::Installed)
}
