//! A payer with money on a fresh chain, and the words the tests share.

use alloy_primitives::{Address, B256, Bytes, U256, address};
use anyhow::Result;
use tercet_chain::{AuthorizationQuery, Broadcast, ChainReader, TransferQuery};
use tercet_policy::money::Amount;
use tercet_policy::time::UnixSeconds;

use crate::chain::{BaseNode, NodeOptions};
use crate::local_key::{LocalKey, TransactionTerms, TransferWithAuthorization, transfer_input};

pub(crate) const PAYEE: Address = address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");
pub(crate) const OTHER_PAYEE: Address = address!("0x00000000000000000000000000000000DeaDBeef");
pub(crate) const FUNDS: Amount = Amount::from_base_units(1_000_000);
pub(crate) const PRICE: u128 = 10_000;
const ETHER_WEI: u128 = 1_000_000_000_000_000_000;
const FEE_WEI: u128 = 5_000_000_000;

pub(crate) struct Scene {
    pub(crate) node: BaseNode,
    pub(crate) payer: LocalKey,
    pub(crate) reader: ChainReader,
}

impl Scene {
    /// A chain on which only `mine` makes blocks, and whose safe block trails by `safe_lag_blocks`.
    pub(crate) async fn still(safe_lag_blocks: u64) -> Result<Self> {
        let options = NodeOptions { safe_lag_blocks, mines: false, ..NodeOptions::default() };
        let node = BaseNode::start_with(options).await?;
        let payer = LocalKey::named("payer");
        node.set_ether(payer.address(), ETHER_WEI).await?;
        node.mine(2).await?;
        let reader = ChainReader::new(&node.endpoints()?)?;
        let scene = Self { node, payer, reader };
        scene.fund().await?;
        Ok(scene)
    }

    async fn fund(&self) -> Result<()> {
        let mint = self.node.mint(self.payer.address(), FUNDS);
        let mine = async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            self.node.mine(1).await
        };
        tokio::try_join!(mint, mine).map(|_| ())
    }

    /// An authorization to `to`, valid for a minute of the chain.
    pub(crate) async fn authorization(
        &self,
        nonce: u8,
        to: Address,
    ) -> Result<TransferWithAuthorization> {
        Ok(TransferWithAuthorization {
            from: self.payer.address(),
            to,
            value: U256::from(PRICE),
            validAfter: U256::ZERO,
            validBefore: U256::from(self.node.now().await?.plus(60).0),
            nonce: B256::repeat_byte(nonce),
        })
    }

    /// The question what became of it.
    pub(crate) fn about(&self, authorization: &TransferWithAuthorization) -> AuthorizationQuery {
        AuthorizationQuery {
            token: self.node.token(),
            from: authorization.from,
            nonce: authorization.nonce,
            to: authorization.to,
            value: Amount::from_base_units(PRICE),
            valid_before: UnixSeconds(authorization.validBefore.to()),
            since: UnixSeconds(0),
        }
    }

    /// Sends a call from another account, as a facilitator does, and mines it.
    pub(crate) async fn relay(&self, call: Bytes) -> Result<B256> {
        let sent = self.node.send(self.node.token(), call);
        let mine = async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            self.node.mine(1).await
        };
        Ok(tokio::try_join!(sent, mine)?.0)
    }

    /// Broadcasts the payer's transfer and mines it.
    pub(crate) async fn transfer(&self, nonce: u64, to: Address, value: u128) -> Result<B256> {
        let raw = self.signed_transfer(nonce, to, value);
        let Broadcast::Accepted { tx } = self.reader.broadcast(raw).await? else {
            anyhow::bail!("not accepted")
        };
        self.node.mine(1).await?;
        Ok(tx)
    }

    pub(crate) fn signed_transfer(&self, nonce: u64, to: Address, value: u128) -> Bytes {
        let chain = self.node.chain();
        let terms = TransactionTerms { chain, nonce, gas_limit: 100_000, fee_wei: FEE_WEI };
        self.payer.transaction(terms, self.node.token(), transfer_input(to, value))
    }

    /// The question what became of the payer's transfer with this nonce.
    pub(crate) fn about_transfer(&self, account_nonce: u64, tx_hashes: Vec<B256>) -> TransferQuery {
        TransferQuery {
            wallet: self.payer.address(),
            account_nonce,
            tx_hashes,
            token: self.node.token(),
            to: PAYEE,
            value: Amount::from_base_units(PRICE),
        }
    }
}
