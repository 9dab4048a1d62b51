//! A payment of the SDK, and then every trace of it: no secret of the three homes, no node's own
//! key and no finished authorization is in a log, a database or an answer, in any encoding that a
//! formatter, a serializer or a core dump would give it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use alloy_primitives::{Address, Uint};
use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use tercet::{Paid, Wallet, WalletConfig};
use tercet_cli::demo::house::{Seat, now};
use tercet_cli::demo::testbed::usdc;
use tercet_policy::chain::Chain;
use tercet_policy::intent::{Payment, Service, X402Exact};
use tercet_policy::money::Amount;
use tercet_policy::party::Party;
use tercet_signer::sealed::SealedName;
use tercet_signer_node::config::NodeConfig;
use tercet_tests::cluster::{Cluster, PAYEE, Plan, RESOURCE};

/// How many bytes of a form are looked up before the whole is compared.
const HEAD_BYTES: usize = 12;
/// An Ed25519 seed and an X25519 key after a version byte, as `identity.sealed` has them.
const IDENTITY_KEYS: [std::ops::Range<usize>; 2] = [1..33, 33..65];
/// Every view that anybody is shown.
const VIEWS: [&str; 6] = [
    "/v1/payments",
    "/v1/wallets",
    "/v1/nodes",
    "/v1/agents",
    "/v1/agents/research-01/policy",
    "/v1/health",
];

/// Secrets in all their forms, found in one pass over a text of any length.
#[derive(Default)]
struct Canaries {
    forms: HashMap<[u8; HEAD_BYTES], Vec<(String, Vec<u8>)>>,
    count: usize,
}

impl Canaries {
    fn add(&mut self, what: &str, secret: &[u8]) -> Result<()> {
        ensure!(secret.len() >= 16, "{what} is too short to be looked for");
        self.count += 1;
        for (encoding, form) in forms(secret) {
            let head = *form.first_chunk().with_context(|| format!("{what} as {encoding}"))?;
            self.forms.entry(head).or_default().push((format!("{what} as {encoding}"), form));
        }
        Ok(())
    }

    fn add_hex(&mut self, what: &str, text: &str) -> Result<()> {
        let padding = if text.len() % 2 == 1 { "0" } else { "" };
        self.add(what, &hex::decode(format!("{padding}{text}"))?)
    }

    /// The first secret that is in `hay`.
    fn found_in(&self, hay: &[u8]) -> Option<&str> {
        hay.windows(HEAD_BYTES).enumerate().find_map(|(at, head)| {
            let head: &[u8; HEAD_BYTES] = head.try_into().ok()?;
            let there = |form: &[u8]| hay[at..].starts_with(form);
            let forms = self.forms.get(head)?.iter();
            forms.into_iter().find_map(|(what, form)| there(form).then_some(what.as_str()))
        })
    }
}

fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut reversed = secret.to_vec();
    reversed.reverse();
    let number = Uint::<2048, 32>::from_be_slice(secret).to_string();
    let list = |between: &str| {
        let bytes: Vec<_> = secret.iter().map(u8::to_string).collect();
        bytes.join(between).into_bytes()
    };
    let mut forms = vec![
        ("bytes", secret.to_vec()),
        ("bytes, reversed", reversed),
        ("hexadecimal", hex::encode(secret).into_bytes()),
        ("HEXADECIMAL", hex::encode_upper(secret).into_bytes()),
        ("a number", number.into_bytes()),
        ("a list", list(",")),
        ("a list of Debug", list(", ")),
    ];
    // Base64 of a longer text that has the secret in it: three ways to fall on the groups of three.
    for skip in 0..3 {
        let inner = &secret[skip..];
        let whole = &inner[..inner.len() / 3 * 3];
        forms.push(("base64", BASE64_STANDARD_NO_PAD.encode(whole).into_bytes()));
        forms.push(("base64url", BASE64_URL_SAFE_NO_PAD.encode(whole).into_bytes()));
    }
    forms
}

/// Takes every hexadecimal text of 32 digits or more that lies under one of `keys`.
fn secrets_under(value: &Value, keys: &[&str], inside: bool, found: &mut Vec<String>) {
    match value {
        Value::String(text) if inside && text.len() >= 32 => found.push(text.clone()),
        Value::Object(fields) => fields.iter().for_each(|(key, field)| {
            secrets_under(field, keys, inside || keys.contains(&key.as_str()), found);
        }),
        Value::Array(items) => {
            items.iter().for_each(|item| secrets_under(item, keys, inside, found));
        }
        _ => {}
    }
}

/// Everything that a home keeps sealed, and what unseals it.
fn take_secrets(
    canaries: &mut Canaries,
    seat: &Seat,
    cluster: &Cluster,
    wallet: Address,
) -> Result<()> {
    let party = seat.party;
    let passphrase = fs::read_to_string(seat.folder.join("passphrase"))?;
    canaries.add(&format!("the passphrase of {party}"), passphrase.trim().as_bytes())?;
    let (home, kek) = seat.open()?;
    let identity = home.unseal(&SealedName::Identity, &kek)?;
    for range in IDENTITY_KEYS {
        let key = identity.secret.get(range).context("a short identity")?;
        canaries.add(&format!("a key of {party}"), key)?;
    }
    let agent = cluster.house.agent.clone();
    let sealed = [
        (SealedName::AuxInfo { agent }, ["p", "q"].as_slice(), 2),
        (SealedName::KeyShare { wallet }, ["x"].as_slice(), 1),
    ];
    for (name, keys, least) in sealed {
        let content: Value = serde_json::from_slice(&home.unseal(&name, &kek)?.secret)?;
        let mut found = Vec::new();
        secrets_under(&content, keys, false, &mut found);
        ensure!(found.len() >= least, "no secret in {name:?} of {party}: the scan would be blind");
        for text in found {
            canaries.add_hex(&format!("{keys:?} of {party}"), &text)?;
        }
    }
    Ok(())
}

