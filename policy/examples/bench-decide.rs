//! How long a decision takes, how that grows with the past, and what the past takes in memory.
//!
//! `cargo run --release -p tercet-policy --example bench-decide [PAYMENTS]` prints the rig and one
//! JSON line for each figure. `PAYMENTS` is the longest past that is measured: 10,000,000 where
//! it is left out, which takes some 4 GiB.
//!
//! Does not show: signatures, journals on disk, or a registry; `bench-admit` has those.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement on made-up data: it prints, and a wrong assumption shall stop it"
)]

use std::fs::read_to_string;
use std::hint::black_box;
use std::time::Instant;

use alloy_primitives::{Address, B256};
use ed25519_dalek::SigningKey;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tercet_policy::admission::Book;
use tercet_policy::ask::{Ask, Facts};
use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::decision::{Verdict, decide};
use tercet_policy::declared::Declared;
use tercet_policy::document::{Authority, AuthorityConfig, ContentHash, Ed25519PublicKey, Signed};
use tercet_policy::intent::{IntentId, Payment, PaymentIntent, Service, X402Exact};
use tercet_policy::ledger::Ledger;
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::rows::{PaymentKind, PolicyEpochs, SpendRow};
use tercet_policy::rules::{Policy, PolicyDocument, SignedPolicy};
use tercet_policy::time::UnixSeconds;

