use alloy_primitives::Address;
use tercet_policy::evidence::{ChannelDeposit, ClosedChannel, NotSeen, SafeBlock, TokenMovement};
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::time::UnixSeconds;

use super::*;

const TX: B256 = B256::repeat_byte(1);
const SAFE: SafeBlock =
    SafeBlock { number: 9, hash: B256::repeat_byte(2), timestamp: UnixSeconds(5) };

fn movement() -> TokenMovement {
    TokenMovement {
        token: Address::ZERO,
        from: Address::ZERO,
        to: Address::repeat_byte(3),
        amount: Amount::from_base_units(7),
        memo: B256::ZERO,
        transaction: TX,
        block: 8,
    }
}

fn ended(finality: Finality) -> TempoOutcome {
    let settled = Amount::from_base_units(5);
    let closed = ClosedChannel { channel: ChannelId([1; 32]), settled, transaction: TX, block: 8 };
    TempoOutcome::Ended { closed, share: Amount::from_base_units(3), put: TX, finality }
}

#[test]
fn only_what_is_safe_ends_a_payment_and_a_deposit_with_its_own_share() {
    let seen = Sighting::Pending { seen: Some((TX, 8)), detail: None };
    let (movement, safe) = (movement(), Finality::Safe(SAFE));
    let (channel, amount) = (ChannelId([1; 32]), Amount::from_base_units(9));
    let deposit = ChannelDeposit { channel, amount, transaction: TX, block: 8 };
    for (outcome, meant) in [
        (
            TempoOutcome::Moved { movement: movement.clone(), finality: Finality::Seen },
            seen.clone(),
        ),
        (
            TempoOutcome::Moved { movement, finality: safe },
            Sighting::Settled { transaction: TX, block: 8 },
        ),
        (ended(Finality::Seen), seen),
        (
            ended(safe),
            Sighting::Ended { transaction: TX, block: 8, settled: Amount::from_base_units(3) },
        ),
        (
            TempoOutcome::InChannel { deposit, finality: Finality::Seen },
            Sighting::Pending { seen: Some((TX, 8)), detail: None },
        ),
        (
            TempoOutcome::InChannel { deposit, finality: safe },
            Sighting::Deposited { transaction: TX, block: 8 },
        ),
        (
            TempoOutcome::Pending { safe_block: None },
            Sighting::Pending { seen: None, detail: None },
        ),
    ] {
        assert_eq!(sighting(outcome), meant);
    }
}

#[test]
fn a_diverted_payment_stays_open_and_calls_for_an_operator() {
    let told = sighting(TempoOutcome::Diverted { movement: movement() });
    let Sighting::Pending { seen: None, detail: Some(detail) } = told else { panic!("{told:?}") };
    assert!(detail.contains("operator") && detail.contains('7'), "{detail}");
}

#[test]
fn what_was_never_mined_is_void() {
    let unseen = NotSeen { from: SafeBlock { number: 1, ..SAFE }, to: SAFE };
    let told = sighting(TempoOutcome::NeverMined { unseen });
    assert!(matches!(told, Sighting::Void { transaction: None, .. }), "{told:?}");
}
