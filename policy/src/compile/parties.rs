//! Whom, where and with what, in Cedar: `allow` and `block`.

use std::collections::BTreeSet;

use alloy_primitives::Address;

use super::literal::{ends_with, holds, set, text};
use super::rules::categories;
use crate::chain::{ASSETS, Asset, Chain};
use crate::rules::{Allow, Block, Services};

/// When a payment's service or recipient is among the entries of a list, as a Cedar expression.
#[must_use]
pub fn listed(entries: &[String]) -> String {
    let (addresses, hosts): (Vec<_>, Vec<_>) =
        entries.iter().partition(|entry| entry.starts_with("0x"));
    let addresses: Vec<_> = addresses.iter().map(|entry| entry.to_ascii_lowercase()).collect();
    let recipients = set(addresses.iter().map(String::as_str));
    let recipients = contains(&recipients, addresses.is_empty(), "resource.recipient");
    let hosts = service(any(hosts.iter().map(|entry| allowed(entry))));
    format!("((resource has recipient && {recipients}) || {hosts})")
}

/// When an `allow` matches.
pub(super) fn allow(rule: &Allow) -> String {
    let named = &rule.0;
    let mut all = Vec::new();
    all.extend(named.assets.as_ref().map(assets));
    all.extend(named.chains.as_ref().map(chains));
    all.extend(named.contracts.as_ref().map(contracts));
    if rule.can_grant() {
        all.extend(named.recipients.as_ref().map(recipients));
        let trade = |named| format!("(resource has category && {})", categories(named));
        all.extend(named.categories.as_ref().map(trade));
        match (&named.services, &named.categories) {
            (Some(services), _) => {
                all.push(service(any(services.entries().iter().map(|entry| allowed(entry)))));
            }
            (None, Some(_)) => {}
            // A list of recipients alone never grants what is paid for a service.
            (None, None) => all.push("!(resource has service)".to_owned()),
        }
    }
    if all.is_empty() { "true".to_owned() } else { format!("({})", all.join(" && ")) }
}

/// When a `block` matches.
pub(super) fn block(rule: &Block) -> String {
    let named = &rule.0;
    let services =
        |list: &Services| service(any(list.entries().iter().flat_map(|entry| blocked(entry))));
    // Nobody can say of a payee without a category that it is not in one that is blocked.
    let trade = |named| format!("(if resource has category then {} else true)", categories(named));
    any([
        named.assets.as_ref().map(assets),
        named.chains.as_ref().map(chains),
        named.contracts.as_ref().map(contracts),
        named.recipients.as_ref().map(recipients),
        named.services.as_ref().map(services),
        named.categories.as_ref().map(trade),
    ]
    .into_iter()
    .flatten())
}

/// Any of these; none of none.
pub(super) fn any(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { "false".to_owned() } else { format!("({})", parts.join(" || ")) }
}

fn assets(symbols: &BTreeSet<&'static str>) -> String {
    contains(&set(symbols.iter().copied()), symbols.is_empty(), "resource.asset")
}

fn chains(chains: &BTreeSet<Chain>) -> String {
    let names = chains.iter().map(|chain| chain.caip2());
    contains(&set(names), chains.is_empty(), "resource.chain")
}

/// What payments call is the contract of the asset that they move.
fn contracts(addresses: &BTreeSet<Address>) -> String {
    let named = ASSETS.iter().filter(|asset| addresses.contains(&asset.token));
    any(named.map(pair))
}

/// An asset on its chain.
pub(super) fn pair(asset: &Asset) -> String {
    let (chain, symbol) = (text(asset.chain.caip2()), text(asset.symbol));
    format!("(resource.chain == {chain} && resource.asset == {symbol})")
}

fn recipients(addresses: &BTreeSet<Address>) -> String {
    let names: Vec<_> = addresses.iter().map(|address| format!("{address:#x}")).collect();
    let list = set(names.iter().map(String::as_str));
    let within = contains(&list, addresses.is_empty(), "resource.recipient");
    format!("(resource has recipient && {within})")
}

/// An empty set has no type in Cedar.
fn contains(set: &str, is_empty: bool, what: &str) -> String {
    if is_empty { "false".to_owned() } else { format!("{set}.contains({what})") }
}

fn service(matches: String) -> String {
    format!("(resource has service && {matches})")
}

fn equals(host: &str) -> String {
    format!("resource.service == {}", text(host))
}

fn like(pattern: &str) -> String {
    format!("resource.service like {pattern}")
}

fn allowed(entry: &str) -> String {
    match entry.strip_prefix('*') {
        Some(suffix) => like(&ends_with(suffix)),
        None => equals(entry),
    }
}

/// A block is not escaped by a port or by the dot that ends a full domain name.
fn blocked(entry: &str) -> Vec<String> {
    let (front, host) = match entry.strip_prefix('*') {
        Some(suffix) => ("*", suffix),
        None => ("", entry),
    };
    let ends = |host: &str| match front {
        "" => equals(host),
        _ => like(&ends_with(host)),
    };
    let port = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    match port {
        _ if host.ends_with('.') => vec![ends(host)],
        Some((name, _)) if name.ends_with('.') => vec![ends(host)],
        Some((name, port)) => vec![ends(host), ends(&format!("{name}.:{port}"))],
        None => vec![
            ends(host),
            ends(&format!("{host}.")),
            like(&holds(front, &format!("{host}:"))),
            like(&holds(front, &format!("{host}.:"))),
        ],
    }
}
