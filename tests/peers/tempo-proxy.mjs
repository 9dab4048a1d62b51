// JSON-RPC in front of anvil that lends a contract what the real channel reserve, a precompile, has of itself:
// the hash of the transaction around a call, and the implicit approval of TIP-1035. See contracts/ChannelReserve.sol.
//
// Before a raw 0x76 transaction that opens or tops up a channel goes on, its hash and the allowance are written into
// the chain's storage. The hash lies under its sender and its call, so that transactions in flight at once keep apart
// (only two with the very same call, salt and all, would meet). Calls and estimates have no hash: theirs is made up.
//
// Not handled: transactions that are not 0x76 and open a channel (refused by the reserve: ExpiringNonceHashNotSet).

import express from "express";
import {
  concat, decodeFunctionData, encodeAbiParameters, encodeFunctionData, fromRlp, isAddressEqual, keccak256, maxUint256, numberToHex,
  parseAbi, parseAbiParameters, toHex, toRlp,
} from "viem";
import { Transaction } from "viem/tempo";
import { PATH_USD, RESERVE } from "./tempo.mjs";

const BODY_BYTES_MAX = 1024 * 1024;
const CALL_MS_MAX = 30_000;
const FUNDED_UNITS = 1_000_000_000n;
const FUNDING_GAS = 1_000_000n;
// What anvil leaves out of its estimates of calls that take new storage (TIP-1000). With it, an open stays below the
// 2,000,000 that merchants sponsor.
const ESTIMATE_EXTRA_GAS = 600_000n;
// Of contracts/ChannelReserve.sol, and of a TIP-20 at T4.
const ENCLOSING_SLOT = 1n;
const ALLOWANCES_SLOT = 10n;
// Fields of a 0x76 transaction.
const FEE_TOKEN = 10;
const FEE_PAYER_SIGNATURE = 11;

const TOKEN_ABI = parseAbi(["function transfer(address to, uint256 value) returns (bool)"]);
const CALLED_WITH_RESERVE = new Set(["open", "topUp", "settle", "close", "withdraw"]);

/** One JSON-RPC call; throws what the node answers as an error. */
export async function rpc(url, method, params) {
  const { error, result } = await post(url, { jsonrpc: "2.0", id: 1, method, params });
  if (error) throw Object.assign(new Error(`${method}: ${error.message}`), { answer: error });
  return result;
}

async function post(url, body) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(CALL_MS_MAX),
  });
  return response.json();
}

/** keccak256(encodeForSigning(transaction) ‖ sender): what makes a channel's id one transaction's alone (TIP-1034). */
export function expiringNonceHash(raw, sender) {
  const fields = fromRlp(`0x${raw.slice(4)}`);
  const unsigned = fields.slice(0, -1);
  // Whoever signs for a sponsored transaction does not know the fee token, nor the sponsor's signature.
  if (unsigned[FEE_PAYER_SIGNATURE] !== "0x") {
    unsigned[FEE_TOKEN] = "0x";
    unsigned[FEE_PAYER_SIGNATURE] = "0x00";
  }
  return keccak256(concat(["0x76", toRlp(unsigned), sender]));
}

/** The proxy to one anvil. */
export class TempoProxy {
  #anvil;
  #abi;
  #lastFunding = Promise.resolve();

  constructor(anvil, reserveAbi) {
    this.#anvil = anvil;
    this.#abi = reserveAbi;
  }

