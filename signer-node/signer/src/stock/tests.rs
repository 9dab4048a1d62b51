//! What is given out, and what is not.

#![allow(clippy::arithmetic_side_effects, reason = "tests may overflow, loudly")]

use alloy_primitives::B256;

use super::*;
use crate::tss::AuxHash;

const WALLET: Address = Address::repeat_byte(1);
const SHELF: Shelf = Shelf { wallet: WALLET, peer: Party::Operator };

fn id(n: u16) -> PresignatureId {
    PresignatureId(B256::left_padding_from(&n.to_be_bytes()))
}

fn card(n: u16) -> PresignatureCard {
    PresignatureCard {
        id: id(n),
        wallet: WALLET,
        key_epoch: 0,
        aux_hash: AuxHash([0; 32]),
        me: Party::Agent,
        peer: Party::Operator,
    }
}

fn stock(count: u16, now: Instant) -> Stock<u16> {
    let mut stock = Stock::default();
    (0..count).for_each(|n| stock.put_value(card(n), n, now).unwrap());
    stock
}

#[test]
fn one_is_given_out_once() {
    let now = Instant::now();
    let mut stock = stock(3, now);
    assert_eq!(stock.told(SHELF, now).0, [id(0), id(1), id(2)]);
    assert_eq!(stock.take(SHELF, id(1), now), Some(1));
    assert_eq!(stock.take(SHELF, id(1), now), None);
    let elsewhere = Shelf { peer: Party::Recovery, ..SHELF };
    assert_eq!(stock.take(elsewhere, id(0), now), None, "another pair's");
    assert_eq!((stock.len(), format!("{stock:?}")), (2, "Stock(2 presignatures)".to_owned()));
}

#[test]
fn what_is_old_is_given_out_no_more() {
    let now = Instant::now();
    let mut stock = stock(2, now);
    let later = now + PRESIGNATURE_AGE_MAX;
    let just_before = later - Duration::from_nanos(1);
    assert_eq!(stock.take(SHELF, id(0), just_before), Some(0));
    assert_eq!(stock.told(SHELF, later).0, []);
    assert_eq!(stock.take(SHELF, id(1), later), None);
    assert!(stock.is_empty());
}

#[test]
fn a_shelf_and_a_stock_are_bounded_and_names_are_their_own() {
    let now = Instant::now();
    let mut one = stock(u16::try_from(PRESIGNATURES_PER_WALLET_MAX).unwrap(), now);
    assert_eq!(one.put_value(card(9_999), 0, now), Err(NotStocked::ShelfFull));
    assert!(one.take(SHELF, id(0), now).is_some());
    assert_eq!(one.put_value(card(1), 0, now), Err(NotStocked::Repeated));
    assert_eq!(one.put_value(card(9_999), 0, now), Ok(()));

    let mut full = Stock::default();
    for n in 0..PRESIGNATURES_MAX {
        let n = u16::try_from(n).unwrap();
        let wallet = Address::left_padding_from(&(n / 200).to_be_bytes());
        full.put_value(PresignatureCard { wallet, ..card(n) }, n, now).unwrap();
    }
    assert_eq!(full.put_value(card(0), 0, now), Err(NotStocked::Full));
}

#[test]
fn doubt_drops_and_only_what_both_have_is_kept() {
    let now = Instant::now();
    let mut stock = stock(5, now);
    stock.keep_only(SHELF, &[id(4), id(2), id(77)], (now, UNMATCHED_GRACE));
    assert_eq!(stock.len(), 5, "the peer's session may not have ended yet");
    let now = now + UNMATCHED_GRACE;
    stock.keep_only(SHELF, &[id(4), id(2), id(77)], (now, UNMATCHED_GRACE));
    assert_eq!(stock.told(SHELF, now).0, [id(2), id(4)]);
    stock.drop_wallet(Address::repeat_byte(2));
    assert_eq!(stock.len(), 2);
    stock.drop_wallet(WALLET);
    assert!(stock.is_empty() && stock.told(SHELF, now).0.is_empty());
}

#[test]
fn what_is_lent_is_told_until_it_is_settled_and_never_put_back() {
    let now = Instant::now();
    let mut stock = stock(2, now);
    assert_eq!(stock.lend(SHELF, End::Oldest, now), Some(0));
    assert_eq!(stock.told(SHELF, now), (vec![id(1), id(0)], PRESIGNATURES_PER_WALLET_MAX - 1));
    assert_eq!(stock.take(SHELF, id(0), now), None);
    assert_eq!(stock.put_value(card(0), 0, now), Err(NotStocked::Repeated));
    stock.settle(id(0));
    assert_eq!(stock.told(SHELF, now).0, [id(1)]);
    let old = now + LENT_AGE_MAX;
    assert_eq!((stock.lendable(SHELF, now), stock.lendable(SHELF, old)), (1, 0));
    assert_eq!(stock.lend(SHELF, End::Newest, old), None, "the peer may find it too old");
    assert_eq!(stock.take(SHELF, id(1), old), Some(1));
}

#[test]
fn a_repeated_letter_is_the_couriers_and_another_one_the_peers() {
    let now = Instant::now();
    let mut stock = stock(2, now);
    assert_eq!(stock.take(SHELF, id(0), now), Some(0));
    assert!(!stock.is_other_use(id(0), b"first"), "what took it may be the courier's garbage");
    stock.used_by(id(0), b"first");
    assert!(!stock.is_other_use(id(0), b"first"));
    assert!(stock.is_other_use(id(0), b"second"));
    assert!(!stock.is_other_use(id(9), b"first"), "it may have been dropped");
    assert_eq!(stock.lend(SHELF, End::Oldest, now), Some(1));
    assert!(!stock.is_other_use(id(1), b"first"), "both sides took the last one");
}

#[test]
fn the_two_sides_begin_at_different_ends() {
    let now = Instant::now();
    let mut stock = stock(3, now);
    assert_eq!(stock.lend(SHELF, End::Newest, now), Some(2));
    assert_eq!(stock.lend(SHELF, End::Oldest, now), Some(0));
    assert_eq!(stock.lend(SHELF, End::Newest, now), Some(1));
    assert_eq!(stock.lend(SHELF, End::Newest, now), None);
}

#[test]
fn every_end_is_counted() {
    let now = Instant::now();
    let mut stock = stock(4, now);
    let _ = (stock.take(SHELF, id(0), now), stock.take(SHELF, id(0), now));
    stock.keep_only(SHELF, &[id(1), id(2)], (now, Duration::ZERO));
    stock.drop_shelf(SHELF);
    let levels = stock.levels(now);
    let ends = (levels.made, levels.used, levels.not_found, levels.unmatched, levels.doubted);
    assert_eq!(ends, (4, 1, 1, 1, 2));
    assert_eq!((levels.count, levels.shelves), (0, vec![]));
}
