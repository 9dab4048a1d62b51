//! An agent's wallet: intent in, receipt out, one share inside.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let wallet = tercet::Wallet::open("/var/lib/tercet-agent").await?;
//! let fetched = wallet.get("https://merchant.example/report").await?;
//! if let Some(receipt) = &fetched.receipt {
//!     println!("paid {} in {:?}", receipt.price, receipt.transaction);
//! }
//! println!("{}", fetched.response.text().await?);
//! wallet.close().await;
//! # Ok(()) }
//! ```
//!
//! Promises: no full key exists in this process or anywhere else; one intent is settled at most
//! once, whatever crashes; what a merchant quotes is paid once and to whom it was quoted; what is
//! said of settlement comes from the chain.
//!
//! Refuses: what [`rules::FetchRules`] refuse, before anything is signed, and whatever the
//! authority's policy refuses at the signer nodes ([`Error::Refused`], with every rule and number).
//!
//! Does not protect against: a merchant that is paid and delivers nothing
//! ([`Error::PaidNotDelivered`] names the loss), or whoever controls this process, who can spend
//! what the policy allows.

mod ask;
pub mod buyer;
pub mod choose;
pub mod client;
pub mod declare;
pub mod error;
pub mod journal;
mod lanes;
pub mod mpp;
mod net;
pub mod node;
pub mod receipt;
pub mod rules;
pub mod seam;
pub mod wallet;
pub mod wire;

pub use buyer::{Fetched, Standing};
pub use declare::Declaration;
pub use error::{Declined, Error};
pub use receipt::Receipt;
pub use rules::FetchRules;
pub use wallet::{Fence, Paid, Wallet, WalletConfig};

#[cfg(test)]
mod fixture;
