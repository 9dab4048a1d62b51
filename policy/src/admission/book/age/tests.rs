//! A wallet that pays for ever takes bounded memory, and what is forgotten is never signed again.

#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::admission::{AdmitError, RecordSpend as _, Reserved};
use crate::fixture::{
    NOW, PAYEE, VENDOR, admit_at, authentic, cancel, code, fees, id, intent, policy, proposal,
    row as row_of, settled, transfer, with_terms, x402,
};
use crate::intent::Payment;
use crate::ledger::{LEDGER_SECONDS_KEPT, LedgerError, SpendState};
use crate::proposal::Proposal;
use crate::rows::SpendRow;

const ALLOW: &str = "  - allow: { services: vendors }\n  - allow: { recipients: payees }\n";
const STEP_SECONDS: u64 = 600;

/// The n-th payment of a wallet: every other one a transfer, with the next account nonce.
fn nth(templates: &[SpendRow; 2], n: u64) -> SpendRow {
    let like = &templates[usize::from(n % 2 == 1)];
    let (wallet, chain, token) = (like.wallet, like.chain, like.token);
    let (slot, terms) = match n % 2 {
        0 => {
            let nonce = B256::left_padding_from(&n.to_be_bytes());
            let (valid_after, valid_before) = (UnixSeconds(0), UnixSeconds(n));
            let terms = ChainTerms::Eip3009 { nonce, valid_after, valid_before };
            (Slot::Eip3009 { wallet, chain, token, nonce }, terms)
        }
        _ => (Slot::Account { wallet, chain, nonce: n / 2 }, fees(n / 2, 1_000, 1)),
    };
    let at = NOW.plus(n * STEP_SECONDS);
    SpendRow { intent: id(n), slot, terms, at, ..like.clone() }
}

fn templates() -> [SpendRow; 2] {
    let like = |payment| row_of(&proposal(0, payment, NOW), NOW);
    [like(x402(10, VENDOR, PAYEE)), like(transfer(10, PAYEE))]
}

#[test]
fn a_wallet_that_pays_for_ever_keeps_forty_days() {
    let (templates, mut book) = (templates(), Book::new());
    let most = LEDGER_SECONDS_KEPT / STEP_SECONDS + 1;
    for n in 0..3 * most {
        let row = nth(&templates, n);
        book.record(&row).unwrap();
        book.apply(&settled(&row, 10)).unwrap();
        let payments = book.ledger().unwrap().len() as u64;
        assert_eq!(payments, (n + 1).min(most));
        let intents = INTENT_SECONDS_KEPT.div_ceil(STEP_SECONDS) as usize;
        assert!(book.intents.len() <= intents, "intents of the last hour");
        assert!(book.slots.len() <= intents && book.ages.coming.len() <= intents);
        assert!(book.ages.waiting.is_empty());
    }
    assert_eq!(book.ages.floors.len(), 1, "one number for the wallet's account");
}

#[test]
fn a_payment_without_an_outcome_stays_until_it_has_one() {
    let (templates, mut book) = (templates(), Book::new());
    let open = nth(&templates, 1);
    book.record(&open).unwrap();
    let far = 2 * LEDGER_SECONDS_KEPT / STEP_SECONDS;
    let later = nth(&templates, far);
    book.record(&later).unwrap();
    assert_eq!(book.state(&open.intent), Some(SpendState::Reserved));
    assert!(book.slot(&open.slot).unwrap().is_some());
    assert_eq!((book.intents.len(), book.ages.waiting.len()), (2, 1));
    book.apply(&settled(&open, 10)).unwrap();
    assert_eq!((book.intents.len(), book.ages.waiting.len()), (1, 0));
    assert_eq!(book.state(&open.intent), None, "older than every window");
    assert_eq!(book.ledger().unwrap().len(), 1);
}

#[test]
fn a_preview_that_is_told_of_settlements_forgets_too() {
    let (templates, mut book) = (templates(), Book::new());
    for n in 0..20 {
        let row = nth(&templates, n);
        book.record(&row).unwrap();
        if n % 3 == 0 {
            book.forgo(&row);
        } else {
            book.note_settled(&row.intent);
        }
    }
    assert!(book.intents.len() <= 7 && book.ages.waiting.is_empty());
    let settled = nth(&templates, 1);
    assert_eq!(book.state(&settled.intent), Some(SpendState::Settled));
}

#[test]
fn a_used_account_nonce_stays_taken_when_its_payment_is_forgotten() {
    let (policy, mut book) = (policy(ALLOW), Book::new());
    let pay = |n, nonce, at, book: &mut Book| {
        let made = authentic(intent(n, transfer(10, PAYEE), at));
        admit_at(&policy, with_terms(made, fees(nonce, 100, 1)), at, book)
    };
    let row = pay(1, 5, NOW, &mut book).unwrap().row().clone();
    book.apply(&settled(&row, 10)).unwrap();
    let later = NOW.plus(INTENT_SECONDS_KEPT);
    assert_eq!(code(&pay(2, 6, later, &mut book)), "reserved");
    assert_eq!(book.intent(&id(1)).unwrap(), None, "forgotten");
    for nonce in [0, 4, 5] {
        assert_eq!(code(&pay(3, nonce, later, &mut book)), "slot_taken", "{nonce}");
    }
    assert_eq!(code(&pay(3, 7, later, &mut book)), "reserved");
}

