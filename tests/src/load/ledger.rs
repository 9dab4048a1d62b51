//! What the operator's node has admitted, read from its journal on disk after it has stopped.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Result, ensure};
use tercet_cli::demo::house::{Seat, now};
use tercet_policy::intent::IntentId;
use tercet_policy::rows::SpendRow;
use tercet_signer::journal::{Journal, Pins};
use tercet_signer_node::config::NodeConfig;

/// The rows of a journal.
#[derive(Debug)]
pub struct Ledger {
    rows: Vec<SpendRow>,
}

impl Ledger {
    /// Reads the journal of a node that does not run.
    ///
    /// # Errors
    /// A home in use, or a journal that does not verify.
    pub async fn read(seat: &Seat) -> Result<Self> {
        let authority = NodeConfig::read(&seat.config())?.authority;
        let (home, _) = seat.open()?;
        let pins = Pins { authority, own_policies: Vec::new() };
        let journal = Journal::open(Arc::new(home), pins, now()).await?;
        let rows = journal.unsettled().await?;
        journal.close().await?;
        Ok(Self { rows })
    }

    /// Checks that exactly the payments that were answered with a signature were admitted, each
    /// once and each for `units`.
    ///
    /// # Errors
    /// Says which way they differ.
    pub fn is_exactly(&self, signed: &BTreeSet<IntentId>, units: u128) -> Result<()> {
        let admitted: BTreeSet<_> = self.rows.iter().map(|row| row.intent).collect();
        let slots: BTreeSet<_> = self.rows.iter().map(|row| row.slot.to_string()).collect();
        let count = self.rows.len();
        ensure!(admitted.len() == count, "{count} rows for {} intents", admitted.len());
        ensure!(slots.len() == count, "{count} rows for {} slots", slots.len());
        let lost = admitted.difference(signed).count();
        ensure!(lost == 0, "{lost} payments were admitted and never answered");
        let unknown = signed.difference(&admitted).count();
        ensure!(unknown == 0, "{unknown} payments were answered and never admitted");
        let sum: u128 = self.rows.iter().map(|row| row.amount.base_units()).sum();
        let expected = units.saturating_mul(u128::try_from(count)?);
        ensure!(sum == expected, "{sum} base units were admitted for {count} payments of {units}");
        Ok(())
    }

    /// How many payments it admitted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it admitted none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
