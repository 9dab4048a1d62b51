//! An agent's wallet: one share of its key at the agent's node, the other at the operator.
//!
//! Promises: opening it starts the agent's signer node in this process, or finds the one that runs
//! beside it ([`crate::node`]); then the wallet whose share is there; then it looks at the chain for
//! whatever an earlier process left open. Every payment is asked of the coordinator, judged by both
//! nodes, and believed settled only when this process's own endpoints show it.
//!
//! Refuses: a node without a wallet, rules that name a chain without endpoints, two nodes in one
//! home.
//!
//! Does not protect against: whoever controls this process. It can spend what the policy allows,
//! and no more.

mod config;
mod evidence;
mod exit;
mod fence;
#[cfg(test)]
mod fixture;
mod house;
mod janitor;
mod pay;
mod payer;
mod tempo;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::Address;
use reqwest::{IntoUrl, Method, Request};
use tercet_api::payment::PaymentPage;
use tercet_api::resource::ChainBalance;
use tercet_policy::chain::Chain;
use tercet_policy::intent::{IntentId, Service};
use tercet_policy::mpp::ChannelId;
use tercet_policy::party::AgentId;
use tercet_policy::report::ReportKind;
use tercet_signer_node::Readiness;

pub use self::config::{Housing, RULES_FILE, WalletConfig};
pub use self::evidence::ChainEvidence;
pub use self::exit::{V1_GRACE_SECONDS, V1Exit};
pub use self::fence::Fence;
pub use self::pay::{PAYMENT_SECONDS_MAX, Paid};

use self::house::House;
use self::janitor::Janitor;
use self::payer::HousedPayer;
use crate::buyer::{Buyer, BuyerParts, Fetched, Standing};
use crate::client::{Client, Credentials, PaymentsAsked};
use crate::declare::Declaration;
use crate::error::{BadRequest, Error};
use crate::journal::{Journal, Purchase};
use crate::mpp::{Session, Sessions, Tended};
use crate::node::AsAgent;
use crate::seam::{Payer as _, SystemClock};

/// A wallet, open.
pub struct Wallet {
    buyer: Buyer,
    payer: Arc<HousedPayer>,
    evidence: Arc<ChainEvidence>,
    client: Client,
    journal: Journal,
    house: House,
    agent: AgentId,
    address: Address,
    janitor: Option<Janitor>,
}

