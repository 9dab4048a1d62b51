//! Names by number, so that a payment keeps four bytes for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;

use crate::chain::ASSETS;
use crate::declared::{Endpoint, SessionName};
use crate::intent::Service;
use crate::ledger::{Axis, Scope};
use crate::party::AgentId;
use crate::registry::Category;
use crate::rows::{HoldRow, Protocol, SpendRow};
use crate::subject::Subject;

/// A name's number. A number is given again once nothing refers to the name any more.
pub(super) type Number = u32;
/// The number of no name.
pub(super) const NOBODY: Number = 0;

/// Names of one kind, each with the number of its users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interner<T: Ord> {
    numbers: BTreeMap<Arc<T>, Number>,
    names: Vec<Option<(Arc<T>, u32)>>,
    free: Vec<Number>,
}

impl<T: Ord> Default for Interner<T> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), names: Vec::new(), free: Vec::new() }
    }
}

fn place(number: Number) -> Option<usize> {
    number.checked_sub(1).and_then(|place| usize::try_from(place).ok())
}

impl<T: Ord + Clone> Interner<T> {
    pub(super) fn find(&self, name: &T) -> Option<Number> {
        self.numbers.get(name).copied()
    }

    fn find_or_none(&self, name: Option<&T>) -> Option<Number> {
        name.map_or(Some(NOBODY), |name| self.find(name))
    }

    pub(super) fn name(&self, number: Number) -> Option<&T> {
        let (name, _) = self.names.get(place(number)?)?.as_ref()?;
        Some(name)
    }

    /// Takes the name into use once more.
    fn take(&mut self, name: Option<&T>) -> Number {
        let Some(name) = name else { return NOBODY };
        if let Some(number) = self.find(name) {
            self.take_again(number);
            return number;
        }
        let name = Arc::new(name.clone());
        let number = self.free.pop().unwrap_or_else(|| {
            self.names.push(None);
            Number::try_from(self.names.len()).unwrap_or(Number::MAX)
        });
        if let Some(slot) = place(number).and_then(|place| self.names.get_mut(place)) {
            *slot = Some((Arc::clone(&name), 1));
        }
        self.numbers.insert(name, number);
        number
    }

    fn take_again(&mut self, number: Number) {
        let slot = place(number).and_then(|place| self.names.get_mut(place));
        if let Some((_, users)) = slot.and_then(Option::as_mut) {
            *users = users.saturating_add(1);
        }
    }

    /// Gives up one use; the name goes with its last.
    fn release(&mut self, number: Number) {
        let Some(slot) = place(number).and_then(|place| self.names.get_mut(place)) else { return };
        let Some((name, users)) = slot else { return };
        *users = users.saturating_sub(1);
        if *users == 0 {
            self.numbers.remove(name);
            *slot = None;
            self.free.push(number);
        }
    }
}

/// A subject in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Organisation,
    Agent(Number),
    Wallet(Number),
}

/// Who and what a payment counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) agent: Number,
    pub(super) wallet: Number,
    pub(super) recipient: Number,
    pub(super) service: Number,
    pub(super) endpoint: Number,
    pub(super) category: Number,
    pub(super) session: Number,
    pub(super) asset: u8,
    pub(super) protocol: Protocol,
}

impl Traits {
    /// The subjects whose payment it is.
    pub(super) const fn owners(&self) -> [Owner; 3] {
        [Owner::Organisation, Owner::Agent(self.agent), Owner::Wallet(self.wallet)]
    }

    /// Whether it is a payment of this subject.
    pub(super) fn is_of(&self, owner: Owner) -> bool {
        self.owners().contains(&owner)
    }

    /// Its value along an axis; everything has the same value along none.
    pub(super) fn value(&self, axis: Option<Axis>) -> Number {
        match axis {
            None => NOBODY,
            Some(Axis::Recipient) => self.recipient,
            Some(Axis::Service) => self.service,
            Some(Axis::Endpoint) => self.endpoint,
            Some(Axis::Category) => self.category,
            Some(Axis::Protocol) => self.protocol as Number,
            Some(Axis::Asset) => Number::from(self.asset),
            Some(Axis::Session) => self.session,
        }
    }
}

/// The same, in words.
pub(super) struct Named<'a> {
    pub(super) agent: &'a AgentId,
    pub(super) wallet: Address,
    pub(super) recipient: Option<Address>,
    pub(super) service: Option<&'a Service>,
    pub(super) endpoint: Option<&'a Endpoint>,
    pub(super) category: Option<&'a Category>,
    pub(super) session: Option<&'a SessionName>,
    pub(super) asset: u8,
    pub(super) protocol: Protocol,
}

impl<'a> Named<'a> {
    pub(super) fn of_row(row: &'a SpendRow, asset: u8) -> Self {
        Self {
            agent: &row.agent,
            wallet: row.wallet,
            recipient: row.recipient,
            service: row.service.as_ref(),
            endpoint: row.endpoint.as_ref(),
            category: row.category.as_ref(),
            session: row.session.as_ref(),
            asset,
            protocol: row.kind.protocol(),
        }
    }

    pub(super) fn of_hold(row: &'a HoldRow, asset: u8) -> Self {
        Self {
            agent: &row.agent,
            wallet: row.wallet,
            recipient: row.recipient,
            service: row.service.as_ref(),
            endpoint: None,
            category: row.category.as_ref(),
            session: row.session.as_ref(),
            asset,
            protocol: row.protocol,
        }
    }
}

