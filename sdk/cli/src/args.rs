//! The command line, as clap reads it. No behaviour.

mod fence;
mod operate;
mod policy;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use tercet_policy::declared::SessionName;
use tercet_policy::party::AgentId;
use tercet_signer::gate::CrashPoint;
use tercet_signer_node::config::HealthAddress;
use url::Url;

use crate::exit::EXIT_TABLE;

pub use fence::{Fence, FenceAuthorize, FenceRevoke};
pub use operate::{Answering, Budgets, ExitWord, Payment, Registry, Session, SessionExit};
pub use policy::{Backtest, Check, Diff, Explain, PayKind, Policy, Prove, Test};

/// Wallets whose private key never exists, for agents and the people who answer for them.
#[derive(Debug, Parser)]
#[command(name = "tercet", version, after_help = EXIT_TABLE, max_term_width = 100)]
pub struct Args {
    /// Print one JSON value instead of text, and no progress.
    #[arg(long, global = true)]
    pub json: bool,
    /// The agent's home, with agent.toml in it.
    #[arg(long, global = true, env = "TERCET_HOME", default_value = "agent-home")]
    pub home: PathBuf,
    /// The coordinator; without it, the one of the agent's home.
    #[arg(long, global = true, env = "TERCET_COORDINATOR")]
    pub coordinator: Option<Url>,
    /// A file with a bearer token for an operator's read-only views, mode 0600.
    #[arg(long, global = true, env = "TERCET_READ_TOKEN_FILE", value_name = "FILE")]
    pub read_token_file: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole house on this machine: chains, three nodes, coordinator, paid requests.
    Demo(Demo),
    /// Make an agent's home with its identity, and print the keys to enrol.
    Init(Init),
    /// The keys that bind operators' decisions.
    #[command(subcommand)]
    Authority(Authority),
    /// Enrol an agent, stop it, resume it.
    #[command(subcommand)]
    Agent(Agent),
    /// Make a wallet, list them, look at one.
    #[command(subcommand)]
    Wallet(Wallet),
    /// Fetch a URL and pay for it if it asks for payment.
    Fetch(Fetch),
    /// Send USDC on Base, or a stablecoin on Tempo.
    Transfer(Transfer),
    /// Let a key open MPP channels on Tempo within bounds that the chain enforces, or end that.
    #[command(subcommand)]
    Fence(Fence),
    /// Look at payments, and answer where a policy asks people.
    #[command(subcommand)]
    Payment(Payment),
    /// Look at MPP sessions, and end them.
    #[command(subcommand)]
    Session(Session),
    /// Where the limits of policies stand.
    Budgets(Budgets),
    /// Say who is who: sign and install the counterparty registry, look at it.
    #[command(subcommand)]
    Registry(Registry),
    /// Write policies, try them before they bite, sign and install them.
    #[command(subcommand)]
    Policy(Policy),
    /// Look at the signer nodes.
    #[command(subcommand)]
    Node(Node),
    /// Find out what is wrong, and what to do next.
    Doctor,
}

/// `tercet demo`.
#[derive(Debug, ClapArgs)]
pub struct Demo {
    /// Where the group's aux info and the logs are kept between runs.
    #[arg(long, default_value = ".demo")]
    pub folder: PathBuf,
    /// Where the chains and the official x402 and MPP peers are.
    #[arg(long, env = "TERCET_PEERS", default_value = "tests/peers")]
    pub peers: PathBuf,
}

