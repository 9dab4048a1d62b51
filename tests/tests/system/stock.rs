//! Presignatures in a whole house: made while nobody waits, used in one round trip, gone with a
//! process, and in no file.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tercet::{Paid, Wallet, WalletConfig};
use tercet_api::payment::{PaymentView, SigningWay};
use tercet_policy::chain::Chain;
use tercet_policy::intent::{IntentId, Payment, Transfer};
use tercet_policy::money::Amount;
use tercet_policy::party::Party;
use tercet_signer_node::config::NodeConfig;
use tercet_tests::cluster::{Cluster, PATIENCE, PAYEE, Plan};

const CENT: u128 = 10_000;

struct Shop {
    cluster: Cluster,
    wallet: Wallet,
}

impl Shop {
    /// The agent's node in this process, with at most as many presignatures.
    async fn open(stock_max: usize) -> Result<Self> {
        let (mut cluster, _) = Cluster::with_wallet(Plan::default()).await?;
        cluster.stop_node(Party::Agent).await;
        let path = cluster.house.seat(Party::Agent).config();
        let mut node = NodeConfig::read(&path)?;
        (node.stock.floor, node.stock.max) = (stock_max, stock_max);
        let wallet = Wallet::open_with(WalletConfig::new(node)).await?;
        wallet.wait_connected(Duration::from_secs(20)).await?;
        Ok(Self { cluster, wallet })
    }

    async fn stocked(&self, count: usize) -> Result<()> {
        let begun = Instant::now();
        while self.wallet.presignatures().await? < count {
            ensure!(begun.elapsed() < PATIENCE, "the stock does not grow");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn authorize(&self) -> Result<PaymentView> {
        let intent = self.cluster.x402(self.wallet.address(), PAYEE, CENT)?;
        let draft = self.wallet.draft(intent.payment)?;
        let id = draft.id;
        let paid = self.wallet.pay(draft).await?;
        ensure!(matches!(paid, Paid::Authorization(_)), "{paid:?}");
        self.view(&id).await
    }

    async fn view(&self, id: &IntentId) -> Result<PaymentView> {
        Ok(self.wallet.coordinator().payment(id).await?)
    }
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.is_file() {
            found.push((path.display().to_string(), std::fs::read(&path)?));
        }
    }
    Ok(found)
}

/// Slow: three processes, a chain and threshold signatures.
#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_with_stock_pays_in_one_trip_and_one_without_says_that_it_did_not() -> Result<()> {
    let shop = Shop::open(2).await?;
    shop.stocked(2).await?;
    let before = shop.wallet.presignatures().await?;
    ensure!(shop.authorize().await?.signed_by == Some(SigningWay::Presignature));
    ensure!(before == 2, "no more than configured: {before}");

    let (token, amount) = (tercet_cli::demo::testbed::usdc(), Amount::from_base_units(CENT));
    let transfer = Transfer { chain: Chain::Base, token, to: PAYEE, amount };
    shop.stocked(1).await?;
    let draft = shop.wallet.draft(Payment::Transfer(transfer))?;
    let id = draft.id;
    let Paid::Transfer(receipt) = shop.wallet.pay(draft).await? else {
        anyhow::bail!("a transfer was expected")
    };
    ensure!(receipt.verified, "{receipt:?}");
    ensure!(shop.view(&id).await?.signed_by == Some(SigningWay::Presignature));

    // As fast as it goes, until the stock is used up: the payments go on all the same.
    let mut ways = Vec::new();
    for _ in 0..4 {
        ways.push(shop.authorize().await?.signed_by.context("not signed")?);
    }
    ensure!(ways.contains(&SigningWay::Interactive), "{ways:?}");
    shop.wallet.close().await;
    Ok(())
}

/// Slow: three processes, a chain and threshold signatures.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_operator_takes_its_stock_with_it_and_both_begin_anew() -> Result<()> {
    let mut shop = Shop::open(2).await?;
    shop.stocked(2).await?;
    drop(shop.cluster.nodes.remove(&Party::Operator));
    shop.cluster.start_node(Party::Operator, &[]).await?;
    ensure!(shop.authorize().await?.signed_by == Some(SigningWay::Interactive), "nothing is left");
    let begun = Instant::now();
    while shop.authorize().await?.signed_by != Some(SigningWay::Presignature) {
        ensure!(begun.elapsed() < PATIENCE, "the stock does not come back");
    }
    shop.wallet.close().await;
    Ok(())
}

/// Slow: three processes, a chain and threshold signatures.
#[tokio::test(flavor = "multi_thread")]
async fn presignatures_and_parts_are_named_in_no_file() -> Result<()> {
    let shop = Shop::open(2).await?;
    shop.stocked(2).await?;
    ensure!(shop.authorize().await?.signed_by == Some(SigningWay::Presignature));
    let folder = shop.cluster.folder().to_owned();
    shop.wallet.close().await;
    let all = files(&folder)?;
    ensure!(all.len() > 10, "these are not the files of a house");
    for (path, bytes) in all {
        for word in ["\"answer\":", "\"sealed\":", "tilde_k", "tilde_chi", "PartialSignature"] {
            let is_in = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            ensure!(!is_in, "{path} has {word}");
        }
    }
    Ok(())
}
