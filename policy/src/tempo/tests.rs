use std::num::NonZeroU64;

use alloy_primitives::{address, b256, bytes};
use k256::ecdsa::{RecoveryId, SigningKey, VerifyingKey};
use proptest::prelude::*;

use super::*;
use crate::money::Amount;
use crate::mpp::{ChannelAmount, ChannelOpening};

mod reader;
mod vectors;

use reader::Item;

const CHAIN: u64 = 4217;
const SENDER: Address = address!("0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F");
const USDC: Address = address!("0x20C000000000000000000000b9537d11c60E8b50");
const PAYEE: Address = address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");

/// The transaction of the reference vectors of ox: it opens a channel.
fn reference() -> TempoTransaction {
    let opening = ChannelOpening {
        payee: PAYEE,
        operator: Address::ZERO,
        token: USDC,
        salt: B256::repeat_byte(0x55),
        authorized_signer: Address::ZERO,
    };
    let deposit = ChannelAmount::try_from(Amount::from_base_units(1_000_000)).unwrap();
    TempoTransaction {
        chain_id: CHAIN,
        max_priority_fee_per_gas: 1_000_000_000,
        max_fee_per_gas: 21_000_000_000,
        gas_limit: 700_000,
        calls: vec![calls::open(&opening, deposit)],
        nonce_key: EXPIRING_NONCE_KEY,
        nonce: 0,
        valid_before: NonZeroU64::new(1_800_000_025),
        valid_after: None,
        fee: Fee::Wallet { token: USDC },
    }
}

fn sponsored() -> TempoTransaction {
    TempoTransaction { fee: Fee::Sponsor, ..reference() }
}

fn digest(transaction: &TempoTransaction) -> B256 {
    keccak256(transaction.preimage())
}

/// What a sponsor signs. No wallet of ours ever does.
fn fee_payer_digest(transaction: &TempoTransaction, sender: Address, token: Address) -> B256 {
    let fee = FeeFields { token: Some(token), payer: FeePayer::Sender(sender) };
    keccak256(encoding::encode(SPONSORED_ENVELOPE_TYPE, transaction, fee, None))
}

fn sign(digest: B256) -> WalletSignature {
    let key = SigningKey::from_slice(&[0x46; 32]).unwrap();
    let (signature, recovery) = key.sign_prehash_recoverable(digest.as_slice()).unwrap();
    let (r, s) = signature.split_bytes();
    WalletSignature::new(r.into(), s.into(), recovery.is_y_odd()).unwrap()
}

#[test]
fn the_reference_transaction_has_the_bytes_of_ox() {
    let transaction = reference();
    let hash = b256!("0x4fc1c8516bb744a7af6fd1434894bb43edbfcab9e2d94f39a417b56c7c16b9fd");
    assert_eq!(digest(&transaction), hash);
    let expiring = b256!("0x59b2f17ca5f3c68cd908b216c91f058c4d86029cab8a801e8630122838d4d4d5");
    assert_eq!(transaction.expiring_nonce_hash(SENDER), expiring);
    let signed = transaction.attach(SENDER, &sign(hash));
    let hash = b256!("0x5006d2560506dae9be6eff23640009850b09fc8d82ba326112bc667e8d719676");
    assert_eq!(signed.hash, Some(hash));
    assert_eq!(keccak256(&signed.raw), hash);
}

#[test]
fn the_sponsored_reference_transaction_has_the_bytes_of_ox() {
    let transaction = sponsored();
    let hash = b256!("0x35576f9a1c1cdd5ac521ac6c1b863004618495e67a96b327114691bed5e0c450");
    assert_eq!(digest(&transaction), hash);
    let expiring = b256!("0xd5cc6da3c2859424eba7e703f957b9a4a0c17325900b40162e0284516910b24c");
    assert_eq!(transaction.expiring_nonce_hash(SENDER), expiring);
    let payer = b256!("0x8df4eb94862635fa6d50cc034d62b3969de03f2092d57b06f80ecfbb87147049");
    assert_eq!(fee_payer_digest(&transaction, SENDER, USDC), payer);
    let signed = transaction.attach(SENDER, &sign(hash));
    assert_eq!(signed.hash, None, "the sponsor's signature is yet to enter it");
    assert_eq!(signed.raw[0], SPONSORED_ENVELOPE_TYPE);
}

