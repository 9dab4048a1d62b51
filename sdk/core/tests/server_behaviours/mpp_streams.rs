//! Streams that are paid for as they come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::{Value, json};
use tercet::error::{Declined, Error};
use tercet::mpp::SessionState;
use tokio::time::timeout;

use crate::mpp_sessions::{PRICE, Till, asks_for, number, only, problem, receipt, session, world};
use crate::support::merchant::response;
use crate::support::{Answer, World};

fn need(channel: &Value, required: u128) -> String {
    let data = json!({
        "channelId": channel, "requiredCumulative": required.to_string(),
        "acceptedCumulative": "0", "deposit": "30000",
    });
    format!("event: payment-need-voucher\ndata: {data}\n\n")
}

/// A service that streams this script, in which `{n}` is a demand for so many units.
async fn streaming(script: Vec<Result<&'static str, u128>>) -> (World, Arc<Mutex<Till>>) {
    let till = Arc::new(Mutex::new(Till::default()));
    let kept = Arc::clone(&till);
    let world = world(move |hit| {
        let Some(credential) = &hit.credential else { return asks_for(&session()) };
        let payload = &credential["payload"];
        let mut till = kept.lock().unwrap();
        till.actions.push(payload["action"].as_str().unwrap().to_owned());
        let cumulative = number(payload, "cumulativeAmount");
        match payload["action"].as_str().unwrap() {
            "close" if cumulative < till.accepted => return problem(402, "insufficient-balance"),
            "close" | "topUp" => return Answer::Respond(response(204, &[], "")),
            _ => till.accepted = cumulative,
        }
        if hit.method != "GET" {
            // The official service says so before it spends the unit that the voucher is for.
            let receipt = receipt(&payload["channelId"], cumulative, cumulative - PRICE);
            return Answer::Respond(response(204, &[("payment-receipt", receipt)], ""));
        }
        let events = script.iter().map(|part| match part {
            Ok(words) => format!("data: {words}\n\n"),
            Err(required) => need(&payload["channelId"], *required),
        });
        let body: String = events.collect();
        let kind = ("content-type", "text/event-stream".to_owned());
        Answer::Respond(response(200, &[kind], body))
    })
    .await;
    (world, till)
}

#[tokio::test]
async fn units_are_paid_as_they_come_and_demands_are_not_handed_on() {
    let script =
        vec![Ok("a"), Err(2 * PRICE), Ok("b"), Err(3 * PRICE), Ok("c"), Err(4 * PRICE), Ok("d")];
    let (world, till) = streaming(script).await;
    let fetched = world.get("/stream").await.unwrap();
    let text = fetched.response.text().await.unwrap();
    assert_eq!(text, "data: a\n\ndata: b\n\ndata: c\n\ndata: d\n\n");
    assert_eq!(world.payer.vouchers(), [10_000, 20_000, 30_000, 40_000]);
    let actions = till.lock().unwrap().actions.clone();
    assert_eq!(actions, ["open", "voucher", "voucher", "topUp", "voucher"]);
    assert_eq!(only(&world).await.meter.delivered.base_units(), 4 * PRICE);
}

/// 1, as measured on the official client: after one message, a demand for ninety units.
#[tokio::test]
async fn an_inflated_demand_ends_the_stream_unpaid() {
    let (world, _) = streaming(vec![Ok("a"), Err(90 * PRICE), Ok("b")]).await;
    let fetched = world.get("/stream").await.unwrap();
    fetched.response.text().await.unwrap_err();
    assert_eq!(world.payer.vouchers(), [10_000], "nothing was signed for the demand");
    assert_eq!(only(&world).await.meter.deposit.base_units(), 30_000, "nothing was put in");
}

#[tokio::test]
async fn a_demand_before_anything_came_gets_nothing_more() {
    let (world, _) = streaming(vec![Err(2 * PRICE), Ok("a")]).await;
    let fetched = world.get("/stream").await.unwrap();
    fetched.response.text().await.unwrap_err();
    assert_eq!(world.payer.vouchers(), [10_000]);
}

/// Messages that nobody asked to be paid for are no credit for later demands.
#[tokio::test]
async fn a_burst_of_messages_does_not_pay_for_silence() {
    let mut script = vec![Ok("a"); 10];
    script.extend([Err(2 * PRICE), Err(3 * PRICE), Err(4 * PRICE), Ok("b")]);
    let (world, _) = streaming(script).await;
    let fetched = world.get("/stream").await.unwrap();
    fetched.response.text().await.unwrap_err();
    assert_eq!(world.payer.vouchers(), [10_000, 20_000, 30_000]);
}

/// The unit that a stream is ahead is the stream's: another request is not taken for it.
#[tokio::test]
async fn nothing_else_draws_on_a_channel_while_a_stream_does() {
    let (world, _) = streaming(vec![Ok("a"), Err(2 * PRICE), Ok("b")]).await;
    let first = world.get("/stream").await.unwrap();
    let error = world.get("/stream").await.unwrap_err();
    let Error::Declined(why) = error else { panic!("{error}") };
    assert!(matches!(*why, Declined::SessionStreams { .. }), "{why}");
    assert_eq!(first.response.text().await.unwrap(), "data: a\n\ndata: b\n\n");
    let second = world.get("/stream").await.unwrap();
    drop(second);
    world.get("/stream").await.unwrap();
    assert_eq!(world.payer.vouchers(), [10_000, 20_000, 30_000]);
    assert_eq!(only(&world).await.meter.lost.base_units(), 0);
}

