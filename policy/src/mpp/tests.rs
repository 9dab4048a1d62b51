use alloy_primitives::{Bytes, address, b256, hex};
use proptest::prelude::*;

use super::*;
use crate::tempo::calls;

mod vectors;

const CHAIN: u64 = 4217;
const MODERATO: u64 = 42_431;
const ESCROW: Address = address!("0x33b901018174DDabE4841042ab76ba85D4e24f25");
const CHALLENGE: &str = "kM9xPqWvT2nJrHsY4aDfEb";
const REALM: &str = "api.example.com";

fn units(units: u128) -> ChannelAmount {
    Amount::from_base_units(units).try_into().unwrap()
}

fn digest(preimage: Vec<u8>) -> B256 {
    assert_eq!(preimage.len(), 66);
    assert_eq!(preimage[..2], [0x19, 0x01]);
    keccak256(preimage)
}

/// The channel that the reference transaction of ox opens.
fn reference() -> ChannelDescriptor {
    let opening = ChannelOpening {
        payee: address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
        operator: Address::ZERO,
        token: address!("0x20C000000000000000000000b9537d11c60E8b50"),
        salt: B256::repeat_byte(0x55),
        authorized_signer: Address::ZERO,
    };
    let hash = b256!("0x59b2f17ca5f3c68cd908b216c91f058c4d86029cab8a801e8630122838d4d4d5");
    opening.descriptor(address!("0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"), hash)
}

#[test]
fn the_reference_channel_has_the_digests_of_ox() {
    let channel = reference().channel_id(CHAIN);
    let id = b256!("0x86f94b12106009614df3c3b80ed09786b030b547bfecfbe52722fb482135ebaa");
    assert_eq!(B256::from(channel), id);
    let voucher = b256!("0xa7da09bef06557e7bad9e9ce1d2b98afb3fce37a298fe6ce3fab617cdf8f88a6");
    assert_eq!(digest(voucher_preimage(CHAIN, channel, units(10_000))), voucher);
    let close = b256!("0x242a0bc3fee60c69ac244485a6c1463cd26dbafb52c8b06c480274b6c2856467");
    assert_eq!(digest(close_preimage(CHAIN, channel, units(10_000))), close);
    let v1 = b256!("0x527a7e4ae3be1e0474cebc203d3cae31897162f7511571f850b1fc3e1d08afdf");
    let preimage = voucher_preimage_v1(CHAIN, ESCROW, channel, Amount::from_base_units(10_000));
    assert_eq!(digest(preimage), v1);
}

/// Values of mpp-rs 0.18.2, `precompile_voucher.rs`, which it has from mppx and TIP-1034.
#[test]
fn channels_and_vouchers_have_the_digests_of_mpp_rs() {
    let descriptor = ChannelDescriptor {
        payer: address!("0x3d6885f89100445ca9869d1b0a49c97cfdbafeee"),
        payee: address!("0xda2390fEE8d9744b39A8A855675649e95617aCd8"),
        operator: Address::ZERO,
        token: address!("0x20C0000000000000000000000000000000000000"),
        salt: b256!("0xfb05173ba9285aef8a91f275930f68ad3565a491edb810c07baa60b643fdd378"),
        authorized_signer: address!("0xFE9d3D9cBb5f6FBe495b03f7Ec90d4Adc22126f5"),
        expiring_nonce_hash: b256!(
            "0x4e40183cda8c676032af4f7b038178505d877ae1c36b374239fe20ac3485c3ab"
        ),
    };
    let id = b256!("0xb3946b996bd166db3b61fba0f6af2918b6687bc054e2f4bae979edffc7bd0b4d");
    assert_eq!(B256::from(descriptor.channel_id(MODERATO)), id);
    let channel: ChannelId =
        "57e629663a75a0a49f8dc65c9f62ee38ab5dfa9124d7316d160766e4ecbc1227".parse().unwrap();
    let voucher = b256!("0x41a23f1573d302acae1dcec60d237f78d2514768faf670ef27458931c38b5db3");
    assert_eq!(digest(voucher_preimage(MODERATO, channel, units(50))), voucher);
    let close = b256!("0x223b6a6cbf14199a5c3cbf882d847396b680bab705d0597f3d4d7227bc24e887");
    assert_eq!(digest(close_preimage(MODERATO, channel, units(50))), close);
}

