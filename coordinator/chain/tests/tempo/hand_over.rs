use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::SolEvent as _;
use anyhow::Result;
use serde_json::json;
use tercet_chain::Broadcast;
use tercet_policy::chain::PATH_USD;
use tercet_policy::money::Amount;

use crate::rows::{MEMO, PAYEE, WALLET, units};
use crate::world::{Manner, TransferWithMemo, World, log};

const RAW: [u8; 3] = [0x76, 1, 2];

#[tokio::test]
async fn a_transaction_is_waited_for_where_the_endpoint_does_that() -> Result<()> {
    let world = World::honest().await?;
    let sent = world.reader.broadcast(Bytes::from(RAW)).await?;
    assert_eq!(sent, Broadcast::Accepted { tx: keccak256(RAW) });
    assert_eq!(world.calls_of("eth_sendRawTransactionSync").len(), 1);
    assert!(world.calls_of("eth_sendRawTransaction").is_empty());
    Ok(())
}

#[tokio::test]
async fn without_the_method_it_is_handed_over_all_the_same_and_not_asked_for_again() -> Result<()> {
    let world = World::with(&[Manner::OldFashioned]).await?;
    for _ in 0..2 {
        let sent = world.reader.broadcast(Bytes::from(RAW)).await?;
        assert_eq!(sent, Broadcast::Accepted { tx: keccak256(RAW) });
    }
    assert_eq!(world.calls_of("eth_sendRawTransactionSync").len(), 1);
    assert_eq!(world.calls_of("eth_sendRawTransaction").len(), 2);
    Ok(())
}

/// Takes three seconds: the wait for a transaction that is dropped in silence has an end.
#[tokio::test]
async fn a_call_that_hangs_is_given_up() -> Result<()> {
    let world = World::with(&[Manner::Hangs]).await?;
    let sent = world.reader.broadcast(Bytes::from(RAW)).await?;
    assert_eq!(sent, Broadcast::Accepted { tx: keccak256(RAW) });
    assert_eq!(world.calls_of("eth_sendRawTransaction").len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_a_wallet_holds_is_told_per_token_and_there_is_no_coin() -> Result<()> {
    let world = World::honest().await?;
    world.chain().tokens.insert(PATH_USD, 7);
    let held = world.reader.holdings(WALLET).await?;
    let tokens: Vec<_> = held.tokens.iter().map(|(asset, units)| (asset.symbol, *units)).collect();
    assert_eq!((held.native, tokens), (Amount::ZERO, vec![("pathUSD", units(7))]));
    assert_eq!(world.reader.balances(WALLET, PATH_USD).await?.token, units(7));
    world.chain().tokens.clear();
    assert!(world.reader.holdings(WALLET).await.is_err());
    Ok(())
}

#[tokio::test]
async fn the_receipt_of_a_tempo_transaction_is_read() -> Result<()> {
    let world = World::honest().await?;
    let tx = B256::repeat_byte(3);
    let moved = TransferWithMemo { from: WALLET, to: PAYEE, amount: "5".parse()?, memo: MEMO };
    let receipt = json!({
        "type": "0x76", "status": "0x1", "transactionHash": tx, "transactionIndex": "0x0",
        "blockHash": B256::repeat_byte(4), "blockNumber": "0x9", "from": WALLET, "to": PATH_USD,
        "cumulativeGasUsed": "0xc8d0", "gasUsed": "0xc8d0", "effectiveGasPrice": "0x4a817c800",
        "contractAddress": null, "logsBloom": format!("0x{}", "0".repeat(512)),
        "logs": [log(9, tx, PATH_USD, &moved.encode_log_data())],
        "feeToken": PATH_USD, "feePayer": Address::repeat_byte(1),
    });
    world.chain().receipts.insert(tx, receipt);
    let read = world.reader.receipt(tx).await?.expect("there is one");
    assert!(read.succeeded);
    assert_eq!((read.tx, read.block_number, read.from, read.logs.len()), (tx, 9, WALLET, 1));
    assert_eq!(world.reader.receipt(B256::ZERO).await?, None);
    Ok(())
}