/// The number of an asset's symbol: assets of one symbol are counted together.
pub(super) fn asset_number(symbol: &str) -> Option<u8> {
    let place = ASSETS.iter().position(|asset| asset.symbol == symbol)?;
    u8::try_from(place).ok()
}

fn asset_symbol(number: Number) -> Option<&'static str> {
    ASSETS.get(usize::try_from(number).ok()?).map(|asset| asset.symbol)
}

const PROTOCOLS: [Protocol; 3] = [Protocol::Transfer, Protocol::X402, Protocol::Mpp];

/// All names that payments in memory refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) agents: Interner<AgentId>,
    pub(super) addresses: Interner<Address>,
    pub(super) services: Interner<Service>,
    endpoints: Interner<Endpoint>,
    categories: Interner<Category>,
    pub(super) sessions: Interner<SessionName>,
}

impl Names {
    /// Takes all names of a payment into use.
    pub(super) fn take(&mut self, named: &Named<'_>) -> Traits {
        Traits {
            agent: self.agents.take(Some(named.agent)),
            wallet: self.addresses.take(Some(&named.wallet)),
            recipient: self.addresses.take(named.recipient.as_ref()),
            service: self.services.take(named.service),
            endpoint: self.endpoints.take(named.endpoint),
            category: self.categories.take(named.category),
            session: self.sessions.take(named.session),
            asset: named.asset,
            protocol: named.protocol,
        }
    }

    /// Takes all names of a payment in memory into use once more.
    pub(super) fn take_again(&mut self, traits: &Traits) {
        self.agents.take_again(traits.agent);
        self.addresses.take_again(traits.wallet);
        self.addresses.take_again(traits.recipient);
        self.services.take_again(traits.service);
        self.endpoints.take_again(traits.endpoint);
        self.categories.take_again(traits.category);
        self.sessions.take_again(traits.session);
    }

    /// Takes the names of a payee into use, for longer than the payment stays.
    pub(super) fn take_payee(&mut self, owner: Owner, service: Number, recipient: Number) {
        match owner {
            Owner::Organisation => {}
            Owner::Agent(agent) => self.agents.take_again(agent),
            Owner::Wallet(wallet) => self.addresses.take_again(wallet),
        }
        self.services.take_again(service);
        self.addresses.take_again(recipient);
    }

    /// Gives up what [`take_payee`](Self::take_payee) took.
    pub(super) fn release_payee(&mut self, owner: Owner, service: Number, recipient: Number) {
        match owner {
            Owner::Organisation => {}
            Owner::Agent(agent) => self.agents.release(agent),
            Owner::Wallet(wallet) => self.addresses.release(wallet),
        }
        self.services.release(service);
        self.addresses.release(recipient);
    }

    /// A subject in numbers; nothing where it has no payment.
    pub(super) fn owner(&self, subject: &Subject) -> Option<Owner> {
        match subject {
            Subject::Organisation => Some(Owner::Organisation),
            Subject::Agent(agent) => self.agents.find(agent).map(Owner::Agent),
            Subject::Wallet(wallet) => self.addresses.find(wallet).map(Owner::Wallet),
        }
    }

    /// Gives up all names of a payment.
    pub(super) fn release(&mut self, traits: &Traits) {
        self.agents.release(traits.agent);
        self.addresses.release(traits.wallet);
        self.addresses.release(traits.recipient);
        self.services.release(traits.service);
        self.endpoints.release(traits.endpoint);
        self.categories.release(traits.category);
        self.sessions.release(traits.session);
    }

    /// Whether a payment in memory is of this session.
    pub(super) fn knows_session(&self, session: Number) -> bool {
        self.sessions.name(session).is_some()
    }

    /// A scope's number along its axis; nothing where no payment has it.
    pub(super) fn find(&self, scope: &Scope) -> Option<Number> {
        match scope {
            Scope::Total => Some(NOBODY),
            Scope::Recipient(name) => self.addresses.find_or_none(name.as_ref()),
            Scope::Service(name) => self.services.find_or_none(name.as_ref()),
            Scope::Endpoint(name) => self.endpoints.find_or_none(name.as_ref()),
            Scope::Category(name) => self.categories.find_or_none(name.as_ref()),
            Scope::Protocol(protocol) => Some(*protocol as Number),
            Scope::Asset(symbol) => asset_number(symbol).map(Number::from),
            Scope::Session(name) => self.sessions.find_or_none(name.as_ref()),
        }
    }

    /// The scope with this number along an axis.
    pub(super) fn scope(&self, axis: Axis, number: Number) -> Option<Scope> {
        Some(match axis {
            Axis::Recipient => Scope::Recipient(self.addresses.name(number).copied()),
            Axis::Service => Scope::Service(self.services.name(number).cloned()),
            Axis::Endpoint => Scope::Endpoint(self.endpoints.name(number).cloned()),
            Axis::Category => Scope::Category(self.categories.name(number).cloned()),
            Axis::Session => Scope::Session(self.sessions.name(number).cloned()),
            Axis::Protocol => {
                let place = usize::try_from(number).ok()?;
                Scope::Protocol(*PROTOCOLS.get(place)?)
            }
            Axis::Asset => Scope::Asset(asset_symbol(number)?),
        })
    }
}
