//! `tercet payment`, `session`, `budgets` and `registry` on the command line.

use std::path::PathBuf;

use alloy_primitives::Address;
use clap::{Args as ClapArgs, Subcommand};
use tercet_policy::chain::Chain;
use tercet_policy::document::NotHex;
use tercet_policy::intent::IntentId;
use tercet_policy::mpp::ChannelId;
use tercet_policy::party::AgentId;

use crate::args::Keys;

/// `tercet payment`.
#[derive(Debug, Subcommand)]
pub enum Payment {
    /// One payment.
    Show {
        /// Its intent's id.
        id: IntentId,
    },
    /// The agent's payments, newest first.
    List {
        /// Only those that wait for people, with whom they wait for.
        #[arg(long)]
        awaiting: bool,
        /// Where the last page ended.
        #[arg(long)]
        cursor: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u16,
    },
    /// Say yes to a payment that a policy asks you about.
    Approve(Answering),
    /// Say no to it: one no ends it.
    Refuse(Answering),
}

/// `tercet payment approve` and `refuse`.
#[derive(Debug, ClapArgs)]
pub struct Answering {
    /// The payment; `tercet payment list --awaiting` shows them.
    pub id: IntentId,
    /// Your key file, as `tercet authority new` makes them. Its public key is the one that the
    /// policy names for you.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
}

/// `tercet budgets`.
#[derive(Debug, ClapArgs)]
pub struct Budgets {
    /// Of this agent; with an agent's home, its own.
    #[arg(long)]
    pub agent: Option<AgentId>,
    /// What binds payments from this wallet.
    #[arg(long)]
    pub wallet: Option<Address>,
    /// What binds payments to this service, as `api.search.example`.
    #[arg(long)]
    pub service: Option<String>,
}

/// `tercet session`.
#[derive(Debug, Subcommand)]
pub enum Session {
    /// This wallet's sessions, newest first, by its own journal.
    List {
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// One session.
    Show {
        /// Its channel, 64 hexadecimal digits.
        channel: ChannelId,
    },
    /// End a session at what was used: ask the service, leave by force where it does not agree.
    Close {
        /// Its channel, 64 hexadecimal digits.
        channel: ChannelId,
    },
    /// Leave a channel of the escrow contract from before TIP-1034, which another client opened for
    /// this wallet: ask for its end, and 15 minutes later take the deposit back. The policy has to
    /// name it (v1_channels).
    Exit(SessionExit),
    /// Look after every session: take in what the chain shows, close what is idle or over, take
    /// back what a service does not give back.
    Reconcile,
}

/// `tercet session exit`.
#[derive(Debug, ClapArgs)]
pub struct SessionExit {
    /// The channel, 64 hexadecimal digits, with 0x or without.
    #[arg(value_parser = channel)]
    pub channel: ChannelId,
    /// Which step.
    #[arg(long)]
    pub step: ExitWord,
    /// The chain.
    #[arg(long, default_value = "eip155:4217")]
    pub chain: Chain,
    /// The wallet that opened it; without it, the agent's only one.
    #[arg(long)]
    pub wallet: Option<Address>,
}

/// The steps out of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExitWord {
    /// Ask for the end: the payee has 15 minutes to settle.
    RequestClose,
    /// Take back what the payee has not settled.
    Withdraw,
}

/// A channel as we write it, or as MPP does.
fn channel(text: &str) -> Result<ChannelId, NotHex> {
    text.strip_prefix("0x").unwrap_or(text).parse()
}

/// `tercet registry`.
#[derive(Debug, Subcommand)]
pub enum Registry {
    /// Sign a registry file's exact text.
    Sign {
        /// YAML, or a signed registry to add signatures to.
        file: PathBuf,
        /// Where to write the signed registry; without it, to standard output.
        #[arg(long)]
        out: Option<PathBuf>,
        /// The signatures.
        #[command(flatten)]
        keys: Keys,
    },
    /// Install a signed registry.
    Put {
        /// What `registry sign` wrote.
        file: PathBuf,
    },
    /// The registry in force, and how far each counterparty is trusted now.
    Show {
        /// Only this counterparty.
        name: Option<String>,
    },
}