#[test]
fn a_signature_recovers_to_the_sender_who_is_named_in_the_envelope() {
    for transaction in [reference(), sponsored()] {
        let digest = digest(&transaction);
        let signed = transaction.attach(SENDER, &sign(digest));
        let fields = Item::of_transaction(&signed.raw);
        let rsv = fields.last().unwrap().bytes();
        let signature = k256::ecdsa::Signature::from_slice(&rsv[..64]).unwrap();
        let recovery = RecoveryId::new(rsv[64] == 28, false);
        let key = VerifyingKey::recover_from_prehash(&digest[..], &signature, recovery).unwrap();
        let point = key.to_encoded_point(false);
        assert_eq!(Address::from_raw_public_key(&point.as_bytes()[1..]), SENDER);
        if signed.hash.is_none() {
            assert_eq!(fields[11].bytes(), SENDER.as_slice());
        }
    }
}

#[test]
fn what_a_sender_signs_is_never_what_a_sponsor_signs() {
    for transaction in [reference(), sponsored()] {
        assert_eq!(transaction.preimage()[0], TRANSACTION_TYPE);
        assert_ne!(digest(&transaction), fee_payer_digest(&transaction, SENDER, USDC));
    }
}

#[test]
fn every_field_is_in_what_is_signed() {
    let base = reference();
    let other = || Call { to: PAYEE, input: bytes!("01") };
    let [to, input, more, swapped] = {
        let mut to = base.calls.clone();
        to[0].to = PAYEE;
        let mut input = base.calls.clone();
        input[0].input = Bytes::new();
        let more = [base.calls.clone(), vec![other()]].concat();
        let swapped = more.iter().rev().cloned().collect();
        [to, input, more, swapped]
    };
    let changed = [
        TempoTransaction { chain_id: 42_431, ..base.clone() },
        TempoTransaction { max_priority_fee_per_gas: 0, ..base.clone() },
        TempoTransaction { max_fee_per_gas: 1_000_000_000, ..base.clone() },
        TempoTransaction { gas_limit: 700_001, ..base.clone() },
        TempoTransaction { calls: to, ..base.clone() },
        TempoTransaction { calls: input, ..base.clone() },
        TempoTransaction { calls: more, ..base.clone() },
        TempoTransaction { calls: swapped, ..base.clone() },
        TempoTransaction { calls: Vec::new(), ..base.clone() },
        TempoTransaction { nonce_key: U256::ZERO, ..base.clone() },
        TempoTransaction { nonce_key: U256::from(1), ..base.clone() },
        TempoTransaction { nonce: 1, ..base.clone() },
        TempoTransaction { valid_before: None, ..base.clone() },
        TempoTransaction { valid_before: NonZeroU64::MIN.into(), ..base.clone() },
        TempoTransaction { valid_after: NonZeroU64::MIN.into(), ..base.clone() },
        TempoTransaction { fee: Fee::Wallet { token: PAYEE }, ..base.clone() },
        TempoTransaction { fee: Fee::Sponsor, ..base.clone() },
    ];
    let digests: std::collections::BTreeSet<_> =
        [base].iter().chain(&changed).map(digest).collect();
    assert_eq!(digests.len(), changed.len().strict_add(1), "two transactions share a digest");
    let hashes = changed.iter().map(|tx| tx.expiring_nonce_hash(SENDER));
    let hashes: std::collections::BTreeSet<_> = hashes.collect();
    assert_eq!(hashes.len(), changed.len());
    assert_ne!(reference().expiring_nonce_hash(SENDER), reference().expiring_nonce_hash(PAYEE));
}

fn any_call() -> impl Strategy<Value = Call> {
    let input = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..3),
        prop::collection::vec(any::<u8>(), 50..300),
    ];
    (any::<[u8; 20]>(), input).prop_map(|(to, input)| Call { to: to.into(), input: input.into() })
}

