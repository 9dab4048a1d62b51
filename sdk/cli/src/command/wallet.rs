//! `tercet wallet`: make a wallet with the three nodes, list them, look at one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use serde_json::json;
use tercet::client::{Client, Credentials};
use tercet::node::{AgentNode, AsAgent, NodeError, Within};
use tercet::wallet::Housing;
use tercet_api::resource::{BalanceView, CeremonyStatus, CeremonyView, WalletView};
use tercet_policy::chain::{Asset, Family};
use tercet_policy::document::{RequestId, WalletRequest};
use tercet_policy::party::AgentId;
use tercet_signer_node::{NodeHandle, stop_shared};

use crate::answer::Answer;
use crate::args::{Args, Wallet};
use crate::console::Console;
use crate::demo::house::now;
use crate::error::CliError;
use crate::line;

/// How long the line to the coordinator may take, in seconds.
pub const CONNECT_SECONDS_MAX: u64 = 20;
/// How long a ceremony may take; a new group makes its safe primes first. In seconds.
pub const CEREMONY_SECONDS_MAX: u64 = 1_200;
const POLL: Duration = Duration::from_millis(100);

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(command: &Wallet, args: &Args, console: &Console) -> Result<Answer, CliError> {
    match command {
        Wallet::Create { label } => create(label, args, console).await,
        Wallet::List => list(&line::open(args)?).await,
        Wallet::Show { address } => show(*address, &line::open(args)?).await,
    }
}

/// The agent's node runs in this process for the length of the ceremony, unless it runs beside it.
async fn create(label: &str, args: &Args, console: &Console) -> Result<Answer, CliError> {
    let config = line::wallet(&args.home)?;
    let base = config.coordinator.origin().clone();
    let view = match (line::beside(&config)?, config.housing) {
        (Some(node), _) => ceremony(Arc::new(node), base, label, console).await?,
        (None, Housing::Beside(_)) => {
            return Err(CliError::Failed("a node beside this process was expected".into()));
        }
        (None, Housing::Within(config)) => {
            let node = Box::pin(NodeHandle::start(*config)).await;
            let node = Arc::new(node.map_err(|error| CliError::Setup {
                detail: error.to_string(),
                next: "Run `tercet doctor`.".into(),
            })?);
            let made = ceremony(Arc::new(Within::new(&node)), base, label, console).await;
            stop_shared(node).await;
            made?
        }
    };
    let wallet = view.wallet.map(|address| address.to_string()).unwrap_or_default();
    let text = format!(
        "{wallet}\n\nIts private key has never existed. Fund it, then `tercet policy put`."
    );
    Ok(Answer::of(text, &view))
}

fn wallet_request(agent: AgentId, label: &str) -> Result<WalletRequest, CliError> {
    let mut request = [0u8; 32];
    getrandom::fill(&mut request).map_err(|error| CliError::Failed(error.to_string()))?;
    Ok(WalletRequest {
        agent,
        request: RequestId(request),
        label: label.to_owned(),
        created_at: now(),
    })
}

async fn ceremony(
    node: Arc<dyn AgentNode>,
    base: url::Url,
    label: &str,
    console: &Console,
) -> Result<CeremonyView, CliError> {
    let failed = |error: NodeError| CliError::Failed(error.to_string());
    let agent = AgentId::new(node.keys().await.map_err(failed)?.id.as_str());
    let agent = agent.map_err(|error| CliError::Failed(error.to_string()))?;
    let client = Client::new(base, Credentials::Node(Arc::new(AsAgent(Arc::clone(&node)))))?;
    let patience = Duration::from_secs(CONNECT_SECONDS_MAX);
    node.wait_connected(patience).await.map_err(|error| CliError::Unreachable {
        what: "the coordinator".into(),
        detail: error.to_string(),
    })?;
    let request = wallet_request(agent, label)?;
    let id = request.request;
    let request = node.sign_wallet_request(request).await.map_err(failed)?;
    let mut view = client.create_wallet(request).await?;
    let mut bars = Bars { console, bars: Vec::new() };
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(CEREMONY_SECONDS_MAX) {
        bars.show(&view);
        match view.status {
            CeremonyStatus::Done => return Ok(view),
            CeremonyStatus::Failed => {
                let detail = view.detail.unwrap_or_default();
                return Err(CliError::Failed(format!("no wallet was made: {detail}")));
            }
            _ => tokio::time::sleep(POLL).await,
        }
        view = client.ceremony(&id).await?;
    }
    Err(CliError::Failed(format!("no wallet after {CEREMONY_SECONDS_MAX} s: {:?}", view.status)))
}

struct Bars<'a> {
    console: &'a Console,
    bars: Vec<(String, ProgressBar)>,
}

impl Bars<'_> {
    fn show(&mut self, view: &CeremonyView) {
        for party in &view.progress {
            if !self.bars.iter().any(|(name, _)| *name == party.party) {
                let bar = self.console.bar(&party.party, u64::from(party.total));
                self.bars.push((party.party.clone(), bar));
            }
            for (_, bar) in self.bars.iter().filter(|(name, _)| *name == party.party) {
                bar.set_length(u64::from(party.total));
                bar.set_position(u64::from(party.done));
                bar.set_message(party.stage.clone());
            }
        }
        if matches!(view.status, CeremonyStatus::Done | CeremonyStatus::Failed) {
            self.bars.iter().for_each(|(_, bar)| bar.finish_and_clear());
        }
    }
}

async fn list(client: &Client) -> Result<Answer, CliError> {
    let wallets = client.wallets().await?;
    let lines: Vec<_> = wallets.iter().map(line_of).collect();
    let none = "no wallets; make one with `tercet wallet create`".to_owned();
    let text = if lines.is_empty() { none } else { lines.join("\n") };
    Ok(Answer::new(text, json!({ "wallets": wallets })))
}

async fn show(
    address: Option<alloy_primitives::Address>,
    client: &Client,
) -> Result<Answer, CliError> {
    let wallet = match address {
        Some(address) => client.wallet(address).await?,
        None => only(client.wallets().await?)?,
    };
    let balance = client.balance(wallet.address).await?;
    let mut lines = vec![line_of(&wallet)];
    lines.extend(balances(&balance));
    Ok(Answer::new(lines.join("\n"), json!({ "wallet": wallet, "balance": balance })))
}

fn only(wallets: Vec<WalletView>) -> Result<WalletView, CliError> {
    match <[WalletView; 1]>::try_from(wallets) {
        Ok([only]) => Ok(only),
        Err(wallets) if wallets.is_empty() => Err(CliError::Setup {
            detail: "there is no wallet".into(),
            next: "Make one with `tercet wallet create`.".into(),
        }),
        Err(_) => Err(CliError::Usage("say which wallet; see `tercet wallet list`".into())),
    }
}

fn balances(balance: &BalanceView) -> impl Iterator<Item = String> {
    balance.balances.iter().map(|b| {
        if b.chain.family() == Family::Tempo {
            let held = b.tokens.iter().map(|token| {
                format!("{} {}", token.amount.to_decimal(token.decimals), token.symbol)
            });
            return format!("  {}  {}", b.chain, held.collect::<Vec<_>>().join(", "));
        }
        let decimals = Asset::by_symbol(b.chain, "USDC").map_or(0, |asset| asset.decimals);
        let (usdc, wei) = (b.usdc.to_decimal(decimals), b.native.to_decimal(18));
        format!("  {}  {usdc} USDC, {wei} ETH for fees", b.chain)
    })
}

fn line_of(wallet: &WalletView) -> String {
    format!("{}  {}  {}", wallet.address, wallet.agent, wallet.label)
}
