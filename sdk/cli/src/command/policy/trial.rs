//! Policies with a ledger of their own, to be asked without a node.
//!
//! Promises: nothing is signed, reserved or sent, and every verdict is that of
//! [`decide`], which nodes use too. A policy of another agent or wallet is not asked, as on a
//! node.
//!
//! Does not protect against: what only a node knows, such as an agent without a policy of its own.

use std::collections::BTreeSet;

use alloy_primitives::B256;
use serde_json::json;
use tercet_policy::admission::{Book, RecordSpend as _};
use tercet_policy::ask::{Ask, Facts, MppAsk, MppIntent, SignedBy};
use tercet_policy::decision::{Decision, decide};
use tercet_policy::document::ContentHash;
use tercet_policy::intent::IntentId;
use tercet_policy::ledger::Ledger;
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::registry::Registry;
use tercet_policy::report::{ReportKind, ReportRow};
use tercet_policy::rows::{HoldId, HoldKind, HoldRow, PolicyEpochs, SpendRow, TripRow};
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;
use tercet_policy::window::TZDB_VERSION;

use super::file::Source;
use super::history::{Became, Fate, Past};
use super::payment::Asked;
use super::people::{AGENT_KEY, CONTENT, NO_INTENT, People};

/// How long a deposit of the past is taken to be drawn on, in seconds: 30 days.
const DEPOSIT_SECONDS: u64 = 2_592_000;

/// Policies that all apply, and what they have seen.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    policies: Vec<Policy>,
    people: People,
    registry: Option<&'a Registry>,
    ledger: Ledger,
    /// Refusals, failures, stops, and payments that something is reported of.
    book: Book,
    /// Sessions that a deposit is open for.
    deposits: BTreeSet<String>,
    recorded: usize,
}

impl<'a> Trial<'a> {
    /// Policies that have seen nothing.
    pub(super) fn new(sources: &[&Source], registry: Option<&'a Registry>) -> Result<Self, String> {
        let (mut people, mut ledger) = (People::default(), Ledger::new());
        let policies = sources.iter().map(|source| people.stand_in(source));
        let policies: Vec<_> = policies.collect::<Result<_, _>>()?;
        for policy in &policies {
            ledger.watch(policy.subject(), policy.lines());
        }
        let (book, deposits) = (Book::new(), BTreeSet::new());
        Ok(Self { policies, people, registry, ledger, book, deposits, recorded: 0 })
    }

    /// What was paid.
    pub(super) fn into_ledger(self) -> Ledger {
        self.ledger
    }

    /// What the policies say to a payment.
    pub(super) fn decide(&self, asked: &Asked) -> Result<Decision, String> {
        let ask = asked.ask()?;
        let signed = Some(SignedBy { intent: NO_INTENT, key: AGENT_KEY, content_hash: CONTENT });
        let ask = Ask { signed, ..ask };
        let approvals = self.people.approvals(&asked.said)?;
        let known = Facts::known_to(&self.book, ask.agent, asked.at);
        let facts = Facts {
            ledger: &self.ledger,
            registry: self.registry,
            balance: asked.balance,
            approvals: &approvals,
            ..known.map_err(|error| error.to_string())?
        };
        let apply = self.policies.iter().filter(|policy| policy.applies_to(&ask));
        Ok(decide(&apply.collect::<Vec<_>>(), &ask, &facts))
    }

    /// Takes in what happened.
    pub(super) fn take(&mut self, past: &Past) -> Result<(), String> {
        let (agent, at) = (&past.asked.intent.agent, past.asked.at);
        match past.fate {
            Fate::Paid => self.record(past)?,
            Fate::Refused => self.book.refused(agent, at),
            Fate::Void => self.book.note_failure(agent, at),
            Fate::Asked => {}
        }
        Ok(())
    }

    /// A payment was made.
    pub(super) fn record(&mut self, past: &Past) -> Result<(), String> {
        self.recorded = self.recorded.saturating_add(1);
        let ask = past.asked.ask()?;
        let opens = ask.mpp.and_then(|mpp| deposit(&mpp));
        if let Some(amount) = opens {
            return self.hold(&past.asked, &ask, amount);
        }
        let row = self.row(&past.asked, &ask, past.counted);
        self.ledger.record(&row).map_err(|error| error.to_string())?;
        past.became.map_or(Ok(()), |became| self.note(&row, became))
    }

    /// A rule stopped the agent, and the authority resumed it at once.
    pub(super) fn stop(&mut self, agent: &AgentId, at: UnixSeconds) -> Result<(), String> {
        let (agent, reason) = (agent.clone(), "a trial".to_owned());
        let row = TripRow { agent, reason, freeze_epoch: 0, at };
        self.book.trip(&row).map_err(|error| error.to_string())
    }

