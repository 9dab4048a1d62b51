//! The vectors that viem wrote, read from the repository's own table.

use alloy_primitives::{B256, Bytes};
use serde::Deserialize;

use super::*;
use crate::chain::Asset;
use crate::fixture::units;
use crate::intent::Transfer;

#[derive(Deserialize)]
struct Table<T> {
    cases: Vec<T>,
}

#[derive(Deserialize)]
struct Eip3009 {
    chain_id: u64,
    from: Address,
    to: Address,
    value: String,
    valid_after: String,
    valid_before: String,
    nonce: B256,
    transfer: Hashes,
    cancel: Hashes,
}

#[derive(Deserialize)]
struct Hashes {
    struct_hash: B256,
    digest: B256,
}

#[derive(Deserialize)]
struct Eip1559 {
    chain_id: u64,
    token: Address,
    to: Address,
    amount: String,
    nonce: String,
    gas_limit: String,
    max_fee_per_gas: String,
    max_priority_fee_per_gas: String,
    data: Bytes,
    preimage: Bytes,
    digest: B256,
}

fn table<T: serde::de::DeserializeOwned>(text: &str) -> Vec<T> {
    let table: Table<T> = serde_json::from_str(text).unwrap();
    assert!(table.cases.len() >= 20);
    table.cases
}

fn asset(chain_id: u64) -> &'static Asset {
    ASSETS.iter().find(|asset| asset.chain.id() == chain_id).unwrap()
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn check(payload: &SigningPayload, expected: &Hashes) {
    assert_eq!(payload.preimage()[34..], expected.struct_hash[..]);
    assert_eq!(payload.digest(), expected.digest);
}

#[test]
fn eip3009() {
    for case in table::<Eip3009>(include_str!("../../../../tests/vectors/eip3009.json")) {
        let asset = asset(case.chain_id);
        let authorization = Authorization {
            from: case.from,
            to: case.to,
            value: units(number(&case.value)),
            valid_after: UnixSeconds(number(&case.valid_after)),
            valid_before: UnixSeconds(number(&case.valid_before)),
            nonce: case.nonce,
        };
        check(&SigningPayload::authorize(asset, authorization).unwrap(), &case.transfer);
        let cancel = CancelAuthorization { authorizer: case.from, nonce: case.nonce };
        check(&SigningPayload::cancel(asset, cancel).unwrap(), &case.cancel);
    }
}

#[test]
fn eip1559() {
    for case in table::<Eip1559>(include_str!("../../../../tests/vectors/eip1559.json")) {
        let asset = asset(case.chain_id);
        assert_eq!(asset.token, case.token);
        let amount = units(number(&case.amount));
        let transfer = Transfer { chain: asset.chain, token: asset.token, to: case.to, amount };
        let terms = ChainTerms::Eip1559 {
            nonce: number(&case.nonce),
            gas_limit: number(&case.gas_limit),
            max_fee_per_gas: units(number(&case.max_fee_per_gas)),
            max_priority_fee_per_gas: units(number(&case.max_priority_fee_per_gas)),
        };
        let transaction = eip1559::transaction(&transfer, &terms).unwrap();
        assert_eq!(transaction.input, case.data);
        let preimage = eip1559::preimage(&transaction);
        assert_eq!(preimage, case.preimage);
        assert_eq!(keccak256(preimage), case.digest);
    }
}
