//! Why something will not be signed: plain values, shown to agents to the letter.
//!
//! A refusal is a normal outcome. It says what was asked, what the limit is and, where that can
//! be known, when asking again makes sense. It never carries a secret.

mod field;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::decision::Decision;
use crate::intent::{IntentId, Service};
use crate::money::Amount;
use crate::mpp::ChannelId;
use crate::party::AgentId;
use crate::time::UnixSeconds;

pub use field::{ClaimField, FeeField, KeyFault};

/// Why a proposal or an intent is refused. `code` is the variant's name in snake case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody of that name is enrolled here.
    #[error("agent {agent} is not enrolled here")]
    UnknownAgent {
        /// The agent named.
        agent: AgentId,
    },
    /// The intent does not carry its agent's signature over exactly this content.
    #[error("the intent is not signed by its agent, or was changed afterwards")]
    BadSignature,
    /// A number that JSON does not carry exactly.
    #[error("numbers in an intent end at {limit}")]
    NumberTooLarge {
        /// Largest number taken.
        limit: u64,
    },
    /// Another version of the intent format.
    #[error("intent version {given} is not known here; version {known} is")]
    UnknownVersion {
        /// Version of the intent.
        given: u8,
        /// Version known here.
        known: u8,
    },
    /// Its time is over.
    #[error("the intent expired at {expires_at}; it is {now}")]
    IntentExpired {
        /// When it ended.
        expires_at: UnixSeconds,
        /// Our time.
        now: UnixSeconds,
    },
    /// Made later than now, by more than clocks differ.
    #[error("the intent was made at {created_at}, and it is only {now}")]
    IntentFromFuture {
        /// When it says it was made.
        created_at: UnixSeconds,
        /// Our time.
        now: UnixSeconds,
    },
    /// Wants to be signable for too long.
    #[error("the intent ends at {expires_at}; the latest allowed is {limit}")]
    IntentLivesTooLong {
        /// End asked for.
        expires_at: UnixSeconds,
        /// Latest end allowed.
        limit: UnixSeconds,
    },
    /// The authorization would be usable for too long.
    #[error(
        "the authorization would be usable until {valid_before}; the latest allowed is {limit}"
    )]
    ValidityTooLong {
        /// End asked for.
        valid_before: UnixSeconds,
        /// Latest end allowed.
        limit: UnixSeconds,
    },
    /// The authorization could never be used.
    #[error("the authorization would end at {valid_before}, before it began")]
    NeverValid {
        /// End asked for.
        valid_before: UnixSeconds,
    },
    /// A token that is not in the registry of that chain.
    #[error("token {token} on {chain} is not in the registry")]
    UnknownAsset {
        /// Chain named.
        chain: Chain,
        /// Token named.
        token: Address,
    },
    /// The zero address, the token itself, or the wallet itself.
    #[error("{payee} cannot be paid")]
    BadPayee {
        /// Payee named.
        payee: Address,
    },
    /// An amount of zero.
    #[error("an amount of zero pays nothing")]
    NothingToPay,
    /// Not an `http` or `https` URL, or one with credentials.
    #[error("{resource:?} is not a URL of a resource that can be paid for")]
    BadResource {
        /// What was given, cut to a printable length.
        resource: String,
    },
    /// The service named is not the host of the resource named.
    #[error("the service is given as {service}, the resource lies on {host}")]
    ServiceIsNotTheHost {
        /// Service named.
        service: Service,
        /// Host of the resource.
        host: Service,
    },
    /// A payment of that kind is not made on that chain.
    #[error("{chain} has no payments of that kind")]
    NotOnThatChain {
        /// Chain named.
        chain: Chain,
    },
    /// An MPP challenge whose id or realm is empty or too long.
    #[error("the id and the realm of a challenge have 1 to {limit_bytes} bytes")]
    BadChallenge {
        /// Longest.
        limit_bytes: usize,
    },
    /// The realm of the challenge is not the host that was asked.
    #[error("the challenge is for the realm {realm:?}, the resource lies on {host}")]
    RealmIsNotTheHost {
        /// Realm named, cut to a printable length.
        realm: String,
        /// Host of the resource.
        host: Service,
    },
    /// More payees than a charge has.
    #[error("a charge has at most {limit} splits")]
    TooManySplits {
        /// Most.
        limit: usize,
    },
    /// The splits of a charge leave the primary payee nothing.
    #[error("the splits of the charge leave its primary payee nothing")]
    SplitsTakeAll,
    /// The channel is not the wallet's, or not of that token.
    #[error("the channel is not one of this wallet and token")]
    NotTheChannel,
    /// This node never admitted the opening of that channel.
    #[error("channel {channel} was not opened here")]
    UnknownChannel {
        /// The channel.
        channel: ChannelId,
    },
    /// No policy says that this channel of a contract from before TIP-1034 may be left.
    #[error(
        "channel {channel} is of an escrow contract from before TIP-1034, and not known here; it \
         can be left once a policy names it: v1_channels: [\"0x{channel}\"]"
    )]
    ChannelNotListed {
        /// The channel.
        channel: ChannelId,
    },
    /// The vouchers of the channel are signed by a key that is not ours to sign with.
    #[error("the vouchers of this channel are another key's to sign")]
    NotTheVoucherSigner,
    /// The channel is being closed, or is closed.
    #[error("channel {channel} is being closed")]
    ChannelCloses {
        /// The channel.
        channel: ChannelId,
    },
    /// The session of the channel has ended: what is in it comes back, and nothing more is paid.
    #[error("the session of channel {channel} ended at {ends_at}; it is {now}")]
    SessionIsOver {
        /// The channel.
        channel: ChannelId,
        /// When it ended.
        ends_at: UnixSeconds,
        /// Our time.
        now: UnixSeconds,
    },
    /// The channel was opened for another session or another service than is named now.
    #[error("channel {channel} was opened for another session or service")]
    OtherSession {
        /// The channel.
        channel: ChannelId,
    },
    /// Another intent opened the very same channel.
    #[error("channel {channel} is open already")]
    ChannelIsOpen {
        /// The channel.
        channel: ChannelId,
    },
    /// This step of leaving the channel was signed a moment ago.
    #[error("leaving channel {channel} is under way; the step can be signed again at {until}")]
    ExitUnderWay {
        /// The channel.
        channel: ChannelId,
        /// From when on it can be.
        until: UnixSeconds,
    },
    /// The voucher adds more to the one before it than a policy lets one add.
    #[error("a voucher of channel {channel} may add {limit}; {asked} is more")]
    VoucherStepTooHigh {
        /// The channel.
        channel: ChannelId,
        /// Base units that one may add.
        limit: Amount,
        /// Base units asked for.
        asked: Amount,
    },
    /// The voucher is not above the one before it.
    #[error("a voucher over {signed} of channel {channel} is signed already; {asked} is not more")]
    VoucherGoesBack {
        /// The channel.
        channel: ChannelId,
        /// Base units signed so far.
        signed: Amount,
        /// Base units asked for.
        asked: Amount,
    },
    /// The voucher is above the deposit.
    #[error("channel {channel} holds {deposit}; {asked} is more")]
    AboveDeposit {
        /// The channel.
        channel: ChannelId,
        /// Base units put in.
        deposit: Amount,
        /// Base units asked for.
        asked: Amount,
    },
    /// An access key as none is authorized.
    #[error("no such access key is authorized: {fault}")]
    UnfitAccessKey {
        /// What is wrong.
        fault: KeyFault,
    },
    /// This node never admitted that the key be authorized, or its time is over.
    #[error("access key {key} was not authorized here, or its time is over")]
    UnknownAccessKey {
        /// The key.
        key: Address,
    },
    /// The revocation of the key was signed a moment ago.
    #[error("access key {key} is being revoked; that can be signed again at {until}")]
    RevocationUnderWay {
        /// The key.
        key: Address,
        /// From when on it can be.
        until: UnixSeconds,
    },
    /// The chain takes the transaction no more, by our time.
    #[error("the transaction ends at {valid_before}; it is {now}")]
    TransactionIsOver {
        /// First second in which the chain does not take it.
        valid_before: UnixSeconds,
        /// Our time.
        now: UnixSeconds,
    },
    /// The fee would be paid in another token than is moved.
    #[error("the fee is to be paid in {token}, as the payment is, not in {fee_token}")]
    OtherFeeToken {
        /// Token of the payment.
        token: Address,
        /// Token named for the fee.
        fee_token: Address,
    },
    /// The courier restates a field of the intent differently.
    #[error("the courier claims {field} {claimed}; it is {actual}")]
    ClaimMismatch {
        /// Which field.
        field: ClaimField,
        /// What follows from the intent or from this node's own state.
        actual: String,
        /// What the courier claims.
        claimed: String,
    },
    /// A fee or gas figure above the ceiling.
    #[error("{field} {asked} is above the ceiling of {limit}")]
    FeeTooHigh {
        /// Which figure.
        field: FeeField,
        /// Figure asked for, in wei or gas.
        asked: String,
        /// Ceiling.
        limit: String,
    },
    /// The wallet is not one whose share this node holds for that agent.
    #[error("{wallet} is not a wallet of agent {agent} here")]
    UnknownWallet {
        /// Wallet named.
        wallet: Address,
        /// Agent that asks.
        agent: AgentId,
    },
    /// The agent is stopped.
    #[error("agent {agent} is frozen: {reason}")]
    AgentFrozen {
        /// The agent.
        agent: AgentId,
        /// Why.
        reason: String,
    },
    /// There is no policy for the agent, and no policy means no.
    #[error("there is no policy for agent {agent}, and no policy means no")]
    NoPolicy {
        /// The agent.
        agent: AgentId,
    },
    /// The policy's rules ask for people who have not said yes.
    #[error("people have to approve this: {0}")]
    ApprovalMissing(Decision),
    /// The policy's rules say no.
    #[error("the policy says no: {0}")]
    Policy(Decision),
    /// The intent's id was used before for other content.
    #[error("intent {id} was used before, for something else")]
    IntentReused {
        /// The id.
        id: IntentId,
    },
    /// The slot was given away for good to another digest.
    #[error("slot {slot} already holds another digest for ever")]
    SlotTaken {
        /// The slot's name.
        slot: String,
        /// The digest it holds.
        held: B256,
    },
    /// One intent, one payment: the intent has another slot already.
    #[error("intent {id} is bound to slot {slot} for good")]
    IntentHasSlot {
        /// The id.
        id: IntentId,
        /// The slot it is bound to.
        slot: String,
    },
    /// The payment was proved void, so its intent is over.
    #[error("intent {id} is over: its payment was proved void")]
    IntentIsOver {
        /// The id.
        id: IntentId,
    },
    /// A cancellation of something this node never signed.
    #[error("intent {id} was never signed here, so there is nothing to cancel")]
    NothingToCancel {
        /// The intent to be cancelled.
        id: IntentId,
    },
    /// A proof of an earlier session failed with this pair; an operator has to look.
    #[error("signing for {wallet} is stopped after failed sessions; an operator has to look")]
    PairFrozen {
        /// The wallet.
        wallet: Address,
    },
}
