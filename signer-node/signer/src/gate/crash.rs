//! Named places at which a process kills itself, so that tests can see what survives.

use std::str::FromStr;

/// A place on the path of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// The intent was opened; nothing is recorded.
    AfterOpen,
    /// The payment is recorded; no message has left.
    AfterAdmit,
    /// Channels stand and hellos are exchanged; the rounds begin.
    MidRounds,
    /// The signature exists here, and nobody was told.
    AfterSignature,
}

impl CrashPoint {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::AfterOpen, Self::AfterAdmit, Self::MidRounds, Self::AfterSignature];

    /// The word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::AfterOpen => "after_open",
            Self::AfterAdmit => "after_admit",
            Self::MidRounds => "mid_rounds",
            Self::AfterSignature => "after_signature",
        }
    }

    /// Ends the process as `kill -9` would: nothing is flushed, closed or told.
    pub(super) fn abort(self) {
        tracing::error!(at = self.word(), "crashing on purpose");
        std::process::abort();
    }
}

impl FromStr for CrashPoint {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|point| point.word() == word);
        found.ok_or_else(|| format!("the points are {}", Self::ALL.map(Self::word).join(", ")))
    }
}
