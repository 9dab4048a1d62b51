//! What a preview's ledger takes without proof: it decides nothing. A journal that signs goes by
//! evidence alone and never calls this.

use crate::intent::IntentId;
use crate::ledger::entries::EntryKind;
use crate::ledger::series::Seq;
use crate::ledger::{Ledger, SpendState};
use crate::money::Amount;
use crate::rows::SpendRow;

impl Ledger {
    /// Gives back a payment that nothing was ever signed for, with all of its fee; one that is
    /// unknown or void changes nothing.
    pub fn forgo(&mut self, row: &SpendRow) {
        self.note_void(row);
        self.note_fee(&row.intent, Some(Amount::ZERO));
    }

    /// Gives back a payment that the chain never takes, with its fee in wei. Of a fee in the token
    /// [`note_fee`](Self::note_fee) tells.
    pub fn note_void(&mut self, row: &SpendRow) {
        let Some(seq) = self.entries.find(&row.intent) else { return };
        if self.raised.remove(&seq).is_some() {
            self.forgo_raises(seq, &row.intent);
        }
        self.change(seq, |entry| {
            entry.counted = Amount::ZERO;
            entry.fee_wei = 0;
            entry.counts = false;
            entry.state = SpendState::Void;
        });
    }

    fn forgo_raises(&mut self, seq: Seq, intent: &IntentId) {
        let later = self.entries.since(seq);
        let own = later.filter(|(_, e)| e.kind == EntryKind::Raise && e.intent == *intent);
        let raises: Vec<_> = own.map(|(seq, _)| seq).collect();
        for raise in raises {
            self.change(raise, |entry| entry.fee_wei = 0);
        }
    }

    /// What the chain took as a payment's fee in the token; the ceiling stays where that is unknown.
    /// To be said once, with what became of the payment.
    pub fn note_fee(&mut self, intent: &IntentId, taken: Option<Amount>) {
        self.end_fee(intent, taken);
    }

    /// The chain has a payment: nothing changes it any more, so it can leave memory in time.
    pub fn note_settled(&mut self, intent: &IntentId) {
        let Some(seq) = self.entries.find(intent) else { return };
        self.change(seq, |entry| {
            if entry.state != SpendState::Void {
                entry.state = SpendState::Settled;
            }
        });
    }

    /// The chain ended the channel of a deposit: what was used of it counts from now on.
    pub fn note_used(&mut self, intent: &IntentId, used: Amount) {
        let Some(seq) = self.entries.find(intent) else { return };
        self.change(seq, |entry| {
            if entry.state != SpendState::Void {
                entry.counted = entry.counted.min(used);
                entry.state = SpendState::Settled;
            }
        });
    }
}
