//! A payer with money on a fresh Tempo chain, and what it signs.

use std::num::NonZeroU64;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use anyhow::{Result, bail};
use tercet_chain::{ChainReader, Fate};
use tercet_policy::chain::PATH_USD;
use tercet_policy::channel::ChannelAct;
use tercet_policy::mpp::{ChannelDescriptor, ChannelOpening, voucher_preimage};
use tercet_policy::payload::WalletSignature;
use tercet_policy::proposal::ChainTerms;
use tercet_policy::rows::SpendRow;
use tercet_policy::tempo::{Call, Fee, TempoTransaction, calls};

use crate::local_key::LocalKey;
use crate::rows::{self, units};
use crate::tempo::TempoNode;

pub(crate) const FUNDS: u64 = 10_000_000;
/// Longest wait for the chain to say something, in looks a tenth of a second apart.
const LOOKS_MAX: u32 = 200;
const GAS: u64 = 2_000_000;
const FEE_PER_GAS: u128 = 24_000_000_000;

pub(crate) struct Scene {
    pub(crate) node: TempoNode,
    pub(crate) wallet: LocalKey,
    payee: LocalKey,
    pub(crate) reader: ChainReader,
}

impl Scene {
    pub(crate) async fn start() -> Result<Self> {
        let node = TempoNode::start().await?;
        let (wallet, payee) = (LocalKey::named("payer"), LocalKey::named("payee"));
        for key in [&wallet, &payee] {
            node.fund(key.address(), FUNDS.into()).await?;
        }
        let reader = ChainReader::new(&node.endpoints()?)?;
        Ok(Self { node, wallet, payee, reader })
    }

    /// The row of a transfer of so much to the payee of the rows, admitted now.
    pub(crate) async fn transfer(&self, intent: u8, amount: u64) -> Result<SpendRow> {
        let row = rows::transfer(intent, amount, self.node.now().await?);
        Ok(SpendRow { wallet: self.wallet.address(), ..row })
    }

    /// The row of an opening, the channel, and the call that opens it.
    pub(crate) async fn open(
        &self,
        intent: u8,
        deposit: u64,
    ) -> Result<(SpendRow, ChannelDescriptor, Call)> {
        let opening = ChannelOpening {
            payee: self.payee.address(),
            operator: Address::ZERO,
            token: PATH_USD,
            salt: B256::repeat_byte(intent),
            authorized_signer: self.wallet.address(),
        };
        let now = self.node.now().await?;
        let wallet = self.wallet.address();
        let row = SpendRow { wallet, ..rows::open(intent, deposit, now) };
        let call = calls::open(&opening, units(deposit).try_into()?);
        let hash = transaction(&row, call.clone())?.expiring_nonce_hash(wallet);
        let descriptor = opening.descriptor(wallet, hash);
        let channel = Some(ChannelAct::Open { descriptor, ends_at: now.plus(3_600) });
        Ok((SpendRow { channel, ..row }, descriptor, call))
    }

    /// The row of a top-up.
    pub(crate) async fn top_up(
        &self,
        intent: u8,
        channel: ChannelDescriptor,
        more: u64,
    ) -> Result<SpendRow> {
        let row = rows::top_up(intent, more, self.node.now().await?);
        let channel = channel.channel_id(self.node.chain().id());
        let channel = Some(ChannelAct::TopUp { channel });
        Ok(SpendRow { wallet: self.wallet.address(), channel, ..row })
    }

    /// Signs the transaction of a row and hands it over; it is mined by then.
    pub(crate) async fn send(&self, row: &SpendRow, call: Call) -> Result<B256> {
        self.sent_by(&self.wallet, &transaction(row, call)?).await
    }

    /// The payee closes a channel with a voucher of the wallet for so much, and takes it all.
    pub(crate) async fn close(&self, channel: &ChannelDescriptor, settled: u64) -> Result<()> {
        let chain = self.node.chain().id();
        let amount = units(settled).try_into()?;
        let voucher = voucher_preimage(chain, channel.channel_id(chain), amount);
        let signature = signed(&self.wallet, &voucher)?.to_rsv();
        let call = calls::close(channel, amount, amount, Bytes::copy_from_slice(&signature));
        let row = rows::transfer(99, 1, self.node.now().await?);
        self.sent_by(&self.payee, &transaction(&row, call)?).await.map(|_| ())
    }

    async fn sent_by(&self, key: &LocalKey, transaction: &TempoTransaction) -> Result<B256> {
        let signature = signed(key, &transaction.preimage())?;
        let raw = transaction.attach(key.address(), &signature).raw;
        let tx = self.reader.broadcast(raw).await?.tx();
        let receipt = self.node.mined(tx).await?;
        if receipt["status"] == "0x1" { Ok(tx) } else { bail!("{tx} reverted: {receipt}") }
    }

    /// Asks about a row until the answer is as wished; blocks come every second.
    pub(crate) async fn until(&self, row: &SpendRow, wish: fn(&Fate) -> bool) -> Result<Fate> {
        let mut last = None;
        for _ in 0..LOOKS_MAX {
            let fate = self.reader.fate(row, &[]).await?;
            if wish(&fate) {
                return Ok(fate);
            }
            last = Some(fate);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("{last:?}")
    }
}

fn transaction(row: &SpendRow, call: Call) -> Result<TempoTransaction> {
    let ChainTerms::Tempo { nonce_key, valid_after, valid_before } = row.terms else {
        bail!("not on Tempo")
    };
    Ok(TempoTransaction {
        chain_id: row.chain.id(),
        max_priority_fee_per_gas: 1,
        max_fee_per_gas: FEE_PER_GAS,
        gas_limit: GAS,
        calls: vec![call],
        nonce_key,
        nonce: 0,
        valid_before: NonZeroU64::new(valid_before.0),
        valid_after: NonZeroU64::new(valid_after.0),
        fee: Fee::Wallet { token: PATH_USD },
    })
}

fn signed(key: &LocalKey, preimage: &[u8]) -> Result<WalletSignature> {
    let signature = key.sign(keccak256(preimage));
    let bytes = |word: U256| word.to_be_bytes::<32>();
    Ok(WalletSignature::new(bytes(signature.r()), bytes(signature.s()), signature.v())?)
}
