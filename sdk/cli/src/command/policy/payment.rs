//! A payment as people write it, in cases, in histories and as flags, and its way to an
//! [`Ask`].
//!
//! Promises: it becomes a payment intent, so a policy is asked exactly as a node asks it.
//!
//! Does not protect against: a written payment that no agent would ask for.

use alloy_primitives::{Address, address};
use serde::Deserialize;
use tercet_policy::ask::{Ask, MppAsk, MppIntent, MppMethod, VoucherSigner};
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::context::Context;
use tercet_policy::declared::{Declared, HttpMethod, SessionName};
use tercet_policy::intent::{
    INTENT_VERSION, IntentId, Payment, PaymentIntent, Service, Transfer, X402Exact,
};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::rules::{Money, Policy};
use tercet_policy::subject::Subject;
use tercet_policy::time::UnixSeconds;

use super::moment::Moment;
use crate::args::PayKind;

const USDC: &str = "USDC";
/// Stands for a wallet where no policy names one.
const ANY_WALLET: Address = address!("0x0000000000000000000000000000000000000001");
/// Stands for a payee where a case names none.
const ANY_PAYEE: Address = address!("0x0000000000000000000000000000000000000002");
/// How long an authorization is usable where a case does not say.
const VALIDITY_SECONDS: u64 = 60;

/// A payment as a file writes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaymentFile {
    /// `transfer` or `x402`; without it, `x402` where a service is given.
    #[serde(default)]
    pub(super) pay: Option<PayKind>,
    /// `"0.50 USDC"`, or `"0.50"`, in USDC.
    pub(super) amount: String,
    #[serde(default)]
    pub(super) to: Option<Address>,
    /// A URL, or its host.
    #[serde(default)]
    pub(super) service: Option<String>,
    #[serde(default)]
    pub(super) method: Option<HttpMethod>,
    #[serde(default)]
    pub(super) session: Option<SessionName>,
    #[serde(default)]
    pub(super) context: Context,
    #[serde(default)]
    pub(super) agent: Option<AgentId>,
    #[serde(default)]
    pub(super) wallet: Option<Address>,
    #[serde(default)]
    pub(super) chain: Option<Chain>,
    #[serde(default)]
    pub(super) validity_seconds: Option<u64>,
    /// Most that the chain may take, in wei.
    #[serde(default)]
    pub(super) fee_wei: Option<Amount>,
    #[serde(default)]
    pub(super) mpp: Option<MppFile>,
    /// What the wallet holds.
    #[serde(default)]
    pub(super) balance: Option<String>,
    #[serde(default)]
    pub(super) at: Option<Moment>,
}

/// What is particular to MPP, as a file writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MppFile {
    intent: MppIntent,
    #[serde(default)]
    method: Option<MppMethod>,
    #[serde(default)]
    deposit: Option<String>,
    #[serde(default)]
    voucher_step: Option<String>,
    #[serde(default)]
    duration_seconds: Option<u64>,
    #[serde(default)]
    voucher_signer: Option<VoucherSigner>,
}

/// Who asks where a payment does not say.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) agent: AgentId,
    pub(super) wallet: Address,
}

impl Who {
    /// The agent and the wallet that the policies are for; any, where they are everybody's.
    pub(super) fn of(policies: &[&Policy]) -> Result<Self, String> {
        let named = policies.iter().find_map(|policy| policy.agent().cloned());
        let agent = named.map_or_else(|| AgentId::new("any-agent"), Ok);
        let wallet = policies.iter().find_map(|policy| match policy.subject() {
            Subject::Wallet(wallet) => Some(*wallet),
            Subject::Organisation | Subject::Agent(_) => None,
        });
        let agent = agent.map_err(|bad| bad.to_string())?;
        Ok(Self { agent, wallet: wallet.unwrap_or(ANY_WALLET) })
    }
}

