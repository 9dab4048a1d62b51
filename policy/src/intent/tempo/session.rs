//! The life of an MPP channel, as an agent asks for it: opened, topped up, drawn on by the wallet's
//! own vouchers, closed, or left by force.
//!
//! Refuses: a session beyond [`SESSION_SECONDS_MAX`], a unit price above the deposit, a channel
//! that is not the wallet's, vouchers that the payee's side signs for itself, and an escrow
//! contract that is not one of [`V1_ESCROWS`].
//!
//! Does not protect against: a service that takes the deposit and delivers nothing. The deposit is
//! the most that can be lost.

use alloy_primitives::{Address, B256, address};
use serde::{Deserialize, Serialize};

use super::{MppChallenge, TempoTerms, check_chain, check_terms};
use crate::chain::Chain;
use crate::intent::{PaymentIntent, Service, check_payee};
use crate::money::Amount;
use crate::mpp::{ChannelDescriptor, ChannelId};
use crate::refusal::Refusal;
use crate::time::UnixSeconds;

/// The escrow contracts from before TIP-1034, by chain. A channel of theirs is never opened here,
/// nor paid out of; one that a policy names can be left.
pub const V1_ESCROWS: [(Chain, Address); 2] = [
    (Chain::Tempo, address!("0x33b901018174DDabE4841042ab76ba85D4e24f25")),
    (Chain::TempoModerato, address!("0xe1c4d3dce17bc111181ddf716f75bae49e61a336")),
];
/// Longest time for which a session may be opened, in seconds: 31 days.
pub const SESSION_SECONDS_MAX: u64 = 2_678_400;

/// Opens a channel (TIP-1034) with a deposit that vouchers draw on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MppOpen {
    /// Chain.
    pub chain: Chain,
    /// Token contract.
    pub token: Address,
    /// Payee of the channel.
    pub payee: Address,
    /// Who may settle and close beside the payee; zero for nobody.
    pub operator: Address,
    /// Base units put in: the most that the session can cost.
    pub deposit: Amount,
    /// Random, so that no two channels are one.
    pub salt: B256,
    /// Who signs vouchers: the wallet, or a key made for this session.
    pub authorized_signer: Address,
    /// Base units of one unit of service, frozen for the session.
    pub unit_price: Amount,
    /// When the session ends: it is closed then, by force if need be.
    pub ends_at: UnixSeconds,
    /// What is answered.
    pub challenge: MppChallenge,
    /// Fees and end.
    pub terms: TempoTerms,
}

/// Puts more money into an open channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MppTopUp {
    /// Chain.
    pub chain: Chain,
    /// The channel, which this wallet opened.
    pub channel: ChannelDescriptor,
    /// Base units put on top.
    pub additional: Amount,
    /// What is answered.
    pub challenge: MppChallenge,
    /// Fees and end.
    pub terms: TempoTerms,
}

/// A voucher signed by the wallet itself: the payee may take this much of the deposit in all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MppVoucher {
    /// Chain.
    pub chain: Chain,
    /// The channel, which this wallet opened.
    pub channel: ChannelDescriptor,
    /// Base units in all since the channel was opened.
    pub cumulative: Amount,
    /// The resource that is paid for.
    pub resource: String,
    /// Its service.
    pub service: Service,
}

/// Agrees to the end of a channel at what was used, signed by the wallet itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MppClose {
    /// Chain.
    pub chain: Chain,
    /// The channel, which this wallet opened.
    pub channel: ChannelDescriptor,
    /// Base units in all that the payee gets.
    pub cumulative: Amount,
}

/// Takes a deposit back without the service: `requestClose`, and `withdraw` once the grace period
/// is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MppExit {
    /// Chain.
    pub chain: Chain,
    /// Token of the deposit.
    pub token: Address,
    /// Which channel.
    pub channel: ExitChannel,
    /// Which of the two steps.
    pub step: ExitStep,
    /// Fees and end.
    pub terms: TempoTerms,
}

/// A channel that is left by force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "protocol", rename_all = "snake_case", deny_unknown_fields)]
pub enum ExitChannel {
    /// A channel of the reserve (TIP-1034).
    V2 {
        /// What it was opened as.
        descriptor: ChannelDescriptor,
    },
    /// A channel of an escrow contract from before TIP-1034. Tercet opens none: another client did,
    /// with this wallet's address as the payer. A policy has to name it
    /// ([`V1Channels`](crate::rules::V1Channels)).
    V1 {
        /// The contract.
        escrow: Address,
        /// Its name there.
        channel: ChannelId,
    },
}