#[test]
fn the_id_of_a_forgotten_intent_stands_for_its_payment_still() {
    let (policy, mut book) = (policy(ALLOW), Book::new());
    let first = admit_at(&policy, proposal(1, x402(10, VENDOR, PAYEE), NOW), NOW, &mut book);
    book.apply(&settled(first.unwrap().row(), 10)).unwrap();
    let later = NOW.plus(INTENT_SECONDS_KEPT);
    let _ = admit_at(&policy, proposal(2, x402(1, VENDOR, PAYEE), later), later, &mut book);
    assert_eq!(book.intent(&id(1)), Ok(None), "it is forgotten");
    let other = proposal(1, transfer(7, PAYEE), later);
    assert_eq!(code(&admit_at(&policy, other, later, &mut book)), "intent_reused");
}

#[test]
fn an_intent_of_another_clock_is_not_taken() {
    let (policy, later) = (policy(ALLOW), NOW.plus(2 * INTENT_SECONDS_KEPT));
    let made = || proposal(1, x402(10, VENDOR, PAYEE), later);
    let mut book = Book::new();
    assert_eq!(code(&admit_at(&policy, made(), NOW, &mut book)), "intent_lives_too_long");
    let just = later.plus(60).minus(INTENT_SECONDS_KEPT);
    assert_eq!(code(&admit_at(&policy, made(), just.minus(1), &mut book)), "intent_lives_too_long");
    assert_eq!(code(&admit_at(&policy, made(), just, &mut book)), "reserved");
}

#[derive(Clone, Debug)]
enum Step {
    Pay { transfer: bool, lives: u64, nonce: u64 },
    Again { which: Index, nonce: u64, fee: u128 },
    Cancel(Index),
    Settle(Index),
    Wait(u64),
    SetBack(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        4 => (any::<bool>(), 1u64..3_600, 0u64..12)
            .prop_map(|(transfer, lives, nonce)| Step::Pay { transfer, lives, nonce }),
        4 => (index(), 0u64..12, 100u128..103)
            .prop_map(|(which, nonce, fee)| Step::Again { which, nonce, fee }),
        1 => index().prop_map(Step::Cancel),
        3 => index().prop_map(Step::Settle),
        3 => (0u64..4_000).prop_map(Step::Wait),
        1 => (0u64..8_000).prop_map(Step::SetBack),
    ]
}

/// Intents that were made, and what was admitted of them.
#[derive(Default)]
struct Past {
    made: Vec<crate::intent::PaymentIntent>,
    rows: Vec<SpendRow>,
    slots: BTreeMap<IntentId, Slot>,
    payers: BTreeMap<Slot, IntentId>,
    forgotten: BTreeSet<IntentId>,
}

impl Past {
    fn proposal(&self, place: usize, nonce: u64, fee: u128) -> Proposal {
        let intent = authentic(self.made[place].clone());
        let terms = crate::proposal::terms_without_chain(&intent);
        with_terms(intent, terms.unwrap_or_else(|| fees(nonce, fee, 1)))
    }

    /// One slot for each intent, one payment for each slot, and nothing of what is forgotten.
    fn note(&mut self, admitted: Result<Reserved, AdmitError<LedgerError>>) {
        let Ok(reserved) = admitted else { return };
        let row = reserved.row();
        assert!(!self.forgotten.contains(&row.intent), "it was forgotten");
        let slot = self.slots.entry(row.intent).or_insert_with(|| row.slot.clone());
        assert_eq!(*slot, row.slot, "an intent has one slot");
        let payer = row.cancels.unwrap_or(row.intent);
        let first = self.payers.entry(row.slot.clone()).or_insert(payer);
        assert_eq!(*first, payer, "a slot is one payment's");
        if !reserved.same_again() {
            self.rows.push(row.clone());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_forgotten_is_never_signed_again(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let policy = policy(ALLOW);
        let (mut book, mut past, mut now) = (Book::new(), Past::default(), NOW.plus(100_000));
        for (n, step) in (1u64..).zip(steps) {
            let proposal = match step {
                Step::Pay { transfer: is_transfer, lives, nonce } => {
                    let payment: Payment =
                        if is_transfer { transfer(10, PAYEE) } else { x402(10, VENDOR, PAYEE) };
                    let mut made = intent(n, payment, now);
                    made.expires_at = now.plus(lives.max(60));
                    past.made.push(made);
                    Some(past.proposal(past.made.len() - 1, nonce, 100))
                }
                Step::Again { which, nonce, fee } if !past.made.is_empty() => {
                    Some(past.proposal(which.index(past.made.len()), nonce, fee))
                }
                Step::Cancel(which) if !past.made.is_empty() => {
                    let cancels = past.made[which.index(past.made.len())].id;
                    past.made.push(intent(n, cancel(cancels), now));
                    Some(past.proposal(past.made.len() - 1, 0, 100))
                }
                Step::Settle(which) if !past.rows.is_empty() => {
                    let row = which.get(&past.rows);
                    if row.cancels.is_none() {
                        let _ = book.apply(&settled(row, 10));
                    }
                    None
                }
                Step::Wait(seconds) => {
                    now = now.plus(seconds);
                    None
                }
                Step::SetBack(seconds) => {
                    now = now.minus(seconds);
                    None
                }
                _ => None,
            };
            if let Some(proposal) = proposal {
                past.note(admit_at(&policy, proposal, now, &mut book));
            }
            let known = |id: &IntentId| book.intent(id).unwrap().is_some();
            let gone: Vec<_> = past.slots.keys().filter(|id| !known(id)).copied().collect();
            past.forgotten.extend(gone);
        }
        let mut again = Book::new();
        let clock = |row: &SpendRow| row.at;
        prop_assert!(past.rows.windows(2).all(|two| clock(&two[0]) <= clock(&two[1])));
        for row in &past.rows {
            let _ = again.record(row);
        }
        prop_assert!(again.intents.len() >= book.intents.len(), "outcomes make a book forget");
    }
}
