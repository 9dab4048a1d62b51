use super::sign::keys;
use super::*;

fn newer(old: &str, new: &str) -> String {
    POLICY.replace("epoch: 7", "epoch: 8").replacen(old, new, 1)
}

#[test]
fn what_is_loosened_and_tightened_is_said_in_words() {
    let desk = Desk::new();
    let old = desk.file("old.yaml", POLICY);
    for (before, after, tightening, words) in [
        ("0.50 USDC", "0.40 USDC", true, vec!["tightened  max_amount: 0.5 USDC became 0.4 USDC"]),
        ("0.50 USDC", "0.60 USDC", false, vec!["loosened   max_amount: 0.5 USDC became 0.6 USDC"]),
        (
            "[api.search.example]",
            "[api.search.example, api.other.example]",
            false,
            vec!["loosened   allow: adds api.other.example"],
        ),
        (
            "  - max_amount: 0.50 USDC\n",
            "  - rate: { count: 5, per: hour }\n",
            false,
            vec![
                "tightened  rate: a new rule",
                "loosened   max_amount: a rule that refuses is gone",
            ],
        ),
    ] {
        let new = desk.file("new.yaml", &newer(before, after));
        let answer = desk.ask(&["diff", &old, &new]).unwrap();
        assert_eq!((answer.exit, &answer.json["tightening"]), (Exit::Ok, &json!(tightening)));
        for words in words {
            assert!(answer.text.contains(words), "{words} is not in {}", answer.text);
        }
        assert!(answer.text.contains("m of n"), "{}", answer.text);
        assert_eq!(answer.json["epoch_rises"], true);
    }
}

#[test]
fn the_rules_are_shown_with_their_places() {
    let desk = Desk::new();
    let old = desk.file("old.yaml", POLICY);
    let new = desk.file("new.yaml", &newer("0.50 USDC", "0.60 USDC"));
    let text = desk.ask(&["diff", &old, &new]).unwrap().text;
    assert!(text.contains(&format!("{old}:5: max_amount: 0.50 USDC")), "{text}");
    assert!(text.contains(&format!("{new}:5: max_amount: 0.60 USDC")), "{text}");
    let same = desk.ask(&["diff", &old, &old]).unwrap();
    assert!(same.text.contains("no rule changes"), "{}", same.text);
    assert!(same.text.contains("the epoch does not rise"), "{}", same.text);
    assert_eq!(same.json["epoch_rises"], false);
}

#[test]
fn a_known_authority_gives_the_number_and_counts_signatures() {
    let desk = Desk::new();
    let [(a, a_key), (_, b_key)] = keys(&desk);
    let pinned = format!(
        "[authority]\nkeys = [\"{}\", \"{}\"]\nthreshold = 2\n",
        a_key.public(),
        b_key.public()
    );
    let config = desk.file("operator.toml", &pinned);
    let old = desk.file("old.yaml", POLICY);
    let loose = desk.file("loose.yaml", &newer("0.50 USDC", "0.60 USDC"));
    let signed = desk.path("loose.json");
    desk.ask(&["sign", &loose, "--key", &a, "--out", &signed]).unwrap();
    let answer = desk.ask(&["diff", &old, &signed, "--config", &config]).unwrap();
    let wanted = "signatures: 2 of the authority's 2 keys; the new version carries 1";
    assert!(answer.text.contains(wanted), "{}", answer.text);
    assert_eq!(
        answer.json["signatures"],
        json!({ "one_is_enough": false, "quorum": 2, "keys": 2, "carried": 1 })
    );
    let tight = desk.file("tight.yaml", &newer("0.50 USDC", "0.40 USDC"));
    let answer = desk.ask(&["diff", &old, &tight, "--config", &config]).unwrap();
    assert!(answer.text.contains("any one of the authority's keys"), "{}", answer.text);
    for bad in ["keys = 3", "[authority]\nkeys = []\nthreshold = 1\n", "="] {
        let config = desk.file("bad.toml", bad);
        let (exit, said) = desk.fails(&["diff", &old, &tight, "--config", &config]);
        assert_eq!(exit, Exit::Setup, "{bad}");
        assert!(said.contains("bad.toml is not a configuration"), "{said}");
    }
}