#[test]
fn proofs_have_the_digests_of_the_sdks() {
    let ox = b256!("0x788a550124473aa97d108abad323223c97ffbc6a90d45f137029c765e1d3434e");
    assert_eq!(digest(proof_preimage(CHAIN, reference().payer, CHALLENGE, REALM)), ox);
    let account = address!("0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1");
    let mppx = b256!("0x3860a700a55e02ad3c2dc047e92489feceecbdb0a801d948e1d9f0b61ea9bc3f");
    assert_eq!(digest(proof_preimage(MODERATO, account, CHALLENGE, REALM)), mppx);
}

#[test]
fn the_types_are_those_of_the_chain() {
    let voucher = hex!("4730b4b2fe8de522475e80e010877c5b58ad10eb07fd0436615ee123f743bbe8");
    assert_eq!(keccak256("Voucher(bytes32 channelId,uint96 cumulativeAmount)"), voucher);
    let channel = ChannelId([0; 32]);
    let preimage = voucher_preimage(CHAIN, channel, ChannelAmount::ZERO);
    let domain = hex!("8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f");
    let fields = (
        B256::from(domain),
        keccak256("TIP20 Channel Reserve"),
        keccak256("1"),
        U256::from(CHAIN),
        CHANNEL_RESERVE,
    );
    assert_eq!(preimage[2..34], keccak256(fields.abi_encode())[..]);
    assert_eq!(preimage[34..], keccak256([voucher, [0; 32], [0; 32]].concat())[..]);
}

#[test]
fn the_memo_ties_a_transfer_to_its_challenge() {
    let memo = b256!("0xef1ed712011ece072f76bd8b82350e000000000000000000001128fb265e760d");
    assert_eq!(attribution_memo(REALM, None, CHALLENGE), memo);
    assert_eq!(memo[..4], keccak256("mpp")[..4]);
    let others = [
        attribution_memo("other.example.com", None, CHALLENGE),
        attribution_memo(REALM, Some("ada"), CHALLENGE),
        attribution_memo(REALM, None, "challenge-456"),
    ];
    assert!(!others.contains(&memo));
}

#[test]
fn a_descriptor_is_written_as_mpp_writes_it() {
    let json = serde_json::json!({
        "payer": "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f",
        "payee": "0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
        "operator": "0x0000000000000000000000000000000000000000",
        "token": "0x20c000000000000000000000b9537d11c60e8b50",
        "salt": B256::repeat_byte(0x55).to_string(),
        "authorizedSigner": "0x0000000000000000000000000000000000000000",
        "expiringNonceHash": "0x59b2f17ca5f3c68cd908b216c91f058c4d86029cab8a801e8630122838d4d4d5",
    });
    assert_eq!(serde_json::to_value(reference()).unwrap(), json);
    assert_eq!(serde_json::from_value::<ChannelDescriptor>(json.clone()).unwrap(), reference());
    let mut more = json.clone();
    more["escrow"] = "0x00".into();
    assert!(serde_json::from_value::<ChannelDescriptor>(more).is_err());
    for name in json.as_object().unwrap().keys() {
        let mut less = json.clone();
        less.as_object_mut().unwrap().remove(name);
        assert!(serde_json::from_value::<ChannelDescriptor>(less).is_err(), "{name}");
    }
}

#[test]
fn a_voucher_is_signed_by_the_payer_unless_another_is_named() {
    let payer = reference();
    assert_eq!(payer.voucher_signer(), payer.payer);
    let named = ChannelDescriptor { authorized_signer: ESCROW, ..payer };
    assert_eq!(named.voucher_signer(), ESCROW);
}

#[test]
fn an_amount_beyond_96_bits_is_no_amount_of_a_channel() {
    let most = Amount::from_base_units(CHANNEL_AMOUNT_UNITS_MAX);
    let word: U96 = ChannelAmount::try_from(most).unwrap().into();
    assert_eq!(word, U96::MAX);
    for beyond in [CHANNEL_AMOUNT_UNITS_MAX + 1, u128::MAX] {
        let refused = ChannelAmount::try_from(Amount::from_base_units(beyond));
        assert_eq!(refused, Err(BeyondChannel { units: beyond }));
        let json = format!("\"{beyond}\"");
        assert!(serde_json::from_str::<ChannelAmount>(&json).is_err());
    }
    assert_eq!(serde_json::to_string(&units(10_000)).unwrap(), "\"10000\"");
}

