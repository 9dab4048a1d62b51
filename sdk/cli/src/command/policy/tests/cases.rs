use super::*;

const CASES: &str = "cases:
  - case: small
    ask: { amount: 0.10 USDC, service: api.search.example, at: 1700000000 }
    expect: { verdict: approve }
  - case: the day is full
    given:
      - { amount: 0.50 USDC, service: api.search.example, times: 2, at: 1699999000 }
    ask: { amount: 0.10 USDC, service: api.search.example, at: 1700000000 }
    expect: { verdict: refuse, fires: [limit], resets_at: 1700085400 }
";

#[test]
fn cases_beside_a_policy_are_run() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", POLICY);
    let cases = desk.file("p.test.yaml", CASES);
    for named in [&policy, &cases] {
        let answer = desk.ask(&["test", named]).unwrap();
        assert_eq!(answer.exit, Exit::Ok, "{}", answer.text);
        assert_eq!((&answer.json["passed"], &answer.json["failed"]), (&json!(2), &json!(0)));
    }
    let elsewhere = desk.file("other.yaml", CASES);
    assert_eq!(desk.ask(&["test", &policy, "--cases", &elsewhere]).unwrap().exit, Exit::Ok);
}

#[test]
fn a_failing_case_shows_the_difference() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", POLICY);
    let tables = [
        ("verdict: approve }", "verdict: refuse }", "approved, expected refused"),
        ("fires: [limit]", "fires: [rate]", "fires limit, expected rate"),
        ("fires: [limit]", "fires: []", "fires limit, expected none"),
        ("1700085400", "1700085401", "resets at 2023-11-15T21:56:40Z, expected"),
        ("verdict: approve }", "verdict: approve, asks: [alice] }", "asks none, expected alice"),
        ("verdict: approve }", "verdict: approve, warns: [limit] }", "warns none, expected limit"),
    ];
    for (old, new, wanted) in tables {
        let cases = desk.file("p.test.yaml", &CASES.replacen(old, new, 1));
        let answer = desk.ask(&["test", &policy]).unwrap();
        assert_eq!(answer.exit, Exit::Failure, "{new}");
        assert_eq!(answer.json["failed"], 1, "{new}");
        assert!(answer.text.contains(wanted), "{new}: {}", answer.text);
        let line = if old.contains("approve") { 2 } else { 5 };
        assert!(answer.text.contains(&format!("{cases}:{line}: ")), "{}", answer.text);
    }
    let wrong = CASES.replacen("verdict: refuse", "verdict: approve", 1);
    desk.file("p.test.yaml", &wrong);
    let text = desk.ask(&["test", &policy]).unwrap().text;
    let place = format!("{policy}:6: rule 1 limit: limit 1 USDC per day, already 1 USDC");
    assert!(text.contains(&place), "{text}");
}

#[test]
fn bad_cases_are_refused_with_file_line_and_reason() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", POLICY);
    for (old, new, line, reason) in [
        ("ask: { amount: 0.10 USDC, ", "ask: { ammount: 0.10 USDC, ", 3, "ammount"),
        ("amount: 0.10 USDC", "amount: 0.10 DOGE", 3, "DOGE"),
        (", at: 1700000000 }", " }", 3, "at"),
        (", at: 1699999000 }", " }", 7, "at"),
        ("amount: 0.10 USDC, ", "", 3, "amount"),
        ("amount: 0.10 USDC", "times: 2, amount: 0.10 USDC", 3, "times"),
        ("times: 2", "times: 200000", 7, "times"),
        ("times: 2", "settled: 0.60 USDC", 7, "settled"),
        ("times: 2", "state: refused, settled: 0.1 USDC", 7, "settled"),
        ("times: 2", "state: lost", 7, "lost"),
        ("times: 2", "at: 1", 7, "at"),
        ("times: 2", "approvals: [{ by: alice }]", 7, "approvals"),
        ("at: 1700000000 }", "at: yesterday }", 3, "yesterday"),
        ("at: 1700000000 }", "at: 1700000000, approvals: [{ by: alice }] }", 3, "alice"),
        ("verdict: approve", "verdict: maybe", 4, "maybe"),
    ] {
        let text = CASES.replacen(old, new, 1);
        assert_ne!(text, CASES, "{old}");
        let cases = desk.file("p.test.yaml", &text);
        let (exit, said) = desk.fails(&["test", &policy]);
        assert_eq!(exit, Exit::Setup, "{new}: {said}");
        let placed = format!("{cases} is not a file of cases: line {line}: ");
        assert!(said.starts_with(&placed), "{new}: {said}");
        assert!(said.contains(reason), "{new}: {said}");
    }
    desk.file("p.test.yaml", "cases: []\n");
    assert_eq!(desk.fails(&["test", &policy]).0, Exit::Setup);
    assert_eq!(desk.fails(&["test", &desk.file("alone.yaml", POLICY)]).0, Exit::Setup);
    let two = ["test", &policy, &policy, "--cases", &policy];
    assert_eq!(desk.fails(&two).0, Exit::Usage);
}

#[test]
fn other_policies_and_a_registry_apply_beside() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", &format!("{POLICY}  - trust: {{ min: 50 }}\n"));
    desk.file(
        "us.yaml",
        "policy: us\nepoch: 1\napplies_to: { organisation: us }\nrules:\n  \
         - max_amount: 0.20 USDC\n",
    );
    let registry = "registry: r\nepoch: 1\ncounterparties:\n  - name: search\n    \
                    services: [api.search.example]\n    trust: 60\n";
    desk.file("who.yaml", registry);
    let case = |amount: &str, became: &str, expect: &str| {
        format!(
            "  - case: {amount} {became}\n    given: [{{ amount: 0.01 USDC, service: \
             api.search.example, became: {became}, at: 1 }}]\n    ask: {{ amount: {amount}, \
             service: api.search.example, at: 1700000000 }}\n    expect: {{ {expect} }}\n"
        )
    };
    let cases = format!(
        "with: [us.yaml]\nregistry: who.yaml\ncases:\n{}{}{}",
        case("0.20 USDC", "settled", "verdict: approve"),
        case("0.30 USDC", "settled", "verdict: refuse, fires: [max_amount]"),
        case("0.20 USDC", "disputed", "verdict: refuse, fires: [trust]"),
    );
    desk.file("p.test.yaml", &cases);
    let answer = desk.ask(&["test", &policy]).unwrap();
    assert_eq!(answer.exit, Exit::Ok, "{}", answer.text);
    desk.file("who.yaml", &registry.replace("trust: 60", "trust: 600"));
    let (exit, said) = desk.fails(&["test", &policy]);
    assert_eq!(exit, Exit::Setup);
    assert!(said.contains("who.yaml is not a counterparty registry: line 6: "), "{said}");
}
