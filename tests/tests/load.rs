//! Eight agents at once, small: what `make bench` does with sixty-four (`tercet-load`).
//!
//! With presignatures of the INSECURE dealer, hence behind a feature:
//! `cargo test -p tercet-tests --features insecure-dealer --test load`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "tests may fail, loudly"
)]

use std::path::Path;

use anyhow::{Result, ensure};
use tercet_tests::load::fleet::{Fleet, FleetPlan};
use tercet_tests::load::runs::{self, UNITS};

const AGENTS: usize = 8;
const ALLOWED: usize = 200;
const ASKED_EACH: usize = 30;
/// Requests at once, out of nowhere.
const BURST: usize = 160;

/// Eight agents ask for 240 payments that one budget over all of them allows 200 of; then 160
/// requests come at once. Nothing is signed twice, over the budget, or lost.
#[tokio::test(flavor = "multi_thread")]
async fn exactly_what_the_budget_allows_is_signed_and_a_burst_loses_nothing() -> Result<()> {
    let program = Path::new(env!("CARGO_BIN_EXE_tercet-load"));
    let budget_units = UNITS * ALLOWED as u128;
    let plan = FleetPlan { agents: AGENTS, program: program.to_owned(), budget_units };
    let mut fleet = Box::pin(Fleet::start(&plan, program.parent().unwrap())).await?;
    fleet.fill(AGENTS, 64).await?;
    let run = runs::closed(&fleet, AGENTS, ASKED_EACH).await?;
    let asked = AGENTS * ASKED_EACH;
    let found = (run.signed.len(), run.refused.len());
    ensure!(found == (ALLOWED, asked - ALLOWED), "{found:?} signed and refused of {asked}");
    runs::all_can_be_read_again(&run).await?;

    fleet.allow(budget_units * 10).await?;
    fleet.fill(AGENTS, 64).await?;
    let requests = runs::prepare(&fleet, BURST).await?;
    let burst = runs::open(requests, 100_000.0).await?;
    let (signed, shed) = (burst.signed.len(), burst.shed_ms.len());
    ensure!(signed + shed == BURST && burst.told_when == shed, "{signed} signed, {shed} sent away");
    ensure!(signed > 0, "nothing was signed");
    runs::all_can_be_read_again(&burst).await?;

    let all = run.intents().union(&burst.intents()).copied().collect();
    fleet.close().await?.is_exactly(&all, UNITS)
}