impl Wallet {
    /// Opens the wallet of a folder with an agent node's configuration (`agent.toml`), with
    /// [`RULES_FILE`], or with both; or of one such file. What [`WalletConfig::read`] reads.
    ///
    /// # Errors
    /// [`Error::NotReady`] for a configuration or home that is not one to start with, and for a
    /// node beside this process that does not answer.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(WalletConfig::read(path.as_ref())?).await
    }

    /// Opens a wallet with a configuration in hand.
    ///
    /// # Errors
    /// As for [`Wallet::open`].
    pub async fn open_with(config: WalletConfig) -> Result<Self, Error> {
        let evidence = Arc::new(ChainEvidence::new(&config)?);
        let house = House::open(&config).await?;
        match Rooms::find(&config, &house).await {
            Ok(rooms) => Self::move_in(config, evidence, house, rooms).await,
            Err(error) => {
                house.close().await;
                Err(error)
            }
        }
    }

    async fn move_in(
        config: WalletConfig,
        evidence: Arc<ChainEvidence>,
        house: House,
        rooms: Rooms,
    ) -> Result<Self, Error> {
        let Rooms { agent, address, client, journal } = rooms;
        let pays_on_tempo = config.rules.pays_on_tempo();
        let payer = Arc::new(HousedPayer::new(Arc::clone(&house.node), client.clone()));
        let parts = BuyerParts {
            wallet: address,
            agent: agent.clone(),
            rules: config.rules,
            journal: journal.clone(),
            payer: Arc::clone(&payer) as _,
            vouchers: Some(Arc::clone(&payer) as _),
            evidence: Arc::clone(&evidence) as _,
            clock: Arc::new(SystemClock),
        };
        let buyer = match Buyer::new(parts) {
            Ok(buyer) => buyer,
            Err(error) => {
                drop(payer);
                house.close().await;
                return Err(error);
            }
        };
        // Sessions of earlier rules end in order, too.
        let left = journal.readable_sessions(address).await.is_ok_and(|left| !left.is_empty());
        let sessions = buyer.sessions().filter(|_| pays_on_tempo || left).cloned();
        let janitor = sessions.map(Janitor::of);
        let wallet =
            Self { buyer, payer, evidence, client, journal, house, agent, address, janitor };
        match wallet.resume().await {
            Ok(standings) => {
                for Standing { intent, state, .. } in standings {
                    tracing::info!(%intent, %state, "left open earlier");
                }
                Ok(wallet)
            }
            Err(error) => {
                wallet.close().await;
                Err(error)
            }
        }
    }

    /// The wallet's address.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// The agent that owns it.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The line to the coordinator, as this agent.
    #[must_use]
    pub const fn coordinator(&self) -> &Client {
        &self.client
    }

    /// Whether the agent's node could sign now.
    ///
    /// # Errors
    /// [`Error::NotReady`] if it does not answer.
    pub async fn readiness(&self) -> Result<Readiness, Error> {
        self.house.node.readiness().await.map_err(not_ready)
    }

    /// Waits until the coordinator is reached.
    ///
    /// # Errors
    /// [`Error::NotReady`] after `patience`.
    pub async fn wait_connected(&self, patience: Duration) -> Result<(), Error> {
        self.house.node.wait_connected(patience).await.map_err(not_ready)
    }

    /// Fetches a resource, and pays for it once if the service asks and the rules agree.
    ///
    /// # Errors
    /// [`Error`], which says what to do next.
    pub async fn fetch(&self, request: Request) -> Result<Fetched, Error> {
        Box::pin(self.buyer.fetch(request)).await
    }

    /// [`Wallet::fetch`], with what the agent declares for its policies: the session the payment
    /// belongs to, and values that conditions read.
    ///
    /// # Errors
    /// As for [`Wallet::fetch`].
    pub async fn fetch_declaring(
        &self,
        request: Request,
        declaration: Declaration,
    ) -> Result<Fetched, Error> {
        Box::pin(self.buyer.fetch_declaring(request, declaration)).await
    }

    /// Says of a purchase what no chain can tell, which lowers the trust in who was paid. That
    /// nothing was delivered, or that the merchant refused it, is said by itself.
    ///
    /// # Errors
    /// [`Error::NotReady`] for a purchase that is not in the journal, [`Error::NotSigned`] if the
    /// report was not taken.
    pub async fn report(&self, intent: &IntentId, outcome: ReportKind) -> Result<(), Error> {
        let found = self.journal.find(intent).await?;
        let purchase =
            found.ok_or_else(|| Error::NotReady(format!("intent {intent} bought nothing here")))?;
        let reported = self.payer.report(purchase.intent, outcome).await;
        reported.map_err(|error| Error::of_payer(*intent, error))
    }

    /// [`Wallet::fetch`] of a URL.
    ///
    /// # Errors
    /// As for [`Wallet::fetch`]; [`BadRequest::Build`] for what is no URL.
    pub async fn get(&self, url: impl IntoUrl) -> Result<Fetched, Error> {
        let url = url.into_url().map_err(|e| BadRequest::Build(crate::net::text_of(e)))?;
        self.fetch(Request::new(Method::GET, url)).await
    }

    /// How many payments could be signed in one round trip now: the presignatures in stock at the
    /// agent's node. Without any, a payment is signed in rounds.
    ///
    /// # Errors
    /// [`Error::NotReady`] if the node does not answer.
    pub async fn presignatures(&self) -> Result<usize, Error> {
        let held = self.house.node.wallets().await.map_err(not_ready)?;
        let own = held.into_iter().find(|wallet| wallet.address == self.address);
        Ok(own.map_or(0, |wallet| wallet.presignatures))
    }

    /// What the wallet has on every chain with endpoints, by this process's own endpoints.
    ///
    /// # Errors
    /// [`Error::NotReady`] if a chain does not tell.
    pub async fn balance(&self) -> Result<Vec<ChainBalance>, Error> {
        self.evidence.balances(self.address).await
    }

    /// The coordinator's list of this wallet's payments, newest first.
    ///
    /// # Errors
    /// [`Error::Coordinator`].
    pub async fn payments(&self, cursor: Option<String>) -> Result<PaymentPage, Error> {
        let wallet = Some(self.address);
        let asked = PaymentsAsked { cursor, wallet, ..PaymentsAsked::default() };
        Ok(self.client.payments(&asked).await?)
    }

    /// What this wallet bought over HTTP, by its own journal, newest first.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub async fn purchases(&self, limit: u32) -> Result<Vec<Purchase>, Error> {
        Ok(self.journal.recent(limit).await?)
    }

    /// The wallet's MPP sessions, newest first, by its own journal.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub async fn sessions(&self, limit: u32) -> Result<Vec<Session>, Error> {
        Ok(self.journal.sessions(limit).await?)
    }

    /// One MPP session.
    ///
    /// # Errors
    /// [`Error::NotReady`] if there is none on that channel; [`Error::Journal`].
    pub async fn session(&self, channel: &ChannelId) -> Result<Session, Error> {
        let found = self.journal.session(channel).await?;
        found.ok_or_else(|| Error::NotReady(format!("there is no session on channel {channel}")))
    }

    /// Ends an MPP session at what was used: asks the service, and leaves by force where it does
    /// not agree.
    ///
    /// # Errors
    /// As for [`Sessions::close`].
    pub async fn close_session(&self, channel: &ChannelId) -> Result<Session, Error> {
        Box::pin(self.mpp()?.close(channel)).await
    }

    /// Looks after every MPP session with money in its channel: takes in what the chain shows, closes
    /// what is idle or over, and takes back what a service does not give back. A wallet that is open
    /// for long calls it now and then.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub async fn tend_sessions(&self) -> Result<Vec<Tended>, Error> {
        Box::pin(self.mpp()?.tend()).await
    }

    fn mpp(&self) -> Result<&Sessions, Error> {
        let sessions = self.buyer.sessions();
        sessions.ok_or_else(|| Error::NotReady("nobody signs vouchers here".to_owned()))
    }

    /// Looks at the chain for every purchase whose outcome is open. Signs and sends nothing; an
    /// open purchase goes on when its request is fetched again.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub async fn resume(&self) -> Result<Vec<Standing>, Error> {
        self.buyer.resume().await
    }

    /// Lets a payment be that was made and brought nothing; its request may be paid for again.
    ///
    /// # Errors
    /// As for [`Buyer::write_off`].
    pub async fn write_off(&self, intent: &IntentId) -> Result<(), Error> {
        self.buyer.write_off(intent).await
    }

    /// From now on this is the payee of that service, whoever it was before.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub async fn trust_payee(
        &self,
        service: &Service,
        chain: Chain,
        payee: Address,
    ) -> Result<(), Error> {
        self.buyer.trust_payee(service, chain, payee).await
    }

    /// Stops a node of this process in order; its home may be opened again at once. One beside this
    /// process runs on.
    pub async fn close(self) {
        let Self { buyer, payer, client, journal, house, janitor, .. } = self;
        drop((janitor, buyer, payer, client));
        journal.close().await;
        house.close().await;
    }
}

/// What a wallet is, once its node is found.
struct Rooms {
    agent: AgentId,
    address: Address,
    client: Client,
    journal: Journal,
}

impl Rooms {
    async fn find(config: &WalletConfig, house: &House) -> Result<Self, Error> {
        let node = &house.node;
        let keys = node.keys().await.map_err(not_ready)?;
        let agent = AgentId::new(keys.id.as_str()).map_err(not_ready)?;
        let held = node.wallets().await.map_err(not_ready)?;
        let address = config::pick_wallet(&held, &agent, config.wallet)?;
        node.wake(address).await;
        let credentials = Credentials::Node(Arc::new(AsAgent(Arc::clone(node))));
        let client = Client::new(config.coordinator.origin().clone(), credentials)?;
        let journal = Journal::open(&config.purchases).await?;
        Ok(Self { agent, address, client, journal })
    }
}

impl std::fmt::Debug for Wallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wallet({} of {})", self.address, self.agent)
    }
}

pub(crate) fn not_ready(error: impl std::fmt::Display) -> Error {
    Error::NotReady(error.to_string())
}
