//! One RPC server: typed reads, each of which fails as a value.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alloy_consensus::constants::EMPTY_TRANSACTIONS;
use alloy_consensus::{BlockHeader as _, Transaction as _};
use alloy_network::primitives::HeaderResponse as _;
use alloy_network::{AnyNetwork, TransactionResponse as _};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_provider::network::BlockResponse as _;
use alloy_provider::transport::{RpcError, TransportError, TransportResult};
use alloy_provider::{Network, Provider as _, RootProvider};
use alloy_rpc_client::RpcClient;
use alloy_rpc_types_eth::{BlockId, BlockNumberOrTag, Filter, Log, TransactionRequest};
use alloy_sol_types::SolCall;
use serde_json::Value;
use tercet_policy::chain::{Chain, Family};
use tercet_policy::evidence::MinedTransaction;
use tercet_policy::time::UnixSeconds;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use url::Url;

use crate::error::{FailureCause, cut};
use crate::evidence::BlockRef;
use crate::receipt::Receipt;
use crate::transport::BoundedHttp;

/// alloy's own pace on a remote server is seven seconds. Nothing here waits on its poller; the figure
/// stands in case something comes to.
const POLL_INTERVAL_MS: u64 = 500;
/// Blocks that one log query spans. Many servers refuse more.
pub const LOG_SPAN_BLOCKS: u64 = 2_000;
/// Longest wait for a transaction to be mined while it is handed over, in seconds. A block of Tempo
/// takes half of one; what the chain drops in silence is never answered.
const SYNC_SECONDS_MAX: u64 = 3;
/// A server without the method (JSON-RPC 2.0).
const NO_SUCH_METHOD: i64 = -32_601;

type AnyBlock = <AnyNetwork as Network>::BlockResponse;

/// An RPC server. `AnyNetwork`, since Base has transaction types that Ethereum does not.
#[derive(Debug)]
pub(crate) struct Endpoint {
    chain: Chain,
    provider: RootProvider<AnyNetwork>,
    right_chain: OnceCell<()>,
    /// Whether it was found to have no `eth_sendRawTransactionSync`.
    no_sync: AtomicBool,
}

impl Endpoint {
    pub(crate) fn new(chain: Chain, client: reqwest::Client, url: Url) -> Self {
        let rpc = RpcClient::new(BoundedHttp::new(client, url), false)
            .with_poll_interval(Duration::from_millis(POLL_INTERVAL_MS));
        let provider = RootProvider::new(rpc);
        Self { chain, provider, right_chain: OnceCell::new(), no_sync: AtomicBool::new(false) }
    }

    /// The provider, once the server has said that it serves our chain.
    async fn provider(&self) -> Result<&RootProvider<AnyNetwork>, FailureCause> {
        let check = || async {
            match answered(self.provider.get_chain_id().await)? {
                found if found == self.chain.id() => Ok(()),
                found => Err(FailureCause::WrongChain { found }),
            }
        };
        self.right_chain.get_or_try_init(check).await?;
        Ok(&self.provider)
    }

    /// The chain's own coin. Tempo has none, and answers a number that means nothing.
    pub(crate) async fn native_balance(&self, wallet: Address) -> Result<U256, FailureCause> {
        if self.chain.family() == Family::Tempo {
            return Ok(U256::ZERO);
        }
        answered(self.provider().await?.get_balance(wallet).await)
    }

    /// Calls a view function of `token`, as of `block`.
    pub(crate) async fn view<C: SolCall>(
        &self,
        token: Address,
        call: &C,
        block: BlockId,
    ) -> Result<C::Return, FailureCause> {
        let request = TransactionRequest::default().to(token).input(call.abi_encode().into());
        let provider = self.provider().await?;
        let output: Bytes = answered(provider.call(request.into()).block(block).await)?;
        C::abi_decode_returns_validate(&output)
            .map_err(|_| FailureCause::Nonsense { what: "the output of a view call" })
    }

