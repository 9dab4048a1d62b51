//! What a service can do with the credentials it was given, read from their bytes.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use anyhow::{Context as _, Result, bail, ensure};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use serde_json::Value;
use tercet_policy::chain::{Chain, PATH_USD};
use tercet_policy::money::Amount;
use tercet_policy::mpp::{
    ChannelAmount, ChannelDescriptor, ChannelId, ChannelOpening, attribution_memo, close_preimage,
    proof_preimage, voucher_preimage,
};
use tercet_policy::tempo::{CHANNEL_RESERVE, SPONSORED_ENVELOPE_TYPE, TRANSACTION_TYPE, calls};
use tercet_tests::mpp_peers::MppParty;

/// `transferWithMemo(address,uint256,bytes32)`.
const TRANSFER_WITH_MEMO: [u8; 4] = [0x95, 0x77, 0x7d, 0x59];
/// `transfer(address,uint256)`.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
/// `open(address,address,address,uint96,bytes32,address)`.
const OPEN: [u8; 4] = [0xed, 0xc5, 0x3b, 0x00];
/// 4217 as RLP has it.
const CHAIN_ID_RLP: [u8; 3] = [0x82, 0x10, 0x79];
const WORD: usize = 32;
/// A signature ends both forms of a transaction.
const SIGNATURE_BYTES: usize = 65;
/// Place of the deposit among the arguments of `open`.
const DEPOSIT_ARGUMENT: usize = 3;
const OPEN_BYTES: usize = 4 + 6 * WORD;

/// What can be done with all of them, in base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Worth {
    /// Of the charges, each counted once however often it was sent.
    pub(super) charged: u128,
    /// Of the highest voucher.
    pub(super) cumulative: u128,
    /// Of the highest close that was agreed to.
    pub(super) closed_at: u128,
    /// Of the largest deposit.
    pub(super) deposit: u128,
    /// How many channels can be opened.
    pub(super) openings: usize,
}

/// Who pays whom, and what one charge is.
#[derive(Clone, Debug)]
pub(super) struct Audit<'a> {
    pub(super) wallet: Address,
    pub(super) party: &'a MppParty,
    pub(super) price: u128,
}

#[derive(Default)]
struct Seen {
    /// Without their signatures: the chain takes one of several under the same bytes (TIP-1009).
    charges: BTreeSet<Vec<u8>>,
    channels: BTreeMap<ChannelId, (ChannelDescriptor, u128)>,
    worth: Worth,
}

