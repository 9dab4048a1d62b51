//! A plain key in memory as a service: no policy, no record, no second party. What anything else
//! adds, it adds to this.

use std::time::Instant;

use alloy_primitives::{B256, U256};
use anyhow::{Context as _, Result};
use tercet_policy::chain::{Asset, Chain};
use tercet_tests::cluster::random;
use tercet_tests::local_key::{LocalKey, TransferWithAuthorization, digest};

use crate::wire::{Answered, Asked, Ready, Signed, asked, say};

/// Answers until its input ends.
pub(crate) fn serve() -> Result<()> {
    let key = LocalKey::named("slate");
    say(&Ready { service: "local key".to_owned(), wallet: key.address() })?;
    asked().try_for_each(|asked| say(&sign(&key, &asked?)?))
}

fn sign(key: &LocalKey, asked: &Asked) -> Result<Answered> {
    let nonce = B256::from(random()?);
    let text = TransferWithAuthorization {
        from: key.address(),
        to: asked.to,
        value: asked.value.parse()?,
        validAfter: U256::ZERO,
        validBefore: U256::from(asked.valid_before),
        nonce,
    };
    let asset = Asset::by_symbol(Chain::Base, "USDC").context("Base has USDC")?;
    let begun = Instant::now();
    let signature = key.sign(digest(asset, &text));
    let api_latency_ms = begun.elapsed().as_secs_f64() * 1_000.0;
    let signature = signature.as_bytes().to_vec().into();
    let signed = Signed { id: asked.id, valid_after: 0, nonce, signature, api_latency_ms };
    Ok(Answered::Signed(Box::new(signed)))
}