/// A payment that a policy can be asked about.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) intent: PaymentIntent,
    pub(super) fee_wei: Option<Amount>,
    pub(super) mpp: Option<MppAsk>,
    pub(super) balance: Option<Amount>,
    /// The moment at which it is judged.
    pub(super) at: UnixSeconds,
}

impl Asked {
    /// What an intent asks at `at`.
    pub(super) const fn of(intent: PaymentIntent, at: UnixSeconds) -> Self {
        Self { intent, fee_wei: None, mpp: None, balance: None, at }
    }

    /// What a policy looks at.
    pub(super) fn ask(&self) -> Result<Ask<'_>, String> {
        let ask = Ask::of(&self.intent).map_err(|unknown| unknown.to_string())?;
        let fee_wei = self.fee_wei.or(ask.fee_wei);
        Ok(Ask { mpp: self.mpp, fee_wei, ..ask })
    }

    /// What is paid, with its asset.
    pub(super) fn money(&self) -> Option<Money> {
        let ask = self.ask().ok()?;
        let (symbol, decimals) = (ask.asset.symbol, ask.asset.decimals);
        Some(Money { amount: ask.amount, symbol, decimals })
    }

    /// Who is paid, for people.
    pub(super) fn payee(&self) -> String {
        let payment = &self.intent.payment;
        let service = payment.service().map(ToString::to_string);
        service.or_else(|| payment.payee().map(|to| to.to_string())).unwrap_or_default()
    }
}

impl PaymentFile {
    /// The payment, asked by `who` at `now` where the file does not say.
    pub(super) fn asked(&self, who: &Who, now: UnixSeconds) -> Result<Asked, String> {
        let at = self.at.map_or(now, |at| at.0);
        let intent = PaymentIntent {
            version: INTENT_VERSION,
            id: IntentId([0; 32]),
            agent: self.agent.clone().unwrap_or_else(|| who.agent.clone()),
            wallet: self.wallet.unwrap_or(who.wallet),
            payment: self.payment(at)?,
            declared: Declared {
                method: self.method,
                flow: None,
                session: self.session.clone(),
                context: self.context.clone(),
            },
            created_at: at,
            expires_at: at.plus(VALIDITY_SECONDS),
        };
        let mpp = self.mpp.as_ref().map(|mpp| mpp.asked(self.method)).transpose()?;
        let balance = self.balance.as_deref().map(|text| money(text).map(|money| money.amount));
        Ok(Asked { intent, fee_wei: self.fee_wei, mpp, balance: balance.transpose()?, at })
    }

    fn payment(&self, at: UnixSeconds) -> Result<Payment, String> {
        let money = money(&self.amount)?;
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
        let valid_before = at.plus(self.validity_seconds.unwrap_or(VALIDITY_SECONDS));
        let paid = X402Exact { chain, token, to, amount, valid_before, resource, service };
        Ok(Payment::X402Exact(paid))
    }
}

impl MppFile {
    fn asked(&self, http_method: Option<HttpMethod>) -> Result<MppAsk, String> {
        let amount = |text: &Option<String>| {
            text.as_deref().map(|text| money(text).map(|money| money.amount)).transpose()
        };
        Ok(MppAsk {
            intent: self.intent,
            http_method: http_method.unwrap_or(HttpMethod::Get),
            method: self.method.unwrap_or(MppMethod::Tempo),
            deposit: amount(&self.deposit)?,
            voucher_step: amount(&self.voucher_step)?,
            duration_seconds: self.duration_seconds,
            voucher_signer: self.voucher_signer.unwrap_or(VoucherSigner::SessionKey),
        })
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

/// `"0.50 USDC"`; a bare number is of USDC.
pub(super) fn money(text: &str) -> Result<Money, String> {
    let parse = |text: &str| text.parse::<Money>().map_err(|bad| format!("{text:?}: {bad}"));
    if text.contains(' ') { parse(text) } else { parse(&format!("{text} {USDC}")) }
}
