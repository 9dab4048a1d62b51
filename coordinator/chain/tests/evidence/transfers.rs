use anyhow::{Result, bail};
use tercet_chain::{Broadcast, ChainError, Finality, TransferOutcome};

use crate::scene::{FUNDS, OTHER_PAYEE, PAYEE, PRICE, Scene};

#[tokio::test]
async fn a_transfer_is_pending_then_seen_then_safe() -> Result<()> {
    let scene = Scene::still(2).await?;
    let raw = scene.signed_transfer(0, PAYEE, PRICE);
    let tx = scene.reader.broadcast(raw.clone()).await?.tx();
    let query = scene.about_transfer(0, vec![tx]);
    let pending = scene.reader.transfer_outcome(&query).await?;
    assert!(matches!(pending, TransferOutcome::Pending { .. }), "{pending:?}");
    assert_eq!(scene.reader.broadcast(raw.clone()).await?, Broadcast::AlreadyKnown { tx });

    scene.node.mine(1).await?;
    let seen = scene.reader.transfer_outcome(&query).await?;
    let TransferOutcome::Settled { transaction, finality: Finality::Seen, .. } = seen else {
        bail!("{seen:?}")
    };
    assert_eq!(transaction.hash, tx);
    assert_eq!(scene.reader.broadcast(raw).await?, Broadcast::NonceTooLow { tx });

    scene.node.mine(2).await?;
    let safe = scene.reader.transfer_outcome(&query).await?;
    let settled = matches!(safe, TransferOutcome::Settled { finality: Finality::Safe(_), .. });
    assert!(settled, "{safe:?}");
    Ok(())
}

#[tokio::test]
async fn a_transfer_is_found_by_its_nonce_alone_once_it_is_safe() -> Result<()> {
    let scene = Scene::still(1).await?;
    for nonce in 0..3 {
        scene.transfer(nonce, OTHER_PAYEE, 1).await?;
    }
    let tx = scene.transfer(3, PAYEE, PRICE).await?;
    scene.transfer(4, OTHER_PAYEE, 1).await?;
    scene.node.mine(9).await?;
    let outcome = scene.reader.transfer_outcome(&scene.about_transfer(3, vec![])).await?;
    let TransferOutcome::Settled { transaction, finality: Finality::Safe(_), .. } = outcome else {
        bail!("{outcome:?}")
    };
    assert_eq!(transaction.hash, tx);
    Ok(())
}

#[tokio::test]
async fn a_revert_counts_once_it_is_safe() -> Result<()> {
    let scene = Scene::still(2).await?;
    let too_much = FUNDS.base_units() + 1;
    let tx = scene.transfer(0, PAYEE, too_much).await?;
    let query = scene.about_transfer(0, vec![tx]);
    let seen = scene.reader.transfer_outcome(&query).await?;
    assert!(matches!(seen, TransferOutcome::Failed { finality: Finality::Seen, .. }), "{seen:?}");

    scene.node.mine(2).await?;
    let safe = scene.reader.transfer_outcome(&query).await?;
    let TransferOutcome::Failed { transaction, finality: Finality::Safe(_) } = safe else {
        bail!("{safe:?}")
    };
    assert!(!transaction.succeeded);
    Ok(())
}

#[tokio::test]
async fn a_nonce_taken_by_another_transaction_names_it() -> Result<()> {
    let scene = Scene::still(2).await?;
    let never_sent = alloy_primitives::keccak256(scene.signed_transfer(0, PAYEE, PRICE));
    let taker = scene.transfer(0, OTHER_PAYEE, PRICE).await?;
    let query = scene.about_transfer(0, vec![never_sent]);
    // Not safe yet: the absence of a receipt proves nothing.
    let early = scene.reader.transfer_outcome(&query).await?;
    assert!(matches!(early, TransferOutcome::Pending { .. }), "{early:?}");

    scene.node.mine(2).await?;
    let taken = scene.reader.transfer_outcome(&query).await?;
    let TransferOutcome::Taken { transaction, finality: Finality::Safe(_) } = taken else {
        bail!("{taken:?}")
    };
    assert_eq!(transaction.hash, taker);
    Ok(())
}

#[tokio::test]
async fn a_dropped_transaction_is_pending_and_can_be_sent_again() -> Result<()> {
    let scene = Scene::still(1).await?;
    let raw = scene.signed_transfer(0, PAYEE, PRICE);
    let tx = scene.reader.broadcast(raw.clone()).await?.tx();
    scene.node.rpc("anvil_dropTransaction", serde_json::json!([tx])).await?;
    scene.node.mine(3).await?;
    let query = scene.about_transfer(0, vec![tx]);
    let pending = scene.reader.transfer_outcome(&query).await?;
    assert!(matches!(pending, TransferOutcome::Pending { .. }), "{pending:?}");
    assert_eq!(scene.reader.broadcast(raw).await?, Broadcast::Accepted { tx });
    Ok(())
}

#[tokio::test]
async fn a_transaction_nobody_can_mine_is_refused_in_words() -> Result<()> {
    let scene = Scene::still(1).await?;
    scene.node.set_ether(scene.payer.address(), 1).await?;
    let refused = scene.reader.broadcast(scene.signed_transfer(0, PAYEE, PRICE)).await.unwrap_err();
    let ChainError::BroadcastRefused { message } = refused else { bail!("{refused:?}") };
    assert!(message.to_lowercase().contains("insufficient funds"), "{message}");
    Ok(())
}