    /// A payment was refused.
    pub(super) fn refuse(&mut self, agent: &AgentId, at: UnixSeconds) {
        self.book.refused(agent, at);
    }

    /// A payment that was admitted never happened.
    pub(super) fn fail(&mut self, agent: &AgentId, at: UnixSeconds) {
        self.book.note_failure(agent, at);
    }

    /// What became of a payment, for the trust in who was paid.
    fn note(&mut self, row: &SpendRow, became: Became) -> Result<(), String> {
        self.book.record(row).map_err(|error| error.to_string())?;
        let kind = match became {
            Became::Settled => {
                self.book.note_settled(&row.intent);
                return Ok(());
            }
            Became::MerchantRefused => ReportKind::MerchantRefused,
            Became::Undelivered => ReportKind::Undelivered,
            Became::Disputed => ReportKind::Disputed,
        };
        let payee = tercet_policy::registry::Payee::of(row.service.as_ref(), row.recipient);
        // As a journal reads its own rows: a trial's are nobody's evidence.
        let report: ReportRow = serde_json::from_value(json!({
            "agent": row.agent,
            "intent": row.intent,
            "payee": payee,
            "kind": kind,
            "at": row.at,
        }))
        .map_err(|error| error.to_string())?;
        self.book.report(&report);
        Ok(())
    }

    /// A deposit was made, and its session is open.
    fn hold(&mut self, asked: &Asked, ask: &Ask<'_>, amount: Amount) -> Result<(), String> {
        let session = ask.session.ok_or("a deposit is for a session: name it")?;
        if !self.deposits.insert(session.to_string()) {
            return Err(format!("session {session} has a deposit already"));
        }
        let row = HoldRow {
            hold: HoldId(nth_id(self.recorded)),
            kind: HoldKind::SessionDeposit,
            agent: ask.agent.clone(),
            wallet: ask.wallet,
            chain: ask.asset.chain,
            token: ask.asset.token,
            amount,
            protocol: ask.protocol(),
            recipient: ask.recipient,
            service: ask.service.cloned(),
            category: self.category(ask),
            session: Some(session.clone()),
            policies: PolicyEpochs::default(),
            tzdb: TZDB_VERSION.to_owned(),
            at: asked.at,
            expires_at: asked.at.plus(DEPOSIT_SECONDS),
        };
        self.ledger.hold(&row).map_err(|error| error.to_string())
    }

    fn category(&self, ask: &Ask<'_>) -> Option<tercet_policy::registry::Category> {
        let who = self.registry.and_then(|registry| registry.counterparty(ask));
        who.and_then(|who| who.category.clone())
    }

    fn row(&self, asked: &Asked, ask: &Ask<'_>, amount: Amount) -> SpendRow {
        let id = nth_id(self.recorded);
        let (wallet, chain, token) = (ask.wallet, ask.asset.chain, ask.asset.token);
        let nonce = B256::from(id);
        SpendRow {
            intent: IntentId(id),
            content_hash: ContentHash(id),
            agent: ask.agent.clone(),
            wallet,
            kind: ask.kind,
            chain,
            token,
            amount,
            recipient: ask.recipient,
            service: ask.service.cloned(),
            endpoint: ask.endpoint.clone(),
            category: self.category(ask),
            session: ask.session.cloned(),
            hold: None,
            channel: None,
            key: None,
            mark: None,
            fee: None,
            cancels: None,
            slot: Slot::Eip3009 { wallet, chain, token, nonce },
            digest: nonce,
            replaces: None,
            terms: terms(ask, asked.at, nonce),
            policies: PolicyEpochs::default(),
            tzdb: TZDB_VERSION.to_owned(),
            at: asked.at,
        }
    }
}

/// What an open or a top-up sets aside.
fn deposit(mpp: &MppAsk) -> Option<Amount> {
    mpp.deposit.filter(|_| mpp.intent == MppIntent::Session)
}

/// Terms with the fee of the payment, where one is known.
fn terms(ask: &Ask<'_>, at: UnixSeconds, nonce: B256) -> ChainTerms {
    match ask.fee_wei.filter(|fee| *fee > Amount::ZERO) {
        Some(max_fee_per_gas) => ChainTerms::Eip1559 {
            nonce: 0,
            gas_limit: 1,
            max_fee_per_gas,
            max_priority_fee_per_gas: Amount::ZERO,
        },
        None => ChainTerms::Eip3009 { nonce, valid_after: UnixSeconds(0), valid_before: at },
    }
}

/// A name for each payment of a trial.
fn nth_id(place: usize) -> [u8; 32] {
    let mut id = [0xff; 32];
    for (byte, place) in id.iter_mut().zip(place.to_be_bytes()) {
        *byte = place;
    }
    id
}