    pub(crate) async fn block(&self, tag: BlockNumberOrTag) -> Result<BlockRef, FailureCause> {
        let provider = self.provider().await?;
        let block = answered(provider.get_block_by_number(tag).await)?;
        block.as_ref().map(block_ref).ok_or(FailureCause::Missing { what: "the block" })
    }

    /// Base fee of the newest block and the server's suggested tip, in wei.
    pub(crate) async fn fee_figures(&self) -> Result<(u64, u128), FailureCause> {
        let provider = self.provider().await?;
        let newest = answered(provider.get_block_by_number(BlockNumberOrTag::Latest).await)?;
        let base_fee = newest
            .and_then(|block| block.header().base_fee_per_gas())
            .ok_or(FailureCause::Missing { what: "the base fee" })?;
        Ok((base_fee, answered(provider.get_max_priority_fee_per_gas().await)?))
    }

    pub(crate) async fn account_nonce(
        &self,
        wallet: Address,
        block: BlockId,
    ) -> Result<u64, FailureCause> {
        answered(self.provider().await?.get_transaction_count(wallet).block_id(block).await)
    }

    pub(crate) async fn logs(&self, filter: &Filter) -> Result<Vec<Log>, FailureCause> {
        answered(self.provider().await?.get_logs(filter).await)
    }

    /// The receipt of a mined transaction.
    pub(crate) async fn receipt(&self, tx: B256) -> Result<Option<Receipt>, FailureCause> {
        let provider = self.provider().await?;
        let Some(answer) = answered(provider.get_transaction_receipt(tx).await)? else {
            return Ok(None);
        };
        let receipt = Receipt::from_answer(&answer).filter(|receipt| receipt.tx == tx);
        receipt.map(Some).ok_or(FailureCause::Nonsense { what: "a receipt" })
    }

    /// The transaction of a receipt.
    pub(crate) async fn transaction(
        &self,
        receipt: &Receipt,
    ) -> Result<Option<MinedTransaction>, FailureCause> {
        let answer = answered(self.provider().await?.get_transaction_by_hash(receipt.tx).await)?;
        Ok(answer.filter(|tx| tx.tx_hash() == receipt.tx).map(|tx| MinedTransaction {
            hash: receipt.tx,
            from: tx.from(),
            nonce: tx.nonce(),
            to: tx.to(),
            value: tx.value(),
            input: tx.input().clone(),
            succeeded: receipt.succeeded,
            block: receipt.block_number,
        }))
    }

    /// The transaction with this sender and nonce in a block.
    pub(crate) async fn transaction_in(
        &self,
        number: u64,
        sender: Address,
        nonce: u64,
    ) -> Result<Option<B256>, FailureCause> {
        let provider = self.provider().await?;
        let block = answered(provider.get_block_by_number(number.into()).full().await)?
            .ok_or(FailureCause::Missing { what: "the block" })?;
        Ok(find_transaction(&block, sender, nonce))
    }

    /// A transaction as the server has it, of whatever type; null where it has none.
    pub(crate) async fn raw_transaction(&self, tx: B256) -> Result<Value, FailureCause> {
        let provider = self.provider().await?;
        match provider.raw_request("eth_getTransactionByHash".into(), (tx,)).await {
            Err(RpcError::NullResp) => Ok(Value::Null),
            other => answered(other),
        }
    }

    /// The receipt of a transaction as the server has it, of whatever type; null where it has none.
    pub(crate) async fn raw_receipt(&self, tx: B256) -> Result<Value, FailureCause> {
        let provider = self.provider().await?;
        match provider.raw_request("eth_getTransactionReceipt".into(), (tx,)).await {
            Err(RpcError::NullResp) => Ok(Value::Null),
            other => answered(other),
        }
    }

