//! `make bench`: measures, and writes `BENCHMARKS.md` and `BENCHMARKS.json`.
//!
//! Runs the examples that measure one crate, and a cluster of real processes for the rest. Nothing
//! else should run on the machine meanwhile.
#![allow(clippy::print_stderr, reason = "a program for developers says what it measures")]

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tercet::{Wallet, WalletConfig};
use tercet_api::resource::{CeremonyStatus, CeremonyView};
use tercet_cli::demo::house::now;
use tercet_cli::demo::process::program;
use tercet_policy::chain::Chain;
use tercet_policy::document::{Authority, AuthorityConfig, Ed25519PublicKey};
use tercet_policy::intent::{AgentKeys, Service};
use tercet_policy::party::{AgentId, Party};
use tercet_policy::proposal::{Proposal, ProposalClaim, terms_without_chain};
use tercet_signer::journal::{Journal, Pins};
use tercet_signer_node::config::NodeConfig;
use tercet_tests::cluster::{Cluster, PAYEE, Plan, root};
use tercet_tests::figures::{Report, at};
use tercet_tests::peers::{BaselineRun, Peer, pay_with_official_client};

const WALLETS: usize = 100;
const PAYMENTS: u32 = 30;
const WARMUP: u32 = 3;
const ADMISSIONS: usize = 500;
const PRIME_RUNS: &str = "5";
const SIGN_RUNS: &str = "10";

#[tokio::main]
async fn main() -> Result<()> {
    let mut report = Report::here();
    examples(&mut report)?;
    let mut cluster = Cluster::started(Plan { policy: None, ..Plan::default() }).await?;
    wallets(&cluster, &mut report).await?;
    memory(&cluster, &mut report)?;
    cluster.stop_node(Party::Agent).await;
    payments(&cluster, &mut report).await?;
    cluster.stop_node(Party::Operator).await;
    admissions(&cluster, &mut report).await?;
    report.write(&root())?;
    for figure in &report.figures {
        eprintln!("{:<32} {:>10} {}", figure.name, figure.value, figure.unit);
    }
    Ok(())
}

/// The last line of each example is its figure.
fn examples(report: &mut Report) -> Result<()> {
    let decide = lines("bench-decide", &[])?;
    let decided = |name| value_of(&decide, name);
    let how = "20 rules, 100,000 past payments";
    report.add(("policy_decide_p99_us", "us"), decided("policy_decide_p99_us")?, Some(50.0), how);
    report.add(("policy_decide_p50_us", "us"), decided("policy_decide_p50_us")?, None, how);
    let primes = lines("bench-primes", &[PRIME_RUNS])?;
    let how = "CPU for one party's four safe primes, mean of 5";
    let mean = value_of(&primes, "safe_primes_cpu_mean_s")?;
    report.add(("safe_primes_cpu_mean_s", "s"), mean, Some(15.0), how);
    let sign = lines("bench-sign", &[SIGN_RUNS])?;
    let how = "CPU of both parties through our driver over the bare library's, same run, 10 each";
    let ratio = value_of(&sign, "interactive_sign_cpu_ratio")?;
    report.add(("interactive_sign_cpu_ratio", "ratio"), ratio, Some(1.10), how);
    Ok(())
}

