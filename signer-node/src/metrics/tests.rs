use std::collections::BTreeMap;

use alloy_primitives::Address;
use tercet_policy::document::ContentHash;
use tercet_policy::party::{AgentId, NodeId, Party};
use tercet_signer::stock::StockLevels;
use tercet_signer::vault::PrimeLevels;

use super::*;
use crate::status::{
    PresignatureStatus, PrimeStatus, StoppedWallet, WalletStatus, WalletStock, WorkStatus,
};

fn status() -> NodeStatus {
    let wallet = Address::repeat_byte(0xab);
    let agent = AgentId::new("research-01").unwrap();
    let stock = WalletStock {
        wallet,
        peer: Some(Party::Operator),
        in_stock: 7,
        oldest_seconds: Some(9),
        per_minute: Some(3),
        target: Some(8),
    };
    let levels = StockLevels { count: 7, made: 10, used: 2, doubted: 1, ..StockLevels::default() };
    let mut presignatures = PresignatureStatus::of(&levels, &[]);
    presignatures.first = vec![stock];
    presignatures.making_ms = 6_100;
    let stopped = StoppedWallet { wallet, agent: Some(agent), reason: "a proof".to_owned() };
    NodeStatus {
        version: "0.1.0".to_owned(),
        node: NodeId::new("operator-01").unwrap(),
        role: Party::Operator,
        up_seconds: 61,
        ready: true,
        connected: true,
        bug: None,
        journal_fault: Some("the disk is full".to_owned()),
        journal_rows: 1_234,
        journal_head: ContentHash([7; 32]),
        wallets: WalletStatus { held: 500, stopped: 1, stopped_first: vec![stopped] },
        tripped: Vec::new(),
        work: WorkStatus {
            sessions: 2,
            sessions_max: 8,
            payment_runs: 1,
            background_runs: 0,
            dropped_frames: 3,
        },
        presignatures,
        primes: PrimeStatus::of(PrimeLevels::default(), 4),
    }
}

fn told() -> String {
    let refused = BTreeMap::from([("policy".to_owned(), 5), ("agent_frozen".to_owned(), 1)]);
    let tally = Tally { refused, failed: BTreeMap::from([("network", 2)]) };
    text(&status(), &tally).unwrap()
}

#[test]
fn each_number_is_told_once_under_its_name() {
    let told = told();
    for line in [
        "# TYPE tercet_node_presignatures gauge",
        "# TYPE tercet_node_presignatures_made counter",
        "tercet_node_build{role=\"operator\",version=\"0.1.0\"} 1.0",
        "tercet_node_up_seconds 61.0",
        "tercet_node_unfit{after=\"bug\"} 0.0",
        "tercet_node_unfit{after=\"journal\"} 1.0",
        "tercet_node_journal_rows 1234.0",
        "tercet_node_wallets 500.0",
        "tercet_node_runs{work=\"payment\"} 1.0",
        "tercet_node_frames_dropped_total 3.0",
        "tercet_node_refusals_total{reason=\"policy\"} 5.0",
        "tercet_node_failures_total{culprit=\"network\"} 2.0",
        "tercet_node_presignatures 7.0",
        "tercet_node_presignatures_dropped_total{reason=\"doubt\"} 1.0",
        "tercet_node_presignatures_refused_total{reason=\"not_found\"} 0.0",
        "tercet_node_presignature_making_seconds_total 6.1",
        "tercet_node_prime_sets_wanted 4.0",
    ] {
        let times = told.lines().filter(|told| *told == line).count();
        assert_eq!(times, 1, "{line}\n{told}");
    }
    assert!(told.ends_with("# EOF\n"));
}

/// Names of wallets, agents and nodes are in the status that the numbers come from, and stay there.
#[test]
fn no_series_names_a_wallet_an_agent_or_a_node() {
    let told = told();
    for name in ["abab", "research-01", "operator-01", "a proof", "full"] {
        assert!(!told.contains(name), "{name}: {told}");
    }
}
