//! Rules about whom, where and with what: `allow` and `block`.

use std::collections::BTreeSet;

use alloy_primitives::Address;

use crate::chain::{ASSETS, Chain};
use crate::intent::Service;
use crate::registry::Category;
use crate::rules::{Judgement, View};

/// What a rule names. Absent means not named, which is not the same as an empty list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) services: Option<Services>,
    pub(crate) recipients: Option<BTreeSet<Address>>,
    pub(crate) assets: Option<BTreeSet<&'static str>>,
    pub(crate) chains: Option<BTreeSet<Chain>>,
    pub(crate) contracts: Option<BTreeSet<Address>>,
    pub(crate) categories: Option<BTreeSet<Category>>,
    /// For findings: `services vendors, chains eip155:8453`.
    pub(super) text: String,
}

/// What may be paid: everything that is named has to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow(pub(crate) Named);

/// What must not be paid: anything named that matches is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block(pub(crate) Named);

impl Allow {
    /// Whether the rule is of the granting sort: it names services, recipients or
    /// categories.
    pub(crate) const fn can_grant(&self) -> bool {
        self.0.services.is_some() || self.0.recipients.is_some() || self.0.categories.is_some()
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
            && named.chains.as_ref().is_none_or(|set| set.contains(&ask.asset.chain))
            && named.contracts.as_ref().is_none_or(|set| set.contains(&ask.asset.token));
        let category = category(view);
        let trade = named
            .categories
            .as_ref()
            .is_none_or(|set| category.is_some_and(|category| set.contains(category)));
        let payee = match &named.recipients {
            Some(set) => {
                ask.recipient.is_some_and(|payee| set.contains(&payee))
                    && ask.splits.iter().all(|split| set.contains(&split.to))
            }
            // Who is paid beside the primary payee is nobody's service: by its address or not.
            None => ask.splits.is_empty(),
        };
        let matches = match (&named.services, ask.service) {
            // A restriction of assets, chains or contracts for whatever is paid.
            _ if !self.can_grant() => place,
            // What is paid for a service is granted by the service; its payee and its trade count
            // where they are named too.
            (Some(services), Some(service)) => place && payee && trade && services.allow(service),
            // A list of recipients alone never grants what is paid for a service.
            (None, Some(_)) => place && payee && trade && named.categories.is_some(),
            // A transfer is granted by who is paid.
            (None, None) => place && payee && trade,
            // A list of services never grants a transfer.
            (Some(_), None) => false,
        };
        let grants = matches && self.can_grant();
        Judgement { kept: matches, grants, ..named.judgement(view) }
    }
}

impl Block {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let (named, ask) = (&self.0, view.ask);
        let asset = named.assets.as_ref().is_some_and(|set| set.contains(ask.asset.symbol));
        let chain = named.chains.as_ref().is_some_and(|set| set.contains(&ask.asset.chain));
        let payee = named.recipients.as_ref().is_some_and(|set| {
            ask.recipient.is_some_and(|payee| set.contains(&payee))
                || ask.splits.iter().any(|split| set.contains(&split.to))
        });
        let service = named
            .services
            .as_ref()
            .is_some_and(|set| ask.service.is_some_and(|service| set.block(service)));
        let contract = named.contracts.as_ref().is_some_and(|set| set.contains(&ask.asset.token));
        // Nobody can say of a payee without a category that it is not in one that is blocked.
        let trade = named
            .categories
            .as_ref()
            .is_some_and(|set| category(view).is_none_or(|category| set.contains(category)));
        let met = asset || chain || payee || service || contract || trade;
        Judgement { kept: !met, ..named.judgement(view) }
    }
}

impl Named {
    /// Which sorts of thing it names.
    pub(crate) const fn axes(&self) -> [bool; 6] {
        [
            self.services.is_some(),
            self.recipients.is_some(),
            self.assets.is_some(),
            self.chains.is_some(),
            self.contracts.is_some(),
            self.categories.is_some(),
        ]
    }

    /// Everything it names, as files write it.
    pub(crate) fn entries(&self) -> Vec<String> {
        let mut entries = self.services.as_ref().map(Services::entries).unwrap_or_default();
        entries.extend(self.recipients.iter().flatten().map(ToString::to_string));
        entries.extend(self.assets.iter().flatten().map(ToString::to_string));
        entries.extend(self.chains.iter().flatten().map(ToString::to_string));
        entries.extend(self.contracts.iter().flatten().map(|to| format!("contract {to}")));
        entries.extend(self.categories.iter().flatten().map(ToString::to_string));
        entries
    }

