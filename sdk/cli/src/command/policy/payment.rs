//! A payment that policies can be asked about, as one people wrote, as flags gave it or as an
//! intent says it.
//!
//! Promises: it becomes a payment intent, so a policy is asked exactly as a node asks it.
//!
//! Does not protect against: a written payment that no agent would ask for.

mod written;

use alloy_primitives::{Address, address};
use serde::Deserialize;
use tercet_policy::ask::{Ask, MppAsk};
use tercet_policy::intent::PaymentIntent;
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::registry::Payee;
use tercet_policy::rules::{Money, Policy};
use tercet_policy::subject::Subject;
use tercet_policy::time::UnixSeconds;

pub(super) use written::{ApprovalFile, PaymentFile};

const USDC: &str = "USDC";
/// Stands for a wallet where no policy names one.
const ANY_WALLET: Address = address!("0x0000000000000000000000000000000000000001");

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

/// What somebody who is asked says to a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The name that the policy gives the person.
    pub(super) by: String,
    pub(super) approves: bool,
    pub(super) at: UnixSeconds,
}

/// A payment that a policy can be asked about.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) intent: PaymentIntent,
    pub(super) fee_wei: Option<Amount>,
    pub(super) mpp: Option<MppAsk>,
    pub(super) balance: Option<Amount>,
    /// What people say to it.
    pub(super) said: Vec<Said>,
    /// The moment at which it is judged.
    pub(super) at: UnixSeconds,
}

impl Asked {
    /// What an intent asks at `at`.
    pub(super) const fn of(intent: PaymentIntent, at: UnixSeconds) -> Self {
        Self { intent, fee_wei: None, mpp: None, balance: None, said: Vec::new(), at }
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

    /// Who is paid, as counterparties are told apart.
    pub(super) fn payee(&self) -> Option<Payee> {
        let payment = &self.intent.payment;
        Payee::of(payment.service(), payment.payee())
    }

    /// Who is paid, for people.
    pub(super) fn payee_text(&self) -> String {
        match self.payee() {
            Some(Payee::Service(service)) => service.to_string(),
            Some(Payee::Recipient(recipient)) => recipient.to_string(),
            None => String::new(),
        }
    }
}

/// An amount in a file: `"0.50 USDC"`; a bare number is of USDC.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Sum(pub(super) Money);

impl TryFrom<String> for Sum {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        money(&text).map(Self)
    }
}

/// `"0.50 USDC"`; a bare number is of USDC.
pub(super) fn money(text: &str) -> Result<Money, String> {
    let parse = |text: &str| text.parse::<Money>().map_err(|bad| format!("{text:?}: {bad}"));
    if text.contains(' ') { parse(text) } else { parse(&format!("{text} {USDC}")) }
}
