//! A chain whose state the test sets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use alloy_primitives::B256;
use async_trait::async_trait;
use tercet::seam::{Authorized, Evidence, EvidenceUnavailable, Fate, Finality, Settlement};

use super::merchant::SentPayment;

#[derive(Default)]
pub(crate) struct FakeChain {
    state: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    settled: BTreeMap<B256, Settlement>,
    void: BTreeSet<B256>,
    is_silent: bool,
}

/// The transaction in which [`FakeChain::settle`] settles a nonce.
pub(crate) fn transaction_of(nonce: B256) -> B256 {
    B256::repeat_byte(nonce[0] | 0x80)
}

impl FakeChain {
    /// The payment is mined. Its transaction.
    pub(crate) fn settle(&self, payment: &SentPayment) -> B256 {
        let transaction = transaction_of(payment.nonce);
        let settlement = Settlement {
            transaction,
            block_number: 100,
            block_hash: B256::repeat_byte(0xb1),
            log_index: 1,
        };
        self.state.lock().unwrap().settled.insert(payment.nonce, settlement);
        transaction
    }

    /// The payment can never settle any more.
    pub(crate) fn bury(&self, nonce: B256) {
        self.state.lock().unwrap().void.insert(nonce);
    }

    pub(crate) fn be_silent(&self, silent: bool) {
        self.state.lock().unwrap().is_silent = silent;
    }
}

#[async_trait]
impl Evidence for FakeChain {
    async fn fate(&self, authorized: &Authorized) -> Result<Fate, EvidenceUnavailable> {
        let ledger = self.state.lock().unwrap();
        if ledger.is_silent {
            return Err(EvidenceUnavailable { detail: "no endpoint answers".to_owned() });
        }
        if let Some(settlement) = ledger.settled.get(&authorized.nonce) {
            return Ok(Fate::Settled { settlement: *settlement, finality: Finality::Safe });
        }
        if ledger.void.contains(&authorized.nonce) {
            return Ok(Fate::Void { cause: "unused and expired".to_owned() });
        }
        Ok(Fate::Open)
    }

    async fn settlement_in(
        &self,
        transaction: B256,
        authorized: &Authorized,
    ) -> Result<Option<Settlement>, EvidenceUnavailable> {
        let ledger = self.state.lock().unwrap();
        let found = ledger.settled.get(&authorized.nonce);
        Ok(found.filter(|settlement| settlement.transaction == transaction).copied())
    }
}
