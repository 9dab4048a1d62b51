//! No share, prime or passphrase in a log, a database or anything that went over the wire.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tercet_cli::demo::liar::Liar;
use tercet_policy::party::Party;
use tercet_signer::sealed::SealedName;
use tercet_tests::cluster::{Cluster, PAYEE, Plan};

struct Canary {
    what: String,
    forms: Vec<Vec<u8>>,
}

impl Canary {
    /// A secret number as the library writes it: hexadecimal. Looked for as text in both cases and
    /// as bytes in both orders.
    fn hex(what: String, text: &str) -> Result<Self> {
        let even = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() };
        let bytes = hex::decode(&even).with_context(|| what.clone())?;
        ensure!(bytes.len() >= 16, "{what} is too short to be looked for");
        let mut reversed = bytes.clone();
        reversed.reverse();
        let (lower, upper) = (text.to_lowercase(), text.to_uppercase());
        Ok(Self { what, forms: vec![lower.into_bytes(), upper.into_bytes(), bytes, reversed] })
    }

    fn is_in(&self, hay: &[u8]) -> bool {
        self.forms.iter().any(|form| hay.windows(form.len()).any(|window| window == form))
    }
}

/// Every hexadecimal text of 32 digits or more under the given keys.
fn hex_under(value: &Value, keys: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                if keys.contains(&key.as_str()) {
                    all_hex(field, found);
                }
                hex_under(field, keys, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| hex_under(item, keys, found)),
        _ => {}
    }
}

fn all_hex(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            found.push(text.clone());
        }
        Value::Object(fields) => fields.values().for_each(|field| all_hex(field, found)),
        Value::Array(items) => items.iter().for_each(|item| all_hex(item, found)),
        _ => {}
    }
}

fn canaries(cluster: &Cluster, wallet: alloy_primitives::Address) -> Result<Vec<Canary>> {
    let mut canaries = Vec::new();
    for seat in &cluster.house.seats {
        let party = seat.party;
        let passphrase = fs::read_to_string(seat.folder.join("passphrase"))?;
        canaries.push(Canary::hex(format!("passphrase of {party}"), passphrase.trim())?);
        let (home, kek) = seat.open()?;
        let agent = cluster.house.agent.clone();
        for (name, keys) in [
            (SealedName::AuxInfo { agent }, ["p", "q"].as_slice()),
            (SealedName::KeyShare { wallet }, ["x"].as_slice()),
        ] {
            let sealed = home.unseal(&name, &kek)?;
            let value: Value = serde_json::from_slice(&sealed.secret)?;
            let mut found = Vec::new();
            hex_under(&value, keys, &mut found);
            ensure!(!found.is_empty(), "no secret in {name:?} of {party}: the scan would be blind");
            for text in found {
                canaries.push(Canary::hex(format!("{keys:?} of {party}"), &text)?);
            }
        }
    }
    Ok(canaries)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if path.file_name().is_some_and(|name| name != "passphrase") {
            found.push(path);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_log_a_database_or_on_the_wire() -> Result<()> {
    let mut cluster = Cluster::started(Plan::default()).await?;
    let courier = Liar::start(cluster.coordinator_address(), Arc::new(|frame| vec![frame])).await?;
    cluster.house.write_configs(|_| courier.url(), &cluster.plan.text)?;
    for party in Party::ALL {
        cluster.stop_node(party).await;
        cluster.start_node(party, &[]).await?;
    }
    let wallet = cluster.new_wallet().await?;
    let view = cluster.pay(cluster.x402(wallet, PAYEE, 10_000)?).await?;
    cluster.payment_when(&view.id, |v| v.digest.is_some()).await?;
    let view = cluster.pay(cluster.transfer(wallet, PAYEE, 10_001)?).await?;
    cluster.settled(&view.id).await?;
    for party in Party::ALL {
        cluster.stop_node(party).await;
    }
    let canaries = canaries(&cluster, wallet)?;
    ensure!(canaries.len() >= 12, "only {} secrets are looked for", canaries.len());

    let heard = courier.heard();
    let frames: Vec<u8> = heard
        .iter()
        .flat_map(|heard| serde_json::to_vec(&heard.frame).unwrap_or_default())
        .collect();
    ensure!(heard.len() > 30, "only {} frames were seen", heard.len());
    let mut paths = Vec::new();
    files(cluster.folder(), &mut paths)?;
    ensure!(paths.iter().any(|path| path.ends_with("journal.sqlite")), "{paths:?}");
    for canary in &canaries {
        ensure!(!canary.is_in(&frames), "{} went over the wire", canary.what);
        for path in &paths {
            let inside = canary.is_in(&fs::read(path)?);
            ensure!(!inside, "{} is in {}", canary.what, path.display());
        }
    }
    // The scan finds what is there.
    let passphrase = cluster.house.seat(Party::Agent).folder.join("passphrase");
    ensure!(canaries.iter().any(|c| c.is_in(&fs::read(&passphrase).unwrap())), "a blind scan");
    Ok(())
}
