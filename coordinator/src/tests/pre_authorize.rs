mod given;
mod recorded;

use alloy_primitives::B256;
use reqwest::Method;
use serde_json::{Value, json};
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::money::Amount;

use super::fixture::*;
use crate::clerk::{Moved, Movement};

const ASK: &str = "/v1/policy/pre-authorize";

/// A transfer of research-01 from a wallet of its own.
fn own(id: u8, units: u128) -> SignedIntent {
    intent_from("research-01", id, OWN_WALLET, transfer(units), 60)
}

async fn ask(house: &House, intent: &SignedIntent) -> (u16, Value) {
    let body = json!({ "intent": intent });
    let (status, body) = house.call(Some("research-01"), Method::POST, ASK, &body).await;
    (status.as_u16(), body)
}

fn path(id: u8) -> String {
    format!("{ASK}/{}", IntentId([id; 32]))
}

async fn status(house: &House, id: u8) -> String {
    let (_, view) = house.look(&path(id)).await;
    view["status"].as_str().unwrap_or_else(|| panic!("{view}")).to_owned()
}

async fn until(house: &House, id: u8, wanted: &str) -> Value {
    for _ in 0..150 {
        if status(house, id).await == wanted {
            return house.look(&path(id)).await.1;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{id} never became {wanted}: {}", house.look(&path(id)).await.1);
}

async fn record(house: &House, id: u8, transaction: u8) -> (u16, Value) {
    let body = json!({ "transaction": B256::repeat_byte(transaction) });
    let path = format!("{}/record", path(id));
    let (status, body) = house.call(Some("research-01"), Method::POST, &path, &body).await;
    (status.as_u16(), body)
}

/// Lets the chain show transfers of these many base units, at these places of the block.
fn mined(house: &House, transaction: u8, safe: bool, transfers: &[(u64, u128)]) {
    let moved = |(log_index, units): &(u64, u128)| Moved {
        log_index: *log_index,
        amount: Amount::from_base_units(*units),
    };
    let transfers = transfers.iter().map(moved).collect();
    show(house, transaction, Movement::Shown { transfers, block: 7, safe });
}

fn show(house: &House, transaction: u8, movement: Movement) {
    let mut movements = house.chain.movements.lock().unwrap();
    movements.insert(B256::repeat_byte(transaction), movement);
}

/// What the day's limit counts: reserved and spent.
async fn counted(house: &House) -> [String; 2] {
    let [.., reserved, spent] = house.budgets("").await[0].clone();
    [reserved, spent]
}
