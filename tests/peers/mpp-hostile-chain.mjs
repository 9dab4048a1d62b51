// What a hostile service does on the chain: broadcasts what it was given, settles and closes as it pleases.

import { Session } from "mppx/tempo";
import { encodeFunctionData } from "viem";
import { sendRawTransactionSync, sendTransactionSync } from "viem/actions";
import { channelState, PATH_USD, RESERVE } from "./tempo.mjs";

const GAS = 2_000_000n;

/** The chain, as the payee. */
export class HostileChain {
  #client;
  #last = Promise.resolve();

  constructor(client) {
    this.#client = client;
  }

  /** Sends a payer's transaction, waits until it is mined, and gives its hash; throws when it reverts. */
  async broadcast(serializedTransaction) {
    return succeeded(await sendRawTransactionSync(this.#client, { serializedTransaction }));
  }

  state(channelId) {
    return channelState(this.#client, channelId);
  }

  /** Settles the highest voucher there is. */
  settle({ descriptor, accepted, signature }) {
    return this.#call("settle", [descriptor, accepted, signature]);
  }

  /** Closes with this voucher, and takes `capture`. */
  close({ descriptor }, { cumulativeAmount, signature }, capture) {
    return this.#call("close", [descriptor, BigInt(cumulativeAmount), capture, signature]);
  }

  // One after the other, so that no two have the same nonce.
  #call(functionName, args) {
    const data = encodeFunctionData({ abi: Session.Precompile.escrowAbi, functionName, args });
    const request = { calls: [{ to: RESERVE, data }], feeToken: PATH_USD, gas: GAS };
    const sent = this.#last.then(() => sendTransactionSync(this.#client, request)).then(succeeded);
    this.#last = sent.catch(() => {});
    return sent;
  }
}

function succeeded({ status, transactionHash }) {
  if (status !== "success") throw new Error(`reverted: ${transactionHash}`);
  return transactionHash;
}
