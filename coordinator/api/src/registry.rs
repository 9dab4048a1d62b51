//! Counterparties and what agents report of them, as the API shows them.

use serde::{Deserialize, Serialize};
use tercet_policy::registry::{Category, Country, SignedRegistry, TrustScore};
use tercet_policy::report::SignedReport;
use tercet_policy::time::UnixSeconds;
use utoipa::ToSchema;

/// The counterparty registry in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegistryView {
    /// Its epoch.
    pub epoch: u64,
    /// Counterparties in it.
    pub counterparties: u64,
    /// Text and signatures; `PUT /v1/registry` takes the same.
    #[schema(value_type = Object)]
    pub document: SignedRegistry,
    /// When the coordinator took it, Unix seconds.
    #[schema(value_type = u64)]
    pub installed_at: UnixSeconds,
}

/// A counterparty and how far it is trusted now, by what this coordinator saw. The nodes go by
/// what their own journals saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CounterpartyView {
    /// Its name.
    pub name: String,
    /// What it deals in.
    #[schema(value_type = Option<String>)]
    pub category: Option<Category>,
    /// Where it is, ISO 3166-1.
    #[schema(value_type = Option<String>)]
    pub country: Option<Country>,
    /// The services it offers.
    pub services: Vec<String>,
    /// The addresses it is paid at without a service.
    pub recipients: Vec<String>,
    /// `{base, score, settled, refused, undelivered, disputed}`:
    /// `score = floor(base * (10 + settled) / (10 + settled + bad))` with
    /// `bad = refused + 4 * undelivered + 10 * disputed`.
    #[schema(value_type = Object)]
    pub trust: TrustScore,
}

/// `GET /v1/counterparties`: the registry's order; at most as many as a registry holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CounterpartyPage {
    /// The counterparties.
    pub counterparties: Vec<CounterpartyView>,
    /// Give this as `cursor` for the next page; absent on the last.
    pub next_cursor: Option<String>,
}

/// `POST /v1/payments/{id}/reports`: what became of a payment that no chain can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportPayment {
    /// Signed by the agent.
    #[schema(value_type = Object)]
    pub report: SignedReport,
}
