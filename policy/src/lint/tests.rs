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
        ("  - rate: { count: 9, per: hour }\n  - rate: { count: 8, per: day }\n", &[(6, Code::Idle)]),
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
    let apart = "  - allow: { chains: [\"eip155:8453\"] }\n  - allow: { chains: [\"eip155:84532\"] }\n";
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
