//! The vectors that ox and viem wrote, read from the repository's own table.

use super::*;

#[derive(Deserialize)]
struct Table {
    channels: Vec<Channel>,
    proofs: Vec<Proof>,
}

#[derive(Deserialize)]
struct Channel {
    chain_id: u64,
    descriptor: ChannelDescriptor,
    channel_id: B256,
    deposit: ChannelAmount,
    cumulative: ChannelAmount,
    capture: ChannelAmount,
    escrow: Address,
    voucher: B256,
    close: B256,
    voucher_v1: B256,
    calls: Calls,
}

#[derive(Deserialize)]
struct Calls {
    signature: Bytes,
    open: Bytes,
    top_up: Bytes,
    request_close: Bytes,
    withdraw: Bytes,
    settle: Bytes,
    close: Bytes,
    request_close_v1: Bytes,
    withdraw_v1: Bytes,
}

#[derive(Deserialize)]
struct Proof {
    chain_id: u64,
    account: Address,
    challenge_id: String,
    realm: String,
    client_id: Option<String>,
    digest: B256,
    memo: B256,
}

fn table() -> Table {
    let text = include_str!("../../../../tests/vectors/mpp.json");
    let table: Table = serde_json::from_str(text).unwrap();
    assert!(table.channels.len() >= 20 && table.proofs.len() >= 20);
    table
}

#[test]
fn channels() {
    for case in table().channels {
        let (chain, channel) = (case.chain_id, case.descriptor.channel_id(case.chain_id));
        assert_eq!(B256::from(channel), case.channel_id);
        assert_eq!(digest(voucher_preimage(chain, channel, case.cumulative)), case.voucher);
        assert_eq!(digest(close_preimage(chain, channel, case.cumulative)), case.close);
        let v1 = voucher_preimage_v1(chain, case.escrow, channel, case.cumulative.amount());
        assert_eq!(digest(v1), case.voucher_v1);
    }
}

#[test]
fn calls_of_channels() {
    for case in table().channels {
        let (descriptor, expected) = (&case.descriptor, case.calls);
        let channel = descriptor.channel_id(case.chain_id);
        let ChannelDescriptor { payee, operator, token, salt, authorized_signer, .. } = *descriptor;
        let opening = ChannelOpening { payee, operator, token, salt, authorized_signer };
        let opened = opening.descriptor(descriptor.payer, descriptor.expiring_nonce_hash);
        assert_eq!(opened, *descriptor);
        let signature = || expected.signature.clone();
        let reserve = [
            (calls::open(&opening, case.deposit), &expected.open),
            (calls::top_up(descriptor, case.deposit), &expected.top_up),
            (calls::request_close(descriptor), &expected.request_close),
            (calls::withdraw(descriptor), &expected.withdraw),
            (calls::settle(descriptor, case.cumulative, signature()), &expected.settle),
            (calls::close(descriptor, case.cumulative, case.capture, signature()), &expected.close),
        ];
        for (call, input) in reserve {
            assert_eq!((call.to, &call.input), (CHANNEL_RESERVE, input));
        }
        let escrow = [
            (calls::request_close_v1(case.escrow, channel), &expected.request_close_v1),
            (calls::withdraw_v1(case.escrow, channel), &expected.withdraw_v1),
        ];
        for (call, input) in escrow {
            assert_eq!((call.to, &call.input), (case.escrow, input));
        }
    }
}

#[test]
fn proofs_and_memos() {
    for case in table().proofs {
        let preimage = proof_preimage(case.chain_id, case.account, &case.challenge_id, &case.realm);
        assert_eq!(digest(preimage), case.digest);
        let client = case.client_id.as_deref();
        assert_eq!(attribution_memo(&case.realm, client, &case.challenge_id), case.memo);
    }
}
