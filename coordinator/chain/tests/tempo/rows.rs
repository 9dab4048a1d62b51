//! Rows of a wallet on Tempo, as a journal would hold them.

use alloy_primitives::{Address, B256, U256, address, keccak256};
use serde_json::{Value, json};
use tercet_policy::access_key::KeyAct;
use tercet_policy::chain::{Chain, PATH_USD};
use tercet_policy::channel::ChannelAct;
use tercet_policy::document::ContentHash;
use tercet_policy::intent::{CLOCK_SKEW_SECONDS_MAX, IntentId, LANE_SECONDS_MAX};
use tercet_policy::money::Amount;
use tercet_policy::mpp::{ChannelDescriptor, ChannelId};
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::rows::{PaymentKind, PolicyEpochs, SpendRow, TransferMark};
use tercet_policy::tempo::EXPIRING_NONCE_KEY;
use tercet_policy::time::UnixSeconds;

pub(crate) const WALLET: Address = address!("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
pub(crate) const PAYEE: Address = address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");
pub(crate) const OTHER: Address = address!("0x00000000000000000000000000000000DeaDBeef");
pub(crate) const MEMO: B256 = B256::repeat_byte(9);
pub(crate) const VALID_SECONDS: u64 = 25;

pub(crate) fn units(units: u64) -> Amount {
    Amount::from_base_units(units.into())
}

/// Seconds before its end from which on the chain takes a transaction on a lane.
pub(crate) const LANE_SECONDS: u64 = LANE_SECONDS_MAX + CLOCK_SKEW_SECONDS_MAX;

fn terms(intent: u8, at: UnixSeconds) -> ChainTerms {
    let valid_before = at.plus(VALID_SECONDS);
    ChainTerms::Tempo {
        nonce_key: U256::from(intent),
        valid_after: valid_before.minus(LANE_SECONDS),
        valid_before,
    }
}

/// The same with an expiring nonce, and a moment of long ago that tells it apart.
pub(crate) fn expiring(row: SpendRow) -> SpendRow {
    let ChainTerms::Tempo { nonce_key, valid_before, .. } = row.terms else {
        panic!("not on Tempo")
    };
    let valid_after = UnixSeconds(1).plus(nonce_key.to());
    let terms = ChainTerms::Tempo { nonce_key: EXPIRING_NONCE_KEY, valid_after, valid_before };
    SpendRow { terms, ..row }
}

fn row(kind: PaymentKind, intent: u8, amount: u64, at: UnixSeconds) -> SpendRow {
    let (wallet, chain, id) = (WALLET, Chain::Tempo, IntentId([intent; 32]));
    SpendRow {
        intent: id,
        content_hash: ContentHash([6; 32]),
        agent: "ada".parse().unwrap(),
        wallet,
        kind,
        chain,
        token: PATH_USD,
        amount: units(amount),
        recipient: Some(PAYEE),
        service: None,
        cancels: None,
        channel: None,
        key: None,
        mark: None,
        fee: None,
        slot: Slot::TempoLane { wallet, chain, nonce_key: U256::from(intent) },
        digest: B256::ZERO,
        replaces: None,
        terms: terms(intent, at),
        endpoint: None,
        category: None,
        session: None,
        hold: None,
        policies: PolicyEpochs::default(),
        tzdb: String::new(),
        at,
    }
}

/// A transfer of so much, with [`MEMO`].
pub(crate) fn transfer(intent: u8, amount: u64, at: UnixSeconds) -> SpendRow {
    let mark = Some(TransferMark { memo: MEMO, amount: units(amount) });
    SpendRow { mark, ..row(PaymentKind::TempoTransfer, intent, amount, at) }
}

/// The authorization of [`OTHER`] as an access key that can take so much in all.
pub(crate) fn access_key(intent: u8, amount: u64, at: UnixSeconds) -> SpendRow {
    let key = Some(KeyAct::Authorize { key: OTHER, expires_at: at.plus(86_400) });
    SpendRow { key, recipient: None, ..row(PaymentKind::AccessKey, intent, amount, at) }
}

/// Its revocation.
pub(crate) fn revocation(intent: u8, at: UnixSeconds) -> SpendRow {
    let key = Some(KeyAct::Revoke { key: OTHER });
    SpendRow { key, recipient: None, ..row(PaymentKind::RevokeKey, intent, 0, at) }
}

fn descriptor() -> ChannelDescriptor {
    ChannelDescriptor {
        payer: WALLET,
        payee: PAYEE,
        operator: Address::ZERO,
        token: PATH_USD,
        salt: B256::repeat_byte(1),
        authorized_signer: OTHER,
        expiring_nonce_hash: keccak256("the opening"),
    }
}

pub(crate) fn channel() -> ChannelId {
    descriptor().channel_id(Chain::Tempo.id())
}

/// The opening of [`channel`].
pub(crate) fn open(intent: u8, deposit: u64, at: UnixSeconds) -> SpendRow {
    let act = ChannelAct::Open { descriptor: descriptor(), ends_at: at.plus(3_600) };
    SpendRow { channel: Some(act), ..row(PaymentKind::MppOpen, intent, deposit, at) }
}

/// A step of leaving [`channel`], by a row of its own lane.
pub(crate) fn leave(intent: u8, at: UnixSeconds) -> SpendRow {
    SpendRow { recipient: None, ..row(PaymentKind::MppExit, intent, 0, at) }
}

/// The same with a fee that the wallet pays, of so much at most.
pub(crate) fn charged(row: SpendRow, ceiling: u64) -> SpendRow {
    SpendRow { fee: Some(units(ceiling)), ..row }
}

/// More for [`channel`].
pub(crate) fn top_up(intent: u8, more: u64, at: UnixSeconds) -> SpendRow {
    let act = ChannelAct::TopUp { channel: channel() };
    SpendRow { channel: Some(act), ..row(PaymentKind::MppTopUp, intent, more, at) }
}

/// The transaction of an intent, as a node shows it.
pub(crate) fn transaction(row: &SpendRow) -> Value {
    let ChainTerms::Tempo { nonce_key, valid_after, valid_before } = row.terms else {
        panic!("not on Tempo")
    };
    json!({
        "type": "0x76", "nonceKey": nonce_key, "validAfter": U256::from(valid_after.0),
        "validBefore": U256::from(valid_before.0), "from": WALLET,
    })
}
