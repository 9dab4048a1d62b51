//! `v1_channels`: the MPP channels of contracts from before TIP-1034 that may be left by force.
//!
//! Tercet opens no such channel, so no journal knows one, and what an agent says of one is 32 bytes
//! that cost a fee each time. That another client opened it for this wallet, only the authority can
//! vouch for.
//!
//! Promises: such a channel is left where every policy that applies and has the rule names it, and
//! one at least does. Other payments are not troubled, and nothing else is ever granted by it.
//!
//! Refuses: where no policy has the rule.
//!
//! Does not protect against: the fees for a channel that is named and is not there, or is not this
//! wallet's: one for each step in [`EXIT_PAUSE_SECONDS`](crate::channel::EXIT_PAUSE_SECONDS).

use std::collections::BTreeSet;

use crate::ask::{Ask, Facts};
use crate::decision::Opinion;
use crate::mpp::ChannelId;
use crate::rules::{Judgement, Policy, Rule, RuleKind, View};

/// The channels of older contracts that may be left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V1Channels {
    pub(crate) channels: BTreeSet<ChannelId>,
    /// For findings: the name of the list, or its entries.
    pub(super) text: String,
}

impl V1Channels {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let limit = self.text.clone();
        match view.ask.leaves_v1 {
            None => Judgement::unconcerned(limit, view.ask),
            Some(channel) => {
                let kept = self.channels.contains(&channel);
                let asked = written(channel);
                Judgement { kept, grants: kept, limit, asked, ..Judgement::default() }
            }
        }
    }

    /// What it names, as files write it.
    pub(crate) fn entries(&self) -> BTreeSet<String> {
        self.channels.iter().map(|channel| written(*channel)).collect()
    }
}

impl Policy {
    /// What its rule about channels of older contracts says, and no other.
    pub(crate) fn exit_opinion(&self, ask: &Ask<'_>, facts: &Facts<'_>) -> Opinion {
        let view = View::new(ask, facts, self);
        let about_exits = |rule: &&Rule| rule.as_v1_channels().is_some();
        Opinion {
            policy: self.name.clone(),
            epoch: self.epoch,
            subject: self.subject.clone(),
            mode: self.mode,
            findings: self.rules.iter().filter(about_exits).map(|rule| rule.find(&view)).collect(),
        }
    }
}

impl Rule {
    /// The channels of older contracts that it names; nothing for rules of another kind.
    pub(crate) const fn as_v1_channels(&self) -> Option<&V1Channels> {
        match &self.kind {
            RuleKind::V1Channels(named) => Some(named),
            _ => None,
        }
    }
}

/// A channel as MPP writes it.
fn written(channel: ChannelId) -> String {
    format!("0x{channel}")
}

/// The channels of a list, each as MPP writes it.
pub(super) fn channels<'a>(
    entries: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<ChannelId>, String> {
    let read = |text: &str| {
        let digits = text.strip_prefix("0x").and_then(|digits| digits.parse().ok());
        digits
            .ok_or_else(|| format!("{text:?} is not a channel: write 0x and 64 hexadecimal digits"))
    };
    entries.into_iter().map(read).collect()
}
