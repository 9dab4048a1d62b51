//! A payment as a file or the command line writes it: one that is asked about, or one of the
//! past.

use alloy_primitives::{Address, address};
use serde::Deserialize;
use tercet_policy::ask::{MppAsk, MppIntent, MppMethod, VoucherSigner};
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::context::Context;
use tercet_policy::declared::{Declared, HttpMethod, PaymentFlow, SessionName};
use tercet_policy::intent::{
    INTENT_VERSION, IntentId, Payment, PaymentIntent, Service, Transfer, X402Exact,
};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::time::UnixSeconds;

use super::super::history::{Became, Fate};
use super::super::moment::Moment;
use super::{Asked, Said, Sum, Who};
use crate::args::PayKind;

/// Stands for a payee where a file names none.
const ANY_PAYEE: Address = address!("0x0000000000000000000000000000000000000002");
/// How long an authorization is usable where a file does not say.
const VALIDITY_SECONDS: u64 = 60;

/// A payment as a file writes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct PaymentFile {
    /// `transfer` or `x402`; without it, `x402` where a service is given.
    pub(in super::super) pay: Option<PayKind>,
    /// `"0.50 USDC"`, or `"0.50"`, in USDC.
    pub(in super::super) amount: Option<Sum>,
    pub(in super::super) to: Option<Address>,
    /// A URL, or its host.
    pub(in super::super) service: Option<String>,
    pub(in super::super) method: Option<HttpMethod>,
    pub(in super::super) flow: Option<PaymentFlow>,
    pub(in super::super) session: Option<SessionName>,
    pub(in super::super) context: Context,
    pub(in super::super) agent: Option<AgentId>,
    pub(in super::super) wallet: Option<Address>,
    pub(in super::super) chain: Option<Chain>,
    pub(in super::super) validity_seconds: Option<u64>,
    /// Most that the chain may take, in wei.
    pub(in super::super) fee_wei: Option<Amount>,
    pub(in super::super) mpp: Option<MppFile>,
    /// What the wallet holds.
    pub(in super::super) balance: Option<Sum>,
    /// When it is judged.
    pub(in super::super) at: Option<Moment>,
    /// When the agent made the intent; without it, at that moment.
    pub(in super::super) created_at: Option<Moment>,
    /// What people say to it.
    pub(in super::super) approvals: Vec<ApprovalFile>,
    /// Of a payment of the past: `paid`, `refused` or `void`.
    pub(in super::super) state: Option<Fate>,
    /// Of a payment of the past: what was settled of it.
    pub(in super::super) settled: Option<Sum>,
    /// Of a payment of the past: what became of it, for the trust in who was paid.
    pub(in super::super) became: Option<Became>,
    /// Of a payment of the past: so many of the kind, at the same moment.
    pub(in super::super) times: Option<u32>,
}

/// What is particular to MPP, as a file writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct MppFile {
    intent: MppIntent,
    #[serde(default)]
    method: Option<MppMethod>,
    #[serde(default)]
    deposit: Option<Sum>,
    #[serde(default)]
    voucher_step: Option<Sum>,
    #[serde(default)]
    duration_seconds: Option<u64>,
    #[serde(default)]
    voucher_signer: Option<VoucherSigner>,
}

/// What somebody who is asked says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ApprovalFile {
    pub(in super::super) by: String,
    /// Yes, without it.
    #[serde(default = "yes")]
    pub(in super::super) approves: bool,
    /// When; without it, when the payment is judged.
    #[serde(default)]
    pub(in super::super) at: Option<Moment>,
}

const fn yes() -> bool {
    true
}

impl PaymentFile {
    /// The payment that is asked about, by `who` at `now` where the file does not say.
    pub(in super::super) fn asked(&self, who: &Who, now: UnixSeconds) -> Result<Asked, String> {
        let past = self.state.is_some() || self.settled.is_some() || self.became.is_some();
        if past || self.times.is_some() {
            return Err("state, settled, became and times are for payments of the past".into());
        }
        self.payment_at(who, self.at.map_or(now, |at| at.0))
    }

