use alloy_primitives::{Address, B256, U256};
use serde_json::json;

use super::*;
use crate::evidence::Measure;

const FROM: SafeBlock =
    SafeBlock { number: 10, hash: B256::repeat_byte(6), timestamp: UnixSeconds(1_000) };
const SAFE: SafeBlock =
    SafeBlock { number: 100, hash: B256::repeat_byte(7), timestamp: UnixSeconds(2_000) };
const MEASURE: Measure = Measure { quorum: 2, safe_block: Some(SAFE) };

const fn window(end: Option<SafeBlock>) -> window::Window {
    window::Window { from: FROM, safe: SAFE, end }
}

fn movement(block: u64) -> TokenMovement {
    TokenMovement {
        token: Address::ZERO,
        from: Address::ZERO,
        to: Address::repeat_byte(3),
        amount: Amount::from_base_units(7),
        memo: B256::ZERO,
        transaction: B256::repeat_byte(1),
        block,
    }
}

/// Outcome in one word and whether it is safe.
fn word(outcome: &TempoOutcome) -> (&'static str, bool) {
    let safe = |finality: &Finality| *finality == Finality::Safe(SAFE);
    match outcome {
        TempoOutcome::Moved { finality, .. } => ("moved", safe(finality)),
        TempoOutcome::Diverted { .. } => ("diverted", false),
        TempoOutcome::InChannel { finality, .. } => ("in channel", safe(finality)),
        TempoOutcome::Ended { finality, .. } => ("ended", safe(finality)),
        TempoOutcome::KeySet { finality, .. } => ("key set", safe(finality)),
        TempoOutcome::NeverMined { .. } => ("never mined", true),
        TempoOutcome::Pending { .. } => ("pending", false),
    }
}

#[test]
fn what_permits_more_needs_a_quorum_and_what_forbids_it_one_endpoint() {
    use movement::Sighting::{Diverted, Moved, Unseen};
    use unseen::Unseen::{Failed, Hidden, Live, Nothing};
    let failed = Failed(B256::repeat_byte(5));
    let unseen = |all: &[_]| all.iter().copied().map(Unseen).collect::<Vec<_>>();
    let (early, late) = (movement(90), movement(101));
    for (sightings, over, outcome) in [
        (vec![], true, ("pending", false)),
        (unseen(&[Live, Live]), false, ("pending", false)),
        (unseen(&[Nothing, Nothing]), false, ("pending", false)),
        (unseen(&[Nothing, Live]), true, ("pending", false)),
        (unseen(&[Nothing, Nothing, Live]), true, ("never mined", true)),
        (unseen(&[Nothing, Nothing, Hidden]), true, ("pending", false)),
        (unseen(&[failed, failed, Nothing]), true, ("never mined", true)),
        (unseen(&[failed, Nothing]), true, ("pending", false)),
        (unseen(&[failed, Failed(B256::repeat_byte(6))]), true, ("pending", false)),
        (vec![Unseen(Nothing), Unseen(Nothing), Moved(early.clone())], true, ("moved", false)),
        (
            vec![Unseen(Nothing), Unseen(Nothing), Diverted(early.clone())],
            true,
            ("diverted", false),
        ),
        (vec![Moved(early.clone()), Moved(early.clone())], false, ("moved", true)),
        (vec![Moved(late.clone()), Moved(late.clone())], false, ("moved", false)),
        (vec![Moved(early.clone()), Moved(late)], false, ("moved", false)),
        (
            vec![Diverted(early.clone()), Diverted(early.clone()), Moved(early)],
            false,
            ("moved", false),
        ),
    ] {
        let end = over.then_some(SAFE);
        let concluded = movement::conclude(window(end), MEASURE, &sightings);
        assert_eq!(word(&concluded), outcome, "{sightings:?}");
    }
}

#[test]
fn a_deposit_that_must_be_there_outweighs_all_who_do_not_show_it() {
    use unseen::Unseen::{Failed, Hidden, Nothing};
    let failed = Failed(B256::repeat_byte(5));
    for (unseen, outcome) in [
        (vec![Nothing, Nothing], ("never mined", true)),
        (vec![Nothing, Nothing, Hidden], ("pending", false)),
        (vec![failed, failed], ("never mined", true)),
        (vec![failed, Nothing], ("pending", false)),
    ] {
        let sightings: Vec<_> = unseen.into_iter().map(deposit::Sighting::Unseen).collect();
        let concluded = deposit::conclude(window(Some(SAFE)), MEASURE, &sightings);
        assert_eq!(word(&concluded), outcome, "{sightings:?}");
    }
}

#[test]
fn a_difference_tells_transactions_apart_and_only_all_terms_make_one_its_own() {
    let marks = Marks {
        nonce_key: U256::MAX,
        valid_after: UnixSeconds(5),
        valid_before: UnixSeconds(0x20),
    };
    for (shown, whose) in [
        (json!(null), Whose::Unknown),
        (json!({ "nonceKey": U256::MAX, "validAfter": "0x5", "validBefore": "0x20" }), Whose::Own),
        (json!({ "nonceKey": U256::MAX, "validAfter": 5, "validBefore": 32 }), Whose::Own),
        (json!({ "validAfter": 5, "validBefore": 32 }), Whose::Unknown),
        (json!({ "validBefore": null, "nonceKey": "what" }), Whose::Unknown),
        (json!({ "nonceKey": "0x1" }), Whose::Another),
        (json!({ "validAfter": "0x6" }), Whose::Another),
        (json!({ "validBefore": 33 }), Whose::Another),
    ] {
        assert_eq!(marks.whose(&shown), whose, "{shown}");
        assert_eq!(marks.may_be(&shown), whose != Whose::Another, "{shown}");
    }
}

#[test]
fn the_events_are_those_of_the_chain() {
    use alloy_sol_types::SolEvent as _;
    for (event, signature) in [
        (Tip20::Transfer::SIGNATURE, "Transfer(address,address,uint256)"),
        (Tip20::TransferWithMemo::SIGNATURE, "TransferWithMemo(address,address,uint256,bytes32)"),
        (
            Reserve::ChannelOpened::SIGNATURE,
            "ChannelOpened(bytes32,address,address,address,address,address,bytes32,bytes32,uint96)",
        ),
        (Reserve::TopUp::SIGNATURE, "TopUp(bytes32,address,address,uint96,uint96)"),
        (Reserve::ChannelClosed::SIGNATURE, "ChannelClosed(bytes32,address,address,uint96,uint96)"),
    ] {
        assert_eq!(event, signature);
    }
}
