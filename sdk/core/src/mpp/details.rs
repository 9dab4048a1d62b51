//! The requests inside challenges, field by field, as text that is still to be judged.

use serde::Deserialize;

/// The request of a charge.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChargeRequest {
    pub(super) amount: String,
    pub(super) currency: String,
    pub(super) recipient: Option<String>,
    #[serde(default)]
    pub(super) method_details: ChargeDetails,
}

/// What a charge says of Tempo.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChargeDetails {
    pub(super) chain_id: Option<u64>,
    pub(super) fee_payer: Option<bool>,
    #[serde(default)]
    pub(super) splits: Vec<SplitAsked>,
    pub(super) supported_modes: Option<Vec<String>>,
    pub(super) memo: Option<String>,
}

/// A payee beside the primary one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SplitAsked {
    pub(super) amount: String,
    pub(super) recipient: String,
    pub(super) memo: Option<String>,
}

/// The request of a session.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionRequest {
    pub(super) amount: String,
    pub(super) currency: String,
    pub(super) recipient: Option<String>,
    pub(super) suggested_deposit: Option<String>,
    #[serde(default)]
    pub(super) method_details: SessionDetails,
}

/// What a session says of Tempo. Hints about a channel, `channelId` and `sessionSnapshot`, are not
/// even read: what we did is in our own journal.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionDetails {
    pub(super) chain_id: Option<u64>,
    pub(super) escrow_contract: Option<String>,
    pub(super) session_protocol: Option<String>,
    pub(super) fee_payer: Option<bool>,
    pub(super) operator: Option<String>,
    pub(super) machine_token_enabled: Option<bool>,
}
