//! How long a decision takes: 20 rules, 100,000 past payments. Prints one JSON line per figure.
//!
//! Run it in release: `cargo run --release -p tercet-policy --example bench-decide`.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement on made-up data: it prints, and a wrong assumption shall stop it"
)]

use std::hint::black_box;
use std::time::Instant;

use alloy_primitives::{Address, B256};
use hdrhistogram::Histogram;
use serde_json::json;
use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::ask::{Ask, Facts};
use tercet_policy::decision::{Verdict, decide};
use tercet_policy::document::ContentHash;
use tercet_policy::intent::{IntentId, Payment, PaymentIntent, Service, X402Exact};
use tercet_policy::ledger::Ledger;
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::rows::{PaymentKind, PolicyEpochs, SpendRow};
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;

const PAYMENTS: u64 = 100_000;
const SERVICES: u64 = 500;
const DECISIONS: u64 = 200_000;
const START: u64 = 1_740_000_000;
/// One payment about every half minute: 100,000 of them fill a month.
const STEP_SECONDS: u64 = 26;

const RULES: &str = "
  - max_amount: 0.50 USDC
  - limit: { amount: 1 USDC, per: minute }
  - limit: { amount: 5 USDC, per: hour }
  - limit: { amount: 200 USDC, per: day }
  - limit: { amount: 2000 USDC, per: week }
  - limit: { amount: 9000 USDC, per: month }
  - limit: { amount: 200 USDC, per: day, calendar: America/New_York }
  - limit: { amount: 2000 USDC, per: week, calendar: Europe/Berlin }
  - limit: { amount: 9000 USDC, per: month, calendar: Asia/Tokyo }
  - limit: { amount: 3 USDC, per: day, by: service }
  - limit: { amount: 50 USDC, per: month, by: service }
  - limit: { amount: 50 USDC, per: month, by: recipient }
  - rate: { count: 60, per: minute }
  - rate: { count: 600, per: hour }
  - rate: { count: 500, per: day, by: service }
  - allow: { services: vendors }
  - allow: { recipients: payees, chains: [\"eip155:8453\"] }
  - allow: { assets: [USDC] }
  - block: { services: [bad.example, \"*.evil.example\"] }
  - hours: { from: \"00:00\", to: \"24:00\", zone: America/New_York }
";

fn main() {
    let policy = policy();
    assert_eq!(policy.rules().len(), 20);
    let ledger = ledger();
    let now = UnixSeconds(START + PAYMENTS * STEP_SECONDS);
    let approved = measure(&policy, &ledger, now, 10_000, Verdict::Approve);
    let refused = measure(&policy, &ledger, now, 400_000_000, Verdict::Refuse);
    let mut both = approved.clone();
    both.add(&refused).expect("equal bounds");
    for (name, histogram) in [
        ("policy_decide_p99_us", &both),
        ("policy_decide_approve_p99_us", &approved),
        ("policy_decide_refuse_p99_us", &refused),
    ] {
        let value = histogram.value_at_quantile(0.99) as f64 / 1_000.0;
        println!("{}", json!({ "name": name, "value": value, "unit": "us" }));
    }
    let p50 = both.value_at_quantile(0.5) as f64 / 1_000.0;
    println!("{}", json!({ "name": "policy_decide_p50_us", "value": p50, "unit": "us" }));
}

fn measure(
    policy: &Policy,
    ledger: &Ledger,
    now: UnixSeconds,
    amount: u128,
    expected: Verdict,
) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 1_000_000_000, 3).expect("good bounds");
    let intents: Vec<_> = (0..SERVICES).map(|n| intent(n, amount, now)).collect();
    for n in 0..DECISIONS {
        let intent = &intents[(n % SERVICES) as usize];
        let begin = Instant::now();
        let ask = Ask::of(intent).expect("a registered asset");
        let decision = black_box(decide(&[policy], black_box(&ask), &Facts::of(ledger, now)));
        histogram.saturating_record(begin.elapsed().as_nanos() as u64);
        assert_eq!(decision.verdict, expected, "{decision}");
    }
    histogram
}

fn host(n: u64) -> String {
    format!("s{}.vendors.example", n % SERVICES)
}

fn payee(n: u64) -> Address {
    Address::left_padding_from(&(n % SERVICES + 1).to_be_bytes())
}

fn id(n: u64) -> IntentId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    IntentId(bytes)
}

fn agent() -> AgentId {
    AgentId::new("research-01").expect("a name")
}

fn policy() -> Policy {
    let vendors: Vec<_> = (0..SERVICES).map(host).collect();
    let yaml = format!(
        "policy: research-01\nepoch: 1\napplies_to: {{ agent: research-01 }}\n\
         lists:\n  vendors: [{}]\n  payees: [\"{}\"]\nrules:{RULES}",
        vendors.join(", "),
        payee(0),
    );
    Policy::parse(&yaml).expect("a policy")
}

fn service(n: u64) -> Service {
    Service::of(&format!("https://{}", host(n))).expect("a host")
}

fn intent(n: u64, amount: u128, now: UnixSeconds) -> PaymentIntent {
    PaymentIntent {
        version: 1,
        id: id(PAYMENTS + n),
        agent: agent(),
        wallet: Address::repeat_byte(0x11),
        payment: Payment::X402Exact(X402Exact {
            chain: Chain::Base,
            token: ASSETS[0].token,
            to: payee(n),
            amount: Amount::from_base_units(amount),
            valid_before: now.plus(60),
            resource: format!("https://{}/", host(n)),
            service: service(n),
        }),
        declared: tercet_policy::declared::Declared::default(),
        created_at: now,
        expires_at: now.plus(60),
    }
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::new();
    for n in 0..PAYMENTS {
        ledger.record(&row(n)).expect("a row that follows");
    }
    ledger
}

fn row(n: u64) -> SpendRow {
    let (wallet, token) = (Address::repeat_byte(0x11), ASSETS[0].token);
    let nonce = B256::left_padding_from(&n.to_be_bytes());
    let at = UnixSeconds(START + n * STEP_SECONDS);
    SpendRow {
        intent: id(n),
        content_hash: ContentHash([0; 32]),
        agent: agent(),
        wallet,
        kind: PaymentKind::X402Exact,
        chain: Chain::Base,
        token,
        amount: Amount::from_base_units(10_000),
        recipient: Some(payee(n)),
        service: Some(service(n)),
        cancels: None,
        slot: Slot::Eip3009 { wallet, chain: Chain::Base, token, nonce },
        digest: nonce,
        replaces: None,
        terms: ChainTerms::Eip3009 {
            nonce,
            valid_after: UnixSeconds(0),
            valid_before: at.plus(60),
        },
        endpoint: None,
        category: None,
        session: None,
        hold: None,
        policies: PolicyEpochs::default(),
        tzdb: String::new(),
        at,
    }
}
