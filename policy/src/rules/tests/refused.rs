//! Rules that are none: each is refused with its line, and a reason that names what is wrong.

use super::*;
use crate::fixture::file;

/// The first rule of a file without people stands in line 8.
fn refused(rule: &str) -> (u64, String) {
    malformed(&yaml(7, &format!("  - rate: {{ count: 1, per: day }}\n  - {rule}\n")))
}

fn malformed(text: &str) -> (u64, String) {
    match Policy::parse(text) {
        Err(PolicyError::Malformed { line, reason }) => (line, reason),
        other => panic!("{text}\n{other:?}"),
    }
}

fn check(table: &[(&str, &str)]) {
    for (rule, expected) in table {
        let (line, reason) = refused(rule);
        assert!(line == 9 && reason.contains(expected), "{rule}: line {line}: {reason}");
    }
}

#[test]
fn unknown_rules_and_keys() {
    check(&[
        ("max_amout: 1 USDC", "max_amout"),
        ("{ max_amount: 1 USDC, colour: red }", "colour"),
        ("limit: { amount: 1 USDC, per: day, colour: red }", "colour"),
        ("rate: { count: 1, per: day, colour: red }", "colour"),
        ("price_ceiling: { x402: 1 USDC, colour: red }", "colour"),
        ("max_fee: { amount: 1 ETH, per: day, colour: red }", "colour"),
        ("allow: { services: vendors, colour: red }", "colour"),
        ("block: { services: vendors, colour: red }", "colour"),
        ("payee_pinning: { new: allow, colour: red }", "colour"),
        ("trust: { min: 1, colour: red }", "colour"),
        ("country: { allow: [DE], colour: red }", "colour"),
        ("hours: { from: \"09:00\", to: \"17:00\", zone: UTC, colour: red }", "colour"),
        ("dates: { from: 2025-01-01, zone: UTC, colour: red }", "colour"),
        (
            "blackout: { from: 2025-01-01, until: 2025-01-02, zone: UTC, reason: x, colour: red }",
            "colour",
        ),
        ("x402: { schemes: [exact], colour: red }", "colour"),
        ("mpp: { intents: [charge], colour: red }", "colour"),
        ("ask: { above: 1 USDC, colour: red }", "colour"),
        ("freeze: { refusals: 1, per: hour, colour: red }", "colour"),
        ("{ max_amount: 1 USDC, then: maybe }", "maybe"),
        ("{ max_amount: 1 USDC, trust: { min: 1 } }", "exactly one rule"),
        ("{ then: warn }", "exactly one rule"),
    ]);
}

#[test]
fn amounts_without_an_asset() {
    check(&[
        ("max_amount: 5", "not an amount with its asset"),
        ("max_amount: 0.50", "not an amount with its asset"),
        ("limit: { amount: 10, per: day }", "not an amount with its asset"),
        ("limit: { amount: 10 DOGE, per: day }", "\"DOGE\" is not an asset"),
        ("limit: { amount: 10 ETH, per: day }", "\"ETH\" is not an asset"),
        ("price_ceiling: { mpp: 10 }", "not an amount with its asset"),
        ("ask: { above: 10 }", "not an amount with its asset"),
        ("x402: { session_budget: 10 }", "not an amount with its asset"),
        ("mpp: { max_deposit: 10 }", "not an amount with its asset"),
        ("mpp: { max_voucher_step: 10 }", "not an amount with its asset"),
        ("freeze: { spike: 5x, per: day, over: 2, at_least: 10 }", "not an amount with its asset"),
        ("max_fee: 10", "a fee such as \"0.0005 ETH\""),
        ("max_fee: { amount: 10, per: day }", "not an amount with its asset"),
        ("max_fee: 10 USDC", "not what chains take fees in"),
    ]);
}