fn lines(example: &str, words: &[&str]) -> Result<Vec<Value>> {
    eprintln!("measuring: {example}");
    let path = program(&format!("examples/{example}"));
    let output = Command::new(&path)
        .args(words)
        .current_dir(root())
        .output()
        .with_context(|| format!("{}: run `make bench`", path.display()))?;
    ensure!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn value_of(lines: &[Value], name: &str) -> Result<f64> {
    let line = lines.iter().rev().find(|line| line["name"] == name && line["value"].is_number());
    line.and_then(|line| line["value"].as_f64()).with_context(|| format!("no figure {name}"))
}

/// New wallets for a group that has aux info, three processes; from the request to the wallet.
async fn wallets(cluster: &Cluster, report: &mut Report) -> Result<()> {
    eprintln!("measuring: {WALLETS} wallets");
    let line = cluster.house.line()?;
    let mut samples = Vec::new();
    for round in 0..=WALLETS {
        let begun = Instant::now();
        let asked = line.ask_for_wallet("bench").await?;
        let path = format!("/v1/ceremonies/{}", asked.request);
        loop {
            let view: CeremonyView = line.get(&path).await?;
            match view.status {
                CeremonyStatus::Done => break,
                CeremonyStatus::Failed => anyhow::bail!("{view:?}"),
                _ => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
        // The first prepares the group.
        if round > 0 {
            samples.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    let how = "a 2-of-3 wallet over three processes, aux info at hand, 100 in turn";
    report.add(("wallet_create_p50_ms", "ms"), at(&mut samples, 0.5), None, how);
    report.add(("wallet_create_p95_ms", "ms"), at(&mut samples, 0.95), Some(100.0), how);
    Ok(())
}

/// Resident memory of idle processes that hold 100 wallets.
fn memory(cluster: &Cluster, report: &mut Report) -> Result<()> {
    std::thread::sleep(Duration::from_secs(2));
    let coordinator = cluster.coordinator.as_ref().context("no coordinator")?;
    let operator = cluster.nodes.get(&Party::Operator).context("no operator")?;
    let how = "VmRSS, idle, 100 wallets";
    report.add(("coordinator_rss_mib", "MiB"), rss_mib(coordinator.id())?, Some(40.0), how);
    report.add(("node_rss_mib", "MiB"), rss_mib(operator.id())?, Some(60.0), how);
    Ok(())
}

fn rss_mib(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
    Ok(kib.parse::<f64>()? / 1_024.0)
}

/// A paid request of ours over one of the official client with a plain local key, taking turns.
async fn payments(cluster: &Cluster, report: &mut Report) -> Result<()> {
    eprintln!("measuring: paid requests");
    let facilitator = Peer::facilitator(&cluster.chain).await?;
    let merchant = Peer::merchant(&facilitator, Chain::Base, PAYEE, "$0.01").await?;
    let service = Service::of(merchant.url().as_str())?;
    let policy = format!(
        "policy: research-01\nepoch: 1\napplies_to: {{ agent: research-01 }}\nrules:\n  \
         - limit: {{ amount: 900 USDC, per: day }}\n  \
         - allow: {{ services: [\"{service}\", api.search.example] }}\n"
    );
    let line = cluster.house.line()?;
    line.install_policy(&policy).await?;
    let wallets: Vec<tercet_api::resource::WalletView> = line.get("/v1/wallets").await?;
    let address = wallets.first().context("no wallet")?.address;
    cluster.rpc.fund(address, 1_000_000_000, 0).await?;
    let node = NodeConfig::read(&cluster.house.seat(Party::Agent).config())?;
    let mut config = WalletConfig::new(node);
    config.wallet = Some(address);
    config.rules.purchases_per_minute_max = 10_000;
    let wallet = Wallet::open_with(config).await?;
    wallet.wait_connected(Duration::from_secs(20)).await?;
    let url = merchant.route("/paid");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..PAYMENTS.saturating_add(WARMUP) {
        let begun = Instant::now();
        let fetched = wallet.get(url.clone()).await?;
        let paid = fetched.response.bytes().await?;
        let took = begun.elapsed().as_secs_f64() * 1_000.0;
        ensure!(!paid.is_empty() && fetched.receipt.is_some(), "a request was not paid");
        if round >= WARMUP {
            ours.push(took);
        }
    }
    let run = BaselineRun { count: PAYMENTS, warmup: WARMUP, concurrency: 1 };
    for payment in pay_with_official_client(&cluster.chain, &url, run).await? {
        theirs.push(payment.ms);
    }
    wallet.close().await;
    let (ours, theirs) = (at(&mut ours, 0.5), at(&mut theirs, 0.5));
    let how = "402, sign, verify, settle, 200, receipt verified; median of 30; interactive signing";
    report.add(("x402_paid_p50_ms", "ms"), ours, None, how);
    let how = "the same by the official client with a plain local key, same run";
    report.add(("x402_official_client_p50_ms", "ms"), theirs, None, how);
    let how = "one over the other; interactive signing takes most, presignatures are not built yet";
    report.add(("x402_paid_ratio", "ratio"), ours / theirs, Some(1.25), how);
    Ok(())
}

struct OneAgent<'a>(&'a Cluster);

impl AgentKeys for OneAgent<'_> {
    fn agent_key(&self, agent: &AgentId) -> Option<Ed25519PublicKey> {
        let house = &self.0.house;
        (*agent == house.agent).then(|| house.seat(Party::Agent).keys.signing)
    }
}

/// Admission into the operator's journal, which nobody else uses now.
async fn admissions(cluster: &Cluster, report: &mut Report) -> Result<()> {
    eprintln!("measuring: {ADMISSIONS} admissions");
    let line = cluster.house.line()?;
    let wallets: Vec<tercet_api::resource::WalletView> = line.get("/v1/wallets").await?;
    let wallet = wallets.first().context("no wallet")?.address;
    let (home, _) = cluster.house.seat(Party::Operator).open()?;
    let keys = vec![cluster.house.authority.public()];
    let authority = Authority::try_from(AuthorityConfig { keys, threshold: 1 })?;
    let pins = Pins { authority, own_policies: Vec::new() };
    let journal = Journal::open(Arc::new(home), pins, now()).await?;
    let mut samples = Vec::new();
    for _ in 0..ADMISSIONS {
        let signed = cluster.house.sign_intent(cluster.x402(wallet, PAYEE, 1)?)?;
        let begun = Instant::now();
        let intent = signed.open_intent(&OneAgent(cluster), now())?;
        let terms = terms_without_chain(&intent).context("no terms")?;
        let claim = ProposalClaim::honest(&intent, terms, 1);
        let reserved = journal.admit(Proposal::assemble(intent, &claim)?, now()).await?;
        samples.push(begun.elapsed().as_secs_f64() * 1_000.0);
        drop(reserved);
    }
    journal.close().await?;
    let how = "signed intent opened, judged and recorded in the operator's journal, durable \
               (synchronous=FULL), 500 in turn";
    report.add(("admit_durable_p50_ms", "ms"), at(&mut samples, 0.5), None, how);
    report.add(("admit_durable_p99_ms", "ms"), at(&mut samples, 0.99), None, how);
    Ok(())
}
