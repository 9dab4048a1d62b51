// Vectors of Tempo transactions and of MPP's typed data, made by ox and viem, with which the official SDK signs.

import { Secp256k1 } from "ox";
import { Channel, TxEnvelopeTempo } from "ox/tempo";
import { concat, encodeFunctionData, hashTypedData, keccak256, parseAbi, slice, stringToHex, toHex } from "viem";
import { privateKeyToAddress } from "viem/accounts";
import { Abis } from "viem/tempo";
import { Seeded } from "./seeded.mjs";

const TRANSACTIONS = 48;
const CHANNELS = 24;
const PROOFS = 20;
/** Mainnet, Moderato, and a local chain. */
const CHAINS = [4217, 42431, 1337];
const RESERVE = "0x4d50500000000000000000000000000000000000";
const EXPIRING = (1n << 256n) - 1n;
const ESCROW_ABI = parseAbi(["function requestClose(bytes32 channelId)", "function withdraw(bytes32 channelId)"]);

/** Transactions of every shape that a wallet makes: each of the choices below comes with each of the others. */
export function tempo() {
  const random = new Seeded("tercet/vectors/tempo");
  return { cases: Array.from({ length: TRANSACTIONS }, (_, index) => transactionCase(random, index)) };
}

function transactionCase(random, index) {
  const sponsored = index % 2 === 1;
  const nonceKey = [EXPIRING, 0n, 1n + random.integer(255)][index % 3];
  const endless = Math.trunc(index / 6) % 3 === 1 && nonceKey !== EXPIRING;
  const validBefore = endless ? undefined : 1_700_000_000 + Number(random.integer(30));
  const validAfter = index % 8 < 4 ? undefined : 1 + Number(random.integer(30));
  const maxFeePerGas = index === 0 ? 0n : random.integer(index % 5 === 0 ? 127 : 37);
  const envelope = {
    type: "tempo",
    chainId: CHAINS[index % CHAINS.length],
    maxFeePerGas,
    maxPriorityFeePerGas: index % 4 === 0 ? 0n : random.integer(36) % (maxFeePerGas + 1n),
    gas: random.integer(index % 7 === 0 ? 53 : 22),
    calls: Array.from({ length: 1 + (index % 3) + (index === 40 ? 12 : 0) }, (_, call) => callOf(random, index + call)),
    nonceKey,
    nonce: nonceKey === EXPIRING || index % 5 === 0 ? 0n : random.integer(64),
    validBefore,
    validAfter,
    ...(sponsored ? { feePayerSignature: null } : { feeToken: random.address().toLowerCase() }),
  };
  return signed(random, envelope, sponsored);
}

/** Call data of no, little and much length: RLP tells them apart at 0, 1 and 56 bytes. */
function callOf(random, index) {
  const [target, to, amount] = [random.address(), random.address(), random.integer(128)];
  const data = [
    () => encodeFunctionData({ abi: Abis.tip20, functionName: "transfer", args: [to, amount] }),
    () => encodeFunctionData({ abi: Abis.tip20, functionName: "transferWithMemo", args: [to, amount, random.word()] }),
    () => "0x",
    () => `0x${random.word().slice(2, 4)}`,
    () => concat(Array.from({ length: 2 + (index % 9) }, () => random.word())),
    () => "0x00",
    () => "0x7f",
  ][index % 7]();
  return { to: target.toLowerCase(), data };
}

function signed(random, envelope, sponsored) {
  const key = random.word();
  const sender = privateKeyToAddress(key);
  const preimage = TxEnvelopeTempo.encodeForSigning(envelope);
  const digest = TxEnvelopeTempo.getSignPayload(envelope);
  const { r, s, yParity } = Secp256k1.sign({ payload: digest, privateKey: key, extraEntropy: false });
  const signature = { type: "secp256k1", signature: { r, s, yParity } };
  const raw = TxEnvelopeTempo.serialize(envelope, { signature, ...(sponsored ? { format: "feePayer" } : {}) });
  const feeToken = envelope.feeToken ?? random.address().toLowerCase();
  return {
    ...written(envelope),
    sender,
    signature: { r: toHex(r, { size: 32 }), s: toHex(s, { size: 32 }), y_is_odd: yParity === 1 },
    preimage,
    digest,
    expiring_nonce_hash: keccak256(concat([preimage, sender])),
    raw,
    hash: sponsored ? null : keccak256(raw),
    fee_payer_token: feeToken,
    fee_payer_digest: TxEnvelopeTempo.getFeePayerSignPayload({ ...envelope, feeToken }, { sender }),
  };
}

