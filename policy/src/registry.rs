//! The counterparty registry: who is who, as the authority says.
//!
//! Promises: a counterparty is found by the service a payment is for, or by the address that is
//! paid; a service or an address belongs to one counterparty. The file is written and hardened
//! as policies are, and signed by the authority's quorum under an epoch that only rises:
//!
//! ```yaml
//! registry: counterparties             # its name
//! epoch: 3                             # 1 or more; only rises
//! unknown_trust: 0                     # for whoever is not listed
//! counterparties:
//!   - name: search-example
//!     services: [api.search.example]
//!     recipients: ["0x209693Bc6afc0C5328bA36FaF03C514EF312287C"]
//!     country: DE                      # ISO 3166-1
//!     category: data
//!     trust: 80                        # 0 to 100, before any outcome
//! ```
//!
//! What is not said is not known: a payee without an entry has no country and no category.
//!
//! Refuses: a service, an address or a name that is there twice, and codes that no country has.
//!
//! Does not protect against: an authority that vouches for a stranger.

mod country;
mod experience;
mod file;
mod signed;

use std::collections::BTreeMap;
use std::fmt;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::ask::Ask;
use crate::intent::Service;
use crate::party::BadName;

pub use country::{Country, UnknownCountry};
pub(crate) use experience::PayeePlace;
pub use experience::{
    DISPUTED_WEIGHT, Experience, Outcomes, Payee, REFUSED_WEIGHT, TRUST_WEIGHT, TrustScore,
    UNDELIVERED_WEIGHT,
};
pub use signed::{AuthenticRegistry, RegistryDocument, RegistryError, RegistryPin, SignedRegistry};

/// Largest registry file, in bytes: as a policy's, so that it fits every frame a policy fits.
pub const REGISTRY_BYTES_MAX: usize = 128 * 1024;
/// Most counterparties in a registry.
pub const COUNTERPARTIES_MAX: usize = 2_000;
/// Most services and recipients of one counterparty.
pub const PLACES_MAX: usize = 100;
/// The highest trust.
pub const TRUST_MAX: u8 = 100;

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

impl std::str::FromStr for Category {
    type Err = BadName;
    fn from_str(name: &str) -> Result<Self, BadName> {
        crate::party::checked_name(name).map(Self)
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
    /// Where it is.
    pub country: Option<Country>,
    /// What the authority trusts it, 0 to 100, before any outcome.
    pub trust: u8,
    /// The services it offers.
    pub services: Vec<Service>,
    /// The addresses it is paid at without a service.
    pub recipients: Vec<Address>,
}

/// Everybody the authority knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    name: String,
    epoch: u64,
    unknown_trust: u8,
    counterparties: Vec<Counterparty>,
    services: BTreeMap<Service, usize>,
    recipients: BTreeMap<Address, usize>,
}

impl Registry {
    /// Reads a registry file.
    ///
    /// # Errors
    /// [`RegistryError::TooLarge`] or [`RegistryError::Malformed`] with line and reason.
    pub fn parse(yaml: &str) -> Result<Self, RegistryError> {
        file::parse(yaml)
    }

    /// The JSON Schema (2020-12) of a registry file, for editors.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        file::schema()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

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

    /// The counterparty of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Counterparty> {
        self.counterparties.iter().find(|who| who.name == name)
    }

    /// Whose service or address this is.
    #[must_use]
    pub fn find(&self, payee: &Payee) -> Option<&Counterparty> {
        let place = match payee {
            Payee::Service(service) => self.services.get(service),
            Payee::Recipient(recipient) => self.recipients.get(recipient),
        };
        place.and_then(|place| self.counterparties.get(*place))
    }

    /// Who is paid: by the service the payment is for, or, where it has none or somebody is paid
    /// beside it, by the address.
    #[must_use]
    pub fn counterparty(&self, ask: &Ask<'_>) -> Option<&Counterparty> {
        ask.counterparty().and_then(|payee| self.find(&payee))
    }
}

#[cfg(test)]
mod tests;
