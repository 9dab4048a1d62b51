//! Measures admission: signed intent in (Ed25519 and canonical JSON checked, proposal assembled,
//! policy decided), reservation durable in a file journal out. One JSON line per figure.
//!
//! The policy has room for exactly the payments that are made, and one more must be refused: what
//! is fast and overspends is no figure.
//!
//! `cargo run --release -p tercet-signer --example bench-admit -- [ONE_BY_ONE] [AT_ONCE]`
#![allow(clippy::print_stdout, reason = "a measuring program prints its measurements")]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a program for developers may stop where it stands"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use alloy_primitives::{Address, address};
use anyhow::{Context as _, ensure};
use ed25519_dalek::SigningKey;
use serde_json::json;
use tercet_policy::chain::Chain;
use tercet_policy::declared::Declared;
use tercet_policy::document::{
    AuthorityConfig, Ed25519PublicKey, Enrolment, NodeKeys, RequestId, Signed, X25519PublicKey,
};
use tercet_policy::intent::{IntentId, Payment, PaymentIntent, Service, SignedIntent, X402Exact};
use tercet_policy::money::Amount;
use tercet_policy::party::{AgentId, NodeId};
use tercet_policy::proposal::{Proposal, ProposalClaim, terms_without_chain};
use tercet_policy::rules::PolicyDocument;
use tercet_policy::time::UnixSeconds;
use tercet_signer::home::Home;
use tercet_signer::journal::{Journal, Pins};
use tokio::task::JoinSet;

const WALLET: Address = address!("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
const PAYEE: Address = address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");
const USDC: Address = address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");
/// Base units of one payment: a cent.
const PRICE: u64 = 10_000;
const CALLERS: usize = 64;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|n| n.parse::<u64>());
    let one_by_one = numbers.next().transpose()?.unwrap_or(2_000);
    let at_once = numbers.next().transpose()?.unwrap_or(8_000);
    // In the working directory: a system's temporary folder may be memory, where nothing is durable.
    let folder = tempfile::tempdir_in(".")?;
    let journal = journal(folder.path(), one_by_one + at_once).await?;
    let intents: Vec<_> = (0..=one_by_one + at_once).map(intent).collect::<Result<_, _>>()?;
    let (alone, rest) = intents.split_at(usize::try_from(one_by_one)?);
    let (last, together) = rest.split_last().context("no intents")?;

    println!(
        "{}",
        json!({"name": "stage_open_us", "value": open_us(&journal, alone)?, "unit": "us"})
    );
    let mut took_ms = Vec::new();
    for intent in alone {
        let begun = Instant::now();
        admit(&journal, intent.clone()).await?;
        took_ms.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    took_ms.sort_by(f64::total_cmp);
    for (name, share) in [("admit_p50_ms", 0.5), ("admit_p99_ms", 0.99)] {
        let place = ((took_ms.len() as f64 * share) as usize).min(took_ms.len() - 1);
        println!("{}", json!({"name": name, "value": took_ms[place], "unit": "ms"}));
    }

    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for part in together.chunks(together.len().div_ceil(CALLERS)) {
        let (journal, part) = (journal.clone(), part.to_vec());
        callers.spawn(async move {
            for intent in part {
                admit(&journal, intent).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    let per_s = at_once as f64 / begun.elapsed().as_secs_f64();
    println!("{}", json!({"name": "admits_per_s", "value": per_s, "unit": "1/s"}));
    ensure!(admit(&journal, last.clone()).await.is_err(), "one more than fits was admitted");
    journal.close().await?;
    Ok(())
}

/// The median of finding out what an agent signed: canonical JSON, Ed25519, the times in it.
fn open_us(journal: &Journal, intents: &[SignedIntent]) -> anyhow::Result<f64> {
    let mut took_us = Vec::new();
    for intent in intents {
        let (intent, roll) = (intent.clone(), journal.roll());
        let begun = Instant::now();
        std::hint::black_box(intent.open_intent(&*roll, now())?);
        took_us.push(begun.elapsed().as_secs_f64() * 1_000_000.0);
    }
    took_us.sort_by(f64::total_cmp);
    took_us.get(took_us.len() / 2).copied().context("no intents")
}

async fn admit(journal: &Journal, intent: SignedIntent) -> anyhow::Result<()> {
    let now = now();
    let roll = journal.roll();
    let opened = intent.open_intent(&*roll, now)?;
    let terms = terms_without_chain(&opened).context("no terms")?;
    let held = roll.policies_for(&agent()?, &WALLET).context("no policy")?;
    let claim = ProposalClaim::honest(&opened, terms, held.epochs(&WALLET, None));
    // Dropped: it counts as spent all the same.
    let _reserved = journal.admit(Proposal::assemble(opened, &claim)?, now).await?;
    Ok(())
}

async fn journal(folder: &Path, payments: u64) -> anyhow::Result<Journal> {
    let home = Arc::new(Home::create(&folder.join("home"))?);
    let keys = vec![Ed25519PublicKey::of(&key(1))];
    let authority = AuthorityConfig { keys, threshold: 1 }.try_into()?;
    let journal = Journal::open(home, Pins { authority, own_policies: Vec::new() }, now()).await?;
    journal.install_enrolment(Signed::by(enrolment()?, &key(1))?).await?;
    let limit = Amount::from_base_units(u128::from(PRICE * payments)).to_decimal(6);
    let yaml = format!(
        "policy: research-01\nepoch: 1\napplies_to: {{ agent: research-01 }}\nrules:\n  \
         - max_amount: 0.50 USDC\n  - limit: {{ amount: {limit} USDC, per: day }}\n  \
         - allow: {{ services: [api.search.example] }}\n  \
         - allow: {{ recipients: [\"{PAYEE}\"] }}\n"
    );
    journal.install_policy(Signed::by(PolicyDocument { yaml }, &key(1))?).await?;
    journal.add_wallet(agent()?, WALLET, RequestId([5; 32])).await?;
    Ok(journal)
}

fn enrolment() -> anyhow::Result<Enrolment> {
    let node = |name: &str, n: u8| {
        anyhow::Ok(NodeKeys {
            id: NodeId::new(name)?,
            signing: Ed25519PublicKey::of(&key(n)),
            channel: X25519PublicKey([n; 32]),
        })
    };
    Ok(Enrolment {
        agent: agent()?,
        epoch: 1,
        agent_node: node("research-01", 10)?,
        operator_node: node("operator-01", 11)?,
        recovery_node: node("recovery-01", 12)?,
    })
}

fn intent(n: u64) -> anyhow::Result<SignedIntent> {
    let (mut id, created_at) = ([0; 32], now());
    id[..8].copy_from_slice(&n.to_be_bytes());
    let payment = Payment::X402Exact(X402Exact {
        chain: Chain::Base,
        token: USDC,
        to: PAYEE,
        amount: Amount::from_base_units(u128::from(PRICE)),
        valid_before: created_at.plus(300),
        resource: "https://api.search.example/q".to_owned(),
        service: Service::of("https://api.search.example")?,
    });
    let intent = PaymentIntent {
        version: 1,
        id: IntentId(id),
        agent: agent()?,
        wallet: WALLET,
        payment,
        declared: Declared::default(),
        created_at,
        expires_at: created_at.plus(300),
    };
    Ok(Signed::by(intent, &key(10))?)
}

fn agent() -> anyhow::Result<AgentId> {
    Ok(AgentId::new("research-01")?)
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(since.as_secs())
}
