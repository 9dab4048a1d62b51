//! A chain in memory, and endpoints before it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use alloy_primitives::{Address, B256, Bytes, LogData, U256, address, b256, keccak256};
use alloy_sol_types::{SolEvent, SolValue as _, sol};
use anyhow::Result;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tercet_chain::{ChainReader, Endpoints};
use tercet_policy::chain::Chain;
use tercet_policy::mpp::ChannelId;
use tercet_policy::time::UnixSeconds;
use tokio::task::JoinHandle;
use url::Url;

use crate::rows::WALLET;

/// When block 0 was made.
pub(crate) const GENESIS: UnixSeconds = UnixSeconds(1_700_000_000);
/// Blocks in a second.
pub(crate) const PACE: u64 = 2;
/// The precompile of lanes.
const NONCES: Address = address!("0x4E4F4E4345000000000000000000000000000000");

/// The root of a block's transactions where it has none.
const EMPTY: B256 = b256!("0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");

sol! {
    event Transfer(address indexed from, address indexed to, uint256 amount);
    event TransferWithMemo(
        address indexed from, address indexed to, uint256 amount, bytes32 indexed memo
    );
    event ChannelOpened(
        bytes32 indexed channelId, address indexed payer, address indexed payee, address operator,
        address token, address authorizedSigner, bytes32 salt, bytes32 expiringNonceHash,
        uint96 deposit
    );
    event TopUp(
        bytes32 indexed channelId, address indexed payer, address indexed payee,
        uint96 additionalDeposit, uint96 newDeposit
    );
    event ChannelClosed(
        bytes32 indexed channelId, address indexed payer, address indexed payee,
        uint96 settledToPayee, uint96 refundedToPayer
    );
}

/// What is on the chain.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) head: u64,
    pub(crate) safe: u64,
    pub(crate) logs: Vec<(u64, B256, Address, LogData)>,
    pub(crate) transactions: BTreeMap<B256, Value>,
    pub(crate) receipts: BTreeMap<B256, Value>,
    /// Settled and deposit of a channel from a block on.
    pub(crate) channels: Vec<(ChannelId, u64, u64, u64)>,
    pub(crate) tokens: BTreeMap<Address, u64>,
    /// Lanes, each with the block that used it.
    pub(crate) lanes: BTreeMap<U256, u64>,
}

impl Ledger {
    pub(crate) fn log(&mut self, block: u64, of: Address, event: &impl SolEvent) -> B256 {
        let tx = keccak256(block.to_be_bytes());
        self.logs.push((block, tx, of, event.encode_log_data()));
        tx
    }

    pub(crate) fn reach(&mut self, block: u64) {
        (self.head, self.safe) = (block, block);
    }

    /// Has a transaction use its lane and fail.
    pub(crate) fn failed(&mut self, block: u64, lane: u64, mut transaction: Value) -> B256 {
        let tx = keccak256(block.to_be_bytes());
        transaction["hash"] = json!(tx);
        let receipt = json!({
            "type": "0x76", "status": "0x0", "transactionHash": tx, "transactionIndex": "0x0",
            "blockHash": hash_of(block), "blockNumber": U256::from(block), "logs": [],
            "from": transaction["from"], "to": Address::ZERO, "cumulativeGasUsed": "0xc8d0",
            "gasUsed": U256::from(GAS_USED), "effectiveGasPrice": U256::from(GAS_PRICE),
            "contractAddress": null,
            "logsBloom": format!("0x{}", "0".repeat(512)),
        });
        self.lanes.insert(U256::from(lane), block);
        self.transactions.insert(tx, transaction);
        self.receipts.insert(tx, receipt);
        tx
    }
}

/// How an endpoint differs from an honest one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Manner {
    #[default]
    Honest,
    /// Its chain ends here.
    Lags(u64),
    /// It has lost its logs and its receipts.
    Forgets,
    /// It has no `eth_sendRawTransactionSync`.
    OldFashioned,
    /// It never answers that call.
    Hangs,
    /// Its receipts say so much gas.
    Tells(u64),
}

/// What every transaction uses, and its price: a fee of 1,029 units.
pub(crate) const GAS_USED: u64 = 51_408;
const GAS_PRICE: u64 = 20_000_000_000;

/// A chain and its endpoints.
pub(crate) struct World {
    pub(crate) reader: ChainReader,
    ledger: Arc<Mutex<Ledger>>,
    pub(crate) calls: Arc<Mutex<Vec<(String, Value)>>>,
    serving: Vec<JoinHandle<()>>,
}

#[derive(Clone)]
struct Behind {
    ledger: Arc<Mutex<Ledger>>,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
    manner: Manner,
}

