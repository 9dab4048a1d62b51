use super::*;

const NOON: UnixSeconds = UnixSeconds(1_774_000_800);

fn policy(rules: &str) -> Policy {
    let head = "policy: p\nepoch: 1\napplies_to: { agent: research-01 }\nrules:\n";
    let allow = "  - allow: { services: [\"*.example\"] }\n";
    Policy::parse(&format!("{head}{allow}{rules}{}", crate::fixture::people())).unwrap()
}

/// Lines and codes of the warnings about rules; the first rule after the `allow` is in line 6.
fn warned(rules: &str, float: Option<&str>) -> Vec<(u64, Code)> {
    let given = Given { float: float.map(|float| float.parse().unwrap()), now: NOON };
    lint(&policy(rules), &given).iter().map(|warning| (warning.line, warning.code)).collect()
}

#[test]
fn rules_that_another_rule_makes_idle_are_named() {
    let cases: &[(&str, &[(u64, Code)])] = &[
        ("  - max_amount: 1 USDC\n  - max_amount: 2 USDC\n", &[(7, Code::Idle)]),
        ("  - max_amount: 2 USDC\n  - limit: { amount: 1 USDC, per: day }\n", &[(6, Code::Idle)]),
        ("  - max_amount: 1 USDC\n  - max_amount: 1 USDC\n", &[(7, Code::Idle)]),
        (
            "  - limit: { amount: 5 USDC, per: hour }\n  - limit: { amount: 5 USDC, per: day }\n",
            &[(6, Code::Idle)],
        ),
        (
            "  - limit: { amount: 5 USDC, per: day, by: service }\n  \
             - limit: { amount: 5 USDC, per: day }\n",
            &[(6, Code::Idle)],
        ),
        (
            "  - rate: { count: 9, per: hour }\n  - rate: { count: 8, per: day }\n",
            &[(6, Code::Idle)],
        ),
        ("  - max_amount: 2 USDC\n    then: ask\n  - max_amount: 1 USDC\n", &[(6, Code::Idle)]),
        ("  - allow: { services: [api.example] }\n", &[(6, Code::Idle)]),
        // A limit that asks earlier, and one of another calendar, decide something.
        ("  - max_amount: 1 USDC\n    then: ask\n  - max_amount: 2 USDC\n", &[]),
        (
            "  - limit: { amount: 5 USDC, per: day }\n  \
             - limit: { amount: 5 USDC, per: day, calendar: Europe/Berlin }\n",
            &[],
        ),
        (
            "  - limit: { amount: 1 USDC, per: hour }\n  - limit: { amount: 5 USDC, per: day }\n",
            &[],
        ),
    ];
    for (rules, wanted) in cases {
        assert_eq!(warned(rules, None), *wanted, "{rules}");
    }
}

#[test]
fn lists_that_stop_each_other_are_named() {
    let blocked = "  - block: { services: [\"*.example\"] }\n";
    assert_eq!(warned(blocked, None), [(5, Code::BlockedEntry)]);
    assert_eq!(warned("  - block: { services: [api.example] }\n", None), []);
    let apart =
        "  - allow: { chains: [\"eip155:8453\"] }\n  - allow: { chains: [\"eip155:84532\"] }\n";
    assert_eq!(warned(apart, None), [(7, Code::Contradiction)]);
    let never = "  - allow: { chains: [\"eip155:8453\"] }\n  \
                 - allow: { recipients: [\"0x209693bc6afc0c5328ba36faf03c514ef312287c\"], \
                 chains: [\"eip155:84532\"] }\n";
    assert_eq!(warned(never, None), [(7, Code::Contradiction)]);
}

#[test]
fn hours_that_never_meet_are_named() {
    let day = "  - hours: { from: \"09:00\", to: \"12:00\", zone: Europe/Berlin }\n";
    let night = "  - hours: { from: \"22:00\", to: \"06:00\", zone: Europe/Berlin }\n";
    let there = "  - hours: { from: \"08:00\", to: \"12:00\", zone: America/New_York }\n";
    assert_eq!(warned(&format!("{day}{night}"), None), [(7, Code::NeverOpen)]);
    assert_eq!(warned(&format!("{day}{there}"), None), [(7, Code::NeverOpen)]);
    assert_eq!(warned(day, None), []);
    let late = "  - hours: { from: \"06:00\", to: \"18:00\", zone: Europe/Berlin }\n";
    assert_eq!(warned(&format!("{there}{late}"), None), []);
}

#[test]
fn what_is_above_the_float_is_named() {
    let limit = "  - limit: { amount: 10 USDC, per: day }\n  - max_amount: 6 USDC\n";
    assert_eq!(warned(limit, Some("10 USDC")), []);
    let above = [(6, Code::AboveFloat), (7, Code::AboveFloat)];
    assert_eq!(warned(limit, Some("5 USDC")), above);
    let by = "  - limit: { amount: 1 USDC, per: day, by: service }\n";
    assert_eq!(warned(by, Some("5 USDC")), [(0, Code::AboveFloat)]);
}