impl Audit<'_> {
    /// Reads every credential; fails on one that binds the wallet to anybody but the payee, to
    /// another chain, token or escrow, or to a voucher below an earlier one.
    pub(super) fn worth(&self, credentials: &[Value]) -> Result<Worth> {
        let mut seen = Seen::default();
        let source = format!("did:pkh:eip155:4217:{}", self.wallet);
        for credential in credentials {
            ensure!(credential["source"] == source, "of somebody else: {credential:#}");
            let payload = &credential["payload"];
            match payload["action"].as_str() {
                None => self.charge(credential, &mut seen)?,
                Some("open") => self.open(payload, &mut seen)?,
                Some("voucher") => self.voucher(payload, &mut seen)?,
                Some("close") => self.close(payload, &mut seen)?,
                Some(other) => bail!("{other} was signed: {payload:#}"),
            }
        }
        let charged = u128::try_from(seen.charges.len())? * self.price;
        Ok(Worth { charged, openings: seen.channels.len(), ..seen.worth })
    }

    fn charge(&self, credential: &Value, seen: &mut Seen) -> Result<()> {
        let (challenge, payload) = (&credential["challenge"], &credential["payload"]);
        let (realm, id) = (text(challenge, "realm")?, text(challenge, "id")?);
        if payload["type"] == "proof" {
            let preimage = proof_preimage(Chain::Tempo.id(), self.wallet, id, realm);
            let signer = signer(&preimage, text(payload, "signature")?)?;
            ensure!(signer == self.wallet, "{signer} signed the proof");
            return Ok(());
        }
        ensure!(payload["type"] == "transaction", "{payload:#}");
        let raw: Bytes = text(payload, "signature")?.parse()?;
        check_chain(&raw)?;
        let memo = attribution_memo(realm, None, id);
        let price = Amount::from_base_units(self.price);
        let call = calls::transfer_with_memo(PATH_USD, self.party.payee, price, memo);
        ensure!(times(&raw, &call.input) == 1, "not the price to the payee: {raw}");
        ensure!(times(&raw, &TRANSFER_WITH_MEMO) == 1, "two transfers: {raw}");
        ensure!(times(&raw, &TRANSFER) == 0, "another transfer: {raw}");
        ensure!(times(&raw, self.party.sponsor.as_slice()) == 0, "a stranger: {raw}");
        seen.charges.insert(raw[..raw.len() - SIGNATURE_BYTES].to_vec());
        Ok(())
    }

    fn open(&self, payload: &Value, seen: &mut Seen) -> Result<()> {
        let (id, descriptor) = self.channel(payload)?;
        let raw: Bytes = text(payload, "transaction")?.parse()?;
        check_chain(&raw)?;
        ensure!(times(&raw, CHANNEL_RESERVE.as_slice()) == 1, "another escrow: {raw}");
        let at = raw.windows(OPEN.len()).position(|part| part == OPEN).context("no opening")?;
        let call = raw.get(at..at + OPEN_BYTES).context("an opening that is cut")?;
        let deposit = at_word(call, DEPOSIT_ARGUMENT);
        let opening = ChannelOpening {
            payee: descriptor.payee,
            operator: descriptor.operator,
            token: descriptor.token,
            salt: descriptor.salt,
            authorized_signer: descriptor.authorized_signer,
        };
        let amount = ChannelAmount::try_from(Amount::from_base_units(deposit))?;
        ensure!(*call == *calls::open(&opening, amount).input, "opens another channel: {raw}");
        seen.channels.insert(id, (descriptor, 0));
        seen.worth.deposit = seen.worth.deposit.max(deposit);
        self.voucher(payload, seen)
    }

    fn voucher(&self, payload: &Value, seen: &mut Seen) -> Result<()> {
        let (id, descriptor) = self.channel(payload)?;
        let cumulative = number(payload, "cumulativeAmount")?;
        let amount = ChannelAmount::try_from(Amount::from_base_units(cumulative))?;
        let preimage = voucher_preimage(Chain::Tempo.id(), id, amount);
        let signer = signer(&preimage, text(payload, "signature")?)?;
        ensure!(signer == descriptor.voucher_signer(), "{signer} signed the voucher");
        let (opened, before) = seen.channels.get_mut(&id).context("a channel nobody opened")?;
        ensure!(*opened == descriptor, "two channels of one id");
        ensure!(cumulative >= *before || payload["action"] == "close", "goes back: {payload:#}");
        *before = cumulative.max(*before);
        seen.worth.cumulative = seen.worth.cumulative.max(cumulative);
        Ok(())
    }

    fn close(&self, payload: &Value, seen: &mut Seen) -> Result<()> {
        self.voucher(payload, seen)?;
        let (id, descriptor) = self.channel(payload)?;
        let cumulative = number(payload, "cumulativeAmount")?;
        let amount = ChannelAmount::try_from(Amount::from_base_units(cumulative))?;
        let preimage = close_preimage(Chain::Tempo.id(), id, amount);
        let signer = signer(&preimage, text(payload, "closeSignature")?)?;
        ensure!(signer == descriptor.voucher_signer(), "{signer} agreed to the close");
        seen.worth.closed_at = seen.worth.closed_at.max(cumulative);
        Ok(())
    }

    /// The channel, whose id binds chain and escrow.
    fn channel(&self, payload: &Value) -> Result<(ChannelId, ChannelDescriptor)> {
        let descriptor: ChannelDescriptor = serde_json::from_value(payload["descriptor"].clone())?;
        let id = descriptor.channel_id(Chain::Tempo.id());
        ensure!(text(payload, "channelId")? == format!("0x{id}"), "another id: {payload:#}");
        ensure!(descriptor.payer == self.wallet, "{payload:#}");
        ensure!(descriptor.payee == self.party.payee, "{payload:#}");
        ensure!(descriptor.token == PATH_USD, "{payload:#}");
        let known = [Address::ZERO, self.party.sponsor];
        ensure!(known.contains(&descriptor.operator), "{payload:#}");
        let strange = [Address::ZERO, self.party.payee, self.party.sponsor];
        ensure!(!strange.contains(&descriptor.voucher_signer()), "{payload:#}");
        Ok((id, descriptor))
    }
}

fn check_chain(raw: &[u8]) -> Result<()> {
    let [kind, rest @ ..] = raw else { bail!("no transaction") };
    ensure!([TRANSACTION_TYPE, SPONSORED_ENVELOPE_TYPE].contains(kind), "of type {kind}");
    let header = match rest.first().context("no list")? {
        long @ 0xf8.. => usize::from(long - 0xf7) + 1,
        _ => 1,
    };
    ensure!(rest.get(header..).is_some_and(|l| l.starts_with(&CHAIN_ID_RLP)), "another chain");
    Ok(())
}

fn at_word(call: &[u8], argument: usize) -> u128 {
    let begin = 4 + argument * WORD;
    U256::from_be_slice(&call[begin..begin + WORD]).saturating_to()
}

fn times(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).filter(|window| *window == part).count()
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("{field} of {value:#}"))
}

fn number(value: &Value, field: &str) -> Result<u128> {
    Ok(text(value, field)?.parse()?)
}

/// Who signed the Keccak-256 of this.
fn signer(preimage: &[u8], signature: &str) -> Result<Address> {
    let signature: Bytes = signature.parse()?;
    let [rs @ .., v] = signature.as_ref() else { bail!("an empty signature") };
    let rs = Signature::from_slice(rs)?;
    ensure!(rs.normalize_s().is_none(), "a high s");
    let id = RecoveryId::from_byte(v.checked_sub(27).context("v")?).context("v")?;
    let hash: B256 = keccak256(preimage);
    let key = VerifyingKey::recover_from_prehash(hash.as_slice(), &rs, id)?;
    Ok(Address::from_public_key(&key))
}
