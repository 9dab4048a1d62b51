//! The one TLS provider of the process: ring, as the workspace builds it.

/// Installs it; a second time changes nothing.
pub fn install() {
    // An error says that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
