//! A chain whose state the test sets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use alloy_primitives::B256;
use async_trait::async_trait;
use tercet::seam::{
    Authorized, ChannelSeen, DepositFate, Evidence, EvidenceUnavailable, Fate, Finality, Settlement,
};
use tercet_policy::chain::Chain;
use tercet_policy::intent::{IntentId, PaymentIntent};
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::time::UnixSeconds;

use super::merchant::SentPayment;

#[derive(Default)]
pub(crate) struct FakeChain {
    state: Mutex<Ledger>,
}

#[derive(Default)]
struct Ledger {
    settled: BTreeMap<B256, Settlement>,
    void: BTreeSet<B256>,
    deposits: BTreeMap<IntentId, DepositFate>,
    channels: BTreeMap<ChannelId, ChannelSeen>,
    is_silent: bool,
}

/// A channel with so much in it, whose end nobody asked for.
pub(crate) fn holding(units: u128) -> ChannelSeen {
    let deposit = Amount::from_base_units(units);
    ChannelSeen {
        deposit,
        settled: Amount::ZERO,
        close_requested_at: None,
        at: UnixSeconds(super::NOW),
    }
}

/// The transaction in which [`FakeChain::settle`] settles a nonce.
pub(crate) fn transaction_of(nonce: B256) -> B256 {
    B256::repeat_byte(nonce[0] | 0x80)
}

impl FakeChain {
    /// The payment is mined. Its transaction.
    pub(crate) fn settle(&self, payment: &SentPayment) -> B256 {
        self.settle_nonce(payment.nonce)
    }

    /// What this names is mined. Its transaction.
    pub(crate) fn settle_nonce(&self, nonce: B256) -> B256 {
        let transaction = transaction_of(nonce);
        let settlement = Settlement {
            transaction,
            block_number: 100,
            block_hash: B256::repeat_byte(0xb1),
            log_index: 1,
        };
        self.state.lock().unwrap().settled.insert(nonce, settlement);
        transaction
    }

    /// The payment can never settle any more.
    pub(crate) fn bury(&self, nonce: B256) {
        self.state.lock().unwrap().void.insert(nonce);
    }

    /// What becomes of a deposit; open until it is said.
    pub(crate) fn deposit(&self, intent: IntentId, fate: DepositFate) {
        self.state.lock().unwrap().deposits.insert(intent, fate);
    }

    /// What the reserve keeps of a channel; nothing until it is said.
    pub(crate) fn channel(&self, channel: ChannelId, seen: ChannelSeen) {
        self.state.lock().unwrap().channels.insert(channel, seen);
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

    async fn deposit(&self, intent: &PaymentIntent) -> Result<DepositFate, EvidenceUnavailable> {
        let ledger = self.state.lock().unwrap();
        Ok(ledger.deposits.get(&intent.id).copied().unwrap_or(DepositFate::Open))
    }

    async fn channel(
        &self,
        _: Chain,
        channel: ChannelId,
    ) -> Result<ChannelSeen, EvidenceUnavailable> {
        let ledger = self.state.lock().unwrap();
        Ok(ledger.channels.get(&channel).copied().unwrap_or(holding(0)))
    }
}