/// The past that the targets are about.
const PAYMENTS: u64 = 100_000;
/// The longest past that is measured.
const PAYMENTS_MAX: u64 = 10_000_000;
const SERVICES: u64 = 500;
const DECISIONS: u64 = 100_000;
const POLICIES: u64 = 1_000;
/// Services on the list of each policy that is loaded.
const SERVICES_LOADED: u64 = 50;
const START: u64 = 1_740_000_000;
/// Every past fills thirty days, so that the longest window holds all of it.
const PAST_SECONDS: u64 = 2_592_000;
const AGENT: &str = "research-01";

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
  - rate: { count: 600, per: minute }
  - rate: { count: 60000, per: hour }
  - rate: { count: 50000, per: day, by: service }
  - allow: { services: vendors }
  - allow: { recipients: payees, chains: [\"eip155:8453\"] }
  - allow: { assets: [USDC] }
  - block: { services: [bad.example, \"*.evil.example\"] }
  - hours: { from: \"00:00\", to: \"24:00\", zone: America/New_York }
";

fn main() {
    let most = std::env::args().nth(1);
    let most = most.map_or(PAYMENTS_MAX, |word| word.parse().expect("a number of payments"));
    rig();
    loading();
    for (payments, name) in [
        (1_000, "1k"),
        (10_000, "10k"),
        (PAYMENTS, "100k"),
        (1_000_000, "1m"),
        (PAYMENTS_MAX, "10m"),
    ] {
        if payments <= most {
            past(payments, name);
        }
    }
}

fn figure(name: &str, value: f64, unit: &str, more: Value) {
    let mut line = json!({ "name": name, "value": value, "unit": unit });
    let (all, more) = (line.as_object_mut(), more.as_object());
    all.expect("an object").extend(more.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
    println!("{line}");
}

fn rig() {
    let word = |path: &str, key: &str| {
        let text = read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim_start_matches([' ', '\t', ':']).to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{}",
        json!({
            "name": "rig",
            "profile": if cfg!(debug_assertions) { "development" } else { "release" },
            "processor": word("/proc/cpuinfo", "model name"),
            "cores": cores,
            "memory": word("/proc/meminfo", "MemTotal"),
            "load": read_to_string("/proc/loadavg").unwrap_or_default().trim(),
        })
    );
}

/// Signed policies of as many agents, from text to what a book counts for them.
fn loading() {
    let key = SigningKey::from_bytes(&[1; 32]);
    let config = AuthorityConfig { keys: vec![Ed25519PublicKey::of(&key)], threshold: 1 };
    let authority: Authority = config.try_into().expect("an authority");
    let signed: Vec<SignedPolicy> = (0..POLICIES)
        .map(|n| {
            let yaml = yaml(&format!("agent-{n}"), SERVICES_LOADED);
            Signed::by(PolicyDocument { yaml }, &key).expect("a document")
        })
        .collect();
    let (begin, cpu) = (Instant::now(), cpu_ms());
    let mut book = Book::new();
    let mut loaded = Vec::new();
    for policy in signed {
        let policy = policy.open_policy(&authority).expect("a policy");
        book.watch(policy.subject(), policy.lines());
        loaded.push(policy);
    }
    let ms = begin.elapsed().as_secs_f64() * 1_000.0;
    let more = json!({
        "cpu_ms": cpu_ms() - cpu,
        "policies": loaded.len(),
        "rules": 20,
        "services": SERVICES_LOADED,
    });
    figure("policy_load_1000_ms", ms, "ms", more);
}

/// Decisions after so many payments.
fn past(payments: u64, name: &str) {
    let policy = Policy::parse(&yaml(AGENT, SERVICES)).expect("a policy");
    assert_eq!(policy.rules().len(), 20);
    let rss_before = rss_bytes();
    let begin = Instant::now();
    let mut ledger = Ledger::new();
    ledger.watch(policy.subject(), policy.lines());
    for n in 0..payments {
        ledger.record(&row(n, payments)).expect("a row that follows");
    }
    let record_ns = begin.elapsed().as_nanos() as f64 / payments as f64;
    let taken = rss_bytes().saturating_sub(rss_before) as f64 / payments as f64;
    let now = UnixSeconds(START + PAST_SECONDS);
    let approved = measure(&policy, &ledger, now, 10_000, Verdict::Approve);
    let refused = measure(&policy, &ledger, now, 400_000_000, Verdict::Refuse);
    let mut both = approved.clone();
    both.add(&refused).expect("equal bounds");
    let us =
        |histogram: &Histogram<u64>, share| histogram.value_at_quantile(share) as f64 / 1_000.0;
    let more = json!({
        "payments": payments,
        "p50": us(&both, 0.5),
        "p99_approve": us(&approved, 0.99),
        "p99_refuse": us(&refused, 0.99),
        "record_ns": record_ns,
    });
    figure(&format!("policy_decide_p99_us_{name}"), us(&both, 0.99), "us", more);
    if payments == PAYMENTS {
        figure("policy_decide_p99_us", us(&both, 0.99), "us", json!({ "payments": payments }));
        figure("policy_decide_p50_us", us(&both, 0.5), "us", json!({ "payments": payments }));
        watch_again(&policy, &mut ledger);
    }
    // Below that, pages of the allocator outweigh what is counted.
    if payments >= 1_000_000 {
        let more = json!({ "payments": payments, "lines": policy.lines().len() });
        figure(&format!("ledger_bytes_per_payment_{name}"), taken, "B", more);
    }
}

/// What a policy takes that is put into force over the past of its agent.
fn watch_again(policy: &Policy, ledger: &mut Ledger) {
    ledger.watch(policy.subject(), []);
    let begin = Instant::now();
    ledger.watch(policy.subject(), policy.lines());
    let ms = begin.elapsed().as_secs_f64() * 1_000.0;
    figure("policy_replace_100k_ms", ms, "ms", json!({ "lines": policy.lines().len() }));
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

/// What this thread has run for so far (`schedstat`, proc(5)): unlike the clock, it stands still
/// while others have the core.
fn cpu_ms() -> f64 {
    let said = read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = said.split(' ').next().and_then(|word| word.parse::<f64>().ok());
    ns.unwrap_or_default() / 1_000_000.0
}

/// Resident memory of this process (`VmRSS`, proc(5)).
fn rss_bytes() -> u64 {
    let status = read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kib = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
    kib * 1_024
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

fn yaml(agent: &str, services: u64) -> String {
    let vendors: Vec<_> = (0..services).map(host).collect();
    format!(
        "policy: {agent}\nepoch: 1\napplies_to: {{ agent: {agent} }}\n\
         lists:\n  vendors: [{}]\n  payees: [\"{}\"]\nrules:{RULES}",
        vendors.join(", "),
        payee(0),
    )
}

fn service(n: u64) -> Service {
    Service::of(&format!("https://{}", host(n))).expect("a host")
}

fn intent(n: u64, amount: u128, now: UnixSeconds) -> PaymentIntent {
    PaymentIntent {
        version: 1,
        id: id(PAYMENTS_MAX + n),
        agent: AgentId::new(AGENT).expect("a name"),
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
        declared: Declared::default(),
        created_at: now,
        expires_at: now.plus(60),
    }
}

/// A payment so small that the longest past leaves room in every limit.
fn row(n: u64, payments: u64) -> SpendRow {
    let (wallet, token) = (Address::repeat_byte(0x11), ASSETS[0].token);
    let nonce = B256::left_padding_from(&n.to_be_bytes());
    let at = UnixSeconds(START + n * PAST_SECONDS / payments);
    SpendRow {
        intent: id(n),
        content_hash: ContentHash([0; 32]),
        agent: AgentId::new(AGENT).expect("a name"),
        wallet,
        kind: PaymentKind::X402Exact,
        chain: Chain::Base,
        token,
        amount: Amount::from_base_units(10),
        recipient: Some(payee(n)),
        service: Some(service(n)),
        endpoint: None,
        category: None,
        session: None,
        hold: None,
        channel: None,
        key: None,
        mark: None,
        fee: None,
        cancels: None,
        slot: Slot::Eip3009 { wallet, chain: Chain::Base, token, nonce },
        digest: nonce,
        replaces: None,
        terms: ChainTerms::Eip3009 {
            nonce,
            valid_after: UnixSeconds(0),
            valid_before: at.plus(60),
        },
        policies: PolicyEpochs::default(),
        tzdb: String::new(),
        at,
    }
}
