//! Giving back without proof: for previews, which decide nothing.

use crate::ledger::{Ledger, SpendState};
use crate::money::Amount;
use crate::rows::SpendRow;

impl Ledger {
    /// Gives back a payment that nothing was ever signed for, its fee too; one that is unknown or
    /// void changes nothing. A journal that signs never calls this: it gives back by evidence
    /// alone.
    pub fn forgo(&mut self, row: &SpendRow) {
        let Some(seq) = self.entries.find(&row.intent) else { return };
        self.change(seq, |entry| {
            entry.counted = Amount::ZERO;
            entry.fee_wei = 0;
            entry.counts = false;
            entry.state = SpendState::Void;
        });
    }
}
