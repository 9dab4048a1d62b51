//! Named places at which a test makes the process die, as a power cut would.
//!
//! Set only by the hidden flag `--insecure-crash-at`; without it every check is one comparison.

use std::str::FromStr;

/// A place in the life of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// The payment is stored; nothing was sent.
    AfterInsert,
    /// Every node that signs was told to: with both in rounds, with the one that joins a part.
    AfterSignSent,
    /// The signature's slot, digest and transaction are stored.
    AfterSignedStored,
    /// The transaction was handed to the chain; that is not stored yet.
    AfterBroadcast,
}

/// Not a crash point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("crash points are after_insert, after_sign_sent, after_signed_stored, after_broadcast")]
pub struct UnknownCrashPoint;

impl FromStr for CrashPoint {
    type Err = UnknownCrashPoint;
    fn from_str(word: &str) -> Result<Self, UnknownCrashPoint> {
        match word {
            "after_insert" => Ok(Self::AfterInsert),
            "after_sign_sent" => Ok(Self::AfterSignSent),
            "after_signed_stored" => Ok(Self::AfterSignedStored),
            "after_broadcast" => Ok(Self::AfterBroadcast),
            _ => Err(UnknownCrashPoint),
        }
    }
}

/// Where to die, if anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrashPlan(pub Option<CrashPoint>);

impl CrashPlan {
    /// Aborts the process if this is the place.
    pub fn reach(self, point: CrashPoint) {
        if self.0 == Some(point) {
            tracing::error!(?point, "crashing here, as --insecure-crash-at says");
            std::process::abort();
        }
    }
}