function written(envelope) {
  return {
    chain_id: envelope.chainId,
    max_priority_fee_per_gas: String(envelope.maxPriorityFeePerGas),
    max_fee_per_gas: String(envelope.maxFeePerGas),
    gas_limit: String(envelope.gas),
    calls: envelope.calls.map(({ to, data }) => ({ to, input: data })),
    nonce_key: toHex(envelope.nonceKey),
    nonce: String(envelope.nonce),
    valid_before: envelope.validBefore ?? null,
    valid_after: envelope.validAfter ?? null,
    fee_token: envelope.feeToken ?? null,
  };
}

/** Channels with their calls and vouchers, proofs, and attribution memos. */
export function mpp() {
  const random = new Seeded("tercet/vectors/mpp");
  return {
    channels: Array.from({ length: CHANNELS }, (_, index) => channelCase(random, index)),
    proofs: Array.from({ length: PROOFS }, (_, index) => proofCase(random, index)),
  };
}

function channelCase(random, index) {
  const chainId = CHAINS[index % CHAINS.length];
  const zero = `0x${"0".repeat(40)}`;
  const descriptor = {
    payer: random.address(),
    payee: random.address(),
    operator: index % 2 ? random.address() : zero,
    token: random.address(),
    salt: random.word(),
    authorizedSigner: index % 3 ? random.address() : zero,
    expiringNonceHash: random.word(),
  };
  const channelId = Channel.computeId(descriptor, { chainId });
  const [deposit, capture] = [random.integer(96), random.integer(96)];
  const cumulative = index === 1 ? 0n : index === 2 ? (1n << 96n) - 1n : random.integer(96);
  const escrow = random.address();
  return {
    chain_id: chainId,
    descriptor,
    channel_id: channelId,
    deposit: String(deposit),
    cumulative: String(cumulative),
    capture: String(capture),
    escrow,
    ...digests(chainId, channelId, cumulative, escrow),
    calls: reserveCalls(descriptor, { deposit, cumulative, capture, channelId }),
  };
}

function digests(chainId, channelId, cumulativeAmount, escrow) {
  const channel = (name, verifyingContract, primaryType, width) =>
    hashTypedData({
      domain: { name, version: "1", chainId, verifyingContract },
      types: {
        [primaryType]: [{ name: "channelId", type: "bytes32" }, { name: "cumulativeAmount", type: `uint${width}` }],
      },
      primaryType,
      message: { channelId, cumulativeAmount },
    });
  return {
    voucher: Channel.getVoucherSignPayload({ chainId, channelId, cumulativeAmount }),
    close: channel("TIP20 Channel Reserve", RESERVE, "CloseAuthorization", 96),
    voucher_v1: channel("Tempo Stream Channel", escrow, "Voucher", 128),
  };
}

function reserveCalls(descriptor, { deposit, cumulative, capture, channelId }) {
  const call = (functionName, ...args) => encodeFunctionData({ abi: Abis.tip20ChannelReserve, functionName, args });
  const { payee, operator, token, salt, authorizedSigner } = descriptor;
  const signature = concat([channelId, salt, "0x1b"]);
  return {
    signature,
    open: call("open", payee, operator, token, deposit, salt, authorizedSigner),
    top_up: call("topUp", descriptor, deposit),
    request_close: call("requestClose", descriptor),
    withdraw: call("withdraw", descriptor),
    settle: call("settle", descriptor, cumulative, signature),
    close: call("close", descriptor, cumulative, capture, signature),
    request_close_v1: encodeFunctionData({ abi: ESCROW_ABI, functionName: "requestClose", args: [channelId] }),
    withdraw_v1: encodeFunctionData({ abi: ESCROW_ABI, functionName: "withdraw", args: [channelId] }),
  };
}

function proofCase(random, index) {
  const chainId = CHAINS[index % CHAINS.length];
  const message = {
    account: random.address(),
    challengeId: random.word().slice(2, 2 + 3 * index),
    realm: `${index ? "api-" : ""}\u00e9\ud83d\ude00${index}.example`,
  };
  const client = index % 2 ? `client-${index}` : null;
  const names = ["account", "challengeId", "realm"];
  const types = { Proof: names.map((name) => ({ name, type: name === "account" ? "address" : "string" })) };
  return {
    chain_id: chainId,
    account: message.account,
    challenge_id: message.challengeId,
    realm: message.realm,
    client_id: client,
    digest: hashTypedData({ domain: { name: "MPP", version: "3", chainId }, types, primaryType: "Proof", message }),
    memo: memo(message.challengeId, message.realm, client),
  };
}

/** As `Attribution.encode` of mppx, which does not export it. */
function memo(challengeId, serverId, clientId) {
  const hash = (text, bytes) => slice(keccak256(stringToHex(text)), 0, bytes);
  const client = clientId === null ? `0x${"00".repeat(10)}` : hash(clientId, 10);
  return concat([hash("mpp", 4), "0x01", hash(serverId, 10), client, hash(challengeId, 7)]);
}
