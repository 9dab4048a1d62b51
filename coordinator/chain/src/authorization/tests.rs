use alloy_primitives::{LogData, address};
use alloy_sol_types::SolEvent;

use super::*;
use crate::receipt::ReceiptLog;
use crate::usdc::Usdc;

const SAFE: SafeBlock =
    SafeBlock { number: 100, hash: B256::repeat_byte(7), timestamp: UnixSeconds(2_000) };
const QUERY: AuthorizationQuery = AuthorizationQuery {
    token: address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
    from: address!("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"),
    nonce: B256::repeat_byte(3),
    to: address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C"),
    value: Amount::from_base_units(10_000),
    valid_before: UnixSeconds(1_900),
    since: UnixSeconds(1_000),
};

fn proof(block_number: u64) -> SettlementProof {
    let log = |index, data: LogData| ReceiptLog {
        index,
        log: alloy_primitives::Log { address: QUERY.token, data },
    };
    let used = Usdc::AuthorizationUsed { authorizer: QUERY.from, nonce: QUERY.nonce };
    let value = U256::from(QUERY.value.base_units());
    let moved = Usdc::Transfer { from: QUERY.from, to: QUERY.to, value };
    let receipt = Receipt {
        tx: B256::repeat_byte(1),
        block_number,
        block_hash: B256::repeat_byte(2),
        from: QUERY.to,
        succeeded: true,
        logs: vec![log(0, used.encode_log_data()), log(1, moved.encode_log_data())],
    };
    match judge(&receipt, &QUERY) {
        Ok(Sighting::Settled(proof)) => proof,
        other => panic!("{other:?}"),
    }
}

fn concluded(safe_block: Option<SafeBlock>, sightings: &[Sighting]) -> AuthorizationOutcome {
    conclude(&QUERY, Measure { quorum: 2, safe_block }, sightings)
}

#[test]
fn death_needs_a_quorum_at_a_safe_block() {
    use Sighting::{Dead, Live};
    let dead = AuthorizationOutcome::Dead { at: SAFE };
    assert_eq!(concluded(Some(SAFE), &[Dead, Dead]), dead);
    assert_eq!(concluded(Some(SAFE), &[Dead, Live, Dead]), dead);
    let live = AuthorizationOutcome::Live { safe_block: Some(SAFE) };
    for short in [&[Dead][..], &[Dead, Live], &[Live, Live, Dead], &[Live]] {
        assert_eq!(concluded(Some(SAFE), short), live, "{short:?}");
    }
    let nowhere = AuthorizationOutcome::Live { safe_block: None };
    assert_eq!(concluded(None, &[Dead, Dead]), nowhere);
}

#[test]
fn one_sighting_of_a_use_outweighs_every_denial() {
    let used = Sighting::Settled(proof(90));
    let outcome = concluded(Some(SAFE), &[Sighting::Dead, used, Sighting::Dead]);
    let AuthorizationOutcome::Settled { finality, used, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((finality, used.block), (Finality::Seen, 90));
    let elsewhere = Sighting::Mismatched { tx: B256::repeat_byte(4), block: 90, found: None };
    let outcome = concluded(Some(SAFE), &[Sighting::Dead, elsewhere, Sighting::Dead]);
    assert!(matches!(outcome, AuthorizationOutcome::Mismatched { finality: Finality::Seen, .. }));
}

#[test]
fn a_use_is_safe_when_a_quorum_shows_it_below_the_safe_block() {
    for (block, votes, safe) in [(100, 2, true), (101, 2, false), (100, 1, false), (101, 3, false)]
    {
        let sightings = vec![Sighting::Settled(proof(block)); votes];
        let AuthorizationOutcome::Settled { finality, .. } = concluded(Some(SAFE), &sightings)
        else {
            panic!("block {block}")
        };
        let expected = if safe { Finality::Safe(SAFE) } else { Finality::Seen };
        assert_eq!(finality, expected, "block {block}, {votes} votes");
    }
}

#[test]
fn a_cancellation_is_only_seen_until_a_quorum_shows_it_below_the_safe_block() {
    let cancelled = |block| Sighting::Cancelled { tx: B256::repeat_byte(5), block };
    for (sightings, safe) in [
        (vec![cancelled(90), cancelled(90)], true),
        (vec![cancelled(90), Sighting::Dead], false),
        (vec![cancelled(101), cancelled(101)], false),
    ] {
        let outcome = concluded(Some(SAFE), &sightings);
        let AuthorizationOutcome::Cancelled { log, finality } = outcome else {
            panic!("{sightings:?}")
        };
        assert_eq!(finality == Finality::Safe(SAFE), safe, "{sightings:?}");
        assert_eq!((log.authorizer, log.nonce), (QUERY.from, QUERY.nonce));
    }
    let beside_a_use = [cancelled(90), cancelled(90), Sighting::Settled(proof(90))];
    let outcome = concluded(Some(SAFE), &beside_a_use);
    assert!(matches!(outcome, AuthorizationOutcome::Settled { finality: Finality::Seen, .. }));
}

#[test]
fn a_receipt_that_contradicts_its_logs_is_nonsense() {
    let receipt = Receipt {
        tx: B256::repeat_byte(1),
        block_number: 1,
        block_hash: B256::repeat_byte(2),
        from: QUERY.to,
        succeeded: true,
        logs: Vec::new(),
    };
    assert!(matches!(judge(&receipt, &QUERY), Err(FailureCause::Nonsense { .. })));
}
