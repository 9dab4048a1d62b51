//! Rules about whom, where and with what, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::rules::file::lists::{ListFile, Lists};
use crate::rules::file::schema;
use crate::rules::parties::{self, Named, Services};

/// What an `allow` or a `block` names.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct NamedFile {
    /// Hosts, exact or below `*.suffix`.
    #[serde(default)]
    #[schemars(schema_with = "schema::list")]
    services: Option<ListFile>,
    /// Addresses that are paid.
    #[serde(default)]
    #[schemars(schema_with = "schema::list")]
    recipients: Option<ListFile>,
    /// Symbols of assets.
    #[serde(default)]
    #[schemars(schema_with = "schema::list")]
    assets: Option<ListFile>,
    /// CAIP-2 names of chains.
    #[serde(default)]
    #[schemars(schema_with = "schema::list")]
    chains: Option<ListFile>,
    /// Addresses of the contracts that payments call: the token's, for one that moves a token.
    #[serde(default)]
    #[schemars(schema_with = "schema::list")]
    contracts: Option<ListFile>,
    /// What who is paid deals in, by the counterparty registry.
    #[serde(default)]
    #[schemars(schema_with = "schema::list")]
    categories: Option<ListFile>,
}

impl NamedFile {
    pub(super) fn read(self, lists: &Lists) -> Result<Named, String> {
        let mut text = Vec::new();
        let mut entries = |key: &str, list: &Option<ListFile>| {
            let Some(list) = list else { return Ok(None) };
            let (entries, said) = list.resolve(lists)?;
            text.push(format!("{key} {said}"));
            Ok::<_, String>(Some(entries))
        };
        let services = entries("services", &self.services)?;
        let recipients = entries("recipients", &self.recipients)?;
        let assets = entries("assets", &self.assets)?;
        let chains = entries("chains", &self.chains)?;
        let contracts = entries("contracts", &self.contracts)?;
        let categories = entries("categories", &self.categories)?;
        if text.is_empty() {
            let keys = "services, recipients, assets, chains, contracts and categories";
            return Err(format!("name at least one of {keys}"));
        }
        Ok(Named {
            services: read(services, |list| Services::from_patterns(list))?,
            recipients: read(recipients, |list| parties::recipients(list))?,
            assets: read(assets, |list| parties::assets(list))?,
            chains: read(chains, |list| parties::chains(list))?,
            contracts: read(contracts, |list| parties::recipients(list))?,
            categories: read(categories, |list| parties::categories(list))?,
            text: text.join(", "),
        })
    }
}

fn read<T>(
    entries: Option<Vec<String>>,
    read: impl FnOnce(Vec<&str>) -> Result<T, String>,
) -> Result<Option<T>, String> {
    entries.map(|entries| read(entries.iter().map(String::as_str).collect())).transpose()
}