  /** The express application that answers JSON-RPC, one call or a batch. */
  app() {
    const app = express().use(express.json({ limit: BODY_BYTES_MAX, type: () => true }));
    app.post("/", async (request, response) => {
      const { body } = request;
      const answered = Array.isArray(body) ? Promise.all(body.map((call) => this.#answer(call))) : this.#answer(body);
      response.json(await answered);
    });
    return app;
  }

  /** Gives `to` base units of a token from the first development account, and waits until they are there. */
  fund(to, units = FUNDED_UNITS, token = PATH_USD) {
    // One after the other: anvil gives two at once the same nonce.
    const funded = this.#lastFunding.then(() => this.#transfer(to, units, token));
    this.#lastFunding = funded.catch(() => {});
    return funded;
  }

  async #answer(call) {
    try {
      switch (call.method) {
        case "eth_sendRawTransaction":
        case "eth_sendRawTransactionSync":
          await this.#lendToTransaction(call.params[0]);
          return await post(this.#anvil, call);
        case "eth_call":
          await this.#lendToRequest(call.params[0]);
          return await post(this.#anvil, call);
        case "eth_estimateGas":
        case "eth_fillTransaction":
          await this.#lendToRequest(call.params[0]);
          return this.#withMoreGas(call.params[0], await post(this.#anvil, call));
        case "tempo_fundAddress": {
          const [to, units, token] = call.params;
          return { jsonrpc: "2.0", id: call.id, result: [await this.fund(to, units && BigInt(units), token)] };
        }
        default:
          return await post(this.#anvil, call);
      }
    } catch (error) {
      return { jsonrpc: "2.0", id: call?.id ?? null, error: error.answer ?? { code: -32603, message: String(error?.message) } };
    }
  }

  async #lendToTransaction(raw) {
    const transaction = parsed(raw);
    if (!transaction) return;
    const { calls, from } = transaction;
    const hash = expiringNonceHash(raw, from);
    const lent = this.#callsOnReserve(calls).map((call) => this.#lend(from, call, hash));
    await Promise.all(lent);
  }

  async #lendToRequest(request) {
    const lent = this.#callsOnReserve(callsOf(request)).map(async (call) => {
      const slot = enclosingSlot(request.from, call.data);
      const there = await rpc(this.#anvil, "eth_getStorageAt", [RESERVE, slot, "latest"]);
      await this.#lend(request.from, call, BigInt(there) === 0n ? keccak256(call.data) : there);
    });
    await Promise.all(lent);
  }

  async #lend(payer, { data, token }, hash) {
    const unlimited = numberToHex(maxUint256, { size: 32 });
    await Promise.all([
      rpc(this.#anvil, "anvil_setStorageAt", [RESERVE, enclosingSlot(payer, data), hash]),
      token && rpc(this.#anvil, "anvil_setStorageAt", [token, allowanceSlot(payer, RESERVE), unlimited]),
    ]);
  }

  /** The calls that need something lent: `{data, token}`. */
  #callsOnReserve(calls) {
    const onReserve = calls.map((call) => ({ ...this.#decoded(call), data: call.data }));
    return onReserve
      .map(({ functionName, args, data }) => {
        if (functionName === "open") return { data, token: args[2] };
        return functionName === "topUp" && { data, token: args[0].token };
      })
      .filter(Boolean);
  }

  #decoded({ to, data }) {
    if (!to || !data || !isAddressEqual(to, RESERVE)) return {};
    try {
      return decodeFunctionData({ abi: this.#abi, data });
    } catch {
      return {};
    }
  }

  #withMoreGas(request, answer) {
    const takesStorage = callsOf(request).some((call) => CALLED_WITH_RESERVE.has(this.#decoded(call).functionName));
    if (!takesStorage || !answer.result) return answer;
    const more = (gas) => numberToHex(BigInt(gas) + ESTIMATE_EXTRA_GAS);
    if (typeof answer.result === "string") return { ...answer, result: more(answer.result) };
    const { tx } = answer.result;
    return { ...answer, result: { ...answer.result, tx: { ...tx, gas: more(tx.gas) } } };
  }

  async #transfer(to, units, token) {
    const [from] = await rpc(this.#anvil, "eth_accounts", []);
    const data = encodeFunctionData({ abi: TOKEN_ABI, functionName: "transfer", args: [to, units] });
    const transaction = { from, to: token, data, gas: numberToHex(FUNDING_GAS) };
    const hash = await rpc(this.#anvil, "eth_sendTransaction", [transaction]);
    for (let begun = Date.now(); Date.now() - begun < CALL_MS_MAX; await new Promise((wake) => setTimeout(wake, 5))) {
      const receipt = await rpc(this.#anvil, "eth_getTransactionReceipt", [hash]);
      if (receipt?.status === "0x1") return hash;
      if (receipt) throw new Error(`funding reverted: ${hash}`);
    }
    throw new Error(`funding is not mined: ${hash}`);
  }
}

/** The transaction if it is a signed 0x76, or nothing: then anvil may judge it. */
function parsed(raw) {
  try {
    const transaction = raw.startsWith("0x76") && Transaction.deserialize(raw);
    return transaction && transaction.from ? transaction : undefined;
  } catch {
    return undefined;
  }
}

function callsOf({ calls, to, data, input }) {
  const given = calls?.length ? calls : [{ to, data, input }];
  return given.map((call) => ({ to: call.to, data: call.data ?? call.input }));
}

function enclosingSlot(sender, data) {
  return slotOf("bytes32", keccak256(data), slotOf("address", sender, ENCLOSING_SLOT));
}

function allowanceSlot(owner, spender) {
  return slotOf("address", spender, slotOf("address", owner, ALLOWANCES_SLOT));
}

/** Where Solidity keeps a mapping's value. Callers write addresses in any case. */
function slotOf(type, key, slot) {
  const position = typeof slot === "bigint" ? toHex(slot, { size: 32 }) : slot;
  return keccak256(encodeAbiParameters(parseAbiParameters(`${type}, bytes32`), [key.toLowerCase(), position]));
}
