//! Wallets that all three nodes named alike.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use alloy_primitives::Address;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tercet_policy::document::{ContentHash, RequestId};
use tercet_policy::party::AgentId;
use tercet_policy::time::UnixSeconds;

use super::{Store, StoreError, moment, word};

/// Most wallets that one answer lists.
const WALLETS_LISTED_MAX: i64 = 1_000;
/// Most wallets whose agents are remembered; the others are looked up each time.
const WALLETS_KNOWN_MAX: usize = 65_536;

/// A wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletRecord {
    /// Its address.
    pub address: Address,
    /// Whose it is.
    pub agent: AgentId,
    /// What people call it.
    pub label: String,
    /// The request that made it.
    pub request: RequestId,
    /// Hash over the public values of its ceremony.
    pub transcript: ContentHash,
    /// When it was made.
    pub created_at: UnixSeconds,
}

fn wallet(row: &SqliteRow) -> Result<WalletRecord, StoreError> {
    Ok(WalletRecord {
        address: word(row, "address")?,
        agent: word(row, "agent")?,
        label: row.try_get("label")?,
        request: word(row, "request")?,
        transcript: word(row, "transcript")?,
        created_at: moment(row, "created_at")?,
    })
}

/// Whose wallets are, as far as it was asked: a wallet that exists stays its agent's.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Arc<RwLock<HashMap<Address, AgentId>>>);

impl Known {
    fn agent(&self, wallet: Address) -> Option<AgentId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&wallet).cloned()
    }

    fn put(&self, wallet: Address, agent: AgentId) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < WALLETS_KNOWN_MAX {
            known.insert(wallet, agent);
        }
    }
}

impl Store {
    /// Whose a wallet is.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn wallet_agent(&self, address: Address) -> Result<Option<AgentId>, StoreError> {
        if let Some(agent) = self.wallets.agent(address) {
            return Ok(Some(agent));
        }
        let agent = self.wallet(address).await?.map(|wallet| wallet.agent);
        agent.iter().for_each(|agent| self.wallets.put(address, agent.clone()));
        Ok(agent)
    }

    /// One wallet.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn wallet(&self, address: Address) -> Result<Option<WalletRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM wallets WHERE address = ?")
            .bind(address.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(wallet).transpose()
    }

    /// The wallets of one agent, or of all, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn wallets(&self, of: Option<&AgentId>) -> Result<Vec<WalletRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM wallets WHERE ?1 IS NULL OR agent = ?1
             ORDER BY created_at, address LIMIT ?2",
        )
        .bind(of.map(AgentId::as_str))
        .bind(WALLETS_LISTED_MAX)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(wallet).collect()
    }
}
