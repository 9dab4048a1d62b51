//! What a preview's book takes in on its reader's word. A preview signs nothing, so nothing is
//! lost by believing; a journal that signs goes by proofs alone and never calls this.

use crate::admission::Book;
use crate::intent::IntentId;
use crate::money::Amount;
use crate::party::AgentId;
use crate::rows::SpendRow;
use crate::time::UnixSeconds;

impl Book {
    /// Gives a payment back that nothing was signed for: amount, fee, count, and the slot it held.
    pub fn forgo(&mut self, row: &SpendRow) {
        self.ledger.forgo(row);
        self.let_go(row);
    }

    /// Gives a payment back that the chain never takes. `fee` is what the chain took of its fee in
    /// the token all the same; where that is unknown, the ceiling stays.
    pub fn note_void(&mut self, row: &SpendRow, fee: Option<Amount>) {
        self.ledger.note_void(row);
        self.ledger.note_fee(&row.intent, fee);
        self.let_go(row);
    }

    /// What the chain took as the fee in the token of what is settled; where that is unknown, the
    /// ceiling stays. To be said once for each.
    pub fn note_fee(&mut self, intent: &IntentId, fee: Option<Amount>) {
        self.ledger.note_fee(intent, fee);
    }

    fn let_go(&mut self, row: &SpendRow) {
        let holds = self.slots.get(&row.slot).is_some_and(|held| held.intent == row.intent);
        if holds && row.kind.pays() {
            self.slots.remove(&row.slot);
        }
        self.channels.forget_deposit(&row.intent, true);
        self.forget_if_final(&row.intent);
    }

    /// A payment of this agent that was admitted never happened.
    pub fn note_failure(&mut self, agent: &AgentId, at: UnixSeconds) {
        self.health.entry(agent.clone()).or_default().fail(at);
    }

    /// The chain has a payment. To be said once for each.
    pub fn note_settled(&mut self, intent: &IntentId) {
        self.ledger.note_settled(intent);
        self.settled(intent);
    }

    /// The chain ended the channel of a deposit, and so much of it was paid. To be said once for
    /// each.
    pub fn note_used(&mut self, intent: &IntentId, used: Amount) {
        self.ledger.note_used(intent, used);
        self.settled(intent);
    }

    fn settled(&mut self, intent: &IntentId) {
        let payee = self.intents.get(intent).and_then(|known| known.payee);
        if let Some(payee) = payee {
            self.experience.settle(payee);
        }
        self.channels.forget_deposit(intent, false);
        self.forget_if_final(intent);
    }
}

#[cfg(test)]
mod tests;
