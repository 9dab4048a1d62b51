//! Tests of primality.
//!
//! Promises: a composite that was not crafted passes with a chance far below 2^-128 (see the
//! bounds in [`super`]). Does not promise that for numbers someone crafted: GMP draws its
//! Miller-Rabin bases from a fixed seed. None are crafted here: each is drawn by this process or
//! read from its own sealed store.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "GMP integers grow and do not overflow; nothing divides by zero"
)]

use rug::Integer;
use rug::integer::IsPrime;

use super::wiped::Wiped;

/// GMP runs Baillie-PSW for this many `reps` and one Miller-Rabin round for each beyond.
const BAILLIE_PSW_REPS: u32 = 24;
/// Miller-Rabin rounds after Baillie-PSW for a number that is kept.
const MILLER_RABIN_ROUNDS: u32 = 40;

/// The safe prime `2q + 1`, if `q` and it are prime. Nearly all composites cost one power.
pub(super) fn safe_prime_from(q: &Integer) -> Option<Wiped> {
    if q.is_probably_prime(BAILLIE_PSW_REPS) == IsPrime::No {
        return None;
    }
    let p = Wiped::new(Integer::from(q << 1u32) | 1u32);
    (is_prime_if_half_is(p.value()) && is_prime(q)).then_some(p)
}

/// Whether `p` and `(p - 1) / 2` are prime.
pub(super) fn is_safe_prime(p: &Integer) -> bool {
    let q = Wiped::new(Integer::from(p >> 1u32));
    p.is_odd() && is_prime(q.value()) && is_prime_if_half_is(p)
}

fn is_prime(n: &Integer) -> bool {
    n.is_probably_prime(BAILLIE_PSW_REPS.saturating_add(MILLER_RABIN_ROUNDS)) != IsPrime::No
}

/// Pocklington: with `p - 1 = 2q`, `q` prime and `q > sqrt(p)`, `p` is prime if
/// `2^(p-1) = 1 (mod p)` and `gcd(2^2 - 1, p) = 1`.
fn is_prime_if_half_is(p: &Integer) -> bool {
    let exponent = Wiped::new(Integer::from(p - 1u32));
    let power = Integer::from(2).pow_mod(exponent.value(), p);
    power.is_ok_and(|r| r == 1) && !p.is_divisible_u(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_small_safe_primes() {
        let safe: Vec<u32> = (8..600).filter(|&n| is_safe_prime(&Integer::from(n))).collect();
        let expected =
            [11, 23, 47, 59, 83, 107, 167, 179, 227, 263, 347, 359, 383, 467, 479, 503, 563, 587];
        assert_eq!(safe, expected);
    }

    #[test]
    fn refuses_carmichael_numbers_and_primes_that_are_not_safe() {
        for n in [561u32, 1105, 1729, 2465, 13, 17, 41, 1_000_003] {
            assert!(!is_safe_prime(&Integer::from(n)), "{n}");
        }
    }
}
