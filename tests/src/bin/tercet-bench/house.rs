//! What the parts that need a whole house share.

use std::time::Instant;

/// Milliseconds since.
pub(crate) fn ms_since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000.0
}
