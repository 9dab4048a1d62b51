//! Multi-exponentiation tables of busy groups: a quarter less CPU for each presignature.
//!
//! A group's tables take some fifteen seconds of CPU to build and a megabyte to keep, and save half
//! a second for each presignature that its pair makes (`bench-presign`, with and without `tables`).
//! Hence they are built for groups that have made [`RUNS_BEFORE_TABLES`], by one thread at a time
//! that gives way to everything, and for [`GROUPS_WITH_TABLES_MAX`] groups at most.
//!
//! Promises: tables are in memory alone, and are as secret as the share; what they were built from
//! is what is at hand when they are done, or they are dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tercet_policy::party::AgentId;

use super::Vault;
use crate::tss::GroupAux;

/// Presignatures of a group after which its tables are worth their making.
const RUNS_BEFORE_TABLES: u32 = 64;
/// Most groups with tables at once: 64 MiB.
const GROUPS_WITH_TABLES_MAX: usize = 64;
/// Groups whose presignatures are counted; those of more make no tables.
const GROUPS_COUNTED_MAX: usize = 4_096;
/// How much the building of tables gives way: the nice value added to its thread.
const TABLES_NICENESS: i32 = 19;

/// What groups have made, and which have tables.
#[derive(Debug, Default)]
pub(super) struct Tables(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    runs: BTreeMap<AgentId, u32>,
    built: BTreeSet<AgentId>,
    is_building: bool,
}

impl Tables {
    /// A panic of another holder leaves the counts whole: every change to them is one call.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Counts a presignature; whether it is time to build the group's tables.
    fn made(&mut self, agent: &AgentId) -> bool {
        if self.built.contains(agent)
            || (self.runs.len() >= GROUPS_COUNTED_MAX && !self.runs.contains_key(agent))
        {
            return false;
        }
        let runs = self.runs.entry(agent.clone()).or_default();
        *runs = runs.saturating_add(1);
        let is_time = *runs >= RUNS_BEFORE_TABLES
            && !self.is_building
            && self.built.len() < GROUPS_WITH_TABLES_MAX;
        self.is_building |= is_time;
        is_time
    }

    fn ended(&mut self, agent: &AgentId, well: bool) {
        self.is_building = false;
        self.runs.remove(agent);
        if well {
            self.built.insert(agent.clone());
        }
    }
}

impl Vault {
    /// A group has made a presignature. Builds its tables in the background when they are due.
    pub(crate) fn note_presignature(self: &Arc<Self>, agent: &AgentId) {
        if !self.tables.lock().made(agent) {
            return;
        }
        let Ok(plain) = self.aux(agent) else { return self.tables.lock().ended(agent, false) };
        // A node that stops waits for nobody here: its home is free before the tables are done.
        let (vault, group) = (Arc::downgrade(self), agent.clone());
        let building = std::thread::Builder::new().name("tables".to_owned()).spawn(move || {
            // A kernel that refuses costs payments some speed, and nothing else.
            let _ = rustix::process::nice(TABLES_NICENESS);
            let tabled = plain.with_tables();
            let Some(vault) = vault.upgrade() else { return };
            let well = match tabled {
                Ok(tabled) => vault.use_tables(&group, tabled),
                Err(error) => {
                    tracing::warn!(agent = %group, %error, "the tables could not be built");
                    false
                }
            };
            vault.tables.lock().ended(&group, well);
        });
        if building.is_err() {
            self.tables.lock().ended(agent, false);
        }
    }

    /// Whether the group has these tables from now on.
    pub(crate) fn use_tables(&self, agent: &AgentId, tabled: GroupAux) -> bool {
        let tabled = Arc::new(tabled);
        let is_same = |held: &Arc<GroupAux>| held.aux_hash() == tabled.aux_hash();
        let mut open = self.open();
        if !open.groups.get(agent).is_some_and(is_same) {
            return false;
        }
        open.forget_shares_under(tabled.aux_hash());
        open.groups.insert(agent.clone(), tabled);
        tracing::info!(%agent, "the group's tables are built");
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(n: usize) -> AgentId {
        AgentId::new(&format!("agent-{n}")).unwrap()
    }

    #[test]
    fn tables_are_built_for_busy_groups_one_after_the_other_and_once() {
        let mut counts = Counts::default();
        let due = |counts: &mut Counts, n| {
            (0..RUNS_BEFORE_TABLES).filter(|_| counts.made(&agent(n))).count()
        };
        assert_eq!(due(&mut counts, 1), 1);
        assert!(!counts.made(&agent(1)), "being built");
        assert_eq!(due(&mut counts, 2), 0, "another is being built");
        counts.ended(&agent(1), true);
        assert!(!counts.made(&agent(1)), "built");
        assert!(counts.made(&agent(2)));
        counts.ended(&agent(2), false);
        assert_eq!(due(&mut counts, 2), 1, "a failure is tried again, as late as the first time");
    }

    #[test]
    fn the_number_of_groups_is_bounded() {
        let mut counts = Counts::default();
        for n in 0..GROUPS_WITH_TABLES_MAX {
            counts.ended(&agent(n), true);
        }
        let late = agent(GROUPS_WITH_TABLES_MAX);
        assert!((0..2 * RUNS_BEFORE_TABLES).all(|_| !counts.made(&late)));
        for n in 0..2 * GROUPS_COUNTED_MAX {
            counts.made(&agent(n));
        }
        assert_eq!(counts.runs.len(), GROUPS_COUNTED_MAX);
    }
}