#[test]
fn zones_that_do_not_exist_and_windows_of_nothing() {
    let zone = "not a zone of the IANA database";
    check(&[
        ("limit: { amount: 1 USDC, per: day, calendar: Mars/Olympus }", zone),
        ("rate: { count: 1, per: day, calendar: CEST }", zone),
        ("max_fee: { amount: 1 ETH, per: day, calendar: utc }", zone),
        ("hours: { from: \"09:00\", to: \"17:00\", zone: Europe/Atlantis }", zone),
        ("dates: { from: 2025-01-01, zone: +01:00 }", zone),
        ("blackout: { from: 2025-01-01, until: 2025-01-02, zone: Berlin, reason: x }", zone),
        ("hours: { from: \"09:00\", to: \"17:00\" }", "zone"),
        ("limit: { amount: 1 USDC, per: 0m }", "holds nothing"),
        ("rate: { count: 1, per: 0d }", "holds nothing"),
        ("max_fee: { amount: 1 ETH, per: 0h }", "holds nothing"),
        ("freeze: { refusals: 1, per: 0m }", "holds nothing"),
        ("limit: { amount: 1 USDC, per: 32d }", "longest period"),
        ("limit: { amount: 1 USDC, per: 90m, calendar: UTC }", "leave `calendar` out"),
        ("x402: { max_validity: 0s }", "not a length of time"),
        ("mpp: { max_session_duration: 0h }", "not a length of time"),
        ("hours: { from: \"09:00\", to: \"09:00\", zone: UTC }", "never open"),
        ("dates: { from: 2025-01-02, until: 2025-01-01, zone: UTC }", "holds no moment"),
        ("dates: { zone: UTC }", "a from, an until, or both"),
    ]);
}

#[test]
fn parties_that_are_none() {
    check(&[
        ("allow: {}", "name at least one of"),
        ("allow: { services: nobody }", "there is no list \"nobody\""),
        ("block: { services: [\"https://a.example\"] }", "is not a service"),
        ("block: { recipients: [alice] }", "is not an address"),
        ("allow: { contracts: [alice] }", "is not an address"),
        ("allow: { assets: [DOGE] }", "is not an asset"),
        ("block: { categories: [\"Big Data\"] }", "Big Data"),
        ("trust: { min: 101 }", "from 0 to 100"),
        ("trust: { min: 256 }", "from 0 to 100"),
        ("country: {}", "one of allow and block"),
        ("country: { allow: [DE], block: [FR] }", "one of allow and block"),
        ("country: { allow: [de] }", "de"),
        ("country: { allow: [Germany] }", "Germany"),
        ("payee_pinning: { new: maybe }", "maybe"),
        ("payee_pinning: { changed: allow }", "allow"),
    ]);
}

#[test]
fn stops_and_questions_that_are_none() {
    let one_of = "a freeze has one of";
    check(&[
        ("freeze: { per: hour }", one_of),
        ("freeze: { refusals: 1, failures: 1, per: hour }", one_of),
        ("freeze: { refusals: 0, per: hour }", "from 1 to 1000"),
        ("freeze: { new_payees: 1001, per: hour }", "from 1 to 1000"),
        ("freeze: { refusals: 1 }", "per"),
        ("freeze: { spike: 5x, per: day }", "a spike needs over"),
        ("freeze: { spike: 5x, per: day, over: 31 }", "a spike needs over"),
        ("freeze: { spike: 1x, per: day, over: 7 }", "a factor from 2x"),
        ("freeze: { spike: 5, per: day, over: 7 }", "a factor from 2x"),
        ("freeze: { failures: 1, per: day, over: 7 }", "are for a spike"),
        ("{ freeze: { refusals: 1, per: hour }, then: ask }", "nobody is asked past it"),
        ("{ block: { services: vendors }, then: ask }", "nobody is asked past it"),
        ("{ price_ceiling: { x402: 1 USDC }, then: ask }", "nobody is asked past it"),
        ("ask: {}", "nobody is asked"),
        ("{ ask: { above: 1 USDC }, then: warn }", "says itself what follows"),
        ("{ payee_pinning: {}, then: refuse }", "says itself what follows"),
        ("{ v1_channels: [], then: warn }", "says itself what follows"),
        ("v1_channels: [\"0x12\"]", "0x and 64 hexadecimal digits"),
        ("v1_channels: nobody", "there is no list"),
        // Nobody is named in this file.
        ("ask: { above: 1 USDC }", "nobody is asked: name approvers"),
        ("payee_pinning: {}", "nobody is asked: name approvers"),
        ("payee_pinning: { new: allow, changed: ask }", "nobody is asked: name approvers"),
        ("{ trust: { min: 1 }, then: ask }", "nobody is asked: name approvers"),
        ("{ max_amount: 1 USDC, expires: 5m }", "for a rule that asks"),
        ("when: 'resource.amount >'", "not a condition"),
        ("when: 'context.mood == 1'", "mood"),
        ("mpp: { voucher_signer: agent }", "agent"),
        ("x402: {}", "demands nothing"),
        ("mpp: {}", "demands nothing"),
    ]);
}

