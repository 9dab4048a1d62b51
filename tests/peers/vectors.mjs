// Writes tests/vectors/*.json with viem and Node's own cryptography, implementations apart from ours. The same
// bytes every time: cases come from a seeded generator, and nothing here reads a clock, a network or a random source.
//
// `node vectors.mjs` writes; `node vectors.mjs --check` compares and exits 1 on a difference.

import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import {
  concat, domainSeparator, encodeFunctionData, hashStruct, hashTypedData, keccak256, parseAbi, serializeTransaction, toHex,
} from "viem";
import { USDC } from "./chain.mjs";
import { keychain } from "./keychain-vectors.mjs";
import { headers } from "./mpp-header-vectors.mjs";
import { Seeded } from "./seeded.mjs";
import { mpp, tempo } from "./tempo-vectors.mjs";

const FOLDER = new URL("../vectors/", import.meta.url);
const CASES = 30;
const CHAINS = [8453, 84532];
const INTENT_CASES = 12;
const AGENT = "ada";
const NOW = 1_790_000_000;
/** PrivateKeyInfo of an Ed25519 key up to its 32 bytes (RFC 8410). */
const PKCS8_ED25519 = Buffer.from("302e020100300506032b657004220420", "hex");
const TRANSFER_ABI = parseAbi(["function transfer(address to, uint256 value) returns (bool)"]);

const DOMAIN_FIELDS = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
];
const TYPES = {
  TransferWithAuthorization: [
    { name: "from", type: "address" },
    { name: "to", type: "address" },
    { name: "value", type: "uint256" },
    { name: "validAfter", type: "uint256" },
    { name: "validBefore", type: "uint256" },
    { name: "nonce", type: "bytes32" },
  ],
  CancelAuthorization: [
    { name: "authorizer", type: "address" },
    { name: "nonce", type: "bytes32" },
  ],
};

function domainOf(chainId) {
  const { name, version, address } = USDC[chainId];
  return { name, version, chainId, verifyingContract: address };
}

function typed(chainId, primaryType, message) {
  const types = { [primaryType]: TYPES[primaryType] };
  return {
    struct_hash: hashStruct({ data: message, primaryType, types }),
    digest: hashTypedData({ domain: domainOf(chainId), types, primaryType, message }),
  };
}

function authorization(chainId, { from, to, value, validAfter, validBefore, nonce }) {
  const message = { from, to, value, validAfter, validBefore, nonce };
  return {
    chain_id: chainId,
    from,
    to,
    value: String(value),
    valid_after: String(validAfter),
    valid_before: String(validBefore),
    nonce,
    transfer: typed(chainId, "TransferWithAuthorization", message),
    cancel: typed(chainId, "CancelAuthorization", { authorizer: from, nonce }),
  };
}

function eip3009() {
  const known = {
    from: "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
    to: "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
    value: 10_000n,
    validAfter: 0n,
    validBefore: 1_740_672_154n,
    nonce: "0xf3746613c2d920b5fdabc0856f2aeb2d4f88ee6037b8cc5d04a71a4462f13480",
  };
  const random = new Seeded("tercet/vectors/eip3009");
  const cases = Array.from({ length: CASES }, (_, index) =>
    authorization(CHAINS[index % CHAINS.length], {
      from: random.address(),
      to: random.address(),
      value: random.integer(128),
      validAfter: index % 3 === 0 ? random.integer(33) : 0n,
      validBefore: random.integer(53),
      nonce: random.word(),
    }),
  );
  const domains = CHAINS.map((chainId) => ({
    chain_id: chainId,
    name: USDC[chainId].name,
    version: USDC[chainId].version,
    verifying_contract: USDC[chainId].address,
    domain_separator: domainSeparator({ domain: domainOf(chainId), types: { EIP712Domain: DOMAIN_FIELDS } }),
  }));
  return { domains, cases: [...CHAINS.map((chainId) => authorization(chainId, known)), ...cases] };
}

function eip1559() {
  const random = new Seeded("tercet/vectors/eip1559");
  const cases = Array.from({ length: CASES }, (_, index) => {
    const chainId = CHAINS[index % CHAINS.length];
    const [to, value] = [random.address(), random.integer(128)];
    const maxFeePerGas = random.integer(36);
    return transfer({
      chainId,
      to: USDC[chainId].address,
      // Zeros are where encoders differ: an RLP integer of zero is the empty string.
      nonce: index === 0 ? 0 : Number(random.integer(index % 5 === 0 ? 53 : 16)),
      gas: random.integer(20),
      maxFeePerGas,
      maxPriorityFeePerGas: index % 4 === 0 ? 0n : random.integer(36) % (maxFeePerGas + 1n),
      value: 0n,
      data: encodeFunctionData({ abi: TRANSFER_ABI, functionName: "transfer", args: [to, value] }),
    }, { to, value });
  });
  return { cases };
}

