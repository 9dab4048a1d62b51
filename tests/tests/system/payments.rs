//! Intents that are well formed and well signed, and mean something that is not allowed: each is
//! refused for its own reason, with the numbers. And one that is allowed moves its money once,
//! however often it is asked for.

use alloy_primitives::{Address, address};
use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::join_all;
use tercet_api::payment::PaymentStatus;
use tercet_api::problem::{Problem, ProblemCode};
use tercet_api::resource::NodeView;
use tercet_cli::demo::house::ActError;
use tercet_cli::demo::testbed::usdc;
use tercet_policy::intent::{Payment, PaymentIntent, Service, X402Exact};
use tercet_policy::money::Amount;
use tercet_tests::cluster::{Cluster, FUNDS_UNITS, PAYEE, Plan, STRANGER};
use tercet_tests::invariants::{Before, check};

/// The USDC of Base with its last digit changed.
const NOT_USDC: Address = address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02912");
const POSTS: usize = 8;

/// What is changed before the agent signs, and what the refusal must name.
type Case = (&'static str, fn(&mut PaymentIntent), &'static [&'static str]);

fn x402(intent: &mut PaymentIntent, change: impl FnOnce(&mut X402Exact)) {
    if let Payment::X402Exact(x) = &mut intent.payment {
        change(x);
    }
}

fn at(intent: &mut PaymentIntent, resource: &str) {
    x402(intent, |x| {
        resource.clone_into(&mut x.resource);
        if let Ok(service) = Service::of(resource) {
            x.service = service;
        }
    });
}

fn units(intent: &mut PaymentIntent, units: u128) {
    x402(intent, |x| x.amount = Amount::from_base_units(units));
}

const MONEY: [Case; 7] = [
    ("one unit over", |i| units(i, 500_001), &["\"max_amount\"", "0.5 USDC", "0.500001 USDC"]),
    ("all there is", |i| units(i, u128::MAX), &["\"max_amount\"", "0.5 USDC"]),
    ("nothing", |i| units(i, 0), &["\"nothing_to_pay\""]),
    ("to nobody", |i| x402(i, |x| x.to = Address::ZERO), &["\"bad_payee\""]),
    ("to the token", |i| x402(i, |x| x.to = usdc()), &["\"bad_payee\""]),
    (
        "to itself",
        |i| {
            let own = i.wallet;
            x402(i, |x| x.to = own)
        },
        &["\"bad_payee\""],
    ),
    (
        "a look-alike token",
        |i| x402(i, |x| x.token = NOT_USDC),
        &["\"unknown_asset\"", "0x833589fcd6edb6e08f4c7c32d4f71b54bda02912"],
    ),
];

const SERVICES: [Case; 6] = [
    (
        "a longer name",
        |i| at(i, "https://api.search.example.evil.example/report"),
        &["\"allow\"", "api.search.example.evil.example"],
    ),
    (
        "another port",
        |i| at(i, "https://api.search.example:8443/report"),
        &["\"allow\"", "api.search.example:8443"],
    ),
    ("a dot more", |i| at(i, "https://api.search.example./report"), &["api.search.example."]),
    (
        "a Cyrillic letter",
        |i| x402(i, |x| x.resource = "https://\u{0430}pi.search.example/report".into()),
        &["\"service_is_not_the_host\"", "xn--pi-6kc.search.example"],
    ),
    (
        "a user of that name",
        |i| x402(i, |x| x.resource = "https://api.search.example@evil.example/".into()),
        &["\"bad_resource\""],
    ),
    ("no web address", |i| x402(i, |x| x.resource = "file:///etc/x".into()), &["\"bad_resource\""]),
];

const TIMES: [Case; 6] = [
    (
        "expired",
        |i| {
            i.created_at = i.created_at.minus(900);
            i.expires_at = i.created_at.plus(10)
        },
        &["\"intent_expired\""],
    ),
    (
        "from the future",
        |i| {
            i.created_at = i.created_at.plus(600);
            i.expires_at = i.created_at.plus(60)
        },
        &["\"intent_from_future\""],
    ),
    ("for ever", |i| i.expires_at = i.created_at.plus(100_000), &["\"intent_lives_too_long\""]),
    (
        "usable for ever",
        |i| {
            let end = i.created_at.plus(100_000);
            x402(i, |x| x.valid_before = end)
        },
        &["\"validity_too_long\""],
    ),
    ("another version", |i| i.version = 2, &["\"unknown_version\""]),
    ("another wallet", |i| i.wallet = STRANGER, &["\"unknown_wallet\""]),
];

async fn refused(cluster: &Cluster, intent: PaymentIntent) -> Result<Problem> {
    let answer = cluster.house.line()?.pay(cluster.house.sign_intent(intent)?).await;
    match answer {
        Err(ActError::Problem(problem)) => Ok(*problem),
        other => bail!("{other:?}"),
    }
}

fn names(problem: &Problem, words: &[&str]) -> Result<()> {
    ensure!(problem.code == ProblemCode::Refused, "{problem}");
    let told = serde_json::to_string(&problem.refusals)?;
    for word in words {
        let said = told.to_lowercase().contains(&word.to_lowercase());
        ensure!(said, "{word} is not in {told}");
    }
    Ok(())
}

async fn rows(cluster: &Cluster) -> Result<Vec<Option<u64>>> {
    let nodes: Vec<NodeView> = cluster.house.line()?.get("/v1/nodes").await?;
    Ok(nodes.into_iter().map(|node| node.journal_rows).collect())
}

async fn each_for_its_own_reason(cluster: &Cluster, wallet: Address) -> Result<()> {
    let before = rows(cluster).await?;
    for (name, change, words) in MONEY.iter().chain(&SERVICES).chain(&TIMES) {
        let mut intent = cluster.x402(wallet, PAYEE, 10_000)?;
        change(&mut intent);
        let problem = refused(cluster, intent).await.with_context(|| (*name).to_owned())?;
        names(&problem, words).with_context(|| (*name).to_owned())?;
    }
    let stranger = cluster.transfer(wallet, STRANGER, 10_000)?;
    let payee = STRANGER.to_string();
    names(&refused(cluster, stranger).await?, &["\"allow\"", &payee]).context("a stranger")?;
    ensure!(rows(cluster).await? == before, "a node admitted what was refused");
    ensure!(cluster.rpc.moved_from(wallet).await?.is_empty(), "money moved");
    Ok(())
}

/// Posted side by side, and again when it is settled; then its name for something else.
async fn once_however_often(cluster: &Cluster, wallet: Address) -> Result<()> {
    let intent = cluster.transfer(wallet, PAYEE, 20_000)?;
    let signed = cluster.house.sign_intent(intent.clone())?;
    let line = cluster.house.line()?;
    for answer in join_all((0..POSTS).map(|_| line.pay(signed.clone()))).await {
        ensure!(answer?.id == intent.id);
    }
    let settled = cluster.settled(&intent.id).await?;
    let again = line.pay(signed).await?;
    ensure!(again.status == PaymentStatus::Settled, "{again:#?}");
    ensure!(again.transaction == settled.transaction, "{again:#?}");

    let other = PaymentIntent { id: intent.id, ..cluster.transfer(wallet, PAYEE, 20_001)? };
    let problem = refused(cluster, other).await?;
    ensure!(problem.code == ProblemCode::IdConflict && problem.status == 409, "{problem}");

    let before = Before { wallet, had: Amount::from_base_units(FUNDS_UNITS) };
    check(&cluster.rpc, before, &[again], None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_refused_and_what_is_allowed_is_paid_once() -> Result<()> {
    let (cluster, wallet) = Cluster::with_wallet(Plan::default()).await?;
    each_for_its_own_reason(&cluster, wallet).await?;
    once_however_often(&cluster, wallet).await
}
