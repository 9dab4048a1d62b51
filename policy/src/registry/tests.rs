use super::*;

fn yaml(entries: &str) -> String {
    format!("registry: r\nepoch: 3\ncounterparties:\n{entries}")
}

const A: &str = "  - { name: a, services: [a.example], country: DE, category: data, trust: 80 }\n";

#[test]
fn a_registry_is_read() {
    let registry = Registry::parse(&yaml(A)).unwrap();
    assert_eq!((registry.name(), registry.epoch(), registry.unknown_trust()), ("r", 3, 0));
    let who = registry.named("a").unwrap();
    assert_eq!(who.country.unwrap().as_str(), "DE");
    assert_eq!(who.category.as_ref().unwrap().as_str(), "data");
    let service = Payee::Service(Service::of("https://a.example").unwrap());
    assert_eq!(registry.find(&service), Some(who));
}

#[test]
fn what_is_no_registry_is_refused_with_its_line() {
    for (entries, line, says) in [
        (format!("{A}  - {{ name: b, services: [a.example], trust: 1 }}\n"), 5, "there already"),
        (format!("{A}  - {{ name: a, services: [b.example], trust: 1 }}\n"), 5, "there already"),
        (A.replace("DE", "XX"), 4, "not a country"),
        (A.replace("80", "101"), 4, "0 to 100"),
        (A.replace("a.example", "'*.example'"), 4, "not a service"),
        (A.replace("services: [a.example], ", ""), 4, "a service or a recipient"),
        (A.replace("trust", "faith"), 4, "faith"),
    ] {
        match Registry::parse(&yaml(&entries)) {
            Err(RegistryError::Malformed { line: at, reason }) => {
                assert_eq!(at, line, "{reason}");
                assert!(reason.contains(says), "{reason}");
            }
            other => panic!("{entries}: {other:?}"),
        }
    }
    let zero = yaml(A).replace("epoch: 3", "epoch: 0");
    assert!(Registry::parse(&zero).is_err());
    let large = format!("{}#{}", yaml(A), "x".repeat(REGISTRY_BYTES_MAX));
    assert!(matches!(Registry::parse(&large), Err(RegistryError::TooLarge { .. })));
}
