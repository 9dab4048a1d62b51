//! What is summed up together.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::ask::Ask;
use crate::declared::{Endpoint, SessionName};
use crate::intent::Service;
use crate::registry::{Category, Counterparty};
use crate::rows::{Protocol, SpendRow};

/// For what a window counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// For each paid address.
    Recipient,
    /// For each service; all transfers together count as one.
    Service,
    /// For each endpoint of a service.
    Endpoint,
    /// For each category of the counterparty registry; all payees without one count as one.
    Category,
    /// For each protocol.
    Protocol,
    /// For each asset.
    Asset,
    /// For each session; all payments outside of sessions count as one.
    #[serde(skip)]
    Session,
}

impl Axis {
    /// As policies write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Service => "service",
            Self::Endpoint => "endpoint",
            Self::Category => "category",
            Self::Protocol => "protocol",
            Self::Asset => "asset",
            Self::Session => "session",
        }
    }
}

/// What is summed up together within one subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything.
    Total,
    /// Payments to one recipient, or to nobody.
    Recipient(Option<Address>),
    /// Payments to one service; those without one together.
    Service(Option<Service>),
    /// Payments to one endpoint; those without one together.
    Endpoint(Option<Endpoint>),
    /// Payments to one category; those without one together.
    Category(Option<Category>),
    /// Payments over one protocol.
    Protocol(Protocol),
    /// Payments in one asset, by its symbol.
    Asset(&'static str),
    /// Payments of one session; those without one together.
    Session(Option<SessionName>),
}

impl Scope {
    /// What an asked payment is counted with along `axis`.
    #[must_use]
    pub fn of(axis: Axis, ask: &Ask<'_>, counterparty: Option<&Counterparty>) -> Self {
        match axis {
            Axis::Recipient => Self::Recipient(ask.recipient),
            Axis::Service => Self::Service(ask.service.cloned()),
            Axis::Endpoint => Self::Endpoint(ask.endpoint.clone()),
            Axis::Category => Self::Category(counterparty.and_then(|who| who.category.clone())),
            Axis::Protocol => Self::Protocol(ask.protocol()),
            Axis::Asset => Self::Asset(ask.asset.symbol),
            Axis::Session => Self::Session(ask.session.cloned()),
        }
    }

    /// What a recorded payment is counted with along `axis`.
    #[must_use]
    pub fn of_row(axis: Axis, row: &SpendRow, symbol: &'static str) -> Self {
        match axis {
            Axis::Recipient => Self::Recipient(row.recipient),
            Axis::Service => Self::Service(row.service.clone()),
            Axis::Endpoint => Self::Endpoint(row.endpoint.clone()),
            Axis::Category => Self::Category(row.category.clone()),
            Axis::Protocol => Self::Protocol(row.kind.protocol()),
            Axis::Asset => Self::Asset(symbol),
            Axis::Session => Self::Session(row.session.clone()),
        }
    }
}

/// What is summed up: amounts of one asset, fees, or payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Base units of the asset with this symbol, on all chains together.
    Amount(&'static str),
    /// Wei that chains may take as fees.
    FeeWei,
    /// Payments in whatever asset.
    Count,
}

impl Scope {
    /// The axis along which it tells payments apart.
    #[must_use]
    pub const fn axis(&self) -> Option<Axis> {
        Some(match self {
            Self::Total => return None,
            Self::Recipient(_) => Axis::Recipient,
            Self::Service(_) => Axis::Service,
            Self::Endpoint(_) => Axis::Endpoint,
            Self::Category(_) => Axis::Category,
            Self::Protocol(_) => Axis::Protocol,
            Self::Asset(_) => Axis::Asset,
            Self::Session(_) => Axis::Session,
        })
    }
}

/// What a rule counts over, within its policy's subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// What it sums up.
    pub measure: Measure,
    /// For what it counts apart.
    pub axis: Option<Axis>,
}

/// What counts in a window, by how certain it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Of payments that are admitted and not released, and the unused part of open holds.
    pub reserved: u128,
    /// Of payments that are released or settled, and the used part of holds.
    pub spent: u128,
}

/// How a payee stands to those that were paid before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// It was paid before: for this service, where there is one.
    Known,
    /// Nobody was paid for this service before; without a service, this payee was not.
    New,
    /// The service was paid before, at other addresses only.
    Changed,
}
