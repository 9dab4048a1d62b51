//! What the rules of a policy count over, for a ledger to keep ready.

use crate::chain::ASSETS;
use crate::ledger::{Axis, Line, Measure};
use crate::rules::{Freeze, Mpp, Policy, RuleKind, X402};

impl Policy {
    /// The lines that its rules count over, within its subject: for
    /// [`Ledger::watch`](crate::ledger::Ledger::watch). A rule that is missing here is judged
    /// as well, by a scan of its window.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<_> = self.rules.iter().flat_map(|rule| rule.kind.lines()).collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }
}

impl RuleKind {
    /// A spike is one of whatever asset is asked for.
    fn lines(&self) -> Vec<Line> {
        if let Self::Freeze(Freeze::Spike(_)) = self {
            let total = |symbol| Line { measure: Measure::Amount(symbol), axis: None };
            return ASSETS.iter().map(|asset| total(asset.symbol)).collect();
        }
        self.line().into_iter().collect()
    }

    fn line(&self) -> Option<Line> {
        match self {
            Self::Limit(rule) => {
                Some(Line { measure: Measure::Amount(rule.amount.symbol), axis: rule.by })
            }
            Self::Rate(rule) => Some(Line { measure: Measure::Count, axis: rule.by }),
            Self::MaxFee(rule) => {
                rule.window.as_ref().map(|_| Line { measure: Measure::FeeWei, axis: None })
            }
            Self::X402(X402::SessionBudget(money))
            | Self::Mpp(Mpp::SessionBudget(money) | Mpp::MaxDeposit(money)) => {
                let measure = Measure::Amount(money.symbol);
                Some(Line { measure, axis: Some(Axis::Session) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