/// What the service said of its use is older than the unit that came since.
#[tokio::test]
async fn a_stream_that_is_dropped_is_closed_at_what_came() {
    let (world, till) = streaming(vec![Ok("a"), Err(2 * PRICE), Ok("b"), Ok("c")]).await;
    let mut fetched = world.get("/stream").await.unwrap();
    for message in ["data: a\n\n", "data: b\n\n"] {
        assert_eq!(fetched.response.chunk().await.unwrap().unwrap(), message);
    }
    drop(fetched);
    let open = only(&world).await;
    assert_eq!(open.meter.claimed.unwrap().base_units(), PRICE);
    let closing = world.buyer.sessions().unwrap().close(&open.channel).await.unwrap();
    assert_eq!(closing.state, SessionState::Closing);
    assert_eq!(till.lock().unwrap().actions, ["open", "voucher", "close"], "and at once");
}

/// A caller may hold a response and do other things first.
#[tokio::test]
async fn a_body_that_nobody_polls_holds_nobody_up() {
    let (world, _) = streaming(vec![Ok("a"), Err(2 * PRICE), Ok("b")]).await;
    let mut fetched = world.get("/stream").await.unwrap();
    fetched.response.chunk().await.unwrap().unwrap();
    assert!(fetched.response.chunk().now_or_never().is_none(), "the demand is being answered");
    let tending = world.buyer.sessions().unwrap().tend();
    let tended = timeout(Duration::from_secs(5), tending).await.expect("it waits for the body");
    assert_eq!(tended.unwrap()[0].trouble, None);
    let sessions = world.buyer.sessions().unwrap();
    let channel = only(&world).await.channel;
    let closing = timeout(Duration::from_secs(5), sessions.close(&channel)).await;
    assert_eq!(closing.expect("it waits for the body").unwrap().state, SessionState::Closing);
}

#[tokio::test]
async fn events_without_data_are_handed_on_and_cost_nothing() {
    let (world, _) = streaming(vec![Ok("a"), Ok(""), Ok(""), Err(2 * PRICE), Ok("b")]).await;
    let fetched = world.get("/stream").await.unwrap();
    let text = fetched.response.text().await.unwrap();
    assert_eq!(text, "data: a\n\ndata: \n\ndata: \n\ndata: b\n\n");
    assert_eq!(only(&world).await.meter.delivered.base_units(), 2 * PRICE);
}

#[tokio::test]
async fn a_service_that_demands_the_same_again_and_again_is_left_alone() {
    let mut script = vec![Ok("a")];
    script.extend([Err(PRICE); 9]);
    let (world, till) = streaming(script).await;
    let fetched = world.get("/stream").await.unwrap();
    fetched.response.text().await.unwrap_err();
    assert_eq!(till.lock().unwrap().actions, ["open", "voucher", "voucher", "voucher", "voucher"]);
    assert_eq!(world.payer.vouchers(), [10_000]);
}

/// The official service serves, and charges for, a `POST` with a query.
#[tokio::test]
async fn a_voucher_beside_a_url_with_a_query_asks_for_nothing_else() {
    let (world, till) = streaming(vec![Ok("a"), Err(2 * PRICE), Ok("b")]).await;
    let fetched = world.get("/stream?q=1").await.unwrap();
    assert_eq!(fetched.response.text().await.unwrap(), "data: a\n\ndata: b\n\n");
    assert_eq!(till.lock().unwrap().actions, ["open", "voucher"]);
    let hits = world.merchant.hits();
    let methods: Vec<_> = hits.iter().map(|hit| hit.method.as_str()).collect();
    assert_eq!(methods, ["GET", "GET", "HEAD"]);
}

/// The line broke behind a voucher, and the service counts its unit as used.
#[tokio::test]
async fn a_stream_that_broke_off_behind_a_voucher_is_gone_on_with() {
    let world = world(|hit| {
        let Some(credential) = &hit.credential else { return asks_for(&session()) };
        let payload = &credential["payload"];
        if hit.method == "POST" {
            return Answer::Respond(response(204, &[], ""));
        }
        let paid: u128 = payload["cumulativeAmount"].as_str().unwrap().parse().unwrap();
        let body = match payload["action"].as_str() {
            Some("open") => format!("data: a\n\n{}", need(&payload["channelId"], paid + PRICE)),
            _ => {
                let (next, later) = (paid + PRICE, paid + 2 * PRICE);
                let channel = &payload["channelId"];
                format!("{}data: b\n\n{}", need(channel, next), need(channel, later))
            }
        };
        let kind = ("content-type", "text/event-stream".to_owned());
        Answer::Respond(response(200, &[kind], body))
    })
    .await;
    world.get("/stream").await.unwrap().response.text().await.unwrap();
    assert_eq!(world.payer.vouchers(), [10_000, 20_000]);
    let text = world.get("/stream").await.unwrap().response.text().await.unwrap();
    assert_eq!(text, "data: b\n\n");
    let meter = only(&world).await.meter;
    assert_eq!((meter.lost.base_units(), meter.delivered.base_units()), (PRICE, 2 * PRICE));
    assert_eq!(world.payer.vouchers(), [10_000, 20_000, 30_000, 40_000]);
}

/// 10: an amount that is no plain number is no demand.
#[tokio::test]
async fn a_demand_that_does_not_read_ends_the_stream() {
    let world = world(|hit| match hit.credential {
        None => asks_for(&session()),
        Some(credential) => {
            let channel = &credential["payload"]["channelId"];
            let demand = need(channel, 20_000).replace("\"20000\"", "\"2e4\"");
            let kind = ("content-type", "text/event-stream".to_owned());
            Answer::Respond(response(200, &[kind], format!("data: a\n\n{demand}data: b\n\n")))
        }
    })
    .await;
    let fetched = world.get("/stream").await.unwrap();
    fetched.response.text().await.unwrap_err();
    assert_eq!(world.payer.vouchers(), [10_000]);
}