impl World {
    pub(crate) async fn with(manners: &[Manner]) -> Result<Self> {
        let (ledger, calls) = (Arc::<Mutex<Ledger>>::default(), Arc::default());
        let (mut urls, mut serving) = (Vec::new(), Vec::new());
        for &manner in manners {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            urls.push(Url::parse(&format!("http://{}", listener.local_addr()?))?);
            let behind = Behind { ledger: Arc::clone(&ledger), calls: Arc::clone(&calls), manner };
            let app = Router::new().route("/", post(answer)).with_state(behind);
            serving.push(tokio::spawn(async move {
                let _ = axum::serve(listener, app).await;
            }));
        }
        let reader = ChainReader::new(&Endpoints::new(Chain::Tempo, urls, None)?)?;
        Ok(Self { reader, ledger, calls, serving })
    }

    pub(crate) async fn honest() -> Result<Self> {
        Self::with(&[Manner::Honest]).await
    }

    pub(crate) fn chain(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// The parameters of all calls of a method so far.
    pub(crate) fn calls_of(&self, method: &str) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(name, _)| name == method).map(|(_, p)| p.clone()).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.serving.iter().for_each(JoinHandle::abort);
    }
}

/// When a block was made.
pub(crate) fn time_of(block: u64) -> UnixSeconds {
    GENESIS.plus(block / PACE)
}

async fn answer(State(behind): State<Behind>, Json(request): Json<Value>) -> Json<Value> {
    let method = request["method"].as_str().unwrap().to_owned();
    let params = request["params"].clone();
    behind.calls.lock().unwrap().push((method.clone(), params.clone()));
    if method == "eth_sendRawTransactionSync" && behind.manner == Manner::Hangs {
        std::future::pending::<()>().await;
    }
    let id = &request["id"];
    Json(match behind.result(&method, &params) {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err((code, message)) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
        }
    })
}

