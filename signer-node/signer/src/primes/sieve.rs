//! The sieve: which of `start + 6k` can be the half of a safe prime.
//!
//! Promises: strikes out every `k` for which a prime below [`SIEVE_LIMIT`] divides
//! `q = start + 6k` or `2q + 1`, and no other. With `q = 5 (mod 6)`, 2 and 3 divide neither.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "every operand is below 2^22, and products are taken in 64 bits"
)]

use rug::Integer;

/// Sieve by all primes below this. Deeper costs more per window than it saves in powers.
const SIEVE_LIMIT: u32 = 1 << 22;
/// Candidates in a window.
pub(super) const WINDOW: usize = 1 << 16;
/// Shortest prime the sieve serves: shorter ones could strike out themselves.
pub(super) const BITS_MIN: u32 = 64;

/// The primes to sieve by.
pub(super) struct Sieve(Vec<u32>);

impl Sieve {
    pub(super) fn new() -> Self {
        let mut composite = vec![false; SIEVE_LIMIT as usize];
        let mut primes = Vec::new();
        for n in 2..SIEVE_LIMIT as usize {
            if composite.get(n).is_none_or(|&struck| struck) {
                continue;
            }
            strike(&mut composite, n * n, n);
            if n > 3 {
                primes.extend(u32::try_from(n));
            }
        }
        Self(primes)
    }

    /// The offsets `6k` of the candidates that no small prime rules out.
    ///
    /// `start` must be 5 modulo 6 and longer than [`BITS_MIN`] bits.
    pub(super) fn survivors(&self, start: &Integer) -> Vec<u32> {
        let mut struck = vec![false; WINDOW];
        for &r in &self.0 {
            let residue = start.mod_u(r);
            strike(&mut struck, first_hit(r, residue, 0), r as usize);
            strike(&mut struck, first_hit(r, residue, (r - 1) / 2), r as usize);
        }
        (0u32..).zip(struck).filter(|(_, struck)| !struck).map(|(k, _)| 6 * k).collect()
    }
}

/// The least `k` with `residue + 6k = target (mod r)`.
fn first_hit(r: u32, residue: u32, target: u32) -> usize {
    // The inverse of 6: 6 (r + 1)/6 = 1 for r = 5 (mod 6), and 6 (r - 1)/6 = -1 for r = 1 (mod 6).
    let inverse = if r % 6 == 5 { (r + 1) / 6 } else { r - (r - 1) / 6 };
    let distance = (target + r - residue) % r;
    let hit = u64::from(distance) * u64::from(inverse) % u64::from(r);
    usize::try_from(hit).unwrap_or(usize::MAX)
}

fn strike(cells: &mut [bool], first: usize, step: usize) {
    cells.iter_mut().skip(first).step_by(step).for_each(|cell| *cell = true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strikes_out_exactly_what_a_small_prime_divides() {
        let start = (Integer::from(1) << 200u32) - 1u32;
        let start = Integer::from(&start - start.mod_u(6)) + 5u32;
        let sieve = Sieve::new();
        let survivors = sieve.survivors(&start);
        assert!(survivors.len() > 200, "{}", survivors.len());
        let divided = |n: &Integer| sieve.0.iter().any(|&r| n.is_divisible_u(r));
        for offset in (0..6 * 3000).step_by(6) {
            let q = Integer::from(&start + offset);
            let p = Integer::from(&q << 1u32) + 1u32;
            let ruled_out = divided(&q) || divided(&p);
            assert_eq!(survivors.contains(&offset), !ruled_out, "{offset}");
        }
    }
}
