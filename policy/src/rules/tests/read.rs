//! Files that are no policy, and what is said of them.

use super::*;

/// The fixture's header has seven lines, so the first rule is in line 8.
fn refused(rules: &str) -> (u64, String) {
    match Policy::parse(&yaml(7, rules)) {
        Err(PolicyError::Malformed { line, reason }) => (line, reason),
        other => panic!("{rules}: {other:?}"),
    }
}

#[test]
fn bad_amounts_are_refused_with_their_line() {
    let two_to_256 =
        "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    for amount in [
        "1e6 USDC",
        "-1 USDC",
        "+1 USDC",
        "0x10 USDC",
        "１ USDC",
        "1_000 USDC",
        "1,5 USDC",
        ".5 USDC",
        "0.0000001 USDC",
        "007 USDC",
        &format!("{two_to_256} USDC"),
        "1",
        "0.50",
        "USDC",
        "1 usdc",
        "1 DAI",
        "1  USDC",
        "1USDC",
        "''",
        "~",
        "[1, USDC]",
        "\"1 USDC \"",
    ] {
        let (line, _) =
            refused(&format!("  - rate: {{ count: 1, per: day }}\n  - max_amount: {amount}"));
        assert_eq!(line, 9, "{amount}");
    }
    assert!(refused("  - max_amount: 0.50").1.contains("\"0.50 USDC\""));
    assert!(refused("  - max_amount: 1 DAI").1.contains("DAI"));
}

#[test]
fn unknown_keys_and_rules_are_refused_with_their_line() {
    for rules in [
        "  - max_amout: 1 USDC",
        "  - mode: warn",
        "  - limit: { amount: 1 USDC, per: day, then: ask }",
        "  - limit: { amount: 1 USDC }",
        "  - rate: { count: -1, per: day }",
        "  - rate: { count: 1.5, per: day }",
        "  - allow: { countries: [DE] }",
        "  - allow: {}",
        "  - block: vendors",
        "  - { max_amount: 1 USDC, rate: { count: 1, per: day } }",
        "  - {}",
        "  - []",
    ] {
        let (line, reason) = refused(rules);
        assert_eq!(line, 8, "{rules}: {reason}");
        assert!(!reason.is_empty(), "{rules}");
    }
    assert!(refused("  - max_amout: 1 USDC").1.contains("max_amout"));
    refused("  - max_amount");
}

#[test]
fn windows_and_zones_that_do_not_exist_are_refused() {
    for per in [
        "0", "0s", "zero", "year", "Day", "\"\"", "[day]", "0m", "0d", "32d", "24s", "-1h", "01h",
        "1.5h",
    ] {
        let (line, _) = refused(&format!("  - limit: {{ amount: 1 USDC, per: {per} }}"));
        assert_eq!(line, 8, "{per}");
    }
    for zone in ["Mars/Olympus", "europe/berlin", "+02:00", "\"\"", "7"] {
        let (line, reason) =
            refused(&format!("  - limit: {{ amount: 1 USDC, per: day, calendar: {zone} }}"));
        assert_eq!(line, 8, "{zone}");
        assert!(reason.contains("IANA"), "{reason}");
        let hours = format!("  - hours: {{ from: \"09:00\", to: \"17:00\", zone: {zone} }}");
        assert_eq!(refused(&hours).0, 8, "{zone}");
    }
}

#[test]
fn hours_are_times_of_day_in_a_zone() {
    for fields in [
        "from: \"09:00\", to: \"17:00\"",
        "from: \"9:00\", to: \"17:00\", zone: UTC",
        "from: \"09:60\", to: \"17:00\", zone: UTC",
        "from: \"09:00\", to: \"24:01\", zone: UTC",
        "from: \"24:00\", to: \"09:00\", zone: UTC",
        "from: \"09:00\", to: \"09:00\", zone: UTC",
        "from: \"+9:00\", to: \"17:00\", zone: UTC",
        "from: 900, to: \"17:00\", zone: UTC",
        "from: \"09:00\", to: \"17:00\", zone: UTC, days: []",
        "from: \"09:00\", to: \"17:00\", zone: UTC, days: [monday]",
        "from: \"09:00\", to: \"17:00\", zone: UTC, days: mon",
    ] {
        assert_eq!(refused(&format!("  - hours: {{ {fields} }}")).0, 8, "{fields}");
    }
}