/// The same in a file that names people: the first rule stands in line 15.
#[test]
fn people_who_cannot_be_asked() {
    let alice = "approvers: { any: 1, of: [alice] }";
    for (rule, expected) in [
        (format!("{{ max_amount: 1 USDC, {alice} }}"), "for a rule that asks"),
        (format!("{{ block: {{ assets: [] }}, {alice} }}"), "for a rule that asks"),
        (
            format!("{{ payee_pinning: {{ new: allow, changed: refuse }}, {alice} }}"),
            "for a rule that asks",
        ),
        (format!("{{ ask: {{ above: 1 USDC, {alice} }}, {alice} }}"), "named twice"),
        ("ask: {}".to_owned(), "an ask names when"),
        ("ask: { above: 1 USDC, approvers: {} }".to_owned(), "approvers are one of"),
        (
            "ask: { above: 1 USDC, approvers: { any: 1, of: [mallory] } }".to_owned(),
            "\"mallory\" is not one of the people",
        ),
        (
            "ask: { above: 1 USDC, approvers: { any: 1, role: king } }".to_owned(),
            "has the role \"king\"",
        ),
        (
            "ask: { above: 1 USDC, approvers: { any: 3, role: finance } }".to_owned(),
            "can never say yes together",
        ),
        (
            "ask: { above: 1 USDC, approvers: { sequence: [bob, alice, bob] } }".to_owned(),
            "a person is named twice",
        ),
        ("ask: { above: 1 USDC, expires: 0m }".to_owned(), "not a length of time"),
    ] {
        let text = file("{ agent: research-01 }", 7, &format!("  - {rule}\n"));
        let (line, reason) = malformed(&text);
        assert!(line == 15 && reason.contains(expected), "{rule}: line {line}: {reason}");
    }
}

#[test]
fn names_that_are_there_twice() {
    let good = file("{ agent: research-01 }", 7, "  - rate: { count: 1, per: day }\n");
    assert!(Policy::parse(&good).is_ok());
    let key = crate::document::Ed25519PublicKey::of(&key(11));
    for (from, to, line, expected) in [
        ("  bob:", "  alice:", 3, "alice"),
        ("  payees:", "  vendors:", 13, "vendors"),
        ("epoch: 7", "epoch: 7\nepoch: 8", 10, "epoch"),
        ("count: 1,", "count: 1, count: 2,", 15, "count"),
        ("rules:", "rules: []\nrules:", 15, "rules"),
        (
            "  dave:",
            &format!("  eve: {{ key: '{key}' }}\n  dave:"),
            5,
            "has the key of somebody else",
        ),
        ("roles: [finance]", "roles: [finance], roles: []", 2, "roles"),
    ] {
        assert!(good.contains(from), "{from}");
        let (at, reason) = malformed(&good.replacen(from, to, 1));
        assert!(at == line && reason.contains(expected), "{to}: line {at}: {reason}");
    }
}
