use super::*;

fn yaml(entries: &str) -> String {
    format!("registry: r\nepoch: 3\ncounterparties:\n{entries}")
}

const A: &str = "  - { name: a, services: [a.example], country: DE, category: data, trust: 80 }\n";
const PAID: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";

/// Line and reason of what is wrong.
fn wrong(text: &str) -> (u64, String) {
    match Registry::parse(text) {
        Err(RegistryError::Malformed { line, reason }) => (line, reason),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_registry_is_read() {
    let registry = Registry::parse(&yaml(A)).unwrap();
    assert_eq!((registry.name(), registry.epoch(), registry.unknown_trust()), ("r", 3, 0));
    let who = registry.named("a").unwrap();
    assert_eq!(who.country.unwrap().as_str(), "DE");
    assert_eq!(who.category.as_ref().unwrap().as_str(), "data");
    let service = Payee::Service(Service::of("https://a.example").unwrap());
    assert_eq!(registry.find(&service), Some(who));
    let silent = Registry::parse(&yaml("  - { name: b, services: [b.example], trust: 0 }\n"));
    let silent = silent.unwrap();
    let who = silent.named("b").unwrap();
    assert_eq!((&who.country, &who.category, who.trust), (&None, &None, 0), "nothing is guessed");
}

#[test]
fn what_is_no_registry_is_refused_with_its_line() {
    let b = |rest: &str| format!("{A}  - {{ name: b, {rest}, trust: 1 }}\n");
    let paid = |first: &str, second: &str| {
        format!(
            "  - {{ name: c, recipients: ['{first}'], trust: 1 }}\n  \
             - {{ name: d, recipients: ['{second}'], trust: 1 }}\n"
        )
    };
    for (entries, line, says) in [
        (b("services: [a.example]"), 5, "service a.example is there already"),
        (b("services: [b.example, b.example]"), 5, "service b.example is there already"),
        (b("services: [b.example]").replace("b,", "a,"), 5, "counterparty a is there already"),
        // One address, however it is written.
        (paid(PAID, PAID), 5, "is there already"),
        (paid(PAID, &PAID.to_lowercase()), 5, "is there already"),
        (A.replace("DE", "XX"), 4, "not a country"),
        (A.replace("DE", "de"), 4, "not a country"),
        (A.replace("DE", "DEU"), 4, "not a country"),
        (A.replace("data", "Data"), 4, "not a name"),
        (A.replace("data", "''"), 4, "not a name"),
        (A.replace("data", "-a"), 4, "not a name"),
        (A.replace("name: a", "name: A"), 4, "not a name"),
        (A.replace("80", "101"), 4, "0 to 100"),
        (A.replace("80", "256"), 4, ""),
        (A.replace("80", "-1"), 4, ""),
        (A.replace("80", "79.5"), 4, ""),
        (A.replace(", trust: 80", ""), 4, "trust"),
        (A.replace("trust: 80", "trust: 80, trust: 90"), 4, "trust"),
        (A.replace("a.example", "'*.example'"), 4, "not a service"),
        (A.replace("a.example", "A.example"), 4, "not a service"),
        (A.replace("services: [a.example], ", ""), 4, "a service or a recipient"),
        (paid("0x209693bc6AFC0C5328BA36FAF03C514EF312287C", PAID), 4, ""),
        (paid("0x2096", PAID), 4, ""),
        (A.replace("trust", "faith"), 4, "faith"),
    ] {
        let (at, reason) = wrong(&yaml(&entries));
        assert_eq!(at, line, "{entries}: {reason}");
        assert!(reason.contains(says), "{entries}: {reason}");
    }
}

#[test]
fn heads_that_are_not_taken() {
    for (from, to, line, says) in [
        ("epoch: 3", "epoch: 0", 2, "1 to 9007199254740991"),
        ("epoch: 3", "epoch: 9007199254740992", 2, "1 to 9007199254740991"),
        ("epoch: 3", "epoch: -1", 2, ""),
        ("epoch: 3", "epoch: 3\nepoch: 4", 3, "epoch"),
        ("epoch: 3\n", "", 0, "epoch"),
        ("registry: r", "registry: R", 1, "not a name"),
        ("epoch: 3", "epoch: 3\nunknown_trust: 101", 3, "0 to 100"),
        ("epoch: 3", "epoch: 3\nsomething: 1", 3, "something"),
    ] {
        let (at, reason) = wrong(&yaml(A).replace(from, to));
        assert!(line == 0 || at == line, "{to}: line {at}: {reason}");
        assert!(reason.contains(says), "{to}: {reason}");
    }
    let large = format!("{}#{}", yaml(A), "x".repeat(REGISTRY_BYTES_MAX));
    assert!(matches!(Registry::parse(&large), Err(RegistryError::TooLarge { .. })));
}

#[test]
fn a_registry_has_an_end() {
    let places = |count: usize| {
        let services: Vec<_> = (0..count).map(|n| format!("s{n}.example")).collect();
        yaml(&format!("  - {{ name: a, services: [{}], trust: 1 }}\n", services.join(", ")))
    };
    assert!(Registry::parse(&places(PLACES_MAX)).is_ok());
    assert!(wrong(&places(PLACES_MAX + 1)).1.contains("at most 100"));
    let many = |count: usize| {
        let all: String = (0..count)
            .map(|n| format!("- {{name: n{n}, services: [s{n}.x], trust: 1}}\n"))
            .collect();
        yaml(&all)
    };
    assert!(Registry::parse(&many(COUNTERPARTIES_MAX)).is_ok());
    assert!(wrong(&many(COUNTERPARTIES_MAX + 1)).1.contains("at most 2000"));
}

#[test]
fn who_is_paid_is_found_by_the_service_before_the_address() {
    let registry = Registry::parse(&yaml(&format!(
        "  - {{ name: a, services: [a.example], trust: 80 }}\n  \
         - {{ name: b, recipients: ['{PAID}'], trust: 10 }}\n"
    )))
    .unwrap();
    let paid: Address = PAID.parse().unwrap();
    let service = Service::of("https://a.example").unwrap();
    let stranger = Service::of("https://c.example").unwrap();
    for (service, recipient, expected) in [
        (Some(&service), Some(paid), Some("a")),
        (None, Some(paid), Some("b")),
        // A stranger is not b because it names b's address.
        (Some(&stranger), Some(paid), None),
        (None, None, None),
    ] {
        let payee = Payee::of(service, recipient);
        let who = payee.and_then(|payee| registry.find(&payee)).map(|who| who.name.as_str());
        assert_eq!(who, expected, "{service:?} {recipient:?}");
    }
}