/// `tercet init`.
#[derive(Debug, ClapArgs)]
pub struct Init {
    /// The agent's name.
    #[arg(long)]
    pub agent: AgentId,
    /// An authority's public key to pin; once for each.
    #[arg(long = "authority", value_name = "PUBLIC KEY", required = true)]
    pub authority: Vec<tercet_policy::document::Ed25519PublicKey>,
    /// How many of them must sign.
    #[arg(long, default_value_t = 1)]
    pub threshold: usize,
    /// Base's JSON-RPC endpoints, to check receipts; once for each.
    #[arg(long = "rpc", value_name = "URL", required = true)]
    pub rpc: Vec<Url>,
    /// The chain those endpoints serve.
    #[arg(long, default_value = "eip155:8453")]
    pub chain: tercet_policy::chain::Chain,
    /// A file with the passphrase that seals the home, mode 0600; without it, one is made beside
    /// the home.
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `tercet authority`.
#[derive(Debug, Subcommand)]
pub enum Authority {
    /// Make an authority key in a new file, mode 0600.
    New {
        /// The file.
        file: PathBuf,
    },
    /// Print a key file's public key.
    Show {
        /// The file.
        file: PathBuf,
    },
}

/// Authority keys on the command line.
#[derive(Debug, ClapArgs)]
pub struct Keys {
    /// An authority key file; once for each.
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,
}

/// `tercet agent`.
#[derive(Debug, Subcommand)]
pub enum Agent {
    /// Sign an agent's three nodes and tell the coordinator.
    Enrol(Enrol),
    /// Stop an agent: nothing is signed for it any more.
    Freeze(Freeze),
    /// Resume an agent.
    Unfreeze(Freeze),
    /// Show an agent.
    Show {
        /// Its name.
        agent: AgentId,
    },
}

/// `tercet agent enrol`.
#[derive(Debug, ClapArgs)]
pub struct Enrol {
    /// The agent's name; its own node carries the same.
    pub agent: AgentId,
    /// JSON file with the agent node's public keys, as `init` prints them.
    #[arg(long, value_name = "FILE")]
    pub agent_node: PathBuf,
    /// JSON file with the operator node's public keys.
    #[arg(long, value_name = "FILE")]
    pub operator_node: PathBuf,
    /// JSON file with the recovery node's public keys.
    #[arg(long, value_name = "FILE")]
    pub recovery_node: PathBuf,
    /// Higher than the last enrolment's.
    #[arg(long, default_value_t = 1)]
    pub epoch: u64,
    /// The signatures.
    #[command(flatten)]
    pub keys: Keys,
}

/// `tercet agent freeze` and `unfreeze`.
#[derive(Debug, ClapArgs)]
pub struct Freeze {
    /// Its name.
    pub agent: AgentId,
    /// Why, for people.
    #[arg(long, default_value = "by hand")]
    pub reason: String,
    /// Higher than the last one's; without it, one more than the coordinator shows.
    #[arg(long)]
    pub epoch: Option<u64>,
    /// The signatures: any one key stops, resuming takes the quorum.
    #[command(flatten)]
    pub keys: Keys,
}

/// `tercet wallet`.
#[derive(Debug, Subcommand)]
pub enum Wallet {
    /// Make a wallet with the three nodes.
    Create {
        /// What people call it.
        #[arg(long, default_value = "main")]
        label: String,
    },
    /// The agent's wallets.
    List,
    /// A wallet and what is in it.
    Show {
        /// Its address; without it, the agent's only wallet.
        address: Option<alloy_primitives::Address>,
    },
}

/// `tercet fetch`.
#[derive(Debug, ClapArgs)]
pub struct Fetch {
    /// What to fetch.
    pub url: Url,
    /// The method.
    #[arg(long, short = 'X', default_value = "GET")]
    pub method: http::Method,
    /// A body.
    #[arg(long, short = 'd')]
    pub data: Option<String>,
    /// A header, as `name: value`; once for each.
    #[arg(long = "header", short = 'H')]
    pub headers: Vec<String>,
    /// Refuse to pay more than this, whatever the policy allows: `0.50`, in USDC.
    #[arg(long)]
    pub at_most: Option<String>,
    /// The session the payment belongs to; session budgets count by it.
    #[arg(long)]
    pub session: Option<SessionName>,
    /// What the agent declares for the policy's conditions, as a JSON object.
    #[arg(long, value_name = "JSON")]
    pub context: Option<String>,
    /// Write what came to this file instead.
    #[arg(long, short = 'o')]
    pub output: Option<PathBuf>,
    /// The paying wallet; without it, the agent's only one.
    #[arg(long)]
    pub wallet: Option<alloy_primitives::Address>,
    /// Abort at a named point on the path of the payment, for tests.
    #[arg(long, value_name = "POINT", hide = true)]
    pub insecure_crash_at: Option<CrashPoint>,
}

/// `tercet transfer`.
#[derive(Debug, ClapArgs)]
pub struct Transfer {
    /// Who is paid.
    pub to: alloy_primitives::Address,
    /// How much of the asset: `0.50`.
    pub amount: String,
    /// The chain; Tempo's main net is eip155:4217.
    #[arg(long, default_value = "eip155:8453")]
    pub chain: tercet_policy::chain::Chain,
    /// The asset; without it, USDC on Base and pathUSD on Tempo.
    #[arg(long, value_name = "SYMBOL")]
    pub asset: Option<String>,
    /// On Tempo: 32 bytes that the chain shows with the transfer, as 0x and hexadecimal; without
    /// it, bytes that name the payment.
    #[arg(long, value_name = "HEX")]
    pub memo: Option<alloy_primitives::B256>,
    /// The paying wallet; without it, the agent's only one.
    #[arg(long)]
    pub wallet: Option<alloy_primitives::Address>,
    /// Abort at a named point on the path of the payment, for tests.
    #[arg(long, value_name = "POINT", hide = true)]
    pub insecure_crash_at: Option<CrashPoint>,
}

/// `tercet node`.
#[derive(Debug, Subcommand)]
pub enum Node {
    /// Who is connected, and where their journals stand, as the coordinator knows it; with --at or
    /// --config, what a node that runs on this machine says of itself.
    Status(NodeStatusOf),
}

/// `tercet node status`.
#[derive(Debug, ClapArgs)]
pub struct NodeStatusOf {
    /// The health address of a node on this machine: `127.0.0.1:7071`.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "config")]
    pub at: Option<HealthAddress>,
    /// That node's configuration, which names the address.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }
}
