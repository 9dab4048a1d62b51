//! Makes the fixtures in `tests/fixtures`: one group's primes and auxiliary data, by the real
//! protocol, so that tests need not spend two minutes on each run.
//!
//! The values are public. Whatever is made with them protects nothing: TEST ONLY.
//!
//! `cargo run --example make-test-fixtures` (some two minutes on two cores)
#![allow(clippy::print_stderr, reason = "a program for developers says what it does")]
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "support for tests")]

#[path = "../tests/support/table.rs"]
mod table;

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};
use tercet_policy::party::Party;
use tercet_signer::primes::{self, SafePrimes};
use tercet_signer::tss;
use tercet_signer::tss::{ExecutionFields, Patience, Protocol, ThreadLimits, Threads};
use tokio_util::sync::CancellationToken;

const NOTICE: &str = "TEST ONLY. These secrets are public. Never for production.";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::create_dir_all(&folder)?;
    let primes = primes_of_all()?;
    write(&folder.join("TEST-ONLY-primes.json"), &json!({"notice": NOTICE, "payload": primes.1}))?;

    let fields = ExecutionFields {
        protocol: Protocol::GroupAux,
        wallet: None,
        key_epoch: 0,
        session: b"TEST ONLY",
        parties: &Party::ALL,
        attempt: 0,
        aux_hash: None,
    };
    let threads = Threads::new(ThreadLimits { background_runs_max: 3, ..Default::default() });
    let sessions = table::sessions(&fields, Patience::GROUP_AUX, &table::honest());
    let runs = sessions.into_iter().zip(primes.0).map(|(session, primes)| {
        let threads = threads.clone();
        tokio::spawn(async move { tss::make_group_aux(&threads, session, primes).await })
    });
    for run in runs.collect::<Vec<_>>() {
        let aux = run.await??;
        eprintln!("{aux:?}");
        let payload: Value = serde_json::from_slice(&aux.to_sealed_bytes()?)?;
        let fixture = json!({"notice": NOTICE, "payload": payload});
        write(&folder.join(format!("TEST-ONLY-group-aux-{}.json", aux.party())), &fixture)?;
    }
    Ok(())
}

fn primes_of_all() -> anyhow::Result<(Vec<SafePrimes>, Value)> {
    let (mut found, mut payload) = (Vec::new(), serde_json::Map::new());
    for party in Party::ALL {
        let primes =
            primes::generate(&CancellationToken::new(), &mut |p| eprintln!("{party}: {p}"))?;
        payload.insert(party.to_string(), serde_json::from_slice(&primes.to_sealed_bytes()?)?);
        found.push(primes);
    }
    Ok((found, Value::Object(payload)))
}

fn write(path: &Path, fixture: &Value) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(fixture)?;
    std::fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))
}
