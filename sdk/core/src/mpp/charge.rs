//! The intent of a charge, and of a proof where nothing is charged.

use tercet_policy::intent::{
    CHALLENGE_BYTES_MAX, MppChallenge, MppCharge, MppProof, Payment, TempoNonce, TempoTerms,
};
use tercet_policy::money::Amount;
use tercet_policy::mpp::attribution_memo;
use tercet_policy::tempo::gas;
use tercet_policy::time::UnixSeconds;

use alloy_primitives::{Address, B256};
use mpp::PaymentChallenge;

use super::ChargeChoice;
use crate::ask::Ask;

/// How long a transaction for a service may be mined, in seconds. Tempo takes thirty at most, and
/// clocks differ.
pub const TRANSACTION_SECONDS: u64 = 25;

/// What is charged, or the proof that nothing is; and the memo that names it on the chain.
pub(crate) fn payment(ask: &Ask, choice: &ChargeChoice, now: UnixSeconds) -> (Payment, B256) {
    let answered = challenge(ask, &choice.challenge);
    let memo = attribution_memo(&answered.realm, None, &answered.id);
    let (chain, token) = (choice.asset.chain, choice.asset.token);
    if choice.amount == Amount::ZERO {
        return (Payment::MppProof(MppProof { chain, token, challenge: answered }), memo);
    }
    let gas = gas::charge_gas(choice.splits.len());
    let fee_token = (!choice.sponsored).then_some(token);
    let charge = MppCharge {
        chain,
        token,
        to: choice.pay_to,
        amount: choice.amount,
        splits: choice.splits.clone(),
        challenge: answered,
        terms: terms(gas, fee_token, ends(choice.expires, now)),
    };
    (Payment::MppCharge(charge), memo)
}

/// The challenge, as an intent names it.
pub(crate) fn challenge(ask: &Ask, asked: &PaymentChallenge) -> MppChallenge {
    debug_assert!(asked.id.len() <= CHALLENGE_BYTES_MAX, "judged before");
    MppChallenge {
        id: asked.id.clone(),
        realm: asked.realm.clone(),
        resource: ask.url().to_string(),
        service: ask.service().clone(),
    }
}

/// When a transaction that answers a challenge ends.
pub(crate) fn ends(expires: UnixSeconds, now: UnixSeconds) -> UnixSeconds {
    expires.min(now.plus(TRANSACTION_SECONDS))
}

/// Fees as the SDKs offer them, and an end.
pub(crate) const fn terms(
    gas_limit: u64,
    fee_token: Option<Address>,
    valid_before: UnixSeconds,
) -> TempoTerms {
    TempoTerms {
        nonce: TempoNonce::Expiring,
        valid_before,
        gas_limit,
        max_fee_per_gas: Amount::from_base_units(gas::MAX_FEE_PER_GAS),
        max_priority_fee_per_gas: Amount::from_base_units(gas::MAX_PRIORITY_FEE_PER_GAS),
        fee_token,
    }
}
