use super::*;

fn ask(desk: &Desk, words: &[&str]) -> Answer {
    let policy = desk.file("p.yaml", POLICY);
    let past = format!(
        r#"[{{"amount":"0.80","to":"{PAYEE}","service":"api.search.example","at":1700000000}}]"#
    );
    let past = desk.file("past.json", &past);
    let more = ["--to", PAYEE, "--ledger", &past, "--at", "1700000060"];
    desk.ask(&[&["explain", &policy], words, &more].concat()).unwrap()
}

#[test]
fn every_rule_is_shown_with_its_numbers() {
    let desk = Desk::new();
    let small = ask(&desk, &["--amount", "0.10", "--service", "api.search.example"]);
    assert_eq!((small.exit, small.json["approved"].as_bool()), (Exit::Ok, Some(true)));
    let large = ask(&desk, &["--amount", "0.60", "--service", "api.search.example"]);
    assert_eq!((large.exit, large.json["verdict"].as_str()), (Exit::Refused, Some("refuse")));
    let findings = large.json["decision"]["policies"][0]["findings"].as_array().unwrap();
    let outcomes: Vec<_> = findings.iter().map(|f| f["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["refuses", "refuses", "kept"]);
    assert_eq!(findings[1]["resets_at"], 1_700_086_400);
    let limit = large.text.lines().find(|line| line.contains("  6     limit")).unwrap();
    for cell in ["1 USDC per day", "0.8 USDC", "0.6 USDC", "2023-11-15T22:13:20Z"] {
        assert!(limit.contains(cell), "{cell} is not in {limit}");
    }
    let elsewhere = ask(&desk, &["--amount", "0.10", "--service", "other.example"]);
    assert_eq!(elsewhere.exit, Exit::Refused);
}

#[test]
fn an_intent_in_a_file_is_asked_as_it_is() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", POLICY);
    let intent = json!({
        "version": 1, "id": "11".repeat(32), "agent": "research-01", "wallet": PAYEE,
        "payment": {
            "kind": "x402_exact", "chain": "eip155:8453",
            "token": "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
            "to": "0x00000000000000000000000000000000000000aa", "amount": "100000",
            "valid_before": 1_700_000_060, "resource": "https://api.search.example/q",
            "service": "api.search.example",
        },
        "created_at": 1_700_000_000, "expires_at": 1_700_000_060,
    });
    let file = desk.file("intent.json", &intent.to_string());
    let answer = desk.ask(&["explain", &policy, &file, "--at", "1700000000"]).unwrap();
    assert_eq!(answer.exit, Exit::Ok, "{}", answer.text);
    let twice = desk.fails(&["explain", &policy, &file, "--intent", &file]);
    assert_eq!(twice.0, Exit::Usage);
    let broken = desk.file("broken.json", &intent.to_string().replace("wallet", "purse"));
    let (exit, said) = desk.fails(&["explain", &policy, &broken]);
    assert_eq!(exit, Exit::Setup);
    assert!(said.contains("broken.json is not a payment intent"), "{said}");
}

#[test]
fn a_policy_of_somebody_else_is_not_asked_and_one_that_warns_is_said_to() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", POLICY);
    let words = ["explain", &policy, "--amount", "0.1", "--service", "api.search.example"];
    let other = desk.ask(&[&words[..], &["--agent", "research-02"]].concat()).unwrap();
    assert_eq!(other.exit, Exit::Refused);
    assert_eq!(other.json["notes"].as_array().unwrap().len(), 2, "{}", other.text);
    let warns = desk.file("w.yaml", &POLICY.replace("rules:", "mode: warn\nrules:"));
    let both = ["explain", &policy, &warns, "--amount", "0.6", "--service", "api.search.example"];
    let both = desk.ask(&both).unwrap();
    assert!(both.text.contains("only warns"), "{}", both.text);
    assert!(both.text.contains("(refuses)"), "{}", both.text);
}

#[test]
fn amounts_and_times_that_are_none_are_usage_errors() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", POLICY);
    for amount in ["1e6", "-1", "0x10", "１", "0.0000001", "", "1 DOGE"] {
        let words = ["explain", &policy, "--to", PAYEE, "--pay", "transfer"];
        let (exit, said) = desk.fails(&[&words[..], &[&format!("--amount={amount}")]].concat());
        assert_eq!(exit, Exit::Usage, "{amount}: {said}");
    }
    for words in [
        vec!["--amount", "1", "--at", "yesterday"],
        vec!["--amount", "1", "--method", "FETCH", "--service", "a.example"],
        vec!["--amount", "1", "--context", "[", "--service", "a.example"],
        vec!["--amount", "1", "--pay", "x402"],
        vec!["--amount", "1", "--service", "a.example", "--approved-by", "nobody"],
        vec![],
    ] {
        let (exit, said) = desk.fails(&[&["explain", &policy], &words[..]].concat());
        assert_eq!(exit, Exit::Usage, "{words:?}: {said}");
    }
}

#[test]
fn people_can_be_taken_to_have_said_yes() {
    let desk = Desk::new();
    let path = repository("deploy/config/policies/locked.yaml");
    let policy = path.to_str().unwrap();
    let words = ["explain", policy, "--amount", "5", "--to", PAYEE];
    let asks = desk.ask(&words).unwrap();
    assert_eq!(asks.json["verdict"], "ask_human");
    assert_eq!(asks.exit, Exit::Refused);
    let one = desk.ask(&[&words[..], &["--approved-by", "alice"]].concat()).unwrap();
    assert_eq!(one.json["verdict"], "ask_human");
    assert!(one.text.contains("approved by alice"), "{}", one.text);
    let both = ["--approved-by", "alice", "--approved-by", "bob"];
    let both = desk.ask(&[&words[..], &both].concat()).unwrap();
    assert_eq!(both.exit, Exit::Ok, "{}", both.text);
}