    /// The first transaction of a block, where its header does not say that it has none.
    pub(crate) async fn first_transaction(
        &self,
        number: u64,
    ) -> Result<Option<B256>, FailureCause> {
        let provider = self.provider().await?;
        let asked = (BlockNumberOrTag::Number(number), false);
        let block = provider.raw_request::<_, Value>("eth_getBlockByNumber".into(), asked);
        let block = answered(block.await)?;
        let hash = |value: &Value| value.as_str()?.parse::<B256>().ok();
        if let Some(first) = block.pointer("/transactions/0") {
            let nonsense = FailureCause::Nonsense { what: "a block's transactions" };
            return hash(first).map(Some).ok_or(nonsense);
        }
        match block.get("transactionsRoot").and_then(hash) {
            Some(EMPTY_TRANSACTIONS) => Ok(None),
            _ => Err(FailureCause::Missing { what: "the transactions of a block" }),
        }
    }

    /// The transactions of a block as the server has them, of whatever type.
    pub(crate) async fn raw_transactions(&self, number: u64) -> Result<Vec<Value>, FailureCause> {
        let provider = self.provider().await?;
        let asked = (BlockNumberOrTag::Number(number), true);
        let block = provider.raw_request::<_, Value>("eth_getBlockByNumber".into(), asked);
        match answered(block.await)?.get_mut("transactions").map(Value::take) {
            Some(Value::Array(transactions)) => Ok(transactions),
            _ => Err(FailureCause::Missing { what: "the block" }),
        }
    }

    /// Hands over a signed transaction. On Tempo it is waited for until it is mined, where the
    /// server does that: then what is asked next finds it.
    pub(crate) async fn send(&self, raw: &[u8]) -> Result<(), FailureCause> {
        let provider = self.provider().await?;
        let waits = self.chain.family() == Family::Tempo && !self.no_sync.load(Ordering::Relaxed);
        if waits && self.is_mined_at_once(provider, raw).await {
            return Ok(());
        }
        answered(provider.send_raw_transaction(raw).await).map(|_| ())
    }

    /// Hands a transaction over and waits for its receipt (EIP-7966). Where that comes to nothing,
    /// handing over the same bytes without waiting says why.
    async fn is_mined_at_once(&self, provider: &RootProvider<AnyNetwork>, raw: &[u8]) -> bool {
        let method = "eth_sendRawTransactionSync";
        let raw = Bytes::copy_from_slice(raw);
        let sent = provider.raw_request::<_, Value>(method.into(), (raw,));
        let limit = Duration::from_secs(SYNC_SECONDS_MAX);
        match timeout(limit, sent).await.map(answered) {
            Ok(Ok(receipt)) => receipt.is_object(),
            Ok(Err(FailureCause::Refused { code: NO_SUCH_METHOD, .. })) => {
                self.no_sync.store(true, Ordering::Relaxed);
                false
            }
            Ok(Err(_)) | Err(_) => false,
        }
    }
}

fn find_transaction(block: &AnyBlock, sender: Address, nonce: u64) -> Option<B256> {
    let transactions = block.transactions().as_transactions()?;
    let found =
        transactions.iter().find(|&tx| (tx.from(), account_nonce_of(tx)) == (sender, nonce));
    found.map(|tx| tx.tx_hash())
}

/// `Transaction` is implemented for references to `'static` alone, which a method call would take.
fn account_nonce_of(tx: &<AnyNetwork as Network>::TransactionResponse) -> u64 {
    alloy_consensus::Transaction::nonce(tx)
}

fn block_ref(block: &AnyBlock) -> BlockRef {
    let header = block.header();
    BlockRef {
        number: header.number(),
        hash: header.hash(),
        timestamp: UnixSeconds(header.timestamp()),
    }
}

fn answered<T>(result: TransportResult<T>) -> Result<T, FailureCause> {
    result.map_err(|error: TransportError| match error {
        RpcError::ErrorResp(payload) => {
            FailureCause::Refused { code: payload.code, message: cut(&payload.message) }
        }
        RpcError::NullResp => FailureCause::Missing { what: "an answer" },
        RpcError::DeserError { .. } => {
            FailureCause::Nonsense { what: "an answer of another shape" }
        }
        other => FailureCause::Unreachable { reason: cut(&other.to_string()) },
    })
}
