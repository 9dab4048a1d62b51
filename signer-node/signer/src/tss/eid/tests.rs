use super::*;
use Party::{Agent, Operator, Recovery};

fn fields() -> ExecutionFields<'static> {
    ExecutionFields {
        protocol: Protocol::Sign,
        wallet: Some(Address::repeat_byte(0xaa)),
        key_epoch: 3,
        session: b"session-1",
        parties: &[Agent, Operator],
        attempt: 1,
        aux_hash: Some(AuxHash([0xbb; 32])),
    }
}

fn derive(fields: &ExecutionFields<'_>) -> Result<[u8; 32], BadCall> {
    let theirs = [(Operator, [2; 32])];
    ExecutionId::derive(fields, Agent, OwnNonce([1; 32]), &theirs).map(|eid| eid.id)
}

#[test]
fn the_form_is_pinned() {
    // Computed apart from this code, with Python's hashlib over the documented fields.
    let expected = include_str!("pinned-eid.hex").trim();
    assert_eq!(hex::encode(derive(&fields()).unwrap()), expected);
}

#[test]
fn both_sides_derive_the_same_id() {
    let theirs = [(Agent, [1; 32])];
    let other = ExecutionId::derive(&fields(), Operator, OwnNonce([2; 32]), &theirs).unwrap();
    assert_eq!(derive(&fields()), Ok(other.id));
}

#[test]
fn every_field_counts() {
    let base = fields();
    let others = [
        ExecutionFields { wallet: None, ..base },
        ExecutionFields { key_epoch: 4, ..base },
        ExecutionFields { session: b"session-2", ..base },
        ExecutionFields { attempt: 2, ..base },
        ExecutionFields { aux_hash: None, ..base },
        ExecutionFields { aux_hash: Some(AuxHash([0xbc; 32])), ..base },
    ];
    for other in others {
        assert_ne!(derive(&base), derive(&other), "{other:?}");
    }
    let with_other_nonce =
        ExecutionId::derive(&base, Agent, OwnNonce([9; 32]), &[(Operator, [2; 32])]).unwrap();
    assert_ne!(derive(&base), Ok(with_other_nonce.id));
}

#[test]
fn refuses_what_is_not_a_run() {
    let base = fields();
    let call = |fields: &ExecutionFields<'_>, theirs: &[(Party, [u8; 32])]| {
        ExecutionId::derive(fields, Agent, OwnNonce([1; 32]), theirs).map(drop).unwrap_err()
    };
    let peer = [(Operator, [2; 32])];
    let all = ExecutionFields { parties: &Party::ALL, ..base };
    assert_eq!(call(&all, &peer), BadCall::Parties);
    let without_us = ExecutionFields { parties: &[Operator, Recovery], ..base };
    assert_eq!(call(&without_us, &peer), BadCall::NotTakingPart);
    assert_eq!(call(&ExecutionFields { session: b"", ..base }, &peer), BadCall::SessionId);
    assert_eq!(call(&ExecutionFields { session: &[0; 65], ..base }, &peer), BadCall::SessionId);
    assert_eq!(call(&base, &[]), BadCall::Nonces);
    assert_eq!(call(&base, &[(Recovery, [2; 32])]), BadCall::Nonces);
    assert_eq!(call(&base, &[(Operator, [2; 32]), (Operator, [3; 32])]), BadCall::Nonces);
    let three = ExecutionFields { protocol: Protocol::Wallet, ..all };
    assert_eq!(call(&three, &[(Operator, [2; 32]), (Operator, [3; 32])]), BadCall::Nonces);
}

#[test]
fn drawn_nonces_differ() {
    assert_ne!(OwnNonce::draw().unwrap().bytes(), OwnNonce::draw().unwrap().bytes());
}
