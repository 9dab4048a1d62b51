//! Account nonces: which payment may use which, so that no two digests are ever asked for one.

use alloy_primitives::Address;
use sqlx::{Row as _, Sqlite, Transaction};
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

/// The holder of the account's highest nonce. A nonce is given out only when every lower one is used
/// up, so this is the only one that can still matter, however many payments there were.
const HIGHEST: &str = "SELECT n.nonce, n.payment, p.status FROM account_nonces n
     JOIN payments p ON p.id = n.payment WHERE n.wallet = ? AND n.chain = ?
     ORDER BY length(n.nonce) DESC, n.nonce DESC LIMIT 1";

struct Holder {
    payment: IntentId,
    nonce: u64,
    status: String,
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
        while let Some(held) = highest(&mut transaction, &wish).await? {
            match held.status.as_str() {
                _ if held.payment == wish.payment => return Ok(Allocated::Yours(held.nonce)),
                // Never signed: its nonce may carry another payment.
                "refused" | "failed" => {
                    sqlx::query("DELETE FROM account_nonces WHERE payment = ?")
                        .bind(held.payment.to_string())
                        .execute(&mut *transaction)
                        .await?;
                }
                // Over, and its nonce is used up: an endpoint that still names it is behind.
                "settled" | "void" if held.nonce < wish.next => break,
                _ => return Ok(Allocated::Busy(held.payment)),
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

async fn highest(
    transaction: &mut Transaction<'_, Sqlite>,
    wish: &NonceWish,
) -> Result<Option<Holder>, StoreError> {
    let row = sqlx::query(HIGHEST)
        .bind(wish.wallet.to_string())
        .bind(wish.chain.caip2())
        .fetch_optional(&mut **transaction)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let nonce: String = row.try_get("nonce")?;
    Ok(Some(Holder {
        payment: word(&row, "payment")?,
        nonce: nonce.parse().map_err(|_| StoreError::Unreadable { what: "nonce" })?,
        status: row.try_get("status")?,
    }))
}

#[cfg(test)]
mod tests;
