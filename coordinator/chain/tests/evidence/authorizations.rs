use alloy_primitives::U256;
use anyhow::{Result, bail};
use tercet_chain::{AuthorizationOutcome, Finality};
use tercet_policy::time::UnixSeconds;

use crate::scene::{OTHER_PAYEE, PAYEE, Scene};

#[tokio::test]
async fn a_use_is_seen_at_once_and_safe_when_its_block_is() -> Result<()> {
    let scene = Scene::still(3).await?;
    let authorization = scene.authorization(1, PAYEE).await?;
    let query = scene.about(&authorization);
    let live = scene.reader.authorization_outcome(&query).await?;
    assert!(matches!(live, AuthorizationOutcome::Live { safe_block: Some(_) }), "{live:?}");

    let tx = scene.relay(scene.payer.pay(scene.node.asset(), &authorization)).await?;
    let seen = scene.reader.authorization_outcome(&query).await?;
    let AuthorizationOutcome::Settled { used, proof, finality } = seen else { bail!("{seen:?}") };
    assert_eq!((used.transaction, proof.tx(), finality), (tx, tx, Finality::Seen));

    scene.node.mine(3).await?;
    let safe = scene.reader.authorization_outcome(&query).await?;
    let AuthorizationOutcome::Settled { used, finality: Finality::Safe(at), .. } = safe else {
        bail!("{safe:?}")
    };
    assert!(used.block <= at.number);
    Ok(())
}

#[tokio::test]
async fn a_use_that_is_reorganised_away_is_live_again() -> Result<()> {
    let scene = Scene::still(8).await?;
    let authorization = scene.authorization(1, PAYEE).await?;
    let query = scene.about(&authorization);
    scene.node.mine(4).await?;
    scene.relay(scene.payer.pay(scene.node.asset(), &authorization)).await?;
    let seen = scene.reader.authorization_outcome(&query).await?;
    assert!(matches!(seen, AuthorizationOutcome::Settled { finality: Finality::Seen, .. }));

    scene.node.reorganise(2).await?;
    let gone = scene.reader.authorization_outcome(&query).await?;
    assert!(matches!(gone, AuthorizationOutcome::Live { .. }), "{gone:?}");
    Ok(())
}

#[tokio::test]
async fn a_nonce_used_for_another_payee_is_a_mismatch() -> Result<()> {
    let scene = Scene::still(1).await?;
    let signed = scene.authorization(1, PAYEE).await?;
    let other = scene.authorization(1, OTHER_PAYEE).await?;
    let tx = scene.relay(scene.payer.pay(scene.node.asset(), &other)).await?;
    let outcome = scene.reader.authorization_outcome(&scene.about(&signed)).await?;
    let AuthorizationOutcome::Mismatched { tx: by, found: Some(found), .. } = outcome else {
        bail!("{outcome:?}")
    };
    assert_eq!((by, found.to), (tx, OTHER_PAYEE));
    Ok(())
}

#[tokio::test]
async fn a_cancellation_counts_once_it_is_safe() -> Result<()> {
    let scene = Scene::still(2).await?;
    let authorization = scene.authorization(1, PAYEE).await?;
    let query = scene.about(&authorization);
    let tx = scene.relay(scene.payer.cancel(scene.node.asset(), authorization.nonce)).await?;
    let seen = scene.reader.authorization_outcome(&query).await?;
    let AuthorizationOutcome::Cancelled { log, finality: Finality::Seen } = seen else {
        bail!("{seen:?}")
    };
    assert_eq!(log.transaction, tx);

    scene.node.mine(2).await?;
    let safe = scene.reader.authorization_outcome(&query).await?;
    let cancelled =
        matches!(safe, AuthorizationOutcome::Cancelled { finality: Finality::Safe(_), .. });
    assert!(cancelled, "{safe:?}");
    Ok(())
}

#[tokio::test]
async fn an_authorization_is_dead_when_a_safe_block_has_passed_its_time() -> Result<()> {
    let scene = Scene::still(3).await?;
    let authorization = scene.authorization(1, PAYEE).await?;
    let query = scene.about(&authorization);
    let end = query.valid_before;

    scene.node.advance_to(UnixSeconds(end.0 - 1)).await?;
    scene.node.advance_to(end).await?;
    scene.node.mine(2).await?;
    // The head has reached the end; the safe block is one second short of it.
    let safe = scene.reader.safe_block().await?;
    assert_eq!(safe.timestamp, end.minus(1));
    let short = scene.reader.authorization_outcome(&query).await?;
    assert!(matches!(short, AuthorizationOutcome::Live { .. }), "{short:?}");

    scene.node.mine(1).await?;
    let dead = scene.reader.authorization_outcome(&query).await?;
    let AuthorizationOutcome::Dead { at } = dead else { bail!("{dead:?}") };
    assert!(at.timestamp >= end);
    // And the chain agrees: it takes the signature no more.
    let call = scene.payer.pay(scene.node.asset(), &authorization);
    let refused = scene.node.call(scene.node.token(), call).await.unwrap_err();
    assert!(refused.to_string().contains("authorization is expired"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_use_in_the_last_second_is_found_after_the_end() -> Result<()> {
    let scene = Scene::still(1).await?;
    let authorization = scene.authorization(1, PAYEE).await?;
    let end: u64 = authorization.validBefore.to();
    let raw = scene.payer.pay(scene.node.asset(), &authorization);
    let set = |time: u64| {
        scene.node.rpc("evm_setNextBlockTimestamp", serde_json::json!([U256::from(time)]))
    };
    set(end - 1).await?;
    scene.relay(raw).await?;
    scene.node.mine(5).await?;
    let outcome = scene.reader.authorization_outcome(&scene.about(&authorization)).await?;
    let settled =
        matches!(outcome, AuthorizationOutcome::Settled { finality: Finality::Safe(_), .. });
    assert!(settled, "{outcome:?}");
    Ok(())
}