impl Behind {
    fn result(&self, method: &str, params: &Value) -> Result<Value, (i64, &'static str)> {
        let chain = self.ledger.lock().unwrap();
        let (head, safe) = match self.manner {
            Manner::Lags(block) => (chain.head.min(block), chain.safe.min(block)),
            _ => (chain.head, chain.safe),
        };
        match method {
            "eth_chainId" => Ok(json!("0x1079")),
            "eth_getBlockByNumber" => {
                let number = match params[0].as_str().unwrap() {
                    "latest" => head,
                    "safe" => safe,
                    number => hex(number),
                };
                let shown = number <= head;
                Ok(shown.then(|| block(&chain, number, params[1] == true)).into())
            }
            "eth_getLogs" if self.manner == Manner::Forgets => Ok(json!([])),
            "eth_getLogs" => Ok(logs(&chain, head, &params[0])),
            "eth_call" => call(&chain, params),
            "eth_getTransactionByHash" => {
                Ok(chain.transactions.get(&word(&params[0])).cloned().into())
            }
            "eth_getTransactionReceipt" if self.manner == Manner::Forgets => Ok(Value::Null),
            "eth_getTransactionReceipt" => {
                let mut shown = receipt(&chain, word(&params[0]));
                if let (Manner::Tells(gas), Value::Object(receipt)) = (self.manner, &mut shown) {
                    receipt.insert("gasUsed".to_owned(), json!(U256::from(gas)));
                }
                Ok(shown)
            }
            "eth_sendRawTransactionSync" if self.manner == Manner::OldFashioned => {
                Err((-32_601, "the method does not exist"))
            }
            "eth_sendRawTransactionSync" => Ok(json!({ "status": "0x1" })),
            "eth_sendRawTransaction" => {
                let raw: Bytes = params[0].as_str().unwrap().parse().unwrap();
                Ok(json!(keccak256(raw)))
            }
            other => panic!("nobody asks for {other}"),
        }
    }
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

fn word(value: &Value) -> B256 {
    value.as_str().unwrap().parse().unwrap()
}

fn hash_of(block: u64) -> B256 {
    keccak256(format!("block {block}"))
}

/// At most one transaction, of the same hash as [`Ledger::log`] gives it.
fn block(chain: &Ledger, number: u64, full: bool) -> Value {
    let none = B256::ZERO;
    let tx = keccak256(number.to_be_bytes());
    let own = chain.transactions.get(&tx);
    let is_empty = own.is_none() && chain.logs.iter().all(|(block, ..)| *block != number);
    let transactions = match (is_empty, full) {
        (true, _) => json!([]),
        (false, true) => own.into_iter().cloned().collect(),
        (false, false) => json!([tx]),
    };
    let root = if is_empty { EMPTY } else { tx };
    json!({
        "number": U256::from(number), "hash": hash_of(number), "parentHash": none,
        "timestamp": U256::from(time_of(number).0), "sha3Uncles": none, "miner": Address::ZERO,
        "stateRoot": none, "transactionsRoot": root, "receiptsRoot": none,
        "logsBloom": format!("0x{}", "0".repeat(512)), "difficulty": "0x0", "gasLimit": "0x1",
        "gasUsed": "0x0", "extraData": "0x", "mixHash": none, "nonce": "0x0000000000000000",
        "baseFeePerGas": "0x1", "size": "0x1", "uncles": [], "transactions": transactions,
        "timestampMillisPart": "0x1f4", "mainBlockGeneralGasLimit": "0x1",
    })
}

fn receipt(chain: &Ledger, tx: B256) -> Value {
    let mut of_it = chain.logs.iter().filter(|(_, of, ..)| *of == tx).peekable();
    let Some((block, ..)) = of_it.peek() else { return chain.receipts.get(&tx).cloned().into() };
    let block = U256::from(*block);
    let logs: Vec<_> =
        of_it.map(|(block, tx, address, data)| log(*block, *tx, *address, data)).collect();
    let told = chain.transactions.get(&tx).and_then(|own| own.get("status"));
    let status = told.cloned().unwrap_or_else(|| json!("0x1"));
    // The sender is named as the payer of the fee whoever paid it.
    json!({
        "transactionHash": tx, "blockNumber": block, "logs": logs, "from": WALLET, "status": status,
        "gasUsed": U256::from(GAS_USED), "effectiveGasPrice": U256::from(GAS_PRICE),
        "feePayer": WALLET,
    })
}

fn logs(chain: &Ledger, head: u64, filter: &Value) -> Value {
    let (first, last) = (
        hex(filter["fromBlock"].as_str().unwrap()),
        hex(filter["toBlock"].as_str().unwrap()).min(head),
    );
    let wanted = |place: usize| match &filter["topics"][place] {
        Value::Array(any) => any.iter().map(word).collect(),
        Value::Null => Vec::new(),
        one => vec![word(one)],
    };
    let found = chain.logs.iter().filter(|(block, _, address, data)| {
        let topics = data.topics();
        let fits = (0..4).all(|place| {
            let any = wanted(place);
            any.is_empty() || topics.get(place).is_some_and(|topic| any.contains(topic))
        });
        let of = &filter["address"];
        (first..=last).contains(block) && (of.is_null() || json!(address) == *of) && fits
    });
    found.map(|(block, tx, address, data)| log(*block, *tx, *address, data)).collect()
}

pub(crate) fn log(block: u64, tx: B256, address: Address, data: &LogData) -> Value {
    json!({
        "address": address, "topics": data.topics(), "data": data.data, "blockNumber":
        U256::from(block), "blockHash": hash_of(block), "transactionHash": tx,
        "transactionIndex": "0x0", "logIndex": "0x0", "removed": false,
    })
}

/// `getChannelState` and `getNonce` as of a block, and `balanceOf`.
fn call(chain: &Ledger, params: &Value) -> Result<Value, (i64, &'static str)> {
    let to: Address = params[0]["to"].as_str().unwrap().parse().unwrap();
    let input: Bytes = params[0]["input"].as_str().unwrap().parse().unwrap();
    if input[..4] == [0x70, 0xa0, 0x82, 0x31] {
        let held = chain.tokens.get(&to).ok_or((3, "execution reverted"))?;
        return Ok(json!(B256::from(U256::from(*held))));
    }
    let numbered = |hash| (0..=chain.head).rev().find(|number| hash_of(*number) == hash).unwrap();
    let at = match &params[1] {
        Value::Object(by) => numbered(word(&by["blockHash"])),
        Value::String(hash) if hash.len() == 66 => numbered(hash.parse().unwrap()),
        Value::String(number) if number.starts_with("0x") => hex(number),
        _ => chain.head,
    };
    if to == NONCES {
        let used = chain.lanes.get(&U256::from_be_slice(&input[36..68]));
        let nonce = U256::from(u64::from(used.is_some_and(|from| *from <= at)));
        return Ok(json!(B256::from(nonce)));
    }
    let channel = ChannelId::from(B256::from_slice(&input[4..]));
    let then = chain.channels.iter().rev().find(|(id, from, ..)| *id == channel && *from <= at);
    let (settled, deposit) = then.map_or((0, 0), |(.., settled, deposit)| (*settled, *deposit));
    let state = (U256::from(settled), U256::from(deposit), U256::ZERO);
    Ok(json!(Bytes::from(state.abi_encode())))
}