/// The steps of a forced exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStep {
    /// Starts the grace period, in which the payee may still settle.
    RequestClose,
    /// Takes back what the payee has not settled.
    Withdraw,
}

impl MppOpen {
    /// The channel that this opens, by the hash of the opening transaction.
    #[must_use]
    pub fn descriptor(&self, payer: Address, expiring_nonce_hash: B256) -> ChannelDescriptor {
        ChannelDescriptor {
            payer,
            payee: self.payee,
            operator: self.operator,
            token: self.token,
            salt: self.salt,
            authorized_signer: self.authorized_signer,
            expiring_nonce_hash,
        }
    }
}

impl MppOpen {
    pub(in crate::intent) fn check(&self, intent: &PaymentIntent) -> Result<(), Refusal> {
        check_chain(self.chain)?;
        self.challenge.check()?;
        check_terms(intent, &self.terms)?;
        check_payee(self.payee, self.token, self.deposit, intent.wallet)?;
        if self.operator == intent.wallet {
            return Err(Refusal::BadPayee { payee: self.operator });
        }
        self.check_signer()?;
        if self.unit_price == Amount::ZERO || self.unit_price > self.deposit {
            return Err(Refusal::NothingToPay);
        }
        let limit = intent.created_at.plus(SESSION_SECONDS_MAX);
        if self.ends_at > limit {
            return Err(Refusal::ValidityTooLong { valid_before: self.ends_at, limit });
        }
        if self.ends_at <= intent.created_at {
            return Err(Refusal::NeverValid { valid_before: self.ends_at });
        }
        Ok(())
    }
}

impl MppOpen {
    /// Whoever signs vouchers says what the payee gets: nobody on the payee's side.
    fn check_signer(&self) -> Result<(), Refusal> {
        let signer = self.authorized_signer;
        let is_theirs = [Address::ZERO, self.payee, self.operator, self.token].contains(&signer);
        if is_theirs { Err(Refusal::NotTheVoucherSigner) } else { Ok(()) }
    }
}

impl MppTopUp {
    pub(in crate::intent) fn check(&self, intent: &PaymentIntent) -> Result<(), Refusal> {
        check_channel(self.chain, &self.channel, intent.wallet)?;
        self.challenge.check()?;
        if self.additional == Amount::ZERO {
            return Err(Refusal::NothingToPay);
        }
        check_terms(intent, &self.terms)
    }
}

impl MppVoucher {
    pub(in crate::intent) fn check(&self, intent: &PaymentIntent) -> Result<(), Refusal> {
        check_channel(self.chain, &self.channel, intent.wallet)?;
        check_signs_vouchers(&self.channel, intent.wallet)?;
        let host = Service::of(&self.resource)?;
        if host == self.service {
            Ok(())
        } else {
            Err(Refusal::ServiceIsNotTheHost { service: self.service.clone(), host })
        }
    }
}

impl MppClose {
    pub(in crate::intent) fn check(&self, intent: &PaymentIntent) -> Result<(), Refusal> {
        check_channel(self.chain, &self.channel, intent.wallet)?;
        check_signs_vouchers(&self.channel, intent.wallet)
    }
}

impl MppExit {
    pub(in crate::intent) fn check(&self, intent: &PaymentIntent) -> Result<(), Refusal> {
        check_chain(self.chain)?;
        let is_one = match &self.channel {
            ExitChannel::V2 { descriptor } => {
                check_channel(self.chain, descriptor, intent.wallet)?;
                descriptor.token == self.token
            }
            // Any other contract could take the call for something else.
            ExitChannel::V1 { escrow, .. } => V1_ESCROWS.contains(&(self.chain, *escrow)),
        };
        if !is_one {
            return Err(Refusal::NotTheChannel);
        }
        check_terms(intent, &self.terms)
    }
}

fn check_channel(
    chain: Chain,
    channel: &ChannelDescriptor,
    wallet: Address,
) -> Result<(), Refusal> {
    check_chain(chain)?;
    if channel.payer == wallet { Ok(()) } else { Err(Refusal::NotTheChannel) }
}

fn check_signs_vouchers(channel: &ChannelDescriptor, wallet: Address) -> Result<(), Refusal> {
    if channel.voucher_signer() == wallet { Ok(()) } else { Err(Refusal::NotTheVoucherSigner) }
}
