//! The SDK against the whole house: the agent's share in this process, the operator's in another,
//! the official merchant and facilitator, a real chain.

use std::time::Duration;

use alloy_primitives::Address;
use anyhow::{Context as _, Result, bail, ensure};
use tercet::journal::State;
use tercet::{Declined, Error, Paid, Wallet, WalletConfig};
use tercet_policy::chain::Chain;
use tercet_policy::intent::{Payment, Service, Transfer, X402Exact};
use tercet_policy::money::Amount;
use tercet_policy::party::Party;
use tercet_signer_node::config::NodeConfig;
use tercet_tests::cluster::{Cluster, FUNDS_UNITS, PAYEE, Plan, STRANGER};
use tercet_tests::peers::Peer;

const CENT: u128 = 10_000;

struct Shop {
    cluster: Cluster,
    merchant: Peer,
    _facilitator: Peer,
    address: Address,
}

impl Shop {
    /// A house whose policy allows the official merchant, and a funded wallet. The agent's node does
    /// not run: its home is for the wallet of this process.
    async fn open() -> Result<Self> {
        let mut cluster = Cluster::started(Plan { policy: None, ..Plan::default() }).await?;
        let facilitator = Peer::facilitator(&cluster.chain).await?;
        let merchant = Peer::merchant(&facilitator, Chain::Base, PAYEE, "$0.01").await?;
        let service = Service::of(merchant.url().as_str())?;
        let policy = format!(
            "policy: research-01\nepoch: 1\napplies_to: {{ agent: research-01 }}\nrules:\n  \
             - max_amount: 0.50 USDC\n  - limit: {{ amount: 5 USDC, per: day }}\n  \
             - allow: {{ services: [\"{service}\"] }}\n  \
             - allow: {{ recipients: [\"{PAYEE}\"] }}\n"
        );
        cluster.house.line()?.install_policy(&policy).await.context("policy")?;
        let address = cluster.new_wallet().await?;
        cluster.stop_node(Party::Agent).await;
        Ok(Self { cluster, merchant, _facilitator: facilitator, address })
    }

    async fn wallet(&self, max_price: &str) -> Result<Wallet> {
        let path = self.cluster.house.seat(Party::Agent).config();
        let mut config = WalletConfig::new(NodeConfig::read(&path)?);
        config.rules.max_price = max_price.parse()?;
        config.rules.patience.chain_ms = 1_500;
        let wallet = Wallet::open_with(config).await?;
        wallet.wait_connected(Duration::from_secs(20)).await?;
        Ok(wallet)
    }
}

async fn usdc_of(wallet: &Wallet) -> Result<u128> {
    let balances = wallet.balance().await?;
    Ok(balances.first().context("no balance")?.usdc.base_units())
}

/// Slow: three processes, a chain and threshold signatures.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_buys_transfers_and_is_refused() -> Result<()> {
    let shop = Shop::open().await?;
    let wallet = shop.wallet("0.10 USDC").await?;
    assert_eq!(wallet.address(), shop.address);
    assert_eq!(usdc_of(&wallet).await?, FUNDS_UNITS);

    let fetched = wallet.get(shop.merchant.route("/paid")).await?;
    let receipt = fetched.receipt.context("nothing was paid")?;
    assert!(fetched.response.text().await?.contains("what you paid for"));
    assert!(receipt.verified, "{receipt:?}");
    assert_eq!(usdc_of(&wallet).await?, FUNDS_UNITS - CENT);

    let Err(Error::Declined(why)) = wallet.get(shop.merchant.route("/dear")).await else {
        bail!("$250 are over the agent's own limit");
    };
    assert!(matches!(*why, Declined::NothingAcceptable { .. }), "{why}");

    let transfer = wallet.transfer(Chain::Base, PAYEE, &"0.02 USDC".parse()?).await?;
    assert!(transfer.verified, "{transfer:?}");
    assert_eq!(usdc_of(&wallet).await?, FUNDS_UNITS - 3 * CENT);

    let stranger = wallet.transfer(Chain::Base, STRANGER, &"0.02 USDC".parse()?).await;
    let Err(Error::Refused { refusals, .. }) = stranger else { bail!("{stranger:?}") };
    ensure!(!refusals.is_empty(), "a refusal says why");
    assert_eq!(usdc_of(&wallet).await?, FUNDS_UNITS - 3 * CENT);
    wallet.close().await;
    Ok(())
}

/// Slow: three processes, a chain and threshold signatures.
#[tokio::test(flavor = "multi_thread")]
async fn an_intent_moves_money_once_however_often_it_is_paid() -> Result<()> {
    let shop = Shop::open().await?;
    let wallet = shop.wallet("0.10 USDC").await?;
    let token = tercet_cli::demo::testbed::usdc();
    let amount = Amount::from_base_units(CENT);
    let draft = wallet.draft(Payment::Transfer(Transfer {
        chain: Chain::Base,
        token,
        to: PAYEE,
        amount,
    }))?;
    let mut transactions = Vec::new();
    for _ in 0..2 {
        let Paid::Transfer(receipt) = wallet.pay(draft.clone()).await? else {
            bail!("a transfer was expected");
        };
        transactions.push(receipt.transaction);
    }
    assert_eq!(transactions.first(), transactions.last());
    assert_eq!(usdc_of(&wallet).await?, FUNDS_UNITS - CENT);

    let resource = shop.merchant.route("/paid").to_string();
    let now = tercet_cli::demo::house::now();
    let authorization = wallet.draft(Payment::X402Exact(X402Exact {
        chain: Chain::Base,
        token,
        to: PAYEE,
        amount,
        valid_before: now.plus(300),
        service: Service::of(&resource)?,
        resource,
    }))?;
    let mut authorized = Vec::new();
    for _ in 0..2 {
        let Paid::Authorization(payment) = wallet.pay(authorization.clone()).await? else {
            bail!("an authorization was expected");
        };
        authorized.push(payment.authorization);
    }
    assert_eq!(authorized.first(), authorized.last(), "signed again, and the same");
    wallet.close().await;
    Ok(())
}

/// Slow: three processes, a chain and threshold signatures.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_is_open_until_the_chain_says_so_and_goes_on_after_a_restart()
-> Result<()> {
    let shop = Shop::open().await?;
    let wallet = shop.wallet("0.10 USDC").await?;
    // The handler fails, so the merchant does not settle; the authorization stays usable.
    let Err(Error::Unknown(open)) = wallet.get(shop.merchant.route("/boom")).await else {
        bail!("nothing is known of a payment that the merchant holds");
    };
    wallet.close().await;

    let wallet = shop.wallet("0.10 USDC").await?;
    let standing = wallet.resume().await?;
    assert_eq!(standing.len(), 1);
    assert_eq!(standing.first().map(|s| (s.intent, s.state)), Some((open.intent, State::Unknown)));
    let Err(Error::Unknown(again)) = wallet.get(shop.merchant.route("/boom")).await else {
        bail!("the same request goes on with the same intent");
    };
    assert_eq!(again.intent, open.intent);
    assert_eq!(wallet.purchases(10).await?.len(), 1);
    assert_eq!(usdc_of(&wallet).await?, FUNDS_UNITS);
    wallet.close().await;
    Ok(())
}
