//! What goes before the journal with a payment: approvals that were really signed, and what the
//! wallet holds, by this node's own endpoints.
//!
//! Promises: nothing here is the courier's word. An approval whose signature does not hold is
//! dropped, and so counts for nothing; whose word counts at all, the policies say.
//! Does not protect against: a courier that keeps approvals back. The payment waits, or is refused.

use std::time::Duration;

use alloy_primitives::Address;
use tercet_policy::admission::Submission;
use tercet_policy::approval::{APPROVALS_MAX, AuthenticApproval, SignedApproval};
use tercet_policy::chain::Chain;
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::proposal::Proposal;
use tercet_policy::rules::{Policy, RuleKind};

use super::Signer;
use crate::journal::Roll;

/// Longest wait for what a wallet holds, in milliseconds; it counts as unknown after that.
pub const BALANCE_MS_MAX: u64 = 2_000;

/// Tells what wallets hold. Only what a quorum of this node's own endpoints says is an answer.
#[async_trait::async_trait]
pub trait ReadBalance: Send + Sync {
    /// What `wallet` holds of `token` on `chain`, in base units; nothing where that is not known.
    async fn balance(&self, chain: Chain, wallet: Address, token: Address) -> Option<Amount>;
}

impl Signer {
    /// Opens the approvals, and reads the balance where a policy looks at it.
    pub(super) async fn submission(
        &self,
        roll: &Roll,
        proposal: Proposal,
        approvals: Vec<SignedApproval>,
    ) -> Submission {
        let balance = self.balance_of(roll, &proposal).await;
        Submission { proposal, approvals: opened(approvals), balance }
    }

    async fn balance_of(&self, roll: &Roll, proposal: &Proposal) -> Option<Amount> {
        let intent = proposal.intent().intent();
        let reader = self.balances.as_ref()?;
        if !self.looks_at_balance(roll, &intent.agent, &intent.wallet) {
            return None;
        }
        let (chain, token) = (intent.payment.chain(), intent.payment.token());
        let reading = reader.balance(chain, intent.wallet, token);
        let read = tokio::time::timeout(Duration::from_millis(BALANCE_MS_MAX), reading).await;
        read.unwrap_or_else(|_| {
            tracing::warn!(wallet = %intent.wallet, %chain, "the balance was not read in time");
            None
        })
    }

    fn looks_at_balance(&self, roll: &Roll, agent: &AgentId, wallet: &Address) -> bool {
        let held = roll.policies_for(agent, wallet);
        let held = held.as_ref().map(|set| set.applying(wallet)).unwrap_or_default();
        held.into_iter().chain(&self.own_policies).any(looks_at_balance)
    }
}

fn looks_at_balance(policy: &Policy) -> bool {
    policy.rules().iter().any(|rule| matches!(rule.kind(), RuleKind::MaxShareOfBalance(_)))
}

fn opened(approvals: Vec<SignedApproval>) -> Vec<AuthenticApproval> {
    let open = |approval: SignedApproval| match approval.open_approval() {
        Ok(approval) => Some(approval),
        Err(error) => {
            tracing::warn!(%error, "an approval is dropped");
            None
        }
    };
    approvals.into_iter().take(APPROVALS_MAX).filter_map(open).collect()
}