prop_compose! {
    fn any_transaction()(
        chain_id in any::<u64>(),
        fees in any::<(u128, u128)>(),
        gas_limit in any::<u64>(),
        calls in prop::collection::vec(any_call(), 0..5),
        nonce_key in prop_oneof![
            Just(U256::ZERO), Just(U256::MAX), any::<[u8; 32]>().prop_map(U256::from_be_bytes)
        ],
        nonce in prop_oneof![Just(0), any::<u64>()],
        moments in any::<(Option<NonZeroU64>, Option<NonZeroU64>)>(),
        token in any::<Option<[u8; 20]>>(),
    ) -> TempoTransaction {
        let fee = token.map_or(Fee::Sponsor, |token| Fee::Wallet { token: token.into() });
        TempoTransaction {
            chain_id,
            max_priority_fee_per_gas: fees.0,
            max_fee_per_gas: fees.1,
            gas_limit,
            calls,
            nonce_key,
            nonce,
            valid_before: moments.0,
            valid_after: moments.1,
            fee,
        }
    }
}

fn assert_fields(fields: &[Item], transaction: &TempoTransaction) {
    let number = |index: usize| fields[index].number();
    assert_eq!(number(0), U256::from(transaction.chain_id));
    assert_eq!(number(1), U256::from(transaction.max_priority_fee_per_gas));
    assert_eq!(number(2), U256::from(transaction.max_fee_per_gas));
    assert_eq!(number(3), U256::from(transaction.gas_limit));
    let calls: Vec<Call> = fields[4].list().iter().map(read_call).collect();
    assert_eq!(calls, transaction.calls);
    assert!(fields[5].list().is_empty());
    assert_eq!(number(6), transaction.nonce_key);
    assert_eq!(number(7), U256::from(transaction.nonce));
    let moment = |moment: Option<NonZeroU64>| moment.map_or(U256::ZERO, |at| U256::from(at.get()));
    assert_eq!(number(8), moment(transaction.valid_before));
    assert_eq!(number(9), moment(transaction.valid_after));
    assert!(fields[12].list().is_empty());
}

fn read_call(call: &Item) -> Call {
    let [to, value, input] = call.list() else { panic!("a call has three fields") };
    assert!(value.bytes().is_empty());
    Call { to: Address::from_slice(to.bytes()), input: Bytes::copy_from_slice(input.bytes()) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// An RLP reader of its own, which takes nothing but the one shortest form, reads every field
    /// back, from what is signed and from what is sent.
    #[test]
    fn another_reader_finds_the_fields(transaction in any_transaction(), sender: [u8; 20]) {
        let sender = Address::from(sender);
        let unsigned = Item::of_transaction(&transaction.preimage());
        let signature = sign(digest(&transaction));
        let signed = transaction.attach(sender, &signature);
        let sent = Item::of_transaction(&signed.raw);
        prop_assert_eq!(unsigned.len(), 13);
        prop_assert_eq!(sent.len(), 14);
        assert_fields(&unsigned, &transaction);
        assert_fields(&sent, &transaction);
        let rsv = signature.to_rsv();
        prop_assert_eq!(sent[13].bytes(), &rsv);
        match transaction.fee {
            Fee::Wallet { token } => {
                prop_assert_eq!(&sent[..13], &unsigned[..]);
                prop_assert_eq!(sent[10].bytes(), token.as_slice());
                prop_assert_eq!(sent[11].bytes(), &[] as &[u8]);
                prop_assert_eq!(signed.hash, Some(keccak256(&signed.raw)));
                prop_assert_eq!(signed.raw[0], TRANSACTION_TYPE);
            }
            Fee::Sponsor => {
                prop_assert_eq!(sent[10].bytes(), &[] as &[u8]);
                prop_assert_eq!(unsigned[10].bytes(), &[] as &[u8]);
                prop_assert_eq!(unsigned[11].bytes(), &[0u8] as &[u8]);
                prop_assert_eq!(sent[11].bytes(), sender.as_slice());
                prop_assert_eq!(signed.hash, None);
                prop_assert_eq!(signed.raw[0], SPONSORED_ENVELOPE_TYPE);
            }
        }
    }
}
