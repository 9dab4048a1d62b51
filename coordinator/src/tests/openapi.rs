use reqwest::Method;
use serde_json::Value;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::{OpenApi, RefOr, Schema};

use super::fixture::*;

#[tokio::test]
async fn the_document_reads_back_and_every_route_of_it_answers() {
    let house = House::new().await;
    let sent = house.send(None, Method::GET, "/openapi.json", String::new()).await;
    let document: Value = sent.json().await.unwrap();
    assert_eq!(document["paths"].as_object().unwrap().len(), 32);
    for (path, item) in document["paths"].as_object().unwrap() {
        let read = serde_json::from_value::<PathItem>(item.clone());
        assert!(read.is_ok(), "{path}: {item}");
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let read = serde_json::from_value::<RefOr<Schema>>(schema.clone());
        assert!(read.is_ok(), "{name}: {schema}");
    }
    let read = serde_json::from_value::<OpenApi>(document.clone());
    assert!(read.is_ok(), "{:?}", read.err());
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for reference in references(&document) {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(schemas.contains_key(name), "{reference} leads nowhere");
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["tags"][0].is_string(), "{method} {path}");
            let url = path.replace("{agent}", "nobody").replace("{address}", &WALLET.to_string());
            let id = "01".repeat(32);
            let url =
                url.replace("{name}", "nobody").replace("{id}", &id).replace("{request}", &id);
            let method: Method = method.to_uppercase().parse().unwrap();
            let sent = house.send(None, method.clone(), &url, String::new()).await;
            let status = sent.status().as_u16();
            assert!(matches!(status, 200 | 400 | 401), "{method} {url}: {status}");
        }
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let own = map.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(map.values().flat_map(references)).collect()
        }
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
