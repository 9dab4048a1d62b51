//! How long a run may take.

use std::time::Duration;

/// Longest wait for a free thread, in milliseconds.
const THREAD_WAIT_MS_MAX: u64 = 10_000;
/// Auxiliary data: a peer proves and verifies for some fifteen seconds between two messages, and
/// all three may share one small machine.
const AUX_MESSAGE_WAIT_MS_MAX: u64 = 240_000;
const AUX_RUN_MS_MAX: u64 = 900_000;
/// A new wallet: milliseconds of work and four exchanges.
const WALLET_MESSAGE_WAIT_MS_MAX: u64 = 10_000;
const WALLET_RUN_MS_MAX: u64 = 30_000;
/// A signature: up to half a second of work between two messages, behind other signatures.
const SIGN_MESSAGE_WAIT_MS_MAX: u64 = 15_000;
const SIGN_RUN_MS_MAX: u64 = 45_000;

/// A presignature: in the background, on a machine that payments may keep busy.
const PRESIGN_MS_MAX: u64 = 120_000;

/// The limits of one run. Each ends it with [`super::TssError::Deadline`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Longest wait for a free thread.
    pub thread: Duration,
    /// Longest wait for one message to come, or to be taken from us.
    pub message: Duration,
    /// Longest run, from its first instruction to its result.
    pub run: Duration,
}

impl Patience {
    /// For [`super::make_group_aux`].
    pub const GROUP_AUX: Self = Self::of_ms(AUX_MESSAGE_WAIT_MS_MAX, AUX_RUN_MS_MAX);
    /// For [`super::make_wallet`].
    pub const WALLET: Self = Self::of_ms(WALLET_MESSAGE_WAIT_MS_MAX, WALLET_RUN_MS_MAX);
    /// For [`super::sign`].
    pub const SIGN: Self = Self::of_ms(SIGN_MESSAGE_WAIT_MS_MAX, SIGN_RUN_MS_MAX);

    /// For [`super::presign`], which gives way to everything else on both sides.
    pub const PRESIGN: Self = Self {
        thread: Duration::from_millis(PRESIGN_MS_MAX),
        message: Duration::from_millis(PRESIGN_MS_MAX),
        run: Duration::from_millis(PRESIGN_MS_MAX),
    };

    const fn of_ms(message_ms: u64, run_ms: u64) -> Self {
        Self {
            thread: Duration::from_millis(THREAD_WAIT_MS_MAX),
            message: Duration::from_millis(message_ms),
            run: Duration::from_millis(run_ms),
        }
    }
}