/// Looks through every file but the passphrases. Yields how many were read.
fn look_through(folder: &Path, canaries: &Canaries) -> Result<usize> {
    let mut read = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read += look_through(&path, canaries)?;
        } else if path.file_name().is_some_and(|name| name != "passphrase") {
            if let Some(what) = canaries.found_in(&fs::read(&path)?) {
                bail!("{what} is in {}", path.display());
            }
            read += 1;
        }
    }
    Ok(read)
}

/// Has the SDK make an authorization, with the agent's share in this process, and yields the
/// signature, which is worth money.
async fn authorize(cluster: &Cluster) -> Result<Vec<u8>> {
    let config = NodeConfig::read(&cluster.house.seat(Party::Agent).config())?;
    let wallet = Wallet::open_with(WalletConfig::new(config)).await?;
    wallet.wait_connected(Duration::from_secs(20)).await?;
    let draft = wallet.draft(Payment::X402Exact(X402Exact {
        chain: Chain::Base,
        token: usdc(),
        to: PAYEE,
        amount: Amount::from_base_units(10_000),
        valid_before: now().plus(300),
        service: Service::of(RESOURCE)?,
        resource: RESOURCE.to_owned(),
    }))?;
    let paid = wallet.pay(draft).await?;
    wallet.close().await;
    let Paid::Authorization(authorization) = paid else { bail!("an authorization was expected") };
    let value = serde_json::to_value(authorization.signature)?;
    let text = value.as_str().context("a signature is a text")?;
    Ok(hex::decode(text.trim_start_matches("0x"))?)
}

/// All answers that the coordinator and the nodes give.
async fn answers(cluster: &Cluster) -> Result<Vec<(String, Vec<u8>)>> {
    let line = cluster.house.line()?;
    let mut answers = Vec::new();
    for path in VIEWS {
        let answer: Value = line.get(path).await.with_context(|| path.to_owned())?;
        answers.push((path.to_owned(), serde_json::to_vec(&answer)?));
    }
    for party in [Party::Operator, Party::Recovery] {
        let url = format!("http://{}/readyz", cluster.house.seat(party).health);
        let body = reqwest::get(&url).await?.bytes().await?;
        answers.push((format!("/readyz of {party}"), body.to_vec()));
    }
    Ok(answers)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_worth_money_is_written_down_or_told() -> Result<()> {
    // As talkative as it can be configured.
    let text = tercet_cli::demo::house::ConfigText {
        node_more: "\n[log]\nfilter = \"trace\"\n".to_owned(),
        ..Default::default()
    };
    let plan = Plan { text, ..Plan::default() };
    let (mut cluster, wallet) = Cluster::with_wallet(plan).await?;
    cluster.stop_node(Party::Agent).await;
    let mut canaries = Canaries::default();
    canaries.add("the signature", &authorize(&cluster).await?)?;
    let transfer = cluster.transfer(wallet, PAYEE, 10_000)?;
    cluster.start_node(Party::Agent, &[]).await?;
    let view = cluster.pay(transfer).await?;
    cluster.settled(&view.id).await?;
    let told = answers(&cluster).await?;
    for party in Party::ALL {
        cluster.stop_node(party).await;
        take_secrets(&mut canaries, cluster.house.seat(party), &cluster, wallet)?;
    }
    // Of each party a passphrase, two keys, two primes and a share; and the signature.
    ensure!(canaries.count >= 19, "only {} secrets are looked for", canaries.count);
    for (path, answer) in &told {
        ensure!(canaries.found_in(answer).is_none(), "{:?} in {path}", canaries.found_in(answer));
    }
    ensure!(cluster.log("operator").contains("TRACE"), "the logs are not talkative");
    let read = look_through(&cluster.house.folder, &canaries)?;
    ensure!(read >= 20, "only {read} files were read");
    planted_ones_are_found(&cluster, &canaries)
}

/// The scan is not blind, for any encoding.
fn planted_ones_are_found(cluster: &Cluster, canaries: &Canaries) -> Result<()> {
    let log = cluster.house.log("operator");
    let clean = fs::read(&log)?;
    for (what, form) in canaries.forms.values().flatten() {
        let planted = [b"INFO a line with ".as_slice(), form, b" in it\n"].concat();
        let found = canaries.found_in(&planted);
        ensure!(found.is_some(), "{what} is not found where it is");
    }
    let (what, form) = canaries.forms.values().flatten().next().context("no forms")?;
    fs::write(&log, [clean.as_slice(), form].concat())?;
    let scan = look_through(&cluster.house.folder, canaries);
    ensure!(scan.is_err(), "{what} is not found in a log");
    Ok(fs::write(&log, clean)?)
}
