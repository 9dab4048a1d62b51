use super::*;

#[test]
fn a_policy_is_told_rule_by_rule() {
    let desk = Desk::new();
    let answer = desk.ask(&["check", &desk.file("p.yaml", POLICY)]).unwrap();
    assert_eq!(answer.exit, Exit::Ok);
    assert_eq!(answer.json["policy"], "research-01");
    assert_eq!(answer.json["rules"], json!(["max_amount", "limit", "allow"]));
    assert_eq!(answer.json["warnings"], json!([]));
    assert!(answer.text.contains("line   6  limit"), "{}", answer.text);
}

#[test]
fn a_policy_that_grants_nothing_is_told_apart() {
    let desk = Desk::new();
    let text = POLICY.replace("  - allow: { services: [api.search.example] }\n", "");
    let answer = desk.ask(&["check", &desk.file("p.yaml", &text)]).unwrap();
    let code = answer.json["grants_nothing"]["code"].as_str();
    assert_eq!((answer.exit, code), (Exit::Refused, Some("no_allow_rule")));
    // An organisation may only restrict.
    let text = text.replace("{ agent: research-01 }", "{ organisation: us }");
    let answer = desk.ask(&["check", &desk.file("o.yaml", &text), "--deny-warnings"]).unwrap();
    assert_eq!(answer.exit, Exit::Ok, "{}", answer.text);
}

#[test]
fn warnings_name_file_and_line_and_can_fail() {
    let desk = Desk::new();
    let text = POLICY.replace("max_amount: 0.50", "max_amount: 1.50");
    let file = desk.file("p.yaml", &text);
    let answer = desk.ask(&["check", &file]).unwrap();
    assert_eq!(answer.exit, Exit::Ok);
    let wanted = format!("{file}:5: warning: max_amount: it decides nothing");
    assert!(answer.text.contains(&wanted), "{}", answer.text);
    assert_eq!(answer.json["warnings"][0]["code"], "idle");
    let denied = desk.ask(&["check", &file, "--deny-warnings"]).unwrap();
    assert_eq!(denied.exit, Exit::Failure);
    let poor = desk.ask(&["check", &desk.file("q.yaml", POLICY), "--float", "0.70"]).unwrap();
    assert_eq!(poor.json["warnings"][0]["code"], "above_float");
    assert_eq!(poor.json["warnings"][0]["line"], 6);
}

/// What is wrong in a policy, its line, and a word of the reason.
const BAD: [(&str, &str, u64, &str); 18] = [
    ("rules:", "rule:", 4, "rule"),
    ("  - max_amount:", "  - max_amont:", 5, "max_amont"),
    ("per: day }", "per: day, hourly: yes }", 6, "hourly"),
    ("0.50 USDC", "0.50", 5, "asset"),
    ("0.50 USDC", "0.50 DOGE", 5, "DOGE"),
    ("0.50 USDC", "-1 USDC", 5, "sign"),
    ("0.50 USDC", "1e3 USDC", 5, "exponent"),
    ("0.50 USDC", "0.0000001 USDC", 5, "decimals"),
    ("per: day }", "per: 0m }", 6, "zero"),
    ("per: day }", "per: fortnight }", 6, "fortnight"),
    ("per: day }", "per: day, calendar: Europe/Atlantis }", 6, "Europe/Atlantis"),
    ("per: day }", "per: day, per: week }", 6, "per"),
    ("epoch: 7\n", "epoch: 7\nepoch: 8\n", 3, "epoch"),
    ("epoch: 7\n", "epoch: 7\nlists:\n  v: [a.example]\n  v: [b.example]\n", 5, "v"),
    ("epoch: 7", "epoch: 0", 2, "epoch"),
    ("{ agent: research-01 }", "{ agent: Research 01 }", 3, "Research 01"),
    ("[api.search.example]", "[API.example]", 7, "API.example"),
    ("[api.search.example]", "vendors", 7, "vendors"),
];

#[test]
fn bad_policies_are_refused_with_file_line_and_reason() {
    let desk = Desk::new();
    for (old, new, line, reason) in BAD {
        let text = POLICY.replacen(old, new, 1);
        assert_ne!(text, POLICY, "{old}");
        let file = desk.file("bad.yaml", &text);
        for command in ["check", "explain", "test", "backtest", "sign"] {
            let more: &[&str] = match command {
                "explain" => &["--amount", "1"],
                "test" => &["--cases", &file],
                "backtest" => &["--history", &file],
                "sign" => &["--key", &file],
                _ => &[],
            };
            if command == "sign" {
                // Keys come first, and this file is none.
                continue;
            }
            let (exit, said) = desk.fails(&[&[command, &file], more].concat());
            assert_eq!(exit, Exit::Setup, "{command} {new}: {said}");
            let placed = format!("{file} is not a policy: line {line}: ");
            assert!(said.starts_with(&placed), "{command} {new}: {said}");
            assert!(said.contains(reason), "{command} {new}: {said}");
        }
    }
}

#[test]
fn files_that_are_not_there_and_amounts_that_are_none_are_told_apart() {
    let desk = Desk::new();
    assert_eq!(desk.fails(&["check", "/nonexistent/p.yaml"]).0, Exit::Setup);
    let file = desk.file("p.yaml", POLICY);
    assert_eq!(desk.fails(&["check", &file, "--float", "much"]).0, Exit::Usage);
}