#[test]
fn names_of_parties_are_taken_in_one_writing_only() {
    for service in [
        "API.example",
        "https://api.example",
        "api.example/path",
        "api.example:443",
        "api.example:80",
        "user@api.example",
        "*",
        "*.",
        "*.*.example",
        "api.*.example",
        "bücher.example",
        "api example",
        "\"\"",
        "1.2.3",
    ] {
        let (line, reason) = refused(&format!("  - allow: {{ services: [\"{service}\"] }}"));
        assert_eq!(line, 8, "{service}");
        assert!(!reason.is_empty());
    }
    for recipient in [
        "0x209693bc6afc0c5328ba36faf03c514ef312287",
        "209693bc6afc0c5328ba36faf03c514ef312287c",
        "0x209693BC6afc0C5328bA36FaF03C514EF312287C",
        "0X209693bc6afc0c5328ba36faf03c514ef312287c",
        "vitalik.eth",
    ] {
        let (line, reason) = refused(&format!("  - allow: {{ recipients: [\"{recipient}\"] }}"));
        assert_eq!(line, 8, "{recipient}");
        assert!(reason.contains("address"), "{reason}");
    }
    for rule in [
        "allow: { assets: [usdc] }",
        "allow: { chains: [base] }",
        "allow: { chains: [8453] }",
        "allow: { services: nobody }",
        "allow: { services: api.search.example }",
        "allow: { recipients: vendors }",
    ] {
        assert_eq!(refused(&format!("  - {rule}")).0, 8, "{rule}");
    }
    for good in [
        "recipients: [0x209693bc6afc0c5328ba36faf03c514ef312287c]",
        "recipients: [0x209693Bc6afc0C5328bA36FaF03C514EF312287C]",
        "services: [localhost:8402, 127.0.0.1, \"[::1]:8402\", \"*.example:8443\", http.example:8080]",
        "services: vendors, recipients: payees, assets: [USDC], chains: [eip155:8453]",
    ] {
        let policy = Policy::parse(&yaml(7, &format!("  - allow: {{ {good} }}")));
        assert!(policy.is_ok(), "{good}: {policy:?}");
    }
}

#[test]
fn names_given_twice_are_refused() {
    let good = yaml(7, "  - allow: { services: vendors }");
    assert!(Policy::parse(&good).is_ok());
    for (what, text) in [
        ("list", good.replace("  payees:", "  vendors:")),
        ("header key", format!("epoch: 8\n{good}")),
        ("rule key", yaml(7, "  - limit: { amount: 1 USDC, amount: 2 USDC, per: day }")),
        ("rules", format!("{good}rules: []\n")),
    ] {
        let refused = Policy::parse(&text);
        assert!(
            matches!(refused, Err(PolicyError::Malformed { line: 1.., .. })),
            "{what}: {refused:?}"
        );
    }
}

#[test]
fn headers_are_complete_and_plain() {
    let good = yaml(7, "  - allow: { services: vendors }");
    for (from, to) in [
        ("policy: research-01", "policy: Research 01"),
        ("policy: research-01", "name: research-01"),
        ("epoch: 7", "epoch: 0"),
        ("epoch: 7", "epoch: -7"),
        ("epoch: 7", "epoch: 9007199254740992"),
        ("epoch: 7", "epoch: seven"),
        ("epoch: 7\n", ""),
        ("applies_to: { agent: research-01 }\n", ""),
        ("applies_to: { agent: research-01 }", "applies_to: { agent: \"*\" }"),
        ("applies_to: { agent: research-01 }", "applies_to: { wallet: research-01 }"),
        ("vendors: [", "vendors: &v ["),
        ("'0x209693Bc6afc0C5328bA36FaF03C514EF312287C'", "*v"),
        ("lists:", "lists:\n  <<: {}"),
        ("  payees:", "  Payees!:"),
        ("rules:", "---\nrules:"),
    ] {
        assert!(good.contains(from), "{from}");
        let refused = Policy::parse(&good.replace(from, to));
        assert!(matches!(refused, Err(PolicyError::Malformed { .. })), "{to}: {refused:?}");
    }
    for empty in ["", "---", "{}", "[]", "null", "policy"] {
        assert!(Policy::parse(empty).is_err(), "{empty}");
    }
}

#[test]
fn files_lists_and_rules_have_an_end() {
    let long = " ".repeat(POLICY_BYTES_MAX + 1);
    assert!(matches!(Policy::parse(&long), Err(PolicyError::TooLarge { .. })));
    let many = "  - rate: { count: 1, per: day }\n".repeat(RULES_MAX + 1);
    assert!(refused(&many).1.contains("at most 64"));
    let list = |entries: usize| {
        let hosts: Vec<_> = (0..entries).map(|n| format!("h{n}.example")).collect();
        format!("  - allow: {{ services: [{}] }}", hosts.join(", "))
    };
    assert!(Policy::parse(&yaml(7, &list(LIST_ENTRIES_MAX))).is_ok());
    assert!(refused(&list(LIST_ENTRIES_MAX + 1)).1.contains("at most 2000"));
    let lists: String = (0..=LISTS_MAX).map(|n| format!("  l{n}: []\n")).collect();
    let text = yaml(7, "  []").replace("lists:\n", &format!("lists:\n{lists}"));
    assert!(matches!(Policy::parse(&text), Err(PolicyError::Malformed { .. })));
    let deep = format!("  - allow: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(Policy::parse(&yaml(7, &deep)).is_err());
}
