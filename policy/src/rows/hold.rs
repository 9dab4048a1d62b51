//! Rows about money that is set aside before it is paid: a session's deposit, a pre-authorization.
//!
//! ```text
//! HoldRow ── payments that name it (SpendRow::hold) ──┐
//!    │ ───── HoldOutcome::Used, the sum so far ───────┤
//!    └────── HoldOutcome::{Closed, Void, Expired} ────┴─> ends at what was used
//! ```
//!
//! Does not protect against: a writer that calls a session's deposit closed before the chain
//! shows how much of it was taken.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use std::fmt;

use crate::chain::Chain;
use crate::declared::SessionName;
use crate::document::{NotHex, hex_bytes};
use crate::intent::Service;
use crate::money::Amount;
use crate::party::AgentId;
use crate::registry::Category;
use crate::rows::{PolicyEpochs, Protocol};
use crate::time::UnixSeconds;

hex_bytes! {
    /// 32 bytes that name a hold for good: random ones, or the id of the intent that asked.
    HoldId, 32
}

/// Why an amount is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// A deposit on chain that a session's vouchers draw on. It never ends by the clock alone:
    /// the money is away until the chain gives it back.
    SessionDeposit,
    /// An approval given beforehand to an agent that pays with a wallet of its own. Ends by the
    /// clock when it was not used.
    PreAuthorization,
}

/// An amount that is set aside. Counts in full from `at` on, as a payment does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldRow {
    /// Its name.
    pub hold: HoldId,
    /// Why.
    pub kind: HoldKind,
    /// For whom.
    pub agent: AgentId,
    /// Whose money.
    pub wallet: Address,
    /// On which chain.
    pub chain: Chain,
    /// In which token.
    pub token: Address,
    /// Base units set aside.
    pub amount: Amount,
    /// Over which protocol it is to be paid.
    pub protocol: Protocol,
    /// Who is to be paid, where that is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Address>,
    /// The service it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// What the counterparty registry called the payee's trade at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// The session it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionName>,
    /// Epochs of the policies that said yes.
    pub policies: PolicyEpochs,
    /// Release of the IANA time zone database that calendars went by.
    pub tzdb: String,
    /// When it was set aside.
    pub at: UnixSeconds,
    /// From this moment on nothing new is drawn from it.
    pub expires_at: UnixSeconds,
}

/// What became of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldOutcomeRow {
    /// Which.
    pub hold: HoldId,
    /// For whom it was set aside.
    pub agent: AgentId,
    /// What.
    pub outcome: HoldOutcome,
    /// When it was learned.
    pub at: UnixSeconds,
}

/// What can become of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum HoldOutcome {
    /// So much of it was paid by now, beside the payments that name it. A sum so far, not a
    /// step: the same twice is once, and what comes late changes nothing.
    Used {
        /// Base units, all together.
        total: Amount,
    },
    /// Nothing more will be drawn; the rest is free.
    Closed,
    /// Nothing was ever drawn, and nothing will be.
    Void,
    /// Its time was over, by the row's own `at`. Only for [`HoldKind::PreAuthorization`].
    Expired,
}
