//! A GMP integer that overwrites itself.
//!
//! Promises: when dropped, every limb that holds the value is zero. Does not reach copies that
//! GMP made on the way (reallocation, scratch space).

use rug::Integer;

/// A secret integer, without voice and without `Clone`.
pub(super) struct Wiped(Integer);

impl Wiped {
    pub(super) fn new(value: Integer) -> Self {
        Self(value)
    }

    pub(super) fn value(&self) -> &Integer {
        &self.0
    }

    pub(super) fn value_mut(&mut self) -> &mut Integer {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        // GMP clears a bit in place, so the limbs themselves become zero; assigning zero would
        // only shorten the number. Calls into GMP are not optimised away.
        for bit in 0..self.0.significant_bits() {
            self.0.set_bit(bit, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_bit_by_bit_leaves_zero() {
        let mut secret = Wiped::new((Integer::from(1) << 1535u32) + 12_345);
        for bit in 0..secret.value().significant_bits() {
            secret.value_mut().set_bit(bit, false);
        }
        assert_eq!(*secret.value(), 0);
    }
}
