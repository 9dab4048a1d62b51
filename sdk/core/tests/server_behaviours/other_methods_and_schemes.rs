//! Behaviour 10: Permit2, delegations, other schemes and gas sponsoring: anything that wants an
//! approval, a ceiling or a standing voucher.

use serde_json::json;
use tercet::choose::Unacceptable;
use tercet::error::Declined;

use crate::support::World;
use crate::support::merchant::{
    challenge, challenge_of, offer, offer_with, offer_with_extra, resource,
};

#[tokio::test]
async fn other_transfer_methods_are_not_signed_for() {
    for method in ["permit2", "erc7710", "EIP3009"] {
        let world =
            World::new(move |_| challenge(&[offer_with_extra("assetTransferMethod", method)]))
                .await;
        let why = world.declined("/paid").await;
        let Declined::NothingAcceptable { skipped } = &why else { panic!("{why}") };
        assert!(matches!(skipped[0].why, Unacceptable::TransferMethod { .. }), "{why}");
    }
}

#[tokio::test]
async fn other_schemes_are_skipped_and_not_an_error() {
    let world = World::new(|hit| match hit.payment {
        None => {
            let others = ["upto", "batch-settlement", "auth-capture", "deferred"];
            let mut accepts: Vec<_> = others.map(|s| offer_with("scheme", s)).into();
            accepts.push(json!({ "scheme": "novel", "shape": ["unknown"] }));
            accepts.push(json!("no object"));
            accepts.push(offer());
            challenge(&accepts)
        }
        Some(_) => resource(),
    })
    .await;
    world.get("/paid").await.unwrap();
    assert_eq!(world.merchant.payments()[0].document["accepted"], offer());
}

#[tokio::test]
async fn gas_sponsoring_gets_no_second_signature() {
    let world = World::new(|hit| match hit.payment {
        None => challenge_of(&json!({
            "x402Version": 2, "accepts": [offer()],
            "extensions": {
                "erc20ApprovalGasSponsoring": { "info": { "version": "1" }, "schema": {} },
                "eip2612GasSponsoring": { "info": { "version": "1" }, "schema": {} },
            },
        })),
        Some(_) => resource(),
    })
    .await;
    world.get("/paid").await.unwrap();
    assert_eq!(world.payer.signed(), 1);
    let sent = &world.merchant.payments()[0].document;
    assert!(sent.get("extensions").is_none(), "nothing is echoed: {sent}");
    let payload = sent["payload"].as_object().unwrap();
    let named: std::collections::BTreeSet<_> = payload.keys().map(String::as_str).collect();
    assert_eq!(named, ["authorization", "signature"].into());
}
