// An access key of a wallet on Tempo, as its holder uses it: with viem and ox and a plain local key, and none of ours.
//
// Environment: PRIVATE_KEY (of the access key, 0x hex), ACT (name, open, transfer or authorize) and, for all but name,
// RPC_URL, CHAIN_ID (4217), WALLET (whose money it is), PAYEE, UNITS (base units of pathUSD).
//
// Prints one JSON line: for name {"key"}, its address; for the others {"transaction", "status"} with the receipt's status, "success" or "reverted", or {"refused"} with
// what the node says. A transaction that is not valid is dropped without a word, so waiting ends: {"dropped"}.

import { Secp256k1 } from "ox";
import { SignatureEnvelope, TxEnvelopeTempo } from "ox/tempo";
import { concat, encodeFunctionData, keccak256, zeroAddress } from "viem";
import { privateKeyToAddress } from "viem/accounts";
import { Abis, Addresses } from "viem/tempo";
import { setting } from "./process.mjs";
import { rpc } from "./tempo-proxy.mjs";
import { PATH_USD, RESERVE, tempoChainId } from "./tempo.mjs";

const WINDOW_SECONDS = 25;
const GAS = 2_500_000n;
const MAX_FEE_PER_GAS = 24_000_000_000n;
const MINED_MS_MAX = 8_000;
const POLL_MS = 100;
const EXPIRING = (1n << 256n) - 1n;
/** First byte of the hash that an access key signs, and of the envelope around its signature. */
const KEYCHAIN_TYPE = "0x04";

const act = setting("ACT");
const privateKey = setting("PRIVATE_KEY");
const key = privateKeyToAddress(privateKey);
const url = act === "name" ? undefined : setting("RPC_URL");
const wallet = act === "name" ? undefined : setting("WALLET");
const chainId = tempoChainId(setting("CHAIN_ID", "4217"));
const payee = setting("PAYEE", "0x209693Bc6afc0C5328bA36FaF03C514EF312287C");
const units = BigInt(setting("UNITS", "10000"));

const acts = { open, transfer, authorize };
console.log(JSON.stringify(act === "name" ? { key } : await send(acts[act]())));

function open() {
  const salt = keccak256(concat([key, keccak256(privateKey)]));
  // Whoever signs vouchers is named: those of a keychain are not taken.
  const args = [payee, zeroAddress, PATH_USD, units, salt, key];
  return { to: RESERVE, data: encodeFunctionData({ abi: Abis.tip20ChannelReserve, functionName: "open", args }) };
}

function transfer() {
  return { to: PATH_USD, data: encodeFunctionData({ abi: Abis.tip20, functionName: "transfer", args: [payee, units] }) };
}

/** Another key, without bounds. */
function authorize() {
  const config = { expiry: 1n << 40n, enforceLimits: false, limits: [], allowAnyCalls: true, allowedCalls: [] };
  const args = [payee, 0, config];
  return { to: Addresses.accountKeychain, data: encodeFunctionData({ abi: Abis.accountKeychain, functionName: "authorizeKey", args }) };
}

async function send(call) {
  const { timestamp } = await rpc(url, "eth_getBlockByNumber", ["latest", false]);
  const now = Math.max(Number(timestamp), Math.trunc(Date.now() / 1000));
  const envelope = {
    type: "tempo", chainId, calls: [call], gas: GAS, maxFeePerGas: MAX_FEE_PER_GAS, maxPriorityFeePerGas: 1_000_000_000n,
    nonceKey: EXPIRING, nonce: 0n, validBefore: now + WINDOW_SECONDS, feeToken: PATH_USD,
  };
  try {
    return await mined(await rpc(url, "eth_sendRawTransaction", [signed(envelope)]));
  } catch (error) {
    return { refused: error.message };
  }
}

/** Signed by the access key for the wallet: keccak256(0x04 ‖ digest ‖ wallet). */
function signed(envelope) {
  const digest = TxEnvelopeTempo.getSignPayload(envelope);
  const payload = keccak256(concat([KEYCHAIN_TYPE, digest, wallet]));
  const { r, s, yParity } = Secp256k1.sign({ payload, privateKey });
  const inner = { type: "secp256k1", signature: { r, s, yParity } };
  const signature = SignatureEnvelope.from({ type: "keychain", version: "v2", userAddress: wallet, inner });
  return TxEnvelopeTempo.serialize(envelope, { signature });
}

async function mined(transaction) {
  for (let begun = Date.now(); Date.now() - begun < MINED_MS_MAX; await new Promise((wake) => setTimeout(wake, POLL_MS))) {
    const receipt = await rpc(url, "eth_getTransactionReceipt", [transaction]);
    if (receipt) return { transaction, status: receipt.status === "0x1" ? "success" : "reverted" };
  }
  return { dropped: transaction };
}
