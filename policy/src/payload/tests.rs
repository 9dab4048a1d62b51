use alloy_primitives::{address, b256, hex};
use alloy_sol_types::{Eip712Domain, eip712_domain};
use k256::ecdsa::{RecoveryId, SigningKey, VerifyingKey};

use super::*;
use crate::chain::ASSETS;
use crate::fixture::{self, NOW, PAYEE, WALLET, fees, intent, units, with_terms};
use crate::time::UnixSeconds;

mod vectors;

const NONCE: B256 = b256!("0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480");

fn authorization() -> Authorization {
    Authorization {
        from: WALLET,
        to: PAYEE,
        value: units(10_000),
        valid_after: UnixSeconds(0),
        valid_before: UnixSeconds(1_740_672_154),
        nonce: NONCE,
    }
}

fn key() -> SigningKey {
    SigningKey::from_slice(&[0x11; 32]).unwrap()
}

fn sign(payload: &SigningPayload) -> WalletSignature {
    let (signature, recovery) =
        key().sign_prehash_recoverable(payload.digest().as_slice()).unwrap();
    let (r, s) = signature.split_bytes();
    WalletSignature::new(r.into(), s.into(), recovery.is_y_odd()).unwrap()
}

fn recover(digest: B256, rsv: &[u8; 65]) -> Address {
    let signature = k256::ecdsa::Signature::from_slice(&rsv[..64]).unwrap();
    let recovery = RecoveryId::new(rsv[64] == 28, false);
    let key = VerifyingKey::recover_from_prehash(digest.as_slice(), &signature, recovery).unwrap();
    let point = key.to_encoded_point(false);
    Address::from_raw_public_key(&point.as_bytes()[1..])
}

#[test]
fn the_pinned_domain_separators_are_those_of_the_pinned_names() {
    let pinned = ASSETS.iter().filter_map(|asset| asset.eip3009.as_ref().map(|it| (asset, it)));
    let mut count = 0;
    for (asset, pinned) in pinned {
        let domain: Eip712Domain = eip712_domain! {
            name: pinned.name,
            version: pinned.version,
            chain_id: asset.chain.id(),
            verifying_contract: asset.token,
        };
        assert_eq!(domain.separator(), pinned.separator);
        count += 1;
    }
    assert_eq!(count, 2);
}

/// Values on which eth_account and viem agree.
#[test]
fn authorizations_have_the_digests_of_other_implementations() {
    let digests = [
        b256!("0x1eb08dd1e60b71b70653d112703f4b40f70e42ec5b8d4aae2f24c219d9a5f40d"),
        b256!("0x46a97f8cc134ac1d01f801f1f1742e0fff34f7e94c8c656c442855c222ae990d"),
    ];
    for (asset, digest) in ASSETS.iter().zip(digests) {
        let payload = SigningPayload::authorize(asset, authorization()).unwrap();
        assert_eq!(payload.digest(), digest);
        assert_eq!(payload.preimage().len(), 66);
        assert_eq!(keccak256(payload.preimage()), digest);
        assert_eq!(payload.wallet(), WALLET);
    }
}

#[test]
fn cancellations_have_the_digests_of_other_implementations() {
    let digests = [
        b256!("0x3871f1c7fde43e1a5a9caaae295e74a2ef01345139c7557ba1d5c520c0bf9dfb"),
        b256!("0x780ad9662a8310ac2209235d83d6b1ae2ddc6a9d312055ead4bd7b81f260497c"),
    ];
    for (asset, digest) in ASSETS.iter().zip(digests) {
        let cancel = CancelAuthorization { authorizer: WALLET, nonce: NONCE };
        assert_eq!(SigningPayload::cancel(asset, cancel).unwrap().digest(), digest);
    }
}

#[test]
fn the_specification_s_own_authorization_recovers_to_its_payer() {
    let asset = &ASSETS[1];
    let authorization = Authorization {
        from: address!("0x857b06519E91e3A54538791bDbb0E22373e36b66"),
        valid_after: UnixSeconds(1_740_672_089),
        ..authorization()
    };
    let payload = SigningPayload::authorize(asset, authorization).unwrap();
    let digest = b256!("0xf256992871671abcb27ff92885a7afa46218724e5fc0bac35d050115aa1d22e6");
    assert_eq!(payload.digest(), digest);
}

#[test]
fn an_attached_signature_is_what_x402_wants() {
    let payload = SigningPayload::authorize(&ASSETS[0], authorization()).unwrap();
    let signature = sign(&payload);
    let digest = payload.digest();
    let FinishedPayment::X402(payment) = payload.attach(signature) else { panic!() };
    assert_eq!(recover(digest, &payment.signature.to_rsv()), WALLET);
    let json = serde_json::to_value(&payment).unwrap();
    let expected = serde_json::json!({
        "signature": "0x8359124b0d9849192378e7fa540423d37f9f715fb0a27bb3ee06b25853dd6dc2\
                      3207b13a12fb04a2b18d0cab805b0409663bfa43732f06bc8be2a4279a675bb71c",
        "authorization": {
            "from": "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a",
            "to": "0x209693bc6afc0c5328ba36faf03c514ef312287c",
            "value": "10000",
            "validAfter": "0",
            "validBefore": "1740672154",
            "nonce": "0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480",
        },
    });
    let lower = json.to_string().to_lowercase();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&lower).unwrap(), {
        let expected = expected.to_string().to_lowercase();
        serde_json::from_str::<serde_json::Value>(&expected).unwrap()
    });
    assert!(!format!("{payment:?}").contains("8359124b"), "a bearer instrument has no voice");
}

