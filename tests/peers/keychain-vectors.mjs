// Vectors of the AccountKeychain (TIP-1011): what an intent about an access key makes of a wallet's transaction, with the
// call encoded by viem from Tempo's own interface and the transaction by ox.

import { TxEnvelopeTempo } from "ox/tempo";
import { concat, encodeFunctionData, getAbiItem, keccak256, stringToHex, toFunctionSelector, toHex } from "viem";
import { Abis, Addresses } from "viem/tempo";
import { Seeded } from "./seeded.mjs";

const CASES = 24;
const CHAINS = [4217, 42431];
const PATH_USD = "0x20c0000000000000000000000000000000000000";
const NOW = 1_790_000_000;
const DAY_SECONDS = 86_400;
const LANE_SECONDS = 900;
const CLOCK_SKEW_SECONDS = 60;
/** What the payer of a channel calls, and so all that a key may. */
const PAYER_CALLS = ["open", "topUp", "requestClose", "withdraw"];

/** Authorizations and revocations, every third one of the latter. */
export function keychain() {
  const random = new Seeded("tercet/vectors/keychain");
  return { selectors: PAYER_CALLS.map(selector), cases: Array.from({ length: CASES }, (_, index) => keyCase(random, index)) };
}

function selector(name) {
  return toFunctionSelector(getAbiItem({ abi: Abis.tip20ChannelReserve, name }));
}

function keyCase(random, index) {
  const chainId = CHAINS[index % CHAINS.length];
  const [id, wallet, key] = [random.word().slice(2), random.address().toLowerCase(), random.address().toLowerCase()];
  const limits = {
    limit: String(1n + random.integer(index % 4 === 0 ? 90 : 40)),
    period_seconds: index % 2 ? DAY_SECONDS + Number(random.integer(19)) : 0,
    expires_at: NOW + LANE_SECONDS + 1 + Number(random.integer(20)),
  };
  const step = index % 3 === 2 ? "revoke" : { authorize: limits };
  const data = step === "revoke" ? revoke(key) : authorize(key, limits);
  const terms = termsOf(random);
  const intent = {
    version: 1, id, agent: "research-01", wallet, created_at: NOW, expires_at: NOW + 60 + index,
    payment: { kind: "tempo_access_key", chain: `eip155:${chainId}`, token: PATH_USD, key, step, terms },
  };
  const envelope = envelopeOf(chainId, wallet, id, terms, data);
  return {
    intent,
    data,
    preimage: TxEnvelopeTempo.encodeForSigning(envelope),
    digest: TxEnvelopeTempo.getSignPayload(envelope),
  };
}

function termsOf(random) {
  const maxFeePerGas = 1n + random.integer(34);
  return {
    nonce: "lane",
    valid_before: NOW + LANE_SECONDS,
    gas_limit: 5_000_000,
    max_fee_per_gas: String(maxFeePerGas),
    max_priority_fee_per_gas: String(random.integer(30) % (maxFeePerGas + 1n)),
    fee_token: PATH_USD,
  };
}

function authorize(key, { limit, period_seconds: period, expires_at: expiry }) {
  const config = {
    expiry: BigInt(expiry),
    enforceLimits: true,
    limits: [{ token: PATH_USD, amount: BigInt(limit), period: BigInt(period) }],
    allowAnyCalls: false,
    allowedCalls: [
      {
        target: Addresses.tip20ChannelReserve,
        selectorRules: PAYER_CALLS.map((name) => ({ selector: selector(name), recipients: [] })),
      },
    ],
  };
  return encodeFunctionData({ abi: Abis.accountKeychain, functionName: "authorizeKey", args: [key, 0, config] });
}

function revoke(key) {
  return encodeFunctionData({ abi: Abis.accountKeychain, functionName: "revokeKey", args: [key] });
}

function envelopeOf(chainId, wallet, id, terms, data) {
  return {
    type: "tempo",
    chainId,
    maxFeePerGas: BigInt(terms.max_fee_per_gas),
    maxPriorityFeePerGas: BigInt(terms.max_priority_fee_per_gas),
    gas: BigInt(terms.gas_limit),
    calls: [{ to: Addresses.accountKeychain.toLowerCase(), data }],
    nonceKey: laneOf(chainId, wallet, id),
    nonce: 0n,
    validBefore: terms.valid_before,
    validAfter: terms.valid_before - LANE_SECONDS - CLOCK_SKEW_SECONDS,
    feeToken: terms.fee_token,
  };
}

/** The nonce lane of an intent's own: neither the account's nonce nor the expiring one. */
function laneOf(chainId, wallet, id) {
  const hash = BigInt(keccak256(concat([stringToHex("tercet/tempo-lane/v1"), toHex(chainId, { size: 32 }), wallet, `0x${id}`])));
  return (hash & ((1n << 255n) - 1n)) | 1n;
}
