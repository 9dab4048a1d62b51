//! A world for one test: merchant, payer, chain, clock, and the buyer between them.

pub(crate) mod chain;
pub(crate) mod merchant;
pub(crate) mod payer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy_primitives::Address;
use reqwest::{Method, Request};
use tercet::buyer::{Buyer, BuyerParts, Fetched};
use tercet::error::{Declined, Error};
use tercet::journal::{Journal, Purchase, State};
use tercet::rules::{FetchRules, Patience};
use tercet::seam::Clock;
use tercet_policy::party::AgentId;
use tercet_policy::time::UnixSeconds;

pub(crate) use self::chain::FakeChain;
pub(crate) use self::merchant::{Answer, Hit, Merchant};
pub(crate) use self::payer::FakePayer;

pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) fn wallet() -> Address {
    Address::repeat_byte(0x11)
}

pub(crate) struct FakeClock(AtomicU64);

impl FakeClock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct World {
    pub(crate) merchant: Merchant,
    pub(crate) payer: Arc<FakePayer>,
    pub(crate) chain: Arc<FakeChain>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) buyer: Buyer,
    rules: FetchRules,
    home: tempfile::TempDir,
}

/// Rules that lose no time.
pub(crate) fn rules() -> FetchRules {
    FetchRules {
        patience: Patience {
            connect_ms: 1_000,
            unpaid_ms: 1_000,
            paid_ms: 300,
            resource_ms: 200,
            chain_ms: 60,
            receipt_ms: 30,
            report_ms: 30,
            pause_ms: 5,
        },
        ..FetchRules::default()
    }
}

impl World {
    /// A merchant that answers by `script`, before a buyer with quick default rules.
    pub(crate) async fn new(script: impl Fn(Hit) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(rules(), Arc::default(), script).await
    }

    /// The same, with a chain that the script may write to.
    pub(crate) async fn with(
        rules: FetchRules,
        chain: Arc<FakeChain>,
        script: impl Fn(Hit) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let merchant = Merchant::start(script).await;
        let payer = Arc::new(FakePayer::default());
        let clock = Arc::new(FakeClock(AtomicU64::new(NOW)));
        let home = tempfile::tempdir().unwrap();
        let buyer = buyer(&home, &rules, &payer, &chain, &clock).await;
        Self { merchant, payer, chain, clock, buyer, rules, home }
    }

    /// The process ends and another one opens the same home.
    pub(crate) async fn restart(&mut self) {
        self.buyer = buyer(&self.home, &self.rules, &self.payer, &self.chain, &self.clock).await;
    }

    /// The same, with other rules.
    pub(crate) async fn restart_with(&mut self, rules: FetchRules) {
        self.rules = rules;
        self.restart().await;
    }

    /// Another process over the same home.
    pub(crate) async fn another(&self) -> Buyer {
        buyer(&self.home, &self.rules, &self.payer, &self.chain, &self.clock).await
    }

    /// Another wallet's process over the same home.
    pub(crate) async fn of_wallet(&self, wallet: Address) -> Buyer {
        let parts = parts(&self.home, &self.rules, &self.payer, &self.chain, &self.clock).await;
        Buyer::new(BuyerParts { wallet, ..parts }).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Fetched, Error> {
        self.buyer.fetch(self.merchant.request(Method::GET, path)).await
    }

    pub(crate) async fn fetch(&self, request: Request) -> Result<Fetched, Error> {
        self.buyer.fetch(request).await
    }

    /// Why nothing is bought at `path`; nothing may have been signed or sent for it.
    pub(crate) async fn declined(&self, path: &str) -> Declined {
        let signed = self.payer.signed();
        let error = self.get(path).await.expect_err("a purchase was made");
        assert_eq!(self.payer.signed(), signed, "something was signed");
        assert!(self.merchant.payments().is_empty(), "something was sent");
        match error {
            Error::Declined(why) => *why,
            other => panic!("declined was expected: {other}"),
        }
    }

    /// The only purchase there is.
    pub(crate) async fn purchase(&self) -> Purchase {
        let journal = Journal::open(self.home.path()).await.unwrap();
        let mut all = journal.recent(10).await.unwrap();
        assert_eq!(all.len(), 1, "one purchase was expected");
        all.remove(0)
    }

    pub(crate) async fn state(&self) -> State {
        self.purchase().await.state
    }

    /// One nonce at the payer, and one at the merchant.
    pub(crate) fn assert_one_nonce(&self) {
        assert_eq!(self.payer.nonces().len(), 1, "the payer signed more than one nonce");
        let sent: std::collections::BTreeSet<_> =
            self.merchant.payments().iter().map(|payment| payment.nonce).collect();
        assert!(sent.len() <= 1, "the merchant has more than one nonce");
    }
}

async fn buyer(
    home: &tempfile::TempDir,
    rules: &FetchRules,
    payer: &Arc<FakePayer>,
    chain: &Arc<FakeChain>,
    clock: &Arc<FakeClock>,
) -> Buyer {
    Buyer::new(parts(home, rules, payer, chain, clock).await).unwrap()
}

async fn parts(
    home: &tempfile::TempDir,
    rules: &FetchRules,
    payer: &Arc<FakePayer>,
    chain: &Arc<FakeChain>,
    clock: &Arc<FakeClock>,
) -> BuyerParts {
    BuyerParts {
        wallet: wallet(),
        agent: AgentId::new("research-01").unwrap(),
        rules: rules.clone(),
        journal: Journal::open(home.path()).await.unwrap(),
        payer: Arc::clone(payer) as _,
        vouchers: Some(Arc::clone(payer) as _),
        evidence: Arc::clone(chain) as _,
        clock: Arc::clone(clock) as _,
    }
}
