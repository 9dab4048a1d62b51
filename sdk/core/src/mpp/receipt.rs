//! `Payment-Receipt`: what a service says of a payment. It is a hint, and never evidence.

use alloy_primitives::B256;
use mpp::{PAYMENT_RECEIPT_HEADER, parse_receipt};
use reqwest::header::HeaderMap;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;

use super::meter::Meter;

/// A service's word about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptClaim {
    /// The transaction it names, for a charge.
    pub transaction: Option<B256>,
    /// What it says of a session.
    pub session: Option<SessionClaim>,
}

/// A service's word about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionClaim {
    /// The channel.
    pub channel: ChannelId,
    /// The highest voucher it took, in base units.
    pub accepted: Amount,
    /// What it says was used, in base units.
    pub spent: Amount,
}

impl ReceiptClaim {
    /// Reads the one `Payment-Receipt` header. One that does not read is silence.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(PAYMENT_RECEIPT_HEADER).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        Self::parse(value.to_str().ok()?)
    }

    /// Reads a receipt's text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let receipt = parse_receipt(text).ok()?;
        if receipt.method.as_str() != "tempo" {
            return None;
        }
        let field = |name: &str| receipt.extensions.get(name).and_then(|value| value.as_str());
        let amount = |name: &str| Amount::parse_base_units(field(name)?).ok();
        let session = || {
            Some(SessionClaim {
                channel: field("channelId")?.parse::<B256>().ok()?.into(),
                accepted: amount("acceptedCumulative")?,
                spent: amount("spent")?,
            })
        };
        let session = session();
        let transaction = receipt.reference.parse().ok().filter(|_| session.is_none());
        Some(Self { transaction, session })
    }
}

impl SessionClaim {
    /// What was used, if the claim can be true: of this channel, not above what was signed, and not
    /// below what it said before.
    #[must_use]
    pub fn plausible(&self, channel: ChannelId, meter: &Meter) -> Option<Amount> {
        let fits = self.channel == channel
            && self.spent <= self.accepted
            && self.accepted <= meter.signed
            && meter.claimed.is_none_or(|before| self.spent >= before);
        fits.then_some(self.spent)
    }
}
