//! A share in a box that dials out: the node of one holder of a 2-of-3 key.
//!
//! Promises: everything that is signed went through [`tercet_signer::gate::Signer`], which opens,
//! judges and records by itself; the coordinator is a courier whose word decides nothing; the
//! process has no listening port but loopback health and, for an agent's processes, a Unix socket
//! ([`socket`]); a stop signal ends it in order.
//! Refuses to start on: an unknown configuration key, a home or file that others may read, shares
//! without a journal, a policy that grants nothing.
//! Does not protect against: root on this machine.
//!
//! The same node runs as a process of its own (`tercet-signer-node --role …`), which an agent's
//! processes may use over its socket, and inside an agent's process ([`NodeHandle`]).
//!
//! ```text
//! coordinator <==WebSocket==> relay -> switchboard -> gate (policy, journal, share)
//!                                          |            |
//!                                        tickets      session <~~ sealed frames ~~> peers
//! ```

mod chains;
pub mod cli;
pub mod config;
mod handle;
mod health;
mod init;
mod logs;
mod metrics;
mod pending;
mod primes;
mod progress;
mod reconcile;
mod relay;
mod restock;
mod shared;
pub mod socket;
mod start;
mod status;
mod switchboard;
mod ticket;
mod voice;

pub use self::chains::Unreadable;
pub use self::handle::{NodeHandle, NotConnected};
pub use self::health::{HealthError, Readiness};
pub use self::init::{InitError, init};
pub use self::logs::{LogError, install_logs};
pub use self::pending::{PENDING_MAX, PENDING_WAIT_MAX};
pub use self::progress::CeremonyProgress;
pub use self::relay::{OUTBOX_FRAMES_MAX, PING_MS, SILENCE_MS_MAX, STEADY_MS, WRITE_MS_MAX};
pub use self::restock::{StockWish, WALLETS_MAX};
pub use self::shared::stop_shared;
pub use self::start::{StartError, StartOptions};
pub use self::status::{
    NodeStatus, PresignatureStatus, PrimeStatus, STATUS_WALLETS_MAX, StoppedWallet, WalletStatus,
    WalletStock, WorkStatus,
};
pub use self::switchboard::BACKGROUND_SESSIONS_MAX;
pub use self::ticket::{NotPaid, PaymentEnd, TICKETS_MAX, Ticket};
pub use self::voice::Voice;
