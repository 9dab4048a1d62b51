use anyhow::Result;
use tercet_chain::{ChainError, ChainReader, Endpoints};
use tercet_policy::chain::Chain;
use tercet_policy::money::Amount;
use tercet_policy::proposal::{MAX_FEE_PER_GAS_WEI_MAX, MAX_PRIORITY_FEE_PER_GAS_WEI_MAX};

use crate::chain::BaseNode;
use crate::scene::{FUNDS, PAYEE, PRICE, Scene};

#[tokio::test]
async fn balances_and_nonces_follow_the_chain() -> Result<()> {
    let scene = Scene::still(1).await?;
    let (reader, wallet, token) = (&scene.reader, scene.payer.address(), scene.node.token());
    let before = reader.balances(wallet, token).await?;
    assert_eq!(before.token, FUNDS);
    assert!(before.native > Amount::ZERO);
    assert_eq!(reader.next_nonce(wallet).await?, 0);

    reader.broadcast(scene.signed_transfer(0, PAYEE, PRICE)).await?;
    assert_eq!(reader.next_nonce(wallet).await?, 1, "what waits to be mined counts");
    scene.node.mine(1).await?;
    let after = reader.balances(wallet, token).await?;
    assert_eq!(Some(after.token), FUNDS.checked_sub(Amount::from_base_units(PRICE)));
    assert!(after.native < before.native);
    Ok(())
}

#[tokio::test]
async fn fees_stay_under_the_signers_ceilings() -> Result<()> {
    let scene = Scene::still(1).await?;
    let usual = scene.reader.fees().await?;
    assert!(usual.max_priority_fee_per_gas <= usual.max_fee_per_gas);
    let dear = serde_json::json!(["0xe8d4a51000"]); // 1,000 gwei
    scene.node.rpc("anvil_setNextBlockBaseFeePerGas", dear).await?;
    scene.node.mine(1).await?;
    let capped = scene.reader.fees().await?;
    assert_eq!(capped.max_fee_per_gas.base_units(), MAX_FEE_PER_GAS_WEI_MAX);
    assert!(capped.max_priority_fee_per_gas.base_units() <= MAX_PRIORITY_FEE_PER_GAS_WEI_MAX);
    Ok(())
}

#[tokio::test]
async fn the_safe_block_trails_the_head() -> Result<()> {
    let scene = Scene::still(4).await?;
    scene.node.mine(6).await?;
    let (head, safe) = (scene.reader.head().await?, scene.reader.safe_block().await?);
    assert_eq!(head.number - safe.number, 4);
    let same = scene.reader.block(safe.number).await?;
    assert_eq!((same.hash, same.timestamp), (safe.hash, safe.timestamp));
    Ok(())
}

#[tokio::test]
async fn an_endpoint_of_another_chain_is_refused_by_name() -> Result<()> {
    let node = BaseNode::start().await?;
    let endpoints = Endpoints::new(Chain::BaseSepolia, vec![node.url().clone()], None)?;
    let error = ChainReader::new(&endpoints)?.head().await.unwrap_err();
    let wrong = ChainError::WrongChain { endpoint: 0, expected: Chain::BaseSepolia, found: 8453 };
    assert_eq!(error, wrong);
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_a_failure_without_its_url() -> Result<()> {
    let url = "http://127.0.0.1:9/key-in-the-path".parse()?;
    let reader = ChainReader::new(&Endpoints::new(Chain::Base, vec![url], None)?)?;
    let error = reader.head().await.unwrap_err();
    assert!(matches!(error, ChainError::NoQuorum { agreeing: 0, needed: 1, .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("key-in-the-path"));
    Ok(())
}

/// Consumers hold readers in tasks.
#[test]
fn what_a_reader_does_may_move_between_threads() {
    fn send<T: Send>(_: impl FnOnce(&'static ChainReader) -> T) {}
    send(|reader| reader.balances(PAYEE, PAYEE));
    send(ChainReader::fees);
    send(ChainReader::safe_block);
    send(|reader| reader.broadcast(Vec::new().into()));
    send(|reader| async { reader.authorization_outcome(unimaginable()).await });
    send(|reader| async { reader.transfer_outcome(unimaginable()).await });
    send(|reader| async { reader.fate(unimaginable(), &[]).await });
}

fn unimaginable<T>() -> &'static T {
    panic!("is never asked")
}
