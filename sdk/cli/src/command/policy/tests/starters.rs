use super::*;

const STARTERS: [(&str, &str); 4] = [
    ("research-agent", "100 USDC"),
    ("data-streamer", "100 USDC"),
    ("treasury", "250000 USDC"),
    ("locked", "100 USDC"),
];

fn starter(name: &str) -> String {
    let path = repository(&format!("deploy/config/policies/{name}"));
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_starter_policy_is_read_and_free_of_warnings() {
    let desk = Desk::new();
    for (name, float) in STARTERS {
        let file = starter(&format!("{name}.yaml"));
        let words = ["check", &file, "--float", float, "--deny-warnings"];
        let answer = desk.ask(&words).unwrap();
        assert_eq!(answer.exit, Exit::Ok, "{}", answer.text);
        assert_eq!(answer.json["warnings"], json!([]));
    }
}

#[test]
fn every_starter_policy_keeps_its_cases() {
    let desk = Desk::new();
    for (name, _) in STARTERS {
        let answer = desk.ask(&["test", &starter(&format!("{name}.yaml"))]).unwrap();
        assert_eq!(answer.exit, Exit::Ok, "{}", answer.text);
        assert!(answer.json["passed"].as_u64().is_some_and(|cases| cases >= 6), "{name}");
    }
}

/// Without a rule, some case of its policy fails: the cases exercise every rule.
#[test]
fn the_cases_notice_every_rule_that_is_gone() {
    let desk = Desk::new();
    std::fs::copy(starter("counterparties.yaml"), desk.path("counterparties.yaml")).unwrap();
    for (name, _) in STARTERS {
        let text = std::fs::read_to_string(starter(&format!("{name}.yaml"))).unwrap();
        let cases = std::fs::read_to_string(starter(&format!("{name}.test.yaml"))).unwrap();
        desk.file("p.test.yaml", &cases);
        for (place, line) in text.lines().enumerate() {
            if !line.starts_with("  - ") || line.starts_with("  - mpp") {
                continue;
            }
            let rest = text.lines().enumerate().filter(|(other, _)| *other != place);
            let rest: Vec<_> = rest.map(|(_, line)| line).collect();
            let policy = desk.file("p.yaml", &format!("{}\n", rest.join("\n")));
            let passes = desk.ask(&["test", &policy]).is_ok_and(|answer| answer.exit == Exit::Ok);
            assert!(!passes, "{name} passes without {line}");
        }
    }
}

/// A folder holds nothing that no test reads.
#[test]
fn every_file_beside_the_starters_is_one_of_them() {
    let mut found: Vec<_> = std::fs::read_dir(repository("deploy/config/policies"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let names =
        STARTERS.iter().flat_map(|(name, _)| [format!("{name}.yaml"), format!("{name}.test.yaml")]);
    let mut wanted: Vec<_> = names.chain(["counterparties.yaml".to_owned()]).collect();
    wanted.sort();
    assert_eq!(found, wanted);
}