    /// Names what another names, too.
    pub(crate) fn extend(&mut self, other: &Self) {
        if let Some(services) = &other.services {
            self.services.get_or_insert_default().extend(services);
        }
        add(&mut self.recipients, other.recipients.as_ref());
        add(&mut self.assets, other.assets.as_ref());
        add(&mut self.chains, other.chains.as_ref());
        add(&mut self.contracts, other.contracts.as_ref());
        add(&mut self.categories, other.categories.as_ref());
    }

    fn has_empty_list(&self) -> bool {
        self.services.as_ref().is_some_and(Services::is_empty)
            || self.recipients.as_ref().is_some_and(BTreeSet::is_empty)
            || self.assets.as_ref().is_some_and(BTreeSet::is_empty)
            || self.chains.as_ref().is_some_and(BTreeSet::is_empty)
            || self.contracts.as_ref().is_some_and(BTreeSet::is_empty)
            || self.categories.as_ref().is_some_and(BTreeSet::is_empty)
    }

    fn judgement(&self, view: &View<'_>) -> Judgement {
        let ask = view.ask;
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
        if self.contracts.is_some() {
            asked.push(ask.asset.token.to_string());
        }
        if self.categories.is_some() {
            asked.push(category(view).map_or("no category", Category::as_str).to_owned());
        }
        let asked = asked.join(", ");
        Judgement { limit: self.text.clone(), asked, ..Judgement::default() }
    }
}

/// What who is paid deals in, where the registry says.
fn category<'a>(view: &View<'a>) -> Option<&'a Category> {
    view.counterparty.and_then(|who| who.category.as_ref())
}

/// Services, to the letter or below a suffix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Services {
    exact: BTreeSet<String>,
    below: BTreeSet<String>,
}

impl Services {
    pub(crate) fn from_patterns<'a>(
        patterns: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, String> {
        let mut services = Self::default();
        for pattern in patterns {
            let host = pattern.strip_prefix("*.").unwrap_or(pattern);
            service(host).ok_or_else(|| {
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

    /// Whether whatever matches an entry of this matches one of `wide`.
    pub(crate) fn within(&self, wide: &Self) -> bool {
        let below = |suffix: &String| {
            wide.below.contains(suffix) || parents(suffix).any(|parent| wide.below.contains(parent))
        };
        self.exact.iter().all(|host| wide.has(host)) && self.below.iter().all(below)
    }

    pub(crate) fn entries(&self) -> Vec<String> {
        let below = self.below.iter().map(|suffix| format!("*.{suffix}"));
        self.exact.iter().cloned().chain(below).collect()
    }

    fn extend(&mut self, other: &Self) {
        self.exact.extend(other.exact.iter().cloned());
        self.below.extend(other.below.iter().cloned());
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

fn add<T: Ord + Clone>(all: &mut Option<BTreeSet<T>>, more: Option<&BTreeSet<T>>) {
    if let Some(more) = more {
        all.get_or_insert_default().extend(more.iter().cloned());
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
fn service(host: &str) -> Option<Service> {
    let written = |scheme: &str| {
        let service = Service::of(&format!("{scheme}://{host}/")).ok();
        service.filter(|service| service.as_str() == host)
    };
    if host.contains('*') { None } else { written("http").and_then(|_| written("https")) }
}

/// One service, to the letter.
pub(crate) fn read_service(host: &str) -> Result<Service, String> {
    service(host).ok_or_else(|| {
        format!(
            "{host:?} is not a service: write a host in lower case, with a port where it is not \
             the scheme's own, such as \"api.example\""
        )
    })
}

/// An address, in lower case or with its checksum.
pub(crate) fn read_recipient(text: &str) -> Result<Address, String> {
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
}

pub(super) fn recipients<'a>(
    entries: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<Address>, String> {
    entries.into_iter().map(read_recipient).collect()
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

pub(super) fn categories<'a>(
    entries: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<Category>, String> {
    let read = |text: &str| text.parse().map_err(|bad: crate::party::BadName| bad.to_string());
    entries.into_iter().map(read).collect()
}

pub(super) fn chains<'a>(
    entries: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<Chain>, String> {
    let read = |text: &str| Chain::from_caip2(text).map_err(|unknown| unknown.to_string());
    entries.into_iter().map(read).collect()
}
