//! Parts for payments that are known already, and what nobody keeps of them.

use std::io::Write;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::super::fixture::*;
use super::super::node::{ANSWER, FakeNode, Lie, Manner};
use super::super::payments::pair;
use super::answer;
use crate::clerk::Sighting;
use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::intent::IntentId;
use tercet_policy::proposal::eip3009_nonce;

#[tokio::test]
async fn a_part_for_a_signed_payment_is_joined_to_the_same_slot_and_digest() {
    let house = House::new().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let signed = intent("research-01", 1, x402(10));
    let (_, first) = house.pay_with_part("research-01", &signed).await;
    let (status, again) = house.pay_with_part("research-01", &signed).await;
    assert_eq!((status.as_u16(), answer(&again).as_deref()), (200, Some(ANSWER)), "{again}");
    assert_eq!((&again["slot"], &again["digest"]), (&first["slot"], &first["digest"]));
    assert_eq!(operator.joins_seen(), 2);
    operator.becomes(Manner::Lies(Lie::Digest));
    let (status, problem) = house.pay_with_part("research-01", &signed).await;
    assert_eq!((status.as_u16(), &problem["code"]), (503, &json!("node_unavailable")));
    assert_eq!(house.until(1, "signed").await["digest"], first["digest"]);
}

#[tokio::test]
async fn a_part_of_no_use_for_a_signed_payment_has_it_signed_in_rounds() {
    let house = House::new().await;
    let (_agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let signed = intent("research-01", 1, x402(10));
    house.pay_with_part("research-01", &signed).await;
    operator.becomes(Manner::NoStock);
    let (status, again) = house.pay_with_part("research-01", &signed).await;
    assert_eq!((status.as_u16(), &again["signed_by"]), (200, &json!("interactive")), "{again}");
    assert_eq!(answer(&again), None);
    operator.becomes(Manner::Refuses);
    assert_eq!(house.pay_with_part("research-01", &signed).await.0, 422);
    assert_eq!(house.until(1, "signed").await["signed_by"], "interactive", "it stands");
}

#[tokio::test]
async fn a_part_for_what_is_over_is_answered_from_the_store() {
    let house = House::new().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let signed = intent("research-01", 1, x402(10));
    house.pay_with_part("research-01", &signed).await;
    let nonce = eip3009_nonce(Chain::Base, ASSETS[0].token, WALLET, &IntentId([1; 32]));
    let transaction = alloy_primitives::B256::repeat_byte(3);
    house.chain.show(nonce, Sighting::Settled { transaction, block: 7 });
    house.until(1, "settled").await;
    let (status, view) = house.pay_with_part("research-01", &signed).await;
    assert_eq!((status.as_u16(), &view["status"]), (200, &json!("settled")));
    assert_eq!((answer(&view), operator.joins_seen()), (None, 1));
}

/// Two requests race for one payment, each with a part: one is joined, the other is told to come
/// again; and two that race for one more signature likewise.
#[tokio::test]
async fn of_two_requests_for_one_payment_one_is_joined() {
    let house = House::new().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Holds).await;
    let signed = intent("research-01", 1, x402(10));
    for joins in [1, 2] {
        operator.becomes(Manner::Holds);
        let posts = (0..8).map(|_| house.pay_with_part("research-01", &signed));
        let posting = futures_util::future::join_all(posts);
        let releasing = async {
            soon(|| operator.joins_seen() == joins).await;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            operator.becomes(Manner::Signs);
        };
        let (answers, ()) = tokio::join!(posting, releasing);
        let joined = answers.iter().filter(|(_, view)| answer(view).is_some()).count();
        let busy = answers.iter().filter(|(status, _)| *status == 429).count();
        assert_eq!((joined, busy), (1, 7), "{answers:?}");
        assert_eq!(operator.joins_seen(), joins);
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn holds(haystack: &[u8], secret: &[u8]) -> bool {
    let forms = [secret.to_vec(), STANDARD.encode(secret).into(), hex::encode(secret).into()];
    forms.iter().any(|form| haystack.windows(form.len()).any(|window| window == form))
}

/// Hears all tests that run beside it: none of them may log such bytes either.
#[tokio::test]
async fn nothing_of_answers_and_parts_is_stored_or_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let house = House::new().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let signed = intent("research-01", 1, x402(10));
    let (_, view) = house.pay_with_part("research-01", &signed).await;
    let digest = view["digest"].as_str().unwrap().to_owned();
    house.pay_with_part("research-01", &signed).await;
    operator.becomes(Manner::Breaks);
    house.pay_with_part("research-01", &signed).await;
    let heard = || String::from_utf8_lossy(&log.0.lock().unwrap()).contains("payment moved");
    soon(heard).await;
    let mut kept = log.0.lock().unwrap().clone();
    // The client of this test logs what it sends; what is looked at is the coordinator's own.
    let text = String::from_utf8_lossy(&kept).into_owned();
    let own: String = text.lines().filter(|line| line.contains("tercet_")).collect();
    assert!(own.contains("payment moved"), "the log was not heard");
    kept = own.into_bytes();
    for entry in std::fs::read_dir(house.database.parent().unwrap()).unwrap() {
        kept.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert!(holds(&kept, digest.as_bytes()), "the store was not looked at");
    assert!(!holds(&kept, ANSWER) && !holds(&kept, PART));
}