#[test]
fn a_policy_that_grants_nothing_is_named() {
    let text = "policy: p\nepoch: 1\napplies_to: { agent: a }\nrules: []\n";
    let given = Given { float: None, now: NOON };
    let warnings = lint(&Policy::parse(text).unwrap(), &given);
    assert_eq!(warnings.iter().map(|w| w.code).collect::<Vec<_>>(), [Code::GrantsNothing]);
}

#[test]
fn rules_that_never_fire_are_named() {
    let payee = "0x209693bc6afc0c5328ba36faf03c514ef312287c";
    let fires = Code::NeverFires;
    let only_block = format!("  - block: {{ recipients: [\"{payee}\"] }}\n");
    let cases: &[(&str, &[(u64, Code)])] = &[
        ("  - trust: { min: 0 }\n", &[(6, fires)]),
        ("  - trust: { min: 1 }\n", &[]),
        ("  - hours: { from: \"00:00\", to: \"24:00\", zone: Europe/Berlin }\n", &[(6, fires)]),
        ("  - hours: { from: \"00:00\", to: \"23:59\", zone: Europe/Berlin }\n", &[]),
        (
            "  - blackout: { from: 2020-01-01, until: 2020-01-02, zone: Europe/Berlin, reason: x }\n",
            &[(6, fires)],
        ),
        ("  - dates: { from: 2020-01-01, zone: Europe/Berlin }\n", &[(6, fires)]),
        ("  - dates: { from: 2020-01-01, until: 2099-01-01, zone: Europe/Berlin }\n", &[]),
        // No allow grants a transfer, so nothing has a fee.
        ("  - max_fee: 0.001 ETH\n", &[(6, fires)]),
        ("  - ask: { agents: [research-02] }\n", &[(6, fires)]),
        ("  - ask: { agents: [research-01] }\n", &[]),
        ("  - block: { services: [api.elsewhere] }\n", &[(6, fires)]),
        // A service may be paid at any address, so a block of one stops something.
        (&only_block, &[]),
        (
            "  - max_amount: 1 USDC\n  - rate: { count: 5, per: day }\n  \
             - limit: { amount: 5 USDC, per: hour }\n",
            &[(8, fires)],
        ),
        (
            "  - max_amount: 1 USDC\n  - rate: { count: 6, per: day }\n  \
             - limit: { amount: 5 USDC, per: hour }\n",
            &[],
        ),
        (
            "  - max_amount: 1 USDC\n  - rate: { count: 5, per: hour }\n  \
             - limit: { amount: 5 USDC, per: day }\n",
            &[],
        ),
    ];
    for (rules, wanted) in cases {
        assert_eq!(warned(rules, None), *wanted, "{rules}");
    }
}

#[test]
fn rules_about_services_are_idle_where_only_transfers_are_granted() {
    let text = "policy: p\nepoch: 1\napplies_to: { agent: a }\nrules:\n  \
                - allow: { recipients: [\"0x209693bc6afc0c5328ba36faf03c514ef312287c\"] }\n  \
                - x402: { max_validity: 5m }\n  - price_ceiling: { x402: 1 USDC }\n  \
                - max_fee: 0.001 ETH\n  \
                - block: { recipients: [\"0x00000000000000000000000000000000000000aa\"] }\n";
    let given = Given { float: None, now: NOON };
    let warnings = lint(&Policy::parse(text).unwrap(), &given);
    let found: Vec<_> = warnings.iter().map(|w| (w.line, w.kind.as_str(), w.code)).collect();
    let fires = Code::NeverFires;
    let wanted =
        [(6, "x402.max_validity", fires), (7, "price_ceiling.x402", fires), (9, "block", fires)];
    assert_eq!(found, wanted);
}

#[test]
fn a_question_that_is_always_refused_first_is_idle() {
    let asks = |above: &str| format!("  - max_amount: 1 USDC\n  - ask: {{ above: {above} }}\n");
    assert_eq!(warned(&asks("1 USDC"), None), [(7, Code::Idle)]);
    assert_eq!(warned(&asks("0.99 USDC"), None), []);
    let also = "  - max_amount: 1 USDC\n  - ask: { above: 2 USDC, new_payee: true }\n";
    assert_eq!(warned(also, None), []);
}

#[test]
fn an_organisation_may_restrict_and_grant_nothing() {
    let text = |subject: &str| {
        format!("policy: p\nepoch: 1\napplies_to: {subject}\nrules:\n  - max_amount: 1 USDC\n")
    };
    let found = |subject: &str| {
        let given = Given { float: None, now: NOON };
        lint(&Policy::parse(&text(subject)).unwrap(), &given).len()
    };
    assert_eq!(found("{ organisation: us }"), 0);
    assert_eq!(found("{ agent: a }"), 1);
}
