//! Wall clocks: from what a clock shows to the moments at which it shows it.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset};

use crate::time::UnixSeconds;
use crate::window::Zone;

/// The moments at which a wall clock shows one time: the same twice, but where the clock goes back
/// over it. A time that the clock skips has the moment of the skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moments {
    pub(crate) first: UnixSeconds,
    pub(crate) last: UnixSeconds,
}

impl Zone {
    /// When the wall clock of the zone shows `local`; nothing outside of 1970 to 9999.
    pub(crate) fn moments(&self, local: DateTime) -> Option<Moments> {
        let with = |offset: Offset| offset.to_timestamp(local).ok();
        let (first, last) = match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => (with(offset)?, with(offset)?),
            AmbiguousOffset::Fold { before, after } => (with(before)?, with(after)?),
            // Read with the later offset, a skipped time lies before the skip.
            AmbiguousOffset::Gap { after, .. } => {
                let skip = self.zone.following(with(after)?).next()?.timestamp();
                (skip, skip)
            }
        };
        Some(Moments { first: seconds(first)?, last: seconds(last)? })
    }

    /// The last moment up to `now` at which the wall clock jumped.
    pub(crate) fn last_jump(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let after = Timestamp::from_second(i64::try_from(now.0).ok()?.checked_add(1)?).ok()?;
        seconds(self.zone.preceding(after).next()?.timestamp())
    }

    /// The moments after `now` at which the wall clock jumps.
    pub(crate) fn jumps_after(&self, now: UnixSeconds) -> impl Iterator<Item = UnixSeconds> {
        let now = i64::try_from(now.0).ok().and_then(|now| Timestamp::from_second(now).ok());
        let jumps = now.into_iter().flat_map(|now| self.zone.following(now));
        jumps.filter_map(|jump| seconds(jump.timestamp()))
    }
}

fn seconds(moment: Timestamp) -> Option<UnixSeconds> {
    u64::try_from(moment.as_second()).ok().map(UnixSeconds)
}
