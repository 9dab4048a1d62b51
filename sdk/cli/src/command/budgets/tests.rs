use serde_json::{Value, json};

use crate::fixture::Desk;

fn line(mode: &str, of: Value) -> Value {
    json!({
        "policy": "test", "epoch": 2, "subject": { "agent": "research-01" }, "mode": mode,
        "rule": 1, "kind": "limit", "per": "day by service", "of": of, "unit": "USDC",
        "limit": "5", "reserved": "0.1", "spent": "0.25", "available": "4.65",
        "resets_at": 1_800_000_000,
    })
}

#[tokio::test]
async fn budgets_are_a_table_and_json() {
    let budgets = json!([line("enforce", json!("a.example")), line("warn", Value::Null)]);
    let page = json!({
        "agent": "research-01", "wallet": null, "budgets": budgets, "truncated": true,
    });
    let route = "GET /v1/budgets?agent=research-01&service=a.example";
    let desk = Desk::with(&[(route, page.clone())]).await;
    let words = ["budgets", "--agent", "research-01", "--service", "a.example"];
    let answer = desk.ask(&words).await.unwrap();
    let lines: Vec<_> = answer.text.lines().collect();
    assert_eq!(lines.len(), 5, "{}", answer.text);
    assert!(lines[2].contains("a.example") && lines[2].contains("4.65"), "{}", answer.text);
    assert!(lines[3].contains("test 2 (warns)"), "{}", answer.text);
    assert!(lines[4].contains("--service"), "{}", answer.text);
    assert_eq!(answer.json["budgets"][0]["available"], page["budgets"][0]["available"]);
}
