//! HTTP as both halves of this crate use it: no redirects, no proxy, no retry but our own, and
//! names that lead into private networks refused where URLs come from outside.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
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

/// Resolves names to public addresses alone, and `localhost` to this machine alone. The connection
/// goes to what was resolved here, so a name cannot change its mind in between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublicNames;

/// A name that leads into a private network, or nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name has no public address")]
struct NoPublicAddress;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good = allowed(name.as_str(), found);
            if good.is_empty() {
                return Err(NoPublicAddress.into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

fn allowed(name: &str, found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let local = name == "localhost";
    found
        .filter(|address| if local { address.ip().is_loopback() } else { is_public(address.ip()) })
        .collect()
}

/// Whether an address can belong to somebody on the public network.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => {
            let link_local = ip.segments().first().is_some_and(|s| s & 0xffc0 == 0xfe80);
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_multicast()
                || link_local)
        }
    }
}

const fn is_public_v4(ip: Ipv4Addr) -> bool {
    // 100.64.0.0/10 (RFC 6598): carriers' and clouds' inner networks.
    let [first, second, ..] = ip.octets();
    let shared = first == 100 && second & 0xc0 == 64;
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_unspecified()
        || ip.is_broadcast()
        || ip.is_multicast()
        || shared)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect()
    }

    #[test]
    fn names_lead_to_public_addresses_and_localhost_to_this_machine() {
        let mixed = addresses(&["10.0.0.1", "8.8.8.8", "127.0.0.1", "::1", "2606:4700::1111"]);
        let public = allowed("merchant.example", mixed.clone().into_iter());
        assert_eq!(public, addresses(&["8.8.8.8", "2606:4700::1111"]));
        let local = allowed("localhost", mixed.into_iter());
        assert_eq!(local, addresses(&["127.0.0.1", "::1"]));
    }

    #[test]
    fn inner_networks_are_not_public() {
        let inner = [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
        ];
        for ip in inner {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["8.8.8.8", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }
}
