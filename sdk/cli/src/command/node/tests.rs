use serde_json::{Value, json};

use crate::exit::Exit;
use crate::fixture::Desk;

const WALLET: &str = "0xabababababababababababababababababababab";

fn status() -> Value {
    json!({
        "version": "0.1.0", "node": "operator-01", "role": "operator", "up_seconds": 11_520,
        "ready": true, "connected": true, "bug": null, "journal_fault": null,
        "journal_rows": 1234, "journal_head": "07".repeat(32),
        "wallets": {
            "held": 500, "stopped": 1,
            "stopped_first": [{ "wallet": WALLET, "agent": "research-01", "reason": "a proof" }],
        },
        "tripped": [],
        "work": {
            "sessions": 2, "sessions_max": 8, "payment_runs": 1, "background_runs": 0,
            "dropped_frames": 3,
        },
        "presignatures": {
            "in_stock": 7, "in_stock_max": 16_384, "per_wallet_max": 256,
            "age_seconds_max": 3600, "wallets": 1, "oldest_seconds": 61, "made": 10, "used": 2,
            "expired": 0, "unmatched": 0, "doubted": 1, "not_found": 0, "making_ms": 6_100,
            "first": [{
                "wallet": WALLET, "peer": "agent", "in_stock": 7, "oldest_seconds": 61,
                "per_minute": null, "target": null,
            }],
        },
        "primes": {
            "in_stock": 3, "wanted": 4, "found": 4, "used": 1, "dropped": 0, "awaited": 2,
        },
    })
}

#[tokio::test]
async fn a_node_tells_of_itself_to_people_and_to_programs_alike() {
    let desk = Desk::with(&[("GET /status", status())]).await;
    let answer = desk.ask(&["node", "status", "--at", desk.address()]).await.unwrap();
    for part in [
        "operator-01 (operator), release 0.1.0, up 3 h 12 min",
        "state          ready",
        "1234 rows, head 0707070707070707\n",
        "2 of 8 sessions",
        "500 held, 1 stopped",
        "of research-01: a proof",
        "3 of 4 sets in stock; 1 used, 2 waited for, 0 dropped",
        "7 of 16384 in stock, of 1 wallets; at most 256 of a wallet, for 1 h 0 min",
        "10 made, 610 ms each, 2 used; dropped: 0 too old, 0 unmatched, 1 in doubt",
        "1 min 1 s",
    ] {
        assert!(answer.text.contains(part), "{part}\n{}", answer.text);
    }
    assert_eq!(answer.json, status(), "programs are given what the node said");
    assert_eq!(answer.exit, Exit::Ok);
}

#[tokio::test]
async fn a_node_that_refuses_is_told_before_all_else() {
    let mut unfit = status();
    unfit["bug"] = json!("a session ended without a result");
    let desk = Desk::with(&[("GET /status", unfit)]).await;
    let answer = desk.ask(&["node", "status", "--at", desk.address()]).await.unwrap();
    let state = answer.text.lines().nth(1).unwrap();
    assert!(state.contains("REFUSES until it is started anew, after: a session"), "{state}");
}

#[tokio::test]
async fn what_is_no_node_and_what_is_not_there_are_told_apart_from_an_answer() {
    let desk = Desk::with(&[("GET /status", json!({ "status": "ok" }))]).await;
    let other = desk.ask(&["node", "status", "--at", desk.address()]).await.unwrap_err();
    assert_eq!(other.exit(), Exit::Unreachable);
    assert!(other.to_string().contains("no signer node of this release"), "{other}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = desk.ask(&["node", "status", "--at", &free.to_string()]).await.unwrap_err();
    assert_eq!(nobody.exit(), Exit::Unreachable);
    assert!(nobody.to_string().contains(&free.to_string()), "{nobody}");
}

#[tokio::test]
async fn a_configuration_names_the_address_or_says_that_it_does_not() {
    let desk = Desk::with(&[("GET /status", status())]).await;
    let text = |health: &str| {
        format!(
            "role = \"operator\"\nnode = \"operator-01\"\nhome = \"home\"\n{health}\n\
             coordinator = \"http://127.0.0.1:1\"\n[passphrase]\nfile = \"p\"\n[authority]\n\
             keys = [\"{}\"]\nthreshold = 1\n",
            "11".repeat(32)
        )
    };
    let named = desk.file("named.toml", &text(&format!("health = \"{}\"", desk.address())));
    let answer = desk.ask(&["node", "status", "--config", named.to_str().unwrap()]).await;
    assert_eq!(answer.unwrap().json["node"], "operator-01");
    let silent = desk.file("silent.toml", &text(""));
    let refused = desk.ask(&["node", "status", "--config", silent.to_str().unwrap()]).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.exit(), Exit::Setup);
    assert!(refused.to_string().contains("no health address"), "{refused}");
}

#[tokio::test]
async fn without_an_address_the_coordinator_tells_who_is_connected() {
    let desk = Desk::with(&[("GET /v1/nodes", json!([]))]).await;
    let answer = desk.ask(&["node", "status"]).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.json), ("no nodes are known", json!({ "nodes": [] })));
}
