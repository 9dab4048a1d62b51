//! Policies with a ledger of their own, to be asked without a node.
//!
//! Promises: nothing is signed, reserved or sent, and every verdict is that of
//! [`decide`](tercet_policy::decision::decide), which nodes use too.

use alloy_primitives::B256;
use tercet_policy::ask::{Ask, Facts};
use tercet_policy::decision::{Decision, decide};
use tercet_policy::document::ContentHash;
use tercet_policy::intent::IntentId;
use tercet_policy::ledger::{Health, Ledger};
use tercet_policy::money::Amount;
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::registry::Registry;
use tercet_policy::rows::{PolicyEpochs, SpendRow};
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;
use tercet_policy::window::TZDB_VERSION;

use super::payment::Asked;

/// Policies that all apply, and what they have seen.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    policies: Vec<&'a Policy>,
    registry: Option<&'a Registry>,
    ledger: Ledger,
    health: Health,
}

impl<'a> Trial<'a> {
    /// Policies that have seen nothing.
    pub(super) fn new(policies: Vec<&'a Policy>, registry: Option<&'a Registry>) -> Self {
        Self { policies, registry, ledger: Ledger::new(), health: Health::default() }
    }

    /// What the policies say to a payment.
    pub(super) fn decide(&self, asked: &Asked) -> Result<Decision, String> {
        let facts = Facts {
            health: &self.health,
            registry: self.registry,
            balance: asked.balance,
            ..Facts::of(&self.ledger, asked.at)
        };
        Ok(decide(&self.policies, &asked.ask()?, &facts))
    }

    /// A payment was made; `amount` of it counts.
    pub(super) fn record(&mut self, asked: &Asked, amount: Amount) -> Result<(), String> {
        let ask = asked.ask()?;
        let row = self.row(asked, &ask, amount);
        self.ledger.record(&row).map_err(|error| error.to_string())
    }

    /// A payment was refused.
    pub(super) fn refuse(&mut self, at: UnixSeconds) {
        self.health.refuse(at);
    }

    /// A payment that was admitted never happened.
    pub(super) fn fail(&mut self, at: UnixSeconds) {
        self.health.fail(at);
    }

    fn row(&self, asked: &Asked, ask: &Ask<'_>, amount: Amount) -> SpendRow {
        let id = nth_id(self.ledger.len());
        let (wallet, chain, token, nonce) = (ask.wallet, ask.asset.chain, ask.asset.token, B256::from(id));
        let who = self.registry.and_then(|registry| registry.counterparty(ask));
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
            category: who.and_then(|who| who.category.clone()),
            session: ask.session.cloned(),
            hold: None,
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

fn nth_id(place: usize) -> [u8; 32] {
    let mut id = [0xff; 32];
    for (byte, place) in id.iter_mut().zip(place.to_be_bytes()) {
        *byte = place;
    }
    id
}
