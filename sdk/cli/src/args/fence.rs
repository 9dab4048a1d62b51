//! `tercet fence` on the command line.

use alloy_primitives::Address;
use clap::{Args as ClapArgs, Subcommand};
use tercet_policy::chain::Chain;
use tercet_policy::rules::Length;

/// `tercet fence`.
#[derive(Debug, Subcommand)]
pub enum Fence {
    /// Let a key put so much into MPP channels, and do nothing else.
    ///
    /// Tempo itself then holds the key to it: one token, so much in a period, until it ends, and only
    /// the payer's calls of the channel reserve. All that it could ever take counts as spent at once,
    /// and a policy has to grant it by an `access_key` rule. The chain does not bound vouchers: what
    /// is in a channel can be drawn by whoever signs them. Nor does it bound what this wallet signs.
    Authorize(FenceAuthorize),
    /// Take that back, for good: the key cannot be authorized again. What is in channels stays there.
    Revoke(FenceRevoke),
}

/// `tercet fence authorize`.
#[derive(Debug, ClapArgs)]
pub struct FenceAuthorize {
    /// The address of the key: a secp256k1 key, held by whoever opens the channels.
    pub key: Address,
    /// Most in a period, with the fees of the key's own transactions: `20`.
    pub limit: String,
    /// The asset.
    #[arg(long, value_name = "SYMBOL", default_value = "pathUSD")]
    pub asset: String,
    /// The period after which the key may take as much again: `1d` or more; without it the limit is
    /// for once.
    #[arg(long, value_name = "LENGTH")]
    pub every: Option<Length>,
    /// How long the key lasts, at most `31d`; it counts as many periods as begin in that time.
    #[arg(long, value_name = "LENGTH")]
    pub lasts: Length,
    /// The chain; Tempo's test net is eip155:42431.
    #[arg(long, default_value = "eip155:4217")]
    pub chain: Chain,
    /// The wallet whose money it is; without it, the agent's only one.
    #[arg(long)]
    pub wallet: Option<Address>,
}

/// `tercet fence revoke`.
#[derive(Debug, ClapArgs)]
pub struct FenceRevoke {
    /// The address of the key.
    pub key: Address,
    /// The asset that the fee is paid in.
    #[arg(long, value_name = "SYMBOL", default_value = "pathUSD")]
    pub asset: String,
    /// The chain; Tempo's test net is eip155:42431.
    #[arg(long, default_value = "eip155:4217")]
    pub chain: Chain,
    /// The wallet whose key it is; without it, the agent's only one.
    #[arg(long)]
    pub wallet: Option<Address>,
}