function transfer(transaction, { to, value }) {
  const preimage = serializeTransaction({ ...transaction, type: "eip1559" });
  return {
    chain_id: transaction.chainId,
    token: transaction.to,
    to,
    amount: String(value),
    nonce: String(transaction.nonce),
    gas_limit: String(transaction.gas),
    max_fee_per_gas: String(transaction.maxFeePerGas),
    max_priority_fee_per_gas: String(transaction.maxPriorityFeePerGas),
    data: transaction.data,
    preimage,
    digest: keccak256(preimage),
  };
}

// Signed payment intents: canonical form (RFC 8785), content hash, Ed25519 signature and EIP-3009 nonce.
function intents() {
  const random = new Seeded("tercet/vectors/intents");
  const key = ed25519(random.word());
  const cases = Array.from({ length: INTENT_CASES }, (_, index) => intent(random, key, index));
  return { agent: AGENT, key: key.public, now: String(NOW), cases };
}

function intent(random, key, index) {
  const chainId = CHAINS[index % CHAINS.length];
  const id = random.word().slice(2);
  const wallet = random.address().toLowerCase();
  const token = USDC[chainId].address.toLowerCase();
  const payment = index % 3 === 0 ? transferOf(random, chainId, token) : x402Of(random, chainId, token, index);
  const document = {
    wallet, version: 1, payment, id, expires_at: NOW + 60 + index, created_at: NOW - index, agent: AGENT,
  };
  const message = Buffer.concat([Buffer.from("tercet/payment-intent/v1\0"), Buffer.from(canonical(document))]);
  const signature = sign(null, message, key.private).toString("hex");
  return {
    // As text, so that a reader meets the members in an order that is not the canonical one.
    signed: JSON.stringify({ signatures: [{ signature, key: key.public }], document }),
    canonical: canonical(document),
    content_hash: createHash("sha256").update(message).digest("hex"),
    eip3009_nonce: keccak256(
      concat([toHex("tercet/eip3009-nonce/v1"), toHex(chainId, { size: 32 }), token, wallet, `0x${id}`]),
    ),
  };
}

function transferOf(random, chainId, token) {
  const amount = String(random.integer(64) + 1n);
  return { to: random.address().toLowerCase(), token, kind: "transfer", chain: `eip155:${chainId}`, amount };
}

function x402Of(random, chainId, token, index) {
  const service = `shop-${index}.example${index % 2 ? ":8443" : ""}`;
  return {
    valid_before: NOW + 300, token, to: random.address().toLowerCase(), service,
    // What JSON escapes, what it does not, and what lies outside the basic plane.
    resource: `https://${service}/caf\u00e9?q="a\\b"&\u20ac=\ud83d\ude00/${index}`,
    kind: "x402_exact", chain: `eip155:${chainId}`, amount: String(random.integer(40) + 1n),
  };
}

/** RFC 8785 is defined by what ECMAScript does; members in order of their UTF-16 code units. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(",")}}`;
}

function ed25519(seed) {
  const der = Buffer.concat([PKCS8_ED25519, Buffer.from(seed.slice(2), "hex")]);
  const secret = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const { x } = createPublicKey(secret).export({ format: "jwk" });
  return { private: secret, public: Buffer.from(x, "base64url").toString("hex") };
}

const check = process.argv.includes("--check");
mkdirSync(FOLDER, { recursive: true });
const files = { eip3009: eip3009(), eip1559: eip1559(), intents: intents(), keychain: keychain(), mpp: mpp(), "mpp-headers": headers(), tempo: tempo() };
for (const [name, vectors] of Object.entries(files)) {
  const file = new URL(`${name}.json`, FOLDER);
  const text = `${JSON.stringify(vectors, null, 2)}\n`;
  if (!check) writeFileSync(file, text);
  else if (readFileSync(file, "utf8") !== text) {
    console.error(`${name}.json differs from what vectors.mjs gives`);
    process.exitCode = 1;
  }
}
