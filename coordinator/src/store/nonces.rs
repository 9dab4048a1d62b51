//! Account nonces: which payment may use which, so that no two digests are ever asked for one.

use alloy_primitives::Address;
use sqlx::Row as _;
use tercet_policy::chain::Chain;
use tercet_policy::intent::IntentId;

use super::{Store, StoreError, word};

/// A payment that wants the account's next nonce.
#[derive(Clone, Copy, Debug)]
pub struct NonceWish {
    /// The wallet.
    pub wallet: Address,
    /// The chain.
    pub chain: Chain,
    /// The account's next nonce, by a quorum of the chain's endpoints.
    pub next: u64,
    /// The payment.
    pub payment: IntentId,
}

/// What became of the wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocated {
    /// This nonce is the payment's, for as long as a signature over it may exist.
    Yours(u64),
    /// Another payment of the wallet has to be over first.
    Busy(IntentId),
}

impl Store {
    /// Gives the payment the account's next nonce, unless another payment of this wallet on this
    /// chain may still use one. A payment that asks again keeps its nonce. A nonce whose payment
    /// ended without a signature is given on.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn allocate_nonce(&self, wish: NonceWish) -> Result<Allocated, StoreError> {
        let mut transaction = self.begin().await?;
        let rows = sqlx::query(
            "SELECT n.nonce, n.payment, p.status FROM account_nonces n
             JOIN payments p ON p.id = n.payment WHERE n.wallet = ? AND n.chain = ?",
        )
        .bind(wish.wallet.to_string())
        .bind(wish.chain.caip2())
        .fetch_all(&mut *transaction)
        .await?;
        for row in &rows {
            let (holder, status): (IntentId, String) =
                (word(row, "payment")?, row.try_get("status")?);
            let nonce: u64 = row
                .try_get::<String, _>("nonce")?
                .parse()
                .map_err(|_| StoreError::Unreadable { what: "nonce" })?;
            match status.as_str() {
                _ if holder == wish.payment => return Ok(Allocated::Yours(nonce)),
                // Never signed: its nonce may carry another payment.
                "refused" | "failed" => {
                    sqlx::query("DELETE FROM account_nonces WHERE payment = ?")
                        .bind(holder.to_string())
                        .execute(&mut *transaction)
                        .await?;
                }
                // Over, and its nonce is used up: an endpoint that still names it is behind.
                "settled" | "void" if nonce < wish.next => {}
                _ => return Ok(Allocated::Busy(holder)),
            }
        }
        sqlx::query(
            "INSERT INTO account_nonces (wallet, chain, nonce, payment) VALUES (?, ?, ?, ?)",
        )
        .bind(wish.wallet.to_string())
        .bind(wish.chain.caip2())
        .bind(wish.next.to_string())
        .bind(wish.payment.to_string())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Allocated::Yours(wish.next))
    }
}
