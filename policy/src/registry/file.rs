//! The registry file as it is written, and its way to a [`Registry`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::document::JSON_INTEGER_MAX;
use crate::intent::Service;
use crate::party::AgentId;
use crate::registry::{
    COUNTERPARTIES_MAX, Category, Counterparty, Country, PLACES_MAX, REGISTRY_BYTES_MAX, Registry,
    RegistryError, TRUST_MAX,
};
use crate::rules::{read_recipient, read_service};
use crate::yaml::{self, Malformed, at_most};

/// A counterparty registry.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RegistryFile {
    /// The registry's name: 1 to 63 of a-z, 0-9 and '-'.
    #[schemars(with = "String")]
    registry: Spanned<String>,
    /// 1 or more; only rises.
    #[schemars(with = "u64", range(min = 1, max = 9_007_199_254_740_991_u64))]
    epoch: Spanned<u64>,
    /// How far a counterparty is trusted that is not listed; 0 where it is not said.
    #[serde(default)]
    #[schemars(with = "Option<u8>", range(max = 100))]
    unknown_trust: Option<Spanned<u8>>,
    /// Who is who.
    #[serde(default)]
    #[schemars(with = "Vec<CounterpartyFile>")]
    counterparties: Vec<Spanned<CounterpartyFile>>,
}

/// One counterparty: the services it offers and the addresses it is paid at.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CounterpartyFile {
    /// Its name: 1 to 63 of a-z, 0-9 and '-'.
    #[schemars(with = "String")]
    name: AgentId,
    /// Hosts, to the letter.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    services: Vec<Spanned<String>>,
    /// Addresses that are paid without a service.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    recipients: Vec<Spanned<String>>,
    /// Two capital letters of ISO 3166-1.
    #[serde(default)]
    #[schemars(with = "Option<String>", regex(pattern = "^[A-Z]{2}$"))]
    country: Option<Country>,
    /// What it deals in: 1 to 63 of a-z, 0-9 and '-'.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    category: Option<Category>,
    /// What the authority trusts it, 0 to 100, before any outcome.
    #[schemars(with = "u8", range(max = 100))]
    trust: Spanned<u8>,
}

impl From<Malformed> for RegistryError {
    fn from(Malformed { line, reason }: Malformed) -> Self {
        Self::Malformed { line, reason }
    }
}

fn malformed(line: u64, reason: String) -> RegistryError {
    RegistryError::Malformed { line, reason }
}

pub(super) fn check_size(yaml: &str) -> Result<(), RegistryError> {
    let (bytes, limit) = (yaml.len(), REGISTRY_BYTES_MAX);
    if bytes <= limit { Ok(()) } else { Err(RegistryError::TooLarge { bytes, limit }) }
}

pub(super) fn parse(yaml: &str) -> Result<Registry, RegistryError> {
    check_size(yaml)?;
    let file: RegistryFile = yaml::read(yaml)?;
    let name = AgentId::new(&file.registry.value)
        .map_err(|bad| malformed(file.registry.referenced.line(), bad.to_string()))?;
    let epoch = file.epoch.value;
    if !(1..=JSON_INTEGER_MAX).contains(&epoch) {
        let reason = format!("an epoch is a whole number from 1 to {JSON_INTEGER_MAX}");
        return Err(malformed(file.epoch.referenced.line(), reason));
    }
    at_most(COUNTERPARTIES_MAX, file.counterparties.len(), "counterparties")
        .map_err(|reason| malformed(0, reason))?;
    let unknown_trust = file.unknown_trust.as_ref().map_or(Ok(0), trust)?;
    let mut registry = Registry { name: name.into(), epoch, unknown_trust, ..Registry::default() };
    let mut names = BTreeMap::new();
    for entry in file.counterparties {
        let line = entry.referenced.line();
        once(&mut names, entry.value.name.as_str().to_owned(), line, "counterparty", line)?;
        let counterparty = read(entry.value, &mut registry, line)?;
        registry.counterparties.push(counterparty);
    }
    Ok(registry)
}

/// One counterparty, whose services and addresses are nobody else's.
fn read(
    file: CounterpartyFile,
    registry: &mut Registry,
    line: u64,
) -> Result<Counterparty, RegistryError> {
    let place = registry.counterparties.len();
    let (services, recipients) = (file.services.len(), file.recipients.len());
    at_most(PLACES_MAX, services.saturating_add(recipients), "services and recipients of one")
        .map_err(|reason| malformed(line, reason))?;
    if services == 0 && recipients == 0 {
        let reason = "a counterparty has a service or a recipient, or nobody ever meets it";
        return Err(malformed(line, reason.to_owned()));
    }
    let mut counterparty = Counterparty {
        name: file.name.into(),
        category: file.category,
        country: file.country,
        trust: trust(&file.trust)?,
        services: Vec::new(),
        recipients: Vec::new(),
    };
    for text in file.services {
        let line = text.referenced.line();
        let service: Service =
            read_service(&text.value).map_err(|reason| malformed(line, reason))?;
        once(&mut registry.services, service.clone(), place, "service", line)?;
        counterparty.services.push(service);
    }
    for text in file.recipients {
        let line = text.referenced.line();
        let recipient = read_recipient(&text.value).map_err(|reason| malformed(line, reason))?;
        once(&mut registry.recipients, recipient, place, "recipient", line)?;
        counterparty.recipients.push(recipient);
    }
    Ok(counterparty)
}

fn trust(given: &Spanned<u8>) -> Result<u8, RegistryError> {
    let reason = || format!("trust is a whole number from 0 to {TRUST_MAX}");
    let trust = Some(given.value).filter(|trust| *trust <= TRUST_MAX);
    trust.ok_or_else(|| malformed(given.referenced.line(), reason()))
}

fn once<K: Ord + std::fmt::Display, V>(
    all: &mut BTreeMap<K, V>,
    key: K,
    value: V,
    what: &str,
    line: u64,
) -> Result<(), RegistryError> {
    match all.entry(key) {
        Entry::Vacant(place) => {
            place.insert(value);
            Ok(())
        }
        Entry::Occupied(taken) => {
            Err(malformed(line, format!("{what} {} is there already", taken.key())))
        }
    }
}

/// The JSON Schema of a registry file, for editors.
pub(super) fn schema() -> schemars::Schema {
    schemars::schema_for!(RegistryFile)
}
