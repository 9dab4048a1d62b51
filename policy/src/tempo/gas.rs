//! How much gas a transaction may use on Tempo, and what a unit of it may cost.
//!
//! Promises: limits that hold in the worst state a payment can meet. On Tempo the writing of a
//! storage slot that was empty costs 250,000 gas (TIP-1000), and an estimate made in another
//! state, or by a node that prices it otherwise, is the usual reason for a payment that runs out
//! of gas. Gas that is not used is not paid for, so a wide limit costs nothing but the balance
//! that must be there for it. With [`MAX_FEE_PER_GAS`], each limit but that of a charge with
//! many splits, and that of an access key, stays within what sponsors of the official SDKs agree to
//! pay.
//!
//! Refuses: nothing.
//!
//! Does not protect against: a chain that reprices. The figures are from Tempo's own gas
//! snapshots up to its hardfork T8, plus what TIP-1009 and TIP-1000 add.

use crate::money::Amount;

/// Most gas of one transaction (TIP-1000).
pub const TRANSACTION_GAS_MAX: u64 = 30_000_000;
/// Most gas that sponsors of the official SDKs pay for.
pub const SPONSORED_GAS_MAX: u64 = 2_000_000;
/// Most that sponsors of the official SDKs pay for one transaction, gas limit times
/// [`MAX_FEE_PER_GAS`], in attodollars: five cents.
pub const SPONSORED_FEE_ATTODOLLARS_MAX: u128 = 50_000_000_000_000_000;

/// A slot that was empty.
const NEW_SLOT_GAS: u64 = 250_000;
/// The first nonce of an account or of a lane, which every kind below allows for, and which the
/// account's own nonce 0 demands even if it were not used.
const FIRST_NONCE_GAS: u64 = NEW_SLOT_GAS;
/// A transfer in tokens that keep rewards and check a policy, to a recipient who never held the
/// token: 580,000 in the worst snapshot, with a memo and an expiring nonce.
const TRANSFER_ALONE_GAS: u64 = 650_000;

/// One transfer, with or without a memo.
pub const TRANSFER_GAS: u64 = FIRST_NONCE_GAS + TRANSFER_ALONE_GAS;
/// Opening a channel: 800,000 where the reserve never held the token (two slots more than its
/// own), and the payer's side of the transfer.
pub const OPEN_GAS: u64 = FIRST_NONCE_GAS + 1_150_000;
/// Paying more into a channel: 50,000, and two slots where the reserve had come to nothing.
pub const TOP_UP_GAS: u64 = FIRST_NONCE_GAS + 850_000;
/// Asking for a channel's end: 31,000 on the reserve; a new slot on the older escrow.
pub const REQUEST_CLOSE_GAS: u64 = FIRST_NONCE_GAS + 400_000;
/// Taking back the rest of a channel: 80,000, and new slots where the payer had come to nothing.
pub const WITHDRAW_GAS: u64 = FIRST_NONCE_GAS + 850_000;
/// Authorizing an access key: sixteen new slots at the most (the key, its limit and its period, and
/// the lists and places of one target and four selectors), and what is read and written again.
pub const AUTHORIZE_KEY_GAS: u64 = FIRST_NONCE_GAS + 16 * NEW_SLOT_GAS + 750_000;
/// Revoking one: its slot is there.
pub const REVOKE_KEY_GAS: u64 = FIRST_NONCE_GAS + 350_000;

/// Most attodollars per gas that we offer: twice the ceiling of Tempo's base fee (12e9 since T7,
/// and 20e9 fixed before), below the 41e9 of the SDKs so that [`SPONSORED_GAS_MAX`] at this
/// price is within [`SPONSORED_FEE_ATTODOLLARS_MAX`]. The base fee now moves from 0.6e9 to 12e9.
pub const MAX_FEE_PER_GAS: u128 = 24_000_000_000;
/// Most attodollars per gas that is signed for, as sponsors of the official SDKs have it.
pub const MAX_FEE_PER_GAS_MAX: u128 = 100_000_000_000;
/// Most that is signed for as the fee of one transaction, in base units of a token with six
/// decimals: 20 cents, for a charge with as many splits as there can be.
pub const FEE_UNITS_MAX: u128 = 200_000;
/// Attodollars per gas for whoever makes the block, as the SDKs offer.
pub const MAX_PRIORITY_FEE_PER_GAS: u128 = 1_000_000_000;
/// Most attodollars per gas that is signed for whoever makes the block: twice what is offered. The
/// base fee is the chain's to say; the tip is taken in full.
pub const MAX_PRIORITY_FEE_PER_GAS_MAX: u128 = 2_000_000_000;
/// Attodollars in one unit of a TIP-20 token: 18 places against 6.
const ATTODOLLARS_PER_UNIT: u128 = 1_000_000_000_000;

