//! Exit codes: one table, stable across releases.

/// How a command ended, as programs see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what was asked.
    Ok = 0,
    /// It failed; nothing is known to have moved.
    Failure = 1,
    /// The command line is not one this program understands.
    Usage = 2,
    /// A policy or a node said no; nothing was signed.
    Refused = 3,
    /// It is not known whether the payment will settle.
    Unknown = 4,
    /// The coordinator, the chain or the merchant does not answer.
    Unreachable = 5,
    /// A file or a setting is not as it needs to be.
    Setup = 6,
    /// The chain shows the payment, and the merchant delivered nothing.
    NotDelivered = 7,
    /// An analysis found a payment that shows the contrary.
    Counterexample = 8,
    /// An analysis showed neither.
    NotProved = 9,
}

impl Exit {
    /// All codes, in order.
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::Refused,
        Self::Unknown,
        Self::Unreachable,
        Self::Setup,
        Self::NotDelivered,
        Self::Counterexample,
        Self::NotProved,
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failure => "failure",
            Self::Usage => "usage",
            Self::Refused => "refused",
            Self::Unknown => "unknown_outcome",
            Self::Unreachable => "unreachable",
            Self::Setup => "setup",
            Self::NotDelivered => "not_delivered",
            Self::Counterexample => "counterexample",
            Self::NotProved => "not_proved",
        }
    }

    /// What it means, in one line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Failure => "failed; nothing is known to have moved",
            Self::Usage => "the command line was not understood",
            Self::Refused => "a policy or a node said no; nothing was signed",
            Self::Unknown => "the payment may or may not settle; `tercet payment show ID` tells",
            Self::Unreachable => "the coordinator, the chain or the merchant does not answer",
            Self::Setup => "a file or a setting is not as it needs to be; `tercet doctor` tells",
            Self::NotDelivered => "paid, and the merchant delivered nothing",
            Self::Counterexample => "not so: a payment shows the contrary",
            Self::NotProved => "neither proved nor disproved",
        }
    }
}

/// The table under `tercet --help`.
pub const EXIT_TABLE: &str = "\
Exit codes:
  0  done
  1  failed; nothing is known to have moved
  2  the command line was not understood
  3  a policy or a node said no; nothing was signed
  4  the payment may or may not settle; `tercet payment show ID` tells
  5  the coordinator, the chain or the merchant does not answer
  6  a file or a setting is not as it needs to be; `tercet doctor` tells
  7  paid, and the merchant delivered nothing
  8  not so: a payment shows the contrary
  9  neither proved nor disproved";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_table_is_the_table() {
        let lines: Vec<_> =
            Exit::ALL.iter().map(|e| format!("  {}  {}", e.code(), e.meaning())).collect();
        assert_eq!(EXIT_TABLE, format!("Exit codes:\n{}", lines.join("\n")));
    }
}
