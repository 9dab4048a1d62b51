//! Stored payments, without a store.

use tercet_policy::document::ContentHash;
use tercet_policy::intent::Payment;

use super::fixture::*;
use crate::payment::state::State;
use crate::store::{Facts, PaymentRecord};

pub(crate) fn payment(is_transfer: bool) -> PaymentRecord {
    of(if is_transfer { transfer(10) } else { x402(10) })
}

pub(crate) fn of(payment: Payment) -> PaymentRecord {
    PaymentRecord {
        envelope: intent("research-01", 1, payment),
        content_hash: ContentHash([1; 32]),
        serial: 1,
        version: 1,
        state: State::Received,
        facts: Facts::default(),
        created_at: now(),
        updated_at: now(),
    }
}