#[test]
fn every_field_of_a_channel_is_in_its_id() {
    let base = reference();
    let (other, word) = (Address::repeat_byte(1), B256::repeat_byte(1));
    let changed = [
        ChannelDescriptor { payer: other, ..base },
        ChannelDescriptor { payee: other, ..base },
        ChannelDescriptor { operator: other, ..base },
        ChannelDescriptor { token: other, ..base },
        ChannelDescriptor { salt: word, ..base },
        ChannelDescriptor { authorized_signer: other, ..base },
        ChannelDescriptor { expiring_nonce_hash: word, ..base },
    ];
    let ids = changed.iter().map(|channel| channel.channel_id(CHAIN));
    let ids: std::collections::BTreeSet<_> =
        ids.chain([base.channel_id(CHAIN), base.channel_id(MODERATO)]).collect();
    assert_eq!(ids.len(), changed.len() + 2);
}

/// Nothing that is signed for one thing can be shown for another.
#[test]
fn every_field_of_a_message_is_in_its_digest() {
    let (channel, other) = (ChannelId([1; 32]), ChannelId([2; 32]));
    let v1 = |chain, escrow, channel, cumulative| {
        voucher_preimage_v1(chain, escrow, channel, Amount::from_base_units(cumulative))
    };
    let account = reference().payer;
    let preimages = [
        voucher_preimage(CHAIN, channel, units(1)),
        voucher_preimage(MODERATO, channel, units(1)),
        voucher_preimage(CHAIN, other, units(1)),
        voucher_preimage(CHAIN, channel, units(2)),
        close_preimage(CHAIN, channel, units(1)),
        close_preimage(MODERATO, channel, units(1)),
        close_preimage(CHAIN, other, units(1)),
        close_preimage(CHAIN, channel, units(2)),
        v1(CHAIN, ESCROW, channel, 1),
        v1(CHAIN, CHANNEL_RESERVE, channel, 1),
        v1(MODERATO, ESCROW, channel, 1),
        v1(CHAIN, ESCROW, other, 1),
        v1(CHAIN, ESCROW, channel, u128::MAX),
        proof_preimage(CHAIN, account, CHALLENGE, REALM),
        proof_preimage(MODERATO, account, CHALLENGE, REALM),
        proof_preimage(CHAIN, ESCROW, CHALLENGE, REALM),
        proof_preimage(CHAIN, account, "", REALM),
        proof_preimage(CHAIN, account, CHALLENGE, ""),
        proof_preimage(CHAIN, account, REALM, CHALLENGE),
    ];
    let count = preimages.len();
    let digests: std::collections::BTreeSet<_> = preimages.into_iter().map(digest).collect();
    assert_eq!(digests.len(), count);
}

proptest! {
    #[test]
    fn no_text_is_too_odd_for_a_proof_or_a_memo(
        challenge in any::<String>(),
        realm in any::<String>(),
        client in any::<Option<String>>(),
        chain in any::<u64>(),
    ) {
        digest(proof_preimage(chain, ESCROW, &challenge, &realm));
        let memo = attribution_memo(&realm, client.as_deref(), &challenge);
        prop_assert_eq!(&memo[..5], &[0xef, 0x1e, 0xd7, 0x12, 1]);
        prop_assert_eq!(client.is_none(), memo[15..25] == [0; 10]);
    }

    #[test]
    fn other_cumulative_amounts_are_other_vouchers(
        one in 0..=CHANNEL_AMOUNT_UNITS_MAX,
        other in 0..=CHANNEL_AMOUNT_UNITS_MAX,
        chain in any::<u64>(),
        channel in any::<[u8; 32]>(),
    ) {
        let digest = |amount| digest(voucher_preimage(chain, ChannelId(channel), units(amount)));
        prop_assert_eq!(digest(one) == digest(other), one == other);
    }
}