/// The limit for a charge with `splits` transfers besides the first.
#[must_use]
pub const fn charge_gas(splits: usize) -> u64 {
    let more = (splits as u64).saturating_mul(TRANSFER_ALONE_GAS);
    let gas = TRANSFER_GAS.saturating_add(more);
    if gas > TRANSACTION_GAS_MAX { TRANSACTION_GAS_MAX } else { gas }
}

/// The most that a transaction can cost its fee payer, in units of a token with six decimals:
/// `gas limit × max fee per gas`, rounded up. A product beyond 128 bits gives the largest amount,
/// which no limit allows.
#[must_use]
pub const fn fee_units(gas_limit: u64, max_fee_per_gas: u128) -> Amount {
    let units = match max_fee_per_gas.checked_mul(gas_limit as u128) {
        Some(attodollars) => attodollars.div_ceil(ATTODOLLARS_PER_UNIT),
        None => u128::MAX,
    };
    Amount::from_base_units(units)
}

/// What our side pays for itself is within the ceiling of a fee.
const _: () = {
    let fee = fee_units(AUTHORIZE_KEY_GAS, MAX_FEE_PER_GAS);
    assert!(AUTHORIZE_KEY_GAS <= TRANSACTION_GAS_MAX && fee.base_units() <= FEE_UNITS_MAX);
};

/// Every kind of transaction that a service brings to the chain can be sponsored, but for a charge
/// with splits.
const _: () = {
    let limits = [TRANSFER_GAS, OPEN_GAS, TOP_UP_GAS, REQUEST_CLOSE_GAS, WITHDRAW_GAS];
    let mut rest: &[u64] = &limits;
    while let [gas, more @ ..] = rest {
        assert!(*gas <= SPONSORED_GAS_MAX);
        rest = more;
    }
    let fee = SPONSORED_GAS_MAX as u128 * MAX_FEE_PER_GAS;
    assert!(fee <= SPONSORED_FEE_ATTODOLLARS_MAX);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_gas_times_price_in_units_rounded_up() {
        let units = |gas, fee| fee_units(gas, fee).base_units();
        assert_eq!(units(50_000, 20_000_000_000), 1_000); // TIP-1000: 0.1 cent
        assert_eq!(units(TRANSFER_GAS, MAX_FEE_PER_GAS), 21_600);
        assert_eq!(units(SPONSORED_GAS_MAX, MAX_FEE_PER_GAS), 48_000);
        assert_eq!(units(1, 1), 1);
        assert_eq!(units(1, ATTODOLLARS_PER_UNIT), 1);
        assert_eq!(units(1, ATTODOLLARS_PER_UNIT + 1), 2);
        assert_eq!((units(0, u128::MAX), units(u64::MAX, 0)), (0, 0));
        assert_eq!(units(2, u128::MAX), u128::MAX);
    }

    #[test]
    fn splits_raise_the_limit_of_a_charge_up_to_the_chain_s() {
        assert_eq!(charge_gas(0), TRANSFER_GAS);
        assert_eq!(charge_gas(1), TRANSFER_GAS + TRANSFER_ALONE_GAS);
        assert!(charge_gas(10) < TRANSACTION_GAS_MAX);
        assert_eq!(charge_gas(usize::MAX), TRANSACTION_GAS_MAX);
    }

    /// The largest of Tempo's own snapshots for each kind (T5 to T8), with 13,000 for an expiring
    /// nonce or 250,000 for the first of a lane; for access keys what anvil takes at T4.
    #[test]
    fn the_limits_are_above_the_worst_that_tempo_measured() {
        let measured = [
            (TRANSFER_GAS, 580_558),
            (OPEN_GAS, 798_125),
            (TOP_UP_GAS, 48_880 + 2 * NEW_SLOT_GAS),
            (REQUEST_CLOSE_GAS, 30_323),
            (WITHDRAW_GAS, 80_913 + 2 * NEW_SLOT_GAS),
            (AUTHORIZE_KEY_GAS, 3_309_744),
            (REVOKE_KEY_GAS, 28_244),
        ];
        for (limit, gas) in measured {
            assert!(gas + FIRST_NONCE_GAS < limit, "{limit}");
            assert!(gas + FIRST_NONCE_GAS > limit / 3, "{limit} says too little");
        }
    }
}
