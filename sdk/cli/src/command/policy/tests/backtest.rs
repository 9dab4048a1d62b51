use super::*;

const DAY: u64 = 86_400;
const NOW: u64 = 1_700_000_000;

/// Three payments of 0.40 on one day, two days ago, and one that was refused.
fn past(desk: &Desk) -> String {
    let at = NOW - 2 * DAY;
    desk.file(
        "past.json",
        &json!([
            { "amount": "0.40 USDC", "service": "api.search.example", "at": at },
            { "amount": "0.40 USDC", "service": "api.search.example", "at": at + 60 },
            { "amount": "0.40 USDC", "service": "api.search.example", "at": at + 120,
              "settled": "0.10 USDC" },
            { "amount": "0.45 USDC", "service": "api.other.example", "at": at + 180,
              "state": "refused" },
        ])
        .to_string(),
    )
}

fn replay(desk: &Desk, draft: &str, more: &[&str]) -> Answer {
    let (draft, past, until) = (desk.file("draft.yaml", draft), past(desk), NOW.to_string());
    let words = ["backtest", &draft, "--history", &past, "--until", &until];
    desk.ask(&[&words[..], more].concat()).unwrap()
}

#[test]
fn a_draft_that_would_refuse_says_what_and_why() {
    let desk = Desk::new();
    let answer = replay(&desk, &POLICY.replace("1 USDC, per", "0.50 USDC, per"), &[]);
    assert_eq!(answer.exit, Exit::Ok);
    assert_eq!(
        (&answer.json["replayed"], &answer.json["compared_with"]),
        (&json!(4), &json!(null))
    );
    // A refusal leaves room: the third payment would settle for less, and still asks for more.
    assert_eq!(answer.json["newly_refused"], json!({ "number": 2, "amounts": ["0.8 USDC"] }));
    assert_eq!(answer.json["newly_approved"]["number"], 0);
    let limit = &answer.json["rules"][1];
    assert_eq!(
        (&limit["kind"], &limit["line"], &limit["refuses"]),
        (&json!("limit"), &json!(6), &json!(3))
    );
    let because = answer.json["changes"][0]["because"][0].as_str().unwrap();
    assert!(because.contains("research-01: rule 1 limit: limit 0.5 USDC"), "{because}");
    assert!(answer.text.contains("newly refused: 2, 0.8 USDC"), "{}", answer.text);
    assert_eq!(answer.json["cannot_know"].as_array().unwrap().len(), 6);
}

#[test]
fn a_draft_that_would_approve_is_compared_with_the_policy_in_force() {
    let desk = Desk::new();
    let held = desk.file("held.yaml", POLICY);
    let draft = POLICY
        .replace("epoch: 7", "epoch: 8")
        .replace("1 USDC, per", "2 USDC, per")
        .replace("[api.search.example]", "[\"*.example\"]");
    let answer = replay(&desk, &draft, &["--against", &held]);
    assert_eq!(answer.json["compared_with"], json!({ "policy": "research-01", "epoch": 7 }));
    assert_eq!(answer.json["newly_approved"], json!({ "number": 2, "amounts": ["0.85 USDC"] }));
    let because = answer.json["changes"][0]["because"][0].as_str().unwrap();
    assert!(because.starts_with("no longer: research-01: rule 1 limit"), "{because}");
    let same = replay(&desk, POLICY, &["--against", &held]);
    assert!(same.text.contains("no verdict changes"), "{}", same.text);
}

