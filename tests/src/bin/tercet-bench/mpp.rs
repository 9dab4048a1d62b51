//! Sessions on Tempo with the official MPP merchant: opened, drawn on beside the official client, and
//! drawn on a thousand times; and the vouchers by themselves.
//!
//! The agent's node runs beside this process, which is the buyer, and is asked over its socket; the
//! stock of presignatures is a real one, made by the protocol, and full before anything is measured.
//!
//! Does not show: a network, Tempo's own time to a block, or fees; the chain is anvil's, with a
//! channel reserve of our own writing.

mod door;
mod opens;
mod requests;
mod shop;
mod vouchers;

use anyhow::Result;

use self::shop::Shop;
use crate::Scale;
use crate::figures::Figures;

/// Measures all of it, on one house.
pub(crate) async fn measure(scale: Scale, figures: &mut Figures) -> Result<()> {
    let opens = scale.of(30, 4);
    let shop = Box::pin(Shop::open(opens.saturating_add(opens::WARMUP))).await?;
    let wallet = shop.wallet().await?;
    let session = Box::pin(requests::measure(&shop, &wallet, scale, figures)).await?;
    let last = vouchers::beside(&shop, &session, scale, figures).await?;
    // Last of all with the wallet: its janitor has more to look after with every session.
    Box::pin(opens::measure(&shop, &wallet, opens, figures)).await?;
    wallet.close().await;
    Box::pin(vouchers::within(shop, last, scale, figures)).await
}
