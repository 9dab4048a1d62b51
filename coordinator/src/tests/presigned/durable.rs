//! What is told before it is on disk, and what is not.

use std::time::Duration;

use serde_json::json;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::time::{sleep, timeout};

use super::super::fixture::*;
use super::super::node::{FakeNode, Manner};
use super::super::payments::pair;
use super::answer;

/// A disk that takes nothing until this is dropped.
async fn stuck_disk(house: &House) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(&house.database);
    let mut other = options.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    other
}

/// An agent that believed a refusal and paid again would pay twice, were the refusal lost in a crash
/// and the first payment asked for once more.
#[tokio::test]
async fn a_refusal_is_shown_to_nobody_before_it_is_durable() {
    let house = House::new().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Holds).await;
    let signed = intent("research-01", 1, x402(10));
    let posting = house.pay_with_part("research-01", &signed);
    let refusing = async {
        soon(|| operator.joins_seen() == 1).await;
        let stuck = stuck_disk(&house).await;
        operator.becomes(Manner::Refuses);
        sleep(Duration::from_millis(500)).await;
        let (_, shown) = house.look(&format!("/v1/payments/{}", signed.document.id)).await;
        assert_eq!(shown["status"], "signing", "{shown}");
        drop(stuck);
    };
    let ((status, problem), ()) = tokio::join!(posting, refusing);
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("refused")), "{problem}");
    house.until(1, "refused").await;
}

#[tokio::test]
async fn a_signature_is_told_while_the_disk_takes_its_time() {
    let house = House::new().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Holds).await;
    let signed = intent("research-01", 1, x402(10));
    let posting = house.pay_with_part("research-01", &signed);
    let stuck = async {
        soon(|| operator.joins_seen() == 1).await;
        let stuck = stuck_disk(&house).await;
        operator.becomes(Manner::Signs);
        stuck
    };
    let ((status, view), stuck) = tokio::join!(posting, stuck);
    assert_eq!((status.as_u16(), answer(&view).is_some()), (201, true), "{view}");
    drop(stuck);
    house.until(1, "signed").await;
}

#[tokio::test]
async fn a_request_that_goes_away_leaves_no_payment_half_taken_in() {
    let house = House::new().await;
    let (_agent, _operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let signed = intent("research-01", 1, x402(10));
    let stuck = stuck_disk(&house).await;
    let posting = house.pay_with_part("research-01", &signed);
    assert!(timeout(Duration::from_millis(300), posting).await.is_err(), "it was answered");
    sleep(Duration::from_millis(200)).await;
    drop(stuck);
    let view = house.until(1, "signed").await;
    assert_eq!(view["signed_by"], "interactive", "nobody waits for an answer");
}
