use tercet_policy::document::{Authority, AuthorityConfig};
use tercet_policy::rules::SignedPolicy;

use super::*;
use crate::keyfile::AuthorityKey;

/// Two keys, made in the desk's folder.
pub(super) fn keys(desk: &Desk) -> [(String, AuthorityKey); 2] {
    ["a.key", "b.key"].map(|name| {
        let path = desk.path(name);
        let key = AuthorityKey::create(Path::new(&path)).unwrap();
        (path, key)
    })
}

#[test]
fn a_signed_policy_is_the_exact_text_under_all_keys() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", POLICY);
    let [(a, a_key), (b, b_key)] = keys(&desk);
    let once = desk.path("once.json");
    desk.ask(&["sign", &policy, "--key", &a, "--out", &once]).unwrap();
    let twice = desk.ask(&["sign", &once, "--key", &a, "--key", &b]).unwrap();
    let signed: SignedPolicy = serde_json::from_value(twice.json).unwrap();
    assert_eq!((signed.document.yaml.as_str(), signed.signatures.len()), (POLICY, 2));
    let keys = vec![a_key.public(), b_key.public()];
    let authority = Authority::try_from(AuthorityConfig { keys, threshold: 2 }).unwrap();
    assert_eq!(signed.open_policy(&authority).unwrap().epoch(), 7);
    // What is signed can be read as any policy.
    assert_eq!(desk.ask(&["check", &once]).unwrap().json["epoch"], 7);
}

#[test]
fn what_is_no_policy_is_not_signed() {
    let desk = Desk::new();
    let [(a, _), _] = keys(&desk);
    let bad = desk.file("bad.yaml", &POLICY.replace("0.50 USDC", "0.50"));
    let out = desk.path("out.json");
    let (exit, said) = desk.fails(&["sign", &bad, "--key", &a, "--out", &out]);
    assert_eq!(exit, Exit::Setup);
    assert!(said.contains("bad.yaml is not a policy: line 5: "), "{said}");
    assert!(!Path::new(&out).exists());
    let lax = desk.file("lax.key", "tercet-authority-key-1:00\n");
    let good = desk.file("p.yaml", POLICY);
    assert_eq!(desk.fails(&["sign", &good, "--key", &lax]).0, Exit::Setup);
}

#[test]
fn what_is_not_signed_is_not_put() {
    let desk = Desk::new();
    let policy = desk.file("p.yaml", POLICY);
    let home = desk.path("no-home");
    let words = ["tercet", "--home", &home, "--coordinator", "http://127.0.0.1:1"];
    let args = Args::try_parse_from([&words[..], &["policy", "put", &policy]].concat()).unwrap();
    let Command::Policy(command) = &args.command else { panic!("not a policy command") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(Box::pin(run(command, &args))).unwrap_err();
    assert_eq!(error.exit(), Exit::Setup);
    assert!(error.to_string().contains("p.yaml is not a signed policy"), "{error}");
}
