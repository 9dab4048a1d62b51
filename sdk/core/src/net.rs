//! HTTP as both halves of this crate use it: no redirects, no proxy, no retry but our own.

use std::time::Duration;

use reqwest::{ClientBuilder, redirect, retry};

/// A client that does what it is told and nothing more.
pub(crate) fn builder(connect: Duration) -> ClientBuilder {
    // Fails when another part of the process has chosen already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_proxy()
        .connect_timeout(connect)
        .user_agent(concat!("tercet/", env!("CARGO_PKG_VERSION")))
}

/// An error's text with its causes and without the URL, whose query may hold secrets.
pub(crate) fn text_of(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
