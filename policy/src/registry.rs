//! The counterparty registry: who is who, as the authority says.
//!
//! Promises: a counterparty is found by the service a payment is for, or by the address that is
//! paid; a service or an address belongs to one counterparty.
//!
//! Does not protect against: an authority that vouches for a stranger.

use std::collections::BTreeMap;
use std::fmt;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::ask::Ask;
use crate::intent::Service;
use crate::party::BadName;

/// What a counterparty deals in: a name, as an agent's, 1 to 63 of `a-z0-9-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Category(String);

impl Category {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Category {
    type Error = BadName;
    fn try_from(name: String) -> Result<Self, BadName> {
        crate::party::checked_name(&name).map(Self)
    }
}

impl From<Category> for String {
    fn from(name: Category) -> Self {
        name.0
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One counterparty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterparty {
    /// Its name.
    pub name: String,
    /// What it deals in.
    pub category: Option<Category>,
    /// Where it is: two capital letters of ISO 3166-1.
    pub country: Option<String>,
    /// What the authority trusts it, 0 to 100, before any outcome.
    pub trust: u8,
}

/// Everybody the authority knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    epoch: u64,
    unknown_trust: u8,
    counterparties: Vec<Counterparty>,
    services: BTreeMap<Service, usize>,
    recipients: BTreeMap<Address, usize>,
}

impl Registry {
    /// Its epoch: 1 or more.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What a counterparty is trusted that is not in the registry.
    #[must_use]
    pub const fn unknown_trust(&self) -> u8 {
        self.unknown_trust
    }

    /// The counterparties, in the order of the file.
    #[must_use]
    pub fn counterparties(&self) -> &[Counterparty] {
        &self.counterparties
    }

    /// Who is paid: by the service the payment is for, or, where it has none, by the address.
    #[must_use]
    pub fn counterparty(&self, ask: &Ask<'_>) -> Option<&Counterparty> {
        let place = match (ask.service, ask.recipient) {
            (Some(service), _) => self.services.get(service),
            (None, Some(recipient)) => self.recipients.get(&recipient),
            (None, None) => None,
        };
        place.and_then(|place| self.counterparties.get(*place))
    }
}