#[test]
fn windows_are_full_when_the_replay_begins() {
    let desk = Desk::new();
    let (draft, until) = (desk.file("draft.yaml", POLICY), NOW.to_string());
    let past = desk.file(
        "past.yaml",
        &format!(
            "- {{ amount: 0.90 USDC, service: api.search.example, at: {} }}\n\
             - {{ amount: 0.20 USDC, service: api.search.example, at: {} }}\n",
            NOW - DAY - 60,
            NOW - DAY + 60
        ),
    );
    let words = ["backtest", &draft, "--history", &past, "--until", &until, "--since", "1d"];
    let answer = desk.ask(&words).unwrap();
    assert_eq!(
        (&answer.json["replayed"], &answer.json["newly_refused"]["number"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn a_freeze_that_would_stop_the_agent_is_told() {
    let desk = Desk::new();
    let draft = format!("{POLICY}  - freeze: {{ refusals: 1, per: day }}\n");
    let draft = draft.replace("1 USDC, per", "0.50 USDC, per");
    let answer = replay(&desk, &draft, &[]);
    assert!(answer.json["stops"].as_u64().is_some_and(|stops| stops >= 1), "{}", answer.text);
    assert!(answer.text.contains("would stop the agent"), "{}", answer.text);
}

#[test]
fn what_the_coordinator_recorded_is_read_from_a_file_too() {
    let desk = Desk::new();
    let view = |status: &str, amount: &str, at: u64| {
        json!({
            "id": hex::encode([u8::try_from(at % 251).unwrap(); 32]),
            "agent": "research-01",
            "wallet": PAYEE,
            "payment": {
                "kind": "x402_exact", "chain": "eip155:8453",
                "token": "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
                "to": "0x00000000000000000000000000000000000000aa", "amount": amount,
                "valid_before": at + 60, "resource": "https://api.search.example/q",
                "service": "api.search.example",
            },
            "status": status, "refusals": [], "slot": null, "digest": null,
            "transaction": null, "block": null, "deadline": null, "detail": null,
            "created_at": at, "updated_at": at,
        })
    };
    let at = NOW - DAY;
    let page = json!({ "payments": [
        view("awaiting_approval", "450000", at + 4),
        view("settled", "400000", at + 3),
        view("void", "400000", at + 2),
        view("failed", "400000", at + 1),
        view("signed", "400000", at),
    ], "next_cursor": null });
    let past = desk.file("page.json", &page.to_string());
    // What is not recorded breaks no rule about fees and balances.
    let draft = format!("{POLICY}  - max_fee: 0.001 ETH\n  - max_share_of_balance: 10%\n");
    let (draft, until) = (desk.file("draft.yaml", &draft), NOW.to_string());
    let words = ["backtest", &draft, "--history", &past, "--until", &until];
    let answer = desk.ask(&words).unwrap();
    assert_eq!((&answer.json["replayed"], &answer.json["left_out"]), (&json!(4), &json!(1)));
    // People were asked about one, and it was not paid: the draft has no room for it.
    assert_eq!(answer.json["newly_refused"]["number"], 1, "{}", answer.text);
    assert_eq!(answer.json["changes"][0]["was"], "ask_human");
    let broken = desk.file("broken.json", &page.to_string().replace("\"settled\"", "\"lost\""));
    let (exit, said) = desk.fails(&["backtest", &draft, "--history", &broken]);
    assert_eq!(exit, Exit::Setup);
    assert!(said.contains("broken.json is not a page of payments"), "{said}");
}

#[test]
fn histories_and_lengths_that_are_none_are_refused() {
    let desk = Desk::new();
    let draft = desk.file("draft.yaml", POLICY);
    for (text, line) in [
        ("- { amount: 1 USDC, service: a.example }\n", 1),
        ("- { amount: 1 USDC, service: a.example, at: 1 }\n- { at: 1 }\n", 2),
        ("- { amount: 1 USDC, service: a.example, at: 1, colour: red }\n", 1),
        ("[\n{\"amount\": \"1 USDC\", \"service\": \"A b\", \"at\": 1}\n]", 2),
    ] {
        let past = desk.file("past", text);
        let (exit, said) = desk.fails(&["backtest", &draft, "--history", &past]);
        assert_eq!(exit, Exit::Setup, "{text}");
        let placed = format!("{past} is not a list of payments: line {line}: ");
        assert!(said.starts_with(&placed), "{text}: {said}");
    }
    let past = past(&desk);
    for since in ["30", "d", "0d", "1y"] {
        let words = ["backtest", &draft, "--history", &past, "--since", since];
        assert_eq!(desk.fails(&words).0, Exit::Usage, "{since}");
    }
}
