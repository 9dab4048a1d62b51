use serde_json::{Value, json};

use super::*;
use crate::fixture::Desk;

const YAML: &str = "registry: vendors\nepoch: 2\ncounterparties:\n  - name: search\n    \
    services: [api.search.example]\n    trust: 80\n";

fn in_force(document: &SignedRegistry) -> Value {
    json!({ "epoch": 2, "counterparties": 1, "document": document, "installed_at": 5 })
}

fn search() -> Value {
    json!({
        "name": "search", "category": null, "country": "DE",
        "services": ["api.search.example"], "recipients": [],
        "trust": {
            "base": 80, "score": 57, "settled": 0, "refused": 0, "undelivered": 1, "disputed": 0,
        },
    })
}

#[tokio::test]
async fn a_registry_is_signed_by_one_after_the_other_and_installed_as_it_was_signed() {
    let unsigned = SignedRegistry {
        document: RegistryDocument { yaml: YAML.to_owned() },
        signatures: Vec::new(),
    };
    let desk = Desk::with(&[("PUT /v1/registry", in_force(&unsigned))]).await;
    let [first, second] = ["a.key", "b.key"].map(|name| desk.folder.path().join(name));
    AuthorityKey::create(&first).unwrap();
    AuthorityKey::create(&second).unwrap();
    let yaml = desk.file("registry.yaml", YAML);
    let out = desk.folder.path().join("signed.json");
    let out = out.to_str().unwrap();
    let sign = async |file: &str, key: &Path| {
        let words = ["registry", "sign", file, "--out", out, "--key", key.to_str().unwrap()];
        desk.ask(&words).await.unwrap().json["signatures"].as_array().unwrap().len()
    };
    assert_eq!(sign(yaml.to_str().unwrap(), &first).await, 1);
    assert_eq!(sign(out, &first).await, 1, "a key signs once");
    assert_eq!(sign(out, &second).await, 2);
    let answer = desk.ask(&["registry", "put", out]).await.unwrap();
    assert!(answer.text.contains("registry vendors (epoch 2"), "{}", answer.text);
    let (route, body) = desk.asked().pop().unwrap();
    assert_eq!(route, "PUT /v1/registry");
    assert_eq!(
        (&body["document"]["yaml"], body["signatures"].as_array().unwrap().len()),
        (&json!(YAML), 2)
    );
}

#[tokio::test]
async fn what_is_no_registry_is_neither_signed_nor_sent() {
    let desk = Desk::with(&[]).await;
    let key = desk.folder.path().join("a.key");
    AuthorityKey::create(&key).unwrap();
    let key = key.to_str().unwrap();
    let bad = desk.file("bad.yaml", &YAML.replace("trust: 80", "trust: 101"));
    let bad = bad.to_str().unwrap();
    let error = desk.ask(&["registry", "sign", bad, "--key", key]).await.unwrap_err();
    assert!(error.to_string().contains("line 6"), "{error}");
    let plain = desk.file("plain.yaml", YAML);
    let error = desk.ask(&["registry", "put", plain.to_str().unwrap()]).await.unwrap_err();
    assert!(error.to_string().contains("registry sign"), "{error}");
    assert!(desk.asked().is_empty());
}

#[tokio::test]
async fn who_is_trusted_how_far_is_shown_over_all_pages() {
    let document = SignedRegistry {
        document: RegistryDocument { yaml: YAML.to_owned() },
        signatures: Vec::new(),
    };
    let mut other = search();
    other["name"] = json!("other");
    let desk = Desk::with(&[
        ("GET /v1/registry", in_force(&document)),
        (
            "GET /v1/counterparties?limit=200",
            json!({ "counterparties": [search()], "next_cursor": "search" }),
        ),
        (
            "GET /v1/counterparties?cursor=search&limit=200",
            json!({ "counterparties": [other], "next_cursor": null }),
        ),
        ("GET /v1/counterparties/search", search()),
    ])
    .await;
    let all = desk.ask(&["registry", "show"]).await.unwrap();
    let lines: Vec<_> = all.text.lines().collect();
    assert_eq!(lines.len(), 4, "{}", all.text);
    assert!(lines[2].contains("search") && lines[2].contains("57"), "{}", all.text);
    assert_eq!(all.json["counterparties"].as_array().unwrap().len(), 2);
    let one = desk.ask(&["registry", "show", "search"]).await.unwrap();
    assert_eq!(one.json["trust"]["score"], 57);
}
