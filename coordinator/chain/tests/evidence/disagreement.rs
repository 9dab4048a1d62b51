use anyhow::{Result, bail};
use tercet_chain::{
    AuthorizationOutcome, ChainError, ChainReader, Endpoints, FailureCause, Finality,
    TransferOutcome,
};
use tercet_policy::chain::Chain;
use tercet_policy::time::UnixSeconds;

use crate::liar::{self, Liar, Lie};
use crate::scene::{FUNDS, PAYEE, PRICE, Scene};

/// A reader over the scene's node and `liars` endpoints in front of it that tell `lie`.
async fn beside(scene: &Scene, liars: usize, lie: Lie) -> Result<(ChainReader, Vec<Liar>)> {
    let mut urls = vec![scene.node.url().clone()];
    let mut held = Vec::new();
    for _ in 0..liars {
        let liar = Liar::before(scene.node.url(), lie).await?;
        urls.push(liar.url.clone());
        held.push(liar);
    }
    Ok((ChainReader::new(&Endpoints::new(Chain::Base, urls, None)?)?, held))
}

#[tokio::test]
async fn two_that_deny_a_use_do_not_outvote_one_that_shows_it() -> Result<()> {
    let scene = Scene::still(1).await?;
    let authorization = scene.authorization(1, PAYEE).await?;
    let query = scene.about(&authorization);
    scene.relay(scene.payer.pay(scene.node.asset(), &authorization)).await?;
    scene.node.advance_to(query.valid_before).await?;
    scene.node.mine(3).await?;
    for liars in [1, 2] {
        let (reader, _held) = beside(&scene, liars, liar::denies_every_use).await?;
        let outcome = reader.authorization_outcome(&query).await?;
        let AuthorizationOutcome::Settled { finality, .. } = outcome else { bail!("{outcome:?}") };
        assert_eq!(finality, Finality::Seen, "{liars} liars");
    }
    Ok(())
}

#[tokio::test]
async fn a_false_clock_kills_nothing() -> Result<()> {
    let scene = Scene::still(1).await?;
    let authorization = scene.authorization(1, PAYEE).await?;
    let query = scene.about(&authorization);
    scene.node.mine(3).await?;
    for (liars, safe) in [(1, false), (2, true)] {
        let (reader, _held) = beside(&scene, liars, liar::lives_in_the_future).await?;
        let outcome = reader.authorization_outcome(&query).await?;
        if !safe {
            assert_eq!(outcome, AuthorizationOutcome::Live { safe_block: None });
        } else {
            // Two of three that lie together are a quorum: stated in the crate's docs, and shown here.
            assert!(matches!(outcome, AuthorizationOutcome::Dead { .. }), "{outcome:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_liar_among_three_does_not_hold_up_a_death() -> Result<()> {
    let scene = Scene::still(1).await?;
    let authorization = scene.authorization(1, PAYEE).await?;
    let query = scene.about(&authorization);
    scene.node.advance_to(query.valid_before).await?;
    scene.node.mine(3).await?;
    let second = Liar::before(scene.node.url(), |_, honest| honest).await?;
    let third = Liar::before(scene.node.url(), liar::lives_in_the_future).await?;
    let urls = vec![scene.node.url().clone(), second.url.clone(), third.url.clone()];
    let reader = ChainReader::new(&Endpoints::new(Chain::Base, urls, None)?)?;
    let outcome = reader.authorization_outcome(&query).await?;
    let AuthorizationOutcome::Dead { at } = outcome else { bail!("{outcome:?}") };
    assert!(at.timestamp < UnixSeconds(0xffff_ffff));
    Ok(())
}

#[tokio::test]
async fn a_revert_that_one_endpoint_invents_is_not_believed() -> Result<()> {
    let scene = Scene::still(1).await?;
    let tx = scene.transfer(0, PAYEE, PRICE).await?;
    scene.node.mine(3).await?;
    let query = scene.about_transfer(0, vec![tx]);
    for liars in [1, 2] {
        let (reader, _held) = beside(&scene, liars, liar::fails_every_receipt).await?;
        let outcome = reader.transfer_outcome(&query).await?;
        let seen = matches!(outcome, TransferOutcome::Settled { finality: Finality::Seen, .. });
        assert!(seen, "{liars} liars: {outcome:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_revert_that_only_one_endpoint_shows_stays_unsafe() -> Result<()> {
    let scene = Scene::still(1).await?;
    let tx = scene.transfer(0, PAYEE, FUNDS.base_units() + 1).await?;
    scene.node.mine(3).await?;
    let (reader, _held) = beside(&scene, 1, liar::has_seen_nothing).await?;
    let outcome = reader.transfer_outcome(&scene.about_transfer(0, vec![tx])).await?;
    let seen = matches!(outcome, TransferOutcome::Failed { finality: Finality::Seen, .. });
    assert!(seen, "{outcome:?}");
    let nonce = reader.next_nonce(scene.payer.address()).await.unwrap_err();
    assert!(matches!(nonce, ChainError::NoQuorum { agreeing: 1, needed: 2, .. }), "{nonce:?}");
    Ok(())
}

#[tokio::test]
async fn a_balance_is_the_least_that_is_said() -> Result<()> {
    let scene = Scene::still(1).await?;
    let (reader, _held) = beside(&scene, 1, liar::makes_wallets_rich).await?;
    let balances = reader.balances(scene.payer.address(), scene.node.token()).await?;
    assert_eq!(balances.token, FUNDS);
    Ok(())
}

#[tokio::test]
async fn another_chain_and_endless_answers_are_failures() -> Result<()> {
    let scene = Scene::still(1).await?;
    let (reader, _held) = beside(&scene, 1, liar::claims_another_chain).await?;
    let wrong = ChainError::WrongChain { endpoint: 1, expected: Chain::Base, found: 1 };
    assert_eq!(reader.head().await.unwrap_err(), wrong);

    let (reader, _held) = beside(&scene, 1, liar::never_stops_talking).await?;
    let error = reader.safe_block().await.unwrap_err();
    let ChainError::NoQuorum { failures, .. } = error else { bail!("{error:?}") };
    let FailureCause::Unreachable { reason } = &failures[0].cause else { bail!("{failures:?}") };
    assert!(reason.contains("longer than"), "{reason}");
    Ok(())
}