#[test]
fn a_transfer_is_the_transaction_and_nothing_else() {
    let payment = fixture::transfer(10_000, PAYEE);
    let proposal = with_terms(fixture::authentic(intent(1, payment, NOW)), fees(3, 1_000, 10));
    let payload = SigningPayload::of(&proposal).unwrap();
    assert_eq!(payload.preimage()[0], 2);
    let (signature, digest) = (sign(&payload), payload.digest());
    let FinishedPayment::Transaction(signed) = payload.attach(signature) else { panic!() };
    assert_eq!(keccak256(&signed.raw), signed.hash);
    let mut raw: &[u8] = &signed.raw;
    let envelope =
        <alloy_consensus::TxEnvelope as alloy_eips::eip2718::Decodable2718>::decode_2718(&mut raw)
            .unwrap();
    let transaction = envelope.as_eip1559().unwrap();
    assert_eq!(transaction.signature_hash(), digest);
    assert_eq!(recover(digest, &signature.to_rsv()), WALLET);
    let tx = transaction.tx();
    let fields = (tx.chain_id, tx.nonce, tx.gas_limit, tx.value);
    assert_eq!(fields, (8453, 3, 60_000, U256::ZERO));
    assert_eq!((tx.max_fee_per_gas, tx.max_priority_fee_per_gas), (1_000, 10));
    assert_eq!(tx.to.to(), Some(&ASSETS[0].token));
    assert!(tx.access_list.is_empty());
    let input = hex!(
        "a9059cbb"
        "000000000000000000000000209693Bc6afc0C5328bA36FaF03C514EF312287C"
        "0000000000000000000000000000000000000000000000000000000000002710"
    );
    assert_eq!(tx.input.as_ref(), input);
}

#[test]
fn every_field_of_a_payment_is_in_its_digest() {
    let base = SigningPayload::authorize(&ASSETS[0], authorization()).unwrap().digest();
    let other = Address::repeat_byte(1);
    for changed in [
        Authorization { from: other, ..authorization() },
        Authorization { to: other, ..authorization() },
        Authorization { value: units(10_001), ..authorization() },
        Authorization { valid_after: UnixSeconds(1), ..authorization() },
        Authorization { valid_before: UnixSeconds(1_740_672_155), ..authorization() },
        Authorization { nonce: B256::ZERO, ..authorization() },
    ] {
        assert_ne!(SigningPayload::authorize(&ASSETS[0], changed).unwrap().digest(), base);
    }
}

#[test]
fn a_wallet_proof_is_a_personal_message_of_fixed_text() {
    let payload = SigningPayload::wallet_proof(WALLET, &[0xab; 32], Party::EVERYDAY);
    let expected = format!(
        "\x19Ethereum Signed Message:\n246{WALLET_PROOF_TITLE}\n\
         wallet: 0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A\n\
         session: {}\npair: agent, operator",
        "ab".repeat(32)
    );
    let length =
        expected.split_once(WALLET_PROOF_TITLE).unwrap().1.len() + WALLET_PROOF_TITLE.len();
    let expected = expected.replace("\n246", &format!("\n{length}"));
    assert_eq!(String::from_utf8_lossy(payload.preimage()), expected);
    // Neither typed data (0x19 0x01) nor a transaction (0x01 to 0x04, or a list from 0xc0 on).
    assert_eq!(payload.preimage()[..2], [0x19, b'E']);
    let (signature, digest) = (sign(&payload), payload.digest());
    let FinishedPayment::Proof(proof) = payload.attach(signature) else { panic!() };
    assert_eq!(recover(digest, &proof.signature.to_rsv()), WALLET);
    let eip191 = alloy_primitives::eip191_hash_message(proof.message.as_bytes());
    assert_eq!(eip191, digest);
}

#[test]
fn signatures_that_no_chain_takes_are_refused() {
    let low = HALF_ORDER.to_be_bytes::<32>();
    let high = (HALF_ORDER + U256::from(1)).to_be_bytes::<32>();
    let (zero, one, order) = ([0; 32], U256::from(1).to_be_bytes(), ORDER.to_be_bytes());
    assert!(WalletSignature::new(one, low, false).is_ok());
    for (r, s) in [(one, high), (zero, one), (one, zero), (order, one), ([0xff; 32], one)] {
        assert_eq!(WalletSignature::new(r, s, true), Err(BadWalletSignature));
    }
    assert_eq!(ORDER, (HALF_ORDER << 1) + U256::from(1));
}
