//! From an admitted row to the proof its ledger wants.

use alloy_primitives::{B256, U256};
use anyhow::{Result, bail};
use tercet_chain::Fate;
use tercet_policy::document::ContentHash;
use tercet_policy::evidence::{NoProof, VoidReason};
use tercet_policy::intent::IntentId;
use tercet_policy::money::Amount;
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::rows::{PaymentKind, SpendRow};
use tercet_policy::time::UnixSeconds;

use crate::local_key::TransferWithAuthorization;
use crate::scene::{FUNDS, OTHER_PAYEE, PAYEE, PRICE, Scene};

/// The row of a payment of `PRICE` to `PAYEE`; slot and terms are those of its kind.
fn row(
    scene: &Scene,
    kind: PaymentKind,
    slot: Slot,
    terms: ChainTerms,
    at: UnixSeconds,
) -> SpendRow {
    SpendRow {
        intent: IntentId([5; 32]),
        content_hash: ContentHash([6; 32]),
        agent: "ada".parse().unwrap(),
        wallet: scene.payer.address(),
        kind,
        chain: scene.node.chain(),
        token: scene.node.token(),
        amount: Amount::from_base_units(PRICE),
        recipient: Some(PAYEE),
        service: None,
        cancels: None,
        slot,
        digest: B256::ZERO,
        replaces: None,
        terms,
        endpoint: None,
        category: None,
        session: None,
        hold: None,
        channel: None,
        key: None,
        mark: None,
        fee: None,
        policies: tercet_policy::rows::PolicyEpochs::default(),
        tzdb: String::new(),
        at,
    }
}

async fn x402_row(scene: &Scene, authorization: &TransferWithAuthorization) -> Result<SpendRow> {
    let (wallet, chain, token) = (authorization.from, scene.node.chain(), scene.node.token());
    let slot = Slot::Eip3009 { wallet, chain, token, nonce: authorization.nonce };
    let terms = ChainTerms::Eip3009 {
        nonce: authorization.nonce,
        valid_after: UnixSeconds(0),
        valid_before: UnixSeconds(authorization.validBefore.to()),
    };
    Ok(row(scene, PaymentKind::X402Exact, slot, terms, scene.node.now().await?))
}

async fn transfer_row(scene: &Scene, nonce: u64) -> Result<SpendRow> {
    let slot = Slot::Account { wallet: scene.payer.address(), chain: scene.node.chain(), nonce };
    let terms = ChainTerms::Eip1559 {
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: Amount::from_base_units(1),
        max_priority_fee_per_gas: Amount::ZERO,
    };
    Ok(row(scene, PaymentKind::Transfer, slot, terms, scene.node.now().await?))
}

#[tokio::test]
async fn a_settled_authorization_is_open_then_seen_then_settled() -> Result<()> {
    let scene = Scene::still(2).await?;
    let authorization = scene.authorization(1, PAYEE).await?;
    let row = x402_row(&scene, &authorization).await?;
    assert_eq!(scene.reader.fate(&row, &[]).await?, Fate::Open);
    let tx = scene.relay(scene.payer.pay(scene.node.asset(), &authorization)).await?;
    assert_eq!(scene.reader.fate(&row, &[]).await?, Fate::Seen { tx });
    scene.node.mine(2).await?;
    let fate = scene.reader.fate(&row, &[]).await?;
    let Fate::Settled(proof) = fate else { bail!("{fate:?}") };
    assert_eq!((proof.transaction(), proof.amount()), (tx, row.amount));
    Ok(())
}

#[tokio::test]
async fn an_authorization_is_void_when_it_expired_or_was_cancelled() -> Result<()> {
    let scene = Scene::still(1).await?;
    let expires = scene.authorization(1, PAYEE).await?;
    let cancelled = scene.authorization(2, PAYEE).await?;
    let (first, second) = (x402_row(&scene, &expires).await?, x402_row(&scene, &cancelled).await?);
    let tx = scene.relay(scene.payer.cancel(scene.node.asset(), cancelled.nonce)).await?;
    scene.node.advance_to(UnixSeconds(expires.validBefore.to())).await?;
    scene.node.mine(1).await?;
    for (row, reason) in [
        (first, VoidReason::AuthorizationExpired),
        (second, VoidReason::AuthorizationCancelled { transaction: tx }),
    ] {
        let fate = scene.reader.fate(&row, &[]).await?;
        let Fate::Void(proof) = fate else { bail!("{fate:?}") };
        assert_eq!((proof.intent(), proof.reason()), (row.intent, reason));
    }
    Ok(())
}

#[tokio::test]
async fn a_nonce_used_for_something_else_is_an_alarm() -> Result<()> {
    let scene = Scene::still(1).await?;
    let signed = scene.authorization(1, PAYEE).await?;
    let row = x402_row(&scene, &signed).await?;
    let mut other = signed.clone();
    other.value = U256::from(PRICE + 1);
    let tx = scene.relay(scene.payer.pay(scene.node.asset(), &other)).await?;
    scene.node.mine(2).await?;
    let alarm = Fate::Alarm { tx, misfit: NoProof::OtherPayment };
    assert_eq!(scene.reader.fate(&row, &[]).await?, alarm);
    Ok(())
}

#[tokio::test]
async fn a_transfer_is_settled_reverted_or_replaced() -> Result<()> {
    let scene = Scene::still(1).await?;
    let settled = scene.transfer(0, PAYEE, PRICE).await?;
    let replaced = scene.transfer(1, OTHER_PAYEE, PRICE).await?;
    scene.transfer(2, OTHER_PAYEE, FUNDS.base_units() - 2 * PRICE).await?;
    let reverted = scene.transfer(3, PAYEE, PRICE).await?;
    scene.node.mine(1).await?;

    let fate = scene.reader.fate(&transfer_row(&scene, 0).await?, &[settled]).await?;
    assert!(matches!(&fate, Fate::Settled(proof) if proof.transaction() == settled), "{fate:?}");
    for (nonce, reason) in [
        (1, VoidReason::NonceTaken { transaction: replaced }),
        (3, VoidReason::Reverted { transaction: reverted }),
    ] {
        let fate = scene.reader.fate(&transfer_row(&scene, nonce).await?, &[]).await?;
        let Fate::Void(proof) = fate else { bail!("nonce {nonce}: {fate:?}") };
        assert_eq!(proof.reason(), reason);
    }
    assert_eq!(scene.reader.fate(&transfer_row(&scene, 4).await?, &[]).await?, Fate::Open);
    Ok(())
}
