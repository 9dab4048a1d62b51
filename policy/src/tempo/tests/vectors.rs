//! The vectors that ox wrote, read from the repository's own table.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Table {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    chain_id: u64,
    max_priority_fee_per_gas: String,
    max_fee_per_gas: String,
    gas_limit: String,
    calls: Vec<CallCase>,
    nonce_key: U256,
    nonce: String,
    valid_before: Option<NonZeroU64>,
    valid_after: Option<NonZeroU64>,
    fee_token: Option<Address>,
    sender: Address,
    signature: SignatureCase,
    preimage: Bytes,
    digest: B256,
    expiring_nonce_hash: B256,
    raw: Bytes,
    hash: Option<B256>,
    fee_payer_token: Address,
    fee_payer_digest: B256,
}

#[derive(Deserialize)]
struct CallCase {
    to: Address,
    input: Bytes,
}

#[derive(Deserialize)]
struct SignatureCase {
    r: B256,
    s: B256,
    y_is_odd: bool,
}

impl Case {
    fn transaction(&self) -> TempoTransaction {
        let call = |call: &CallCase| Call { to: call.to, input: call.input.clone() };
        TempoTransaction {
            chain_id: self.chain_id,
            max_priority_fee_per_gas: self.max_priority_fee_per_gas.parse().unwrap(),
            max_fee_per_gas: self.max_fee_per_gas.parse().unwrap(),
            gas_limit: self.gas_limit.parse().unwrap(),
            calls: self.calls.iter().map(call).collect(),
            nonce_key: self.nonce_key,
            nonce: self.nonce.parse().unwrap(),
            valid_before: self.valid_before,
            valid_after: self.valid_after,
            fee: self.fee_token.map_or(Fee::Sponsor, |token| Fee::Wallet { token }),
        }
    }
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../../../tests/vectors/tempo.json");
    let table: Table = serde_json::from_str(text).unwrap();
    table.cases
}

#[test]
fn the_table_has_every_shape() {
    let transactions: Vec<_> = cases().iter().map(Case::transaction).collect();
    let has = |shape: &dyn Fn(&TempoTransaction) -> bool| transactions.iter().any(shape);
    for sponsored in [true, false] {
        for expiring in [true, false] {
            for dated in [true, false] {
                assert!(has(&|tx| (tx.fee == Fee::Sponsor) == sponsored
                    && (tx.nonce_key == EXPIRING_NONCE_KEY) == expiring
                    && tx.valid_after.is_some() == dated));
            }
        }
        assert!(has(&|tx| (tx.fee == Fee::Sponsor) == sponsored && tx.calls.len() > 2));
        assert!(has(&|tx| (tx.fee == Fee::Sponsor) == sponsored && tx.valid_before.is_none()));
        assert!(has(&|tx| (tx.fee == Fee::Sponsor) == sponsored && tx.nonce_key.is_zero()));
    }
    assert!(has(&|tx| tx.calls.len() > 12));
    assert!(has(&|tx| tx.calls.iter().any(|call| call.input.is_empty())));
    assert!(has(&|tx| tx.max_fee_per_gas == 0));
    assert!(has(&|tx| tx.max_fee_per_gas > u128::from(u64::MAX)));
}

#[test]
fn transactions_have_the_bytes_of_ox() {
    for case in cases() {
        let transaction = case.transaction();
        assert_eq!(transaction.preimage(), case.preimage);
        assert_eq!(digest(&transaction), case.digest);
        assert_eq!(transaction.expiring_nonce_hash(case.sender), case.expiring_nonce_hash);
        let SignatureCase { r, s, y_is_odd } = case.signature;
        let signature = WalletSignature::new(r.0, s.0, y_is_odd).unwrap();
        let signed = transaction.attach(case.sender, &signature);
        assert_eq!(signed.raw, case.raw);
        assert_eq!(signed.hash, case.hash);
        let payer = fee_payer_digest(&transaction, case.sender, case.fee_payer_token);
        assert_eq!(payer, case.fee_payer_digest);
    }
}
