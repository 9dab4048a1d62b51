//! A journal that fails means no.

use super::*;

/// A journal of which one part fails.
struct Broken {
    inner: Book,
    part: &'static str,
}

impl Broken {
    fn check<T>(&self, part: &str, value: Result<T, LedgerError>) -> Result<T, String> {
        if self.part == part { Err(part.to_owned()) } else { value.map_err(|e| e.to_string()) }
    }
}

impl RecordSpend for Broken {
    type Failure = String;
    fn intent(&self, id: &IntentId) -> Result<Option<IntentRecord>, String> {
        self.check("intent", self.inner.intent(id))
    }
    fn slot(&self, slot: &Slot) -> Result<Option<SlotRecord>, String> {
        self.check("slot", self.inner.slot(slot))
    }
    fn ledger(&self) -> Result<&Ledger, String> {
        self.check("ledger", self.inner.ledger())
    }
    fn health(&self, agent: &AgentId) -> Result<&Health, String> {
        self.check("health", self.inner.health(agent))
    }
    fn tripped(&self, agent: &AgentId) -> Result<Option<&TripRow>, String> {
        self.check("tripped", self.inner.tripped(agent))
    }
    fn experience(&self) -> Result<&Experience, String> {
        self.check("experience", self.inner.experience())
    }
    fn channels(&self) -> Result<&Channels, String> {
        self.check("channels", self.inner.channels())
    }
    fn access_keys(&self) -> Result<&AccessKeys, String> {
        self.check("access_keys", self.inner.access_keys())
    }
    fn refused(&mut self, agent: &AgentId, at: UnixSeconds) {
        self.inner.refused(agent, at);
    }
    fn trip(&mut self, row: &TripRow) -> Result<(), String> {
        self.check("trip", Ok(()))?;
        self.inner.trip(row).map_err(|e| e.to_string())
    }
    fn record(&mut self, row: &SpendRow) -> Result<(), String> {
        self.check("record", Ok(()))?;
        self.inner.record(row).map_err(|e| e.to_string())
    }
}

#[test]
fn a_journal_that_fails_means_no() {
    for part in
        ["intent", "slot", "ledger", "health", "tripped", "experience", "access_keys", "record"]
    {
        let mut journal = Broken { inner: Book::new(), part };
        let proposal = proposal(1, x402(10, VENDOR, OTHER), NOW);
        let admitted = admit_while(&allowing(), None, proposal, NOW, &mut journal);
        assert_eq!(admitted.err(), Some(AdmitError::Journal(part.to_owned())));
        assert!(has_no_row(&journal.inner), "{part}");
    }
}

/// A stop that is not written down would be forgotten by a restart.
#[test]
fn a_stop_that_cannot_be_written_means_no() {
    let policy = policy(&format!("{ALLOW}  - freeze: {{ refusals: 1, per: hour }}"));
    let mut journal = Broken { inner: Book::new(), part: "trip" };
    let mut pay = |n, service| {
        let proposal = proposal(n, x402(10, service, OTHER), NOW);
        code(&admit_while(&policy, None, proposal, NOW, &mut journal))
    };
    assert_eq!(pay(1, "evil.example"), "policy");
    assert_eq!(pay(2, VENDOR), "journal");
    assert!(has_no_row(&journal.inner));
}
