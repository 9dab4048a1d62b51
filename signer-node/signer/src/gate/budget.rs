//! How many failed proofs a wallet's pair may cost before an operator has to look.
//!
//! A peer that breaks the protocol may be after the share: each failed session can tell it
//! something. Counted are only failures that the peer's own channel proves; a courier cannot
//! cause them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use alloy_primitives::Address;

use crate::session::SessionError;
use crate::tss::TssError;

/// Failed proofs of a wallet after which its signing is stopped.
pub const PROOF_FAILURES_MAX: u32 = 3;

/// Failed proofs since this process began; the stop that follows is in the journal.
#[derive(Debug, Default)]
pub(super) struct Budget {
    failures: Mutex<BTreeMap<Address, u32>>,
}

impl Budget {
    /// Counts a failure if it is a peer's proof. Whether the wallet is to be stopped now.
    pub(super) fn is_used_up_by(&self, wallet: Address, error: &SessionError) -> bool {
        if !matches!(error, SessionError::Tss(TssError::BadPeer { .. })) {
            return false;
        }
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(wallet).or_default();
        *count = count.saturating_add(1);
        *count >= PROOF_FAILURES_MAX
    }

    /// A signature was made: the pair works.
    pub(super) fn clear(&self, wallet: Address) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&wallet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tss::PeerFault;

    fn proof_failed() -> SessionError {
        let (suspects, fault) = (vec![], PeerFault::ProofFailed);
        SessionError::Tss(TssError::BadPeer { suspects, fault, cause: None })
    }

    #[test]
    fn the_last_failed_proof_uses_the_budget_up() {
        let (budget, wallet) = (Budget::default(), Address::ZERO);
        for _ in 1..PROOF_FAILURES_MAX {
            assert!(!budget.is_used_up_by(wallet, &proof_failed()));
        }
        assert!(!budget.is_used_up_by(Address::repeat_byte(1), &proof_failed()));
        assert!(budget.is_used_up_by(wallet, &proof_failed()));
    }

    #[test]
    fn what_a_courier_can_cause_costs_nothing() {
        let (budget, wallet) = (Budget::default(), Address::ZERO);
        for _ in 0..10 {
            assert!(!budget.is_used_up_by(wallet, &SessionError::CalledOff { by: None }));
            let error = crate::channel::ChannelError::NotAuthentic;
            let peer = tercet_policy::party::Party::Agent;
            assert!(!budget.is_used_up_by(wallet, &SessionError::Channel { peer, error }));
        }
    }

    #[test]
    fn a_signature_restores_the_budget() {
        let (budget, wallet) = (Budget::default(), Address::ZERO);
        for _ in 0..10 {
            assert!(!budget.is_used_up_by(wallet, &proof_failed()));
            budget.clear(wallet);
        }
    }
}
