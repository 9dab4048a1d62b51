//! A session as the journal has it.

use mpp::PaymentChallenge;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tercet_policy::chain::Chain;
use tercet_policy::intent::{PaymentIntent, Service};
use tercet_policy::money::Amount;
use tercet_policy::mpp::{ChannelDescriptor, ChannelId};
use tercet_policy::payload::MppSignature;
use tercet_policy::time::UnixSeconds;

use crate::mpp::offer::expires;
use crate::mpp::{Meter, SessionChoice};

/// How many vouchers are kept: a session is closed with one of them.
const VOUCHERS_KEPT: usize = 2;

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Its opening is being signed, or was handed to the service, and is not seen on the chain.
    Opening,
    /// It pays.
    Open,
    /// It pays, and a top-up was handed to the service whose outcome is not known.
    ToppingUp,
    /// The service was asked to close it.
    Closing,
    /// It is being left by force.
    Exiting,
    /// The chain closed it. Terminal.
    Closed,
    /// It was never opened, and never will be. Terminal.
    Void,
}

impl SessionState {
    /// The state as the journal and JSON write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Open => "open",
            Self::ToppingUp => "topping_up",
            Self::Closing => "closing",
            Self::Exiting => "exiting",
            Self::Closed => "closed",
            Self::Void => "void",
        }
    }

    /// Whether requests may be paid from it.
    #[must_use]
    pub const fn pays(self) -> bool {
        matches!(self, Self::Open | Self::ToppingUp)
    }

    /// Whether it is on its way out.
    #[must_use]
    pub const fn ends(self) -> bool {
        matches!(self, Self::Closing | Self::Exiting)
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Void)
    }
}

impl std::fmt::Display for SessionState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// A session, from its opening to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Its channel.
    pub channel: ChannelId,
    /// On which chain.
    pub chain: Chain,
    /// What the channel was opened as. The chain does not keep it.
    pub descriptor: ChannelDescriptor,
    /// Whom it pays.
    pub service: Service,
    /// The URL that it was opened for, without its query.
    pub resource: String,
    /// The URL that was asked for last.
    pub url: String,
    /// Where it stands.
    pub state: SessionState,
    /// What it may cost so far.
    pub meter: Meter,
    /// The newest vouchers. They pay nobody but the payee, who has them.
    pub vouchers: Vec<SignedVoucher>,
    /// The intent that opened it.
    pub opened_by: PaymentIntent,
    /// What the wallet was asked last to sign for the channel, where it signs itself. Another intent
    /// for the same voucher would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<PaymentIntent>,
    /// A top-up whose outcome is not known.
    pub flight: Option<PaymentIntent>,
    /// A top-up that the service says it took, and that the chain has not shown yet. It is part of
    /// the deposit already.
    pub believed: Option<PaymentIntent>,
    /// Whose request or stream draws on it: what is signed ahead is for that one.
    pub drawn_by: Option<Drawing>,
    /// The newest step of a forced exit.
    pub leaving: Option<Leaving>,
    /// Whether the chain showed the first deposit in its channel.
    pub funded: bool,
    /// When a top-up was put in last.
    pub topped_up_at: Option<UnixSeconds>,
    /// The last challenge, as a credential echoes it.
    pub challenge: Box<RawValue>,
    /// When that is over.
    pub challenge_ends: UnixSeconds,
    /// When it is closed, whatever is left of it.
    pub ends_at: UnixSeconds,
    /// When it was opened.
    pub opened_at: UnixSeconds,
    /// When it paid last.
    pub used_at: UnixSeconds,
    /// Since when it is ending.
    pub ending_since: Option<UnixSeconds>,
    /// What the payee got in all, once the chain shows it.
    pub settled: Option<Amount>,
    /// Rises with every change.
    #[serde(skip)]
    pub(crate) version: u64,
}

/// A claim to the unit that is signed ahead. It ends with its process, where others can see that
/// end, and lapses in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawing {
    /// The process that draws, by a name that it gave itself.
    pub by: String,
    /// First second in which nobody does.
    pub until: UnixSeconds,
    /// Whether it holds a lock, by which others see that it runs.
    #[serde(default)]
    pub locked: bool,
}

/// A step of a forced exit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaving {
    /// What is signed for it.
    pub intent: PaymentIntent,
    /// Whether it is known to be signed. Otherwise the same intent is signed again.
    pub signed: bool,
    /// From when on the signers let another intent follow, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<UnixSeconds>,
}

/// A voucher that was signed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedVoucher {
    /// Base units in all.
    pub cumulative: Amount,
    /// `0x` and 65 bytes in hexadecimal.
    pub signature: String,
}

/// Whoever holds the signature can present it, so that it has no voice.
impl std::fmt::Debug for SignedVoucher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedVoucher({})", self.cumulative)
    }
}

impl Session {
    /// Whether a service still asks for what the session was opened for.
    #[must_use]
    pub fn has_terms(&self, asked: &SessionChoice) -> bool {
        let channel = &self.descriptor;
        (self.chain, channel.token) == (asked.asset.chain, asked.asset.token)
            && (channel.payee, channel.operator) == (asked.payee, asked.operator)
            && self.meter.unit_price == asked.unit_price
    }

    /// Whether another session was opened for the same: its place, or its terms.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let terms = |session: &Self| {
            let channel = session.descriptor;
            let parties = (channel.payee, channel.operator);
            (session.chain, channel.token, parties, session.meter.unit_price)
        };
        self.resource == other.resource || terms(self) == terms(other)
    }

    /// Takes in a voucher that was signed.
    pub(super) fn signed(&mut self, cumulative: Amount, made: &MppSignature) {
        let signature = format!("0x{}", hex::encode(made.signature.to_rsv()));
        self.meter.signed = self.meter.signed.max(cumulative);
        self.vouchers.retain(|voucher| voucher.cumulative != cumulative);
        self.vouchers.push(SignedVoucher { cumulative, signature });
        let surplus = self.vouchers.len().saturating_sub(VOUCHERS_KEPT);
        self.vouchers.drain(..surplus);
    }

    /// The voucher up to this amount, if it is one of the newest.
    pub(super) fn voucher(&self, cumulative: Amount) -> Option<&SignedVoucher> {
        self.vouchers.iter().find(|voucher| voucher.cumulative == cumulative)
    }

    /// Takes in a challenge that was accepted.
    pub(super) fn answers(&mut self, challenge: &PaymentChallenge) {
        if let Ok(accepted) = crate::mpp::accepted(challenge) {
            self.challenge = accepted;
            self.challenge_ends = expires(challenge).unwrap_or(UnixSeconds(0));
        }
    }
}

/// A URL without what differs from request to request.
pub(super) fn resource_of(url: &Url) -> String {
    let mut resource = url.clone();
    resource.set_query(None);
    resource.set_fragment(None);
    resource.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_of_a_voucher_has_no_voice() {
        let cumulative = Amount::from_base_units(10_000);
        let voucher = SignedVoucher { cumulative, signature: "0xc0ffee".to_owned() };
        let said = format!("{voucher:?}");
        assert!(said.contains("10000") && !said.contains("c0ffee"), "{said}");
    }
}
