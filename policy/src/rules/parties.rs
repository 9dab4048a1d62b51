//! Rules about whom, where and with what: `allow` and `block`.

use std::collections::BTreeSet;

use alloy_primitives::Address;

use crate::chain::{ASSETS, Chain};
use crate::ask::Ask;
use crate::intent::Service;
use crate::rows::PaymentKind;
use crate::rules::{Judgement, View};

/// What a rule names. Absent means not named, which is not the same as an empty list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) services: Option<Services>,
    pub(super) recipients: Option<BTreeSet<Address>>,
    pub(super) assets: Option<BTreeSet<&'static str>>,
    pub(super) chains: Option<BTreeSet<Chain>>,
    /// For findings: `services vendors, chains eip155:8453`.
    pub(super) text: String,
}

/// What may be paid: everything that is named has to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow(pub(super) Named);

/// What must not be paid: anything named that matches is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block(pub(super) Named);

impl Allow {
    /// Whether the rule is of the granting sort: it names services or recipients.
    pub(super) const fn can_grant(&self) -> bool {
        self.0.services.is_some() || self.0.recipients.is_some()
    }

    /// Whether there is any payment that this rule grants.
    pub(super) fn grants_something(&self) -> bool {
        self.can_grant() && !self.0.has_empty_list()
    }

    /// Whether this is a restriction that no payment keeps to.
    pub(super) fn refuses_everything(&self) -> bool {
        !self.can_grant() && self.0.has_empty_list()
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let (named, ask) = (&self.0, view.ask);
        let place = named.assets.as_ref().is_none_or(|set| set.contains(ask.asset.symbol))
            && named.chains.as_ref().is_none_or(|set| set.contains(&ask.asset.chain));
        let payee = named
            .recipients
            .as_ref()
            .is_none_or(|set| ask.recipient.is_some_and(|payee| set.contains(&payee)));
        let matches = match (&named.services, ask.kind) {
            // A restriction of assets or chains for whatever is paid.
            _ if !self.can_grant() => place,
            // A service is what an x402 payment is for; its payee counts where it is named too.
            (Some(services), PaymentKind::X402Exact) => {
                place && payee && ask.service.is_some_and(|service| services.allow(service))
            }
            // A recipient is what a transfer is for.
            (None, PaymentKind::Transfer) => place && payee,
            // A list of services never grants a transfer, a list of recipients never x402.
            _ => false,
        };
        let grants = matches && self.can_grant();
        Judgement { kept: matches, grants, ..named.judgement(ask) }
    }
}

impl Block {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let (named, ask) = (&self.0, view.ask);
        let asset = named.assets.as_ref().is_some_and(|set| set.contains(ask.asset.symbol));
        let chain = named.chains.as_ref().is_some_and(|set| set.contains(&ask.asset.chain));
        let payee = named
            .recipients
            .as_ref()
            .is_some_and(|set| ask.recipient.is_some_and(|payee| set.contains(&payee)));
        let service = named
            .services
            .as_ref()
            .is_some_and(|set| ask.service.is_some_and(|service| set.block(service)));
        Judgement { kept: !(asset || chain || payee || service), ..named.judgement(ask) }
    }
}

impl Named {
    fn has_empty_list(&self) -> bool {
        self.services.as_ref().is_some_and(Services::is_empty)
            || self.recipients.as_ref().is_some_and(BTreeSet::is_empty)
            || self.assets.as_ref().is_some_and(BTreeSet::is_empty)
            || self.chains.as_ref().is_some_and(BTreeSet::is_empty)
    }

    fn judgement(&self, ask: &Ask<'_>) -> Judgement {
        let mut asked = Vec::new();
        if self.services.is_some() {
            asked.push(ask.service.map_or_else(|| "no service".to_owned(), Service::to_string));
        }
        if self.recipients.is_some() {
            asked.push(ask.recipient.map_or_else(|| "nobody".to_owned(), |to| to.to_string()));
        }
        if self.assets.is_some() {
            asked.push(ask.asset.symbol.to_owned());
        }
        if self.chains.is_some() {
            asked.push(ask.asset.chain.to_string());
        }
        let asked = asked.join(", ");
        Judgement { limit: self.text.clone(), asked, ..Judgement::default() }
    }
}

/// Services, to the letter or below a suffix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Services {
    exact: BTreeSet<String>,
    below: BTreeSet<String>,
}

impl Services {
    pub(super) fn from_patterns<'a>(
        patterns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, String> {
        let mut services = Self::default();
        for pattern in patterns {
            let host = pattern.strip_prefix("*.").unwrap_or(pattern);
            check_service(host).ok_or_else(|| {
                format!(
                    "{pattern:?} is not a service: write a host in lower case, with a port where \
                     it is not the scheme's own, such as \"api.example\" or \"*.example:8443\""
                )
            })?;
            let set =
                if host.len() == pattern.len() { &mut services.exact } else { &mut services.below };
            set.insert(host.to_owned());
        }
        Ok(services)
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }

    fn allow(&self, service: &Service) -> bool {
        self.has(service.as_str())
    }

    /// A block is not escaped by a port or by the dot that ends a full domain name.
    fn block(&self, service: &Service) -> bool {
        let (host, port) = split_port(service.as_str());
        let host = host.trim_end_matches('.');
        self.has(service.as_str())
            || self.has(host)
            || port.is_some_and(|port| self.has(&format!("{host}:{port}")))
    }

    fn has(&self, service: &str) -> bool {
        self.exact.contains(service) || parents(service).any(|parent| self.below.contains(parent))
    }
}

/// What remains of a host when labels are taken from its front.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(host), |host| parent(host))
}

fn parent(host: &str) -> Option<&str> {
    host.split_once('.').map(|(_, rest)| rest)
}

fn split_port(service: &str) -> (&str, Option<&str>) {
    match service.rsplit_once(':') {
        // The colons inside the brackets of an IPv6 address are no ports.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (service, None),
    }
}

/// A service as URLs write it, and so the only writing that could ever match. Ports 80 and 443
/// are one scheme's own, and whoever writes them means that scheme, which leaves them away.
fn check_service(host: &str) -> Option<()> {
    let written = |scheme: &str| {
        Service::of(&format!("{scheme}://{host}/")).is_ok_and(|service| service.as_str() == host)
    };
    (!host.contains('*') && written("https") && written("http")).then_some(())
}

/// Addresses, in lower case or with their checksum.
pub(super) fn recipients<'a>(
    entries: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<Address>, String> {
    let read = |text: &'a str| {
        let address = text.starts_with("0x").then(|| text.parse::<Address>().ok()).flatten();
        let written = |address: &Address| {
            address.to_checksum(None) == text || !text.bytes().any(|b| b.is_ascii_uppercase())
        };
        address.filter(written).ok_or_else(|| {
            format!(
                "{text:?} is not an address: write 0x and 40 hexadecimal digits, in lower case \
                 or with the right checksum (EIP-55)"
            )
        })
    };
    entries.into_iter().map(read).collect()
}

pub(super) fn assets<'a>(
    entries: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<&'static str>, String> {
    let read = |text: &str| {
        let asset = ASSETS.iter().find(|asset| asset.symbol == text);
        asset
            .map(|asset| asset.symbol)
            .ok_or_else(|| format!("{text:?} is not an asset Tercet knows; USDC is"))
    };
    entries.into_iter().map(read).collect()
}

pub(super) fn chains<'a>(
    entries: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<Chain>, String> {
    let read = |text: &str| Chain::from_caip2(text).map_err(|unknown| unknown.to_string());
    entries.into_iter().map(read).collect()
}