    /// The payment of the past, with its moment.
    pub(in super::super) fn past(&self, who: &Who) -> Result<Asked, String> {
        if !self.approvals.is_empty() || self.balance.is_some() {
            return Err("approvals and balance are for what is asked, not for the past".into());
        }
        let at = self.at.ok_or("a payment of the past has a time: write at")?;
        self.payment_at(who, at.0)
    }

    /// What people say to it.
    pub(in super::super) fn said(&self, now: UnixSeconds) -> Vec<Said> {
        self.approvals.iter().map(|approval| approval.said(now)).collect()
    }

    fn payment_at(&self, who: &Who, at: UnixSeconds) -> Result<Asked, String> {
        let created_at = self.created_at.map_or(at, |made| made.0);
        let intent = PaymentIntent {
            version: INTENT_VERSION,
            id: IntentId([0; 32]),
            agent: self.agent.clone().unwrap_or_else(|| who.agent.clone()),
            wallet: self.wallet.unwrap_or(who.wallet),
            payment: self.payment(created_at)?,
            declared: Declared {
                method: self.method,
                flow: self.flow,
                session: self.session.clone(),
                context: self.context.clone(),
            },
            created_at,
            expires_at: at.plus(VALIDITY_SECONDS),
        };
        let mpp = self.mpp.as_ref().map(|mpp| mpp.asked(self.method));
        let said = self.said(at);
        let balance = self.balance.map(|sum| sum.0.amount);
        Ok(Asked { intent, fee_wei: self.fee_wei, mpp, balance, said, at })
    }

    fn payment(&self, created_at: UnixSeconds) -> Result<Payment, String> {
        let money = self.amount.ok_or("a payment has an amount: \"0.50 USDC\"")?.0;
        let chain = self.chain.unwrap_or(Chain::Base);
        let asset = Asset::by_symbol(chain, money.symbol)
            .ok_or_else(|| format!("there is no {} on {chain}", money.symbol))?;
        let (token, amount, to) = (asset.token, money.amount, self.to.unwrap_or(ANY_PAYEE));
        let pays_service = self.service.is_some() || self.mpp.is_some();
        let implied = if pays_service { PayKind::X402 } else { PayKind::Transfer };
        if self.pay.unwrap_or(implied) == PayKind::Transfer {
            return Ok(Payment::Transfer(Transfer { chain, token, to, amount }));
        }
        let resource = resource(self.service.as_deref())?;
        let service = Service::of(&resource).map_err(|refusal| refusal.to_string())?;
        let valid_before = created_at.plus(self.validity_seconds.unwrap_or(VALIDITY_SECONDS));
        let paid = X402Exact { chain, token, to, amount, valid_before, resource, service };
        Ok(Payment::X402Exact(paid))
    }
}

impl ApprovalFile {
    fn said(&self, now: UnixSeconds) -> Said {
        let at = self.at.map_or(now, |at| at.0);
        Said { by: self.by.clone(), approves: self.approves, at }
    }
}

impl MppFile {
    fn asked(&self, http_method: Option<HttpMethod>) -> MppAsk {
        let amount = |sum: Option<Sum>| sum.map(|sum| sum.0.amount);
        MppAsk {
            intent: self.intent,
            http_method: http_method.unwrap_or(HttpMethod::Get),
            method: self.method.unwrap_or(MppMethod::Tempo),
            deposit: amount(self.deposit),
            voucher_step: amount(self.voucher_step),
            duration_seconds: self.duration_seconds,
            voucher_signer: self.voucher_signer.unwrap_or(VoucherSigner::SessionKey),
        }
    }
}

/// A URL as given; a bare host stands for its `https` root.
fn resource(service: Option<&str>) -> Result<String, String> {
    match service {
        Some(url) if url.contains("://") => Ok(url.to_owned()),
        Some(host) => Ok(format!("https://{host}/")),
        None => Err("an x402 payment is for a service: name one, or pay by transfer".into()),
    }
}
