// Proves that the reserve keeps the rules of TIP-1034, by transactions of plain keys and the ABI of the official package.

import assert from "node:assert/strict";
import { Session } from "mppx/tempo";
import {
  BaseError, concat, ContractFunctionRevertedError, numberToHex, pad, parseEventLogs, parseSignature, serializeCompactSignature,
  signatureToCompactSignature, zeroAddress, encodeFunctionData,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { getBlock, prepareTransactionRequest, sendRawTransactionSync, signTransaction, simulateContract } from "viem/actions";
import { Transaction } from "viem/tempo";
import { buildChannelReserve } from "./build.mjs";
import { balanceOf, channelState, fund, PATH_USD, RESERVE } from "./tempo.mjs";

const { Channel, escrowAbi, Voucher } = Session.Precompile;
const FUNDED = 20_000_000n;
const DEPOSIT = 1_000_000n;
const GAS = 2_000_000n;
const GRACE_SECONDS = 900;
const OPENS_AT_ONCE = 12;
const EIP2098_COMPACT_BYTES = 64;

/** Runs every proof; `proved` is told of each. */
export async function proveReserve(client, proved) {
  const reserve = new Reserve(client);
  const [payer, payee] = [await reserve.account(), await reserve.account()];
  const proofs = { opensAtOnce, batch, captures, signatures, topUpCancels, forcedExit };
  for (const [name, prove] of Object.entries(proofs)) {
    await prove(reserve, payer, payee);
    proved(`reserve: ${name}`);
  }
}

/** Opens from one payer and from several, all in flight together, each get the hash of their own transaction. */
async function opensAtOnce(reserve, payer, payee) {
  const others = await Promise.all(Array.from({ length: OPENS_AT_ONCE / 2 }, () => reserve.account()));
  const payers = [...others, ...others.map(() => payer)];
  const opened = await Promise.all(payers.map((from, index) => reserve.open(from, payee, saltOf(index))));
  assert.equal(new Set(opened.map(({ channelId }) => channelId)).size, OPENS_AT_ONCE);
}

/** Two opens of one transaction are two channels if anything else differs, and refused if nothing does. */
async function batch(reserve, payer, payee) {
  const open = (salt) => reserve.call("open", [payee.address, zeroAddress, PATH_USD, DEPOSIT, saltOf(salt), payer.address]);
  const { receipt } = await reserve.send(payer, [open(101), open(102)]);
  assert.equal(receipt.status, "success");
  assert.equal(parseEventLogs({ abi: escrowAbi, eventName: "ChannelOpened", logs: receipt.logs }).length, 2);
  const twice = await reserve.send(payer, [open(103), open(103)]);
  assert.equal(twice.receipt.status, "reverted");
}

/** A voucher may exceed the deposit, a capture may not, nor fall below what is settled; and only the payee's side captures. */
async function captures(reserve, payer, payee) {
  const { channelId, descriptor } = await reserve.open(payer, payee, saltOf(201));
  const large = await reserve.voucher(payer, channelId, 2n * DEPOSIT);
  const small = await reserve.voucher(payer, channelId, 300_000n);
  await reserve.refused(payee, "settle", [descriptor, 2n * DEPOSIT, large], "AmountExceedsDeposit");
  await reserve.refused(payer, "settle", [descriptor, 300_000n, small], "NotPayeeOrOperator");
  await reserve.done(payee, "settle", [descriptor, 300_000n, small]);
  await reserve.refused(payee, "settle", [descriptor, 300_000n, small], "AmountNotIncreasing");
  await reserve.refused(payee, "close", [descriptor, 2n * DEPOSIT, 299_999n, large], "CaptureAmountInvalid");
  await reserve.refused(payee, "close", [descriptor, 300_000n, 300_001n, small], "CaptureAmountInvalid");
  await reserve.refused(payee, "close", [descriptor, 2n * DEPOSIT, DEPOSIT + 1n, large], "AmountExceedsDeposit");
  const before = await balanceOf(reserve.client, payer.address);
  await reserve.done(payee, "close", [descriptor, 2n * DEPOSIT, 700_000n, large]);
  assert.equal((await balanceOf(reserve.client, payer.address)) - before, 300_000n);
  await reserve.refused(payee, "close", [descriptor, 2n * DEPOSIT, 700_000n, large], "ChannelNotFound");
}

/** Only a full signature of the signer himself is a voucher: no compact one, no keychain one, nobody else's, no high `s`. */
async function signatures(reserve, payer, payee) {
  const { channelId, descriptor } = await reserve.open(payer, payee, saltOf(301));
  const good = await reserve.voucher(payer, channelId, 1n);
  const parsed = parseSignature(good);
  const compact = serializeCompactSignature(signatureToCompactSignature(parsed));
  assert.equal((compact.length - 2) / 2, EIP2098_COMPACT_BYTES);
  const keychain = ["0x03", "0x04"].map((type) => concat([type, payer.address, good]));
  const strange = await reserve.voucher(payee, channelId, 1n);
  for (const bad of [compact, ...keychain, strange, "0x"]) {
    await reserve.refused(payee, "settle", [descriptor, 1n, bad], "InvalidSignature");
  }
  await reserve.done(payee, "settle", [descriptor, 1n, good]);
}

/** A top-up, be it of nothing, calls off a close. */
async function topUpCancels(reserve, payer, payee) {
  const { channelId, descriptor } = await reserve.open(payer, payee, saltOf(401));
  await reserve.refused(payee, "requestClose", [descriptor], "NotPayer");
  await reserve.done(payer, "requestClose", [descriptor]);
  assert.notEqual((await channelState(reserve.client, channelId)).closeRequestedAt, 0);
  await reserve.done(payer, "topUp", [descriptor, 0n]);
  assert.deepEqual(await channelState(reserve.client, channelId), { settled: 0n, deposit: DEPOSIT, closeRequestedAt: 0 });
  await reserve.refused(payer, "withdraw", [descriptor], "CloseNotReady");
  await reserve.refused(payer, "topUp", [descriptor, 2n ** 96n - DEPOSIT], "DepositOverflow");
}

/** A payer gets back what no voucher took, 900 seconds after he asked, and not before. */
async function forcedExit(reserve, payer, payee) {
  const { channelId, descriptor } = await reserve.open(payer, payee, saltOf(501));
  await reserve.done(payer, "requestClose", [descriptor]);
  await reserve.done(payee, "settle", [descriptor, 250_000n, await reserve.voucher(payer, channelId, 250_000n)]);
  await reserve.refused(payer, "withdraw", [descriptor], "CloseNotReady");
  await reserve.client.request({ method: "evm_increaseTime", params: [numberToHex(GRACE_SECONDS + 1)] });
  await reserve.client.request({ method: "anvil_mine", params: ["0x1"] });
  const before = await balanceOf(reserve.client, payer.address);
  const { fee } = await reserve.done(payer, "withdraw", [descriptor]);
  assert.equal((await balanceOf(reserve.client, payer.address)) - before, 750_000n - fee);
  assert.deepEqual(await channelState(reserve.client, channelId), { settled: 0n, deposit: 0n, closeRequestedAt: 0 });
}

class Reserve {
  constructor(client) {
    this.client = client;
  }

  async account() {
    const account = privateKeyToAccount(generatePrivateKey());
    await fund(this.client, account.address, FUNDED);
    return account;
  }

  call(functionName, args) {
    return { to: RESERVE, data: encodeFunctionData({ abi: escrowAbi, functionName, args }) };
  }

  voucher(signer, channelId, cumulativeAmount) {
    return Voucher.signVoucher(this.client, signer, { channelId, cumulativeAmount }, RESERVE, this.client.chain.id);
  }

  /** Opens, and holds the event against the id that the official package computes from the signed transaction. */
  async open(payer, payee, salt) {
    const open = this.call("open", [payee.address, zeroAddress, PATH_USD, DEPOSIT, salt, payer.address]);
    const { receipt, raw } = await this.send(payer, [open]);
    assert.equal(receipt.status, "success");
    const expiringNonceHash = Channel.computeExpiringNonceHash(Transaction.deserialize(raw), { sender: payer.address });
    const descriptor = {
      payer: payer.address, payee: payee.address, operator: zeroAddress, token: PATH_USD, salt, authorizedSigner: payer.address,
      expiringNonceHash,
    };
    const channelId = Channel.computeId({ ...descriptor, chainId: this.client.chain.id, escrow: RESERVE });
    const [event] = parseEventLogs({ abi: escrowAbi, eventName: "ChannelOpened", logs: receipt.logs });
    assert.equal(event.args.channelId, channelId);
    return { channelId, descriptor };
  }

  async done(account, functionName, args) {
    const { receipt } = await this.send(account, [this.call(functionName, args)]);
    assert.equal(receipt.status, "success", functionName);
    return { receipt, fee: feeOf(receipt) };
  }

  async refused(account, functionName, args, errorName) {
    // Ours, as the official ABI has no errors.
    const { abi } = await buildChannelReserve();
    const simulated = simulateContract(this.client, { account, address: RESERVE, abi, functionName, args });
    const error = await simulated.then(() => undefined, (thrown) => thrown);
    const reverted = error instanceof BaseError && error.walk((cause) => cause instanceof ContractFunctionRevertedError);
    assert.equal(reverted?.data?.errorName, errorName, `${functionName}: ${error?.message ?? "not refused"}`);
  }

  // Valid by the chain's clock, which a test moves on.
  async send(account, calls) {
    const { timestamp } = await getBlock(this.client);
    const expiring = { nonceKey: "expiring", validBefore: Number(timestamp) + 20, validAfter: 1 + Math.floor(Math.random() * 1e9) };
    const request = { account, calls, feeToken: PATH_USD, gas: GAS, ...expiring };
    const prepared = await prepareTransactionRequest(this.client, request);
    const raw = await signTransaction(this.client, { ...prepared, account });
    return { raw, receipt: await sendRawTransactionSync(this.client, { serializedTransaction: raw }) };
  }
}

/** In base units: attodollars a unit of gas, rounded up. */
function feeOf({ gasUsed, effectiveGasPrice }) {
  const ATTO_PER_UNIT = 10n ** 12n;
  return (gasUsed * effectiveGasPrice + ATTO_PER_UNIT - 1n) / ATTO_PER_UNIT;
}

function saltOf(number) {
  return pad(numberToHex(number), { size: 32 });
}
