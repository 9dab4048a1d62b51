// Proves the testbed by the official peers alone: the official client pays the official merchant on the test node, by
// charge and by session, plain and sponsored; the hostile service does to it what its routes say; a payer gets out by
// himself; and the reserve keeps the rules of TIP-1034.
// Prints a line per proof, {"proved": what}; exit code 1 at the first that fails.
//
// Environment: CHAIN_ID (4217).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { getLogs } from "viem/actions";
import { Session } from "mppx/tempo";
import { proveHostile } from "./mpp-selftest-hostile.mjs";
import { proveReserve } from "./mpp-selftest-reserve.mjs";
import { setting } from "./process.mjs";
import { balanceOf, channelState, fund, RESERVE, tempoClient } from "./tempo.mjs";

const FUNDED = 5_000_000n;
const PRICE = 10_000n;
const WORD = 1_000n;
// More than any fee of a test, less than any price.
const FEES_MAX = 9_000n;
const CHAIN_ID = setting("CHAIN_ID", "4217");

const node = await start("tempo-node.mjs", {});
const merchant = await start("mpp-merchant.mjs", { RPC_URL: node });
const client = tempoClient(Number(CHAIN_ID), node);
const { payee, sponsor } = await control("GET", "");

for (const sponsored of [false, true]) {
  await proveCharge(sponsored);
  await proveSplits(sponsored);
  await proveSession(sponsored);
  await proveStream(sponsored);
}
await proveProof();
await proveSettlement();
await proveFinality();
const hostile = await start("mpp-hostile.mjs", { RPC_URL: node });
await proveHostile({ client, hostile, pays: attempts, proved });
await proveReserve(client, proved);
process.exit(0);

async function proveCharge(sponsored) {
  const before = await balanceOf(client, payee);
  const { payer, summary } = await pays("charge", route("charge", sponsored), 2);
  assert.equal(summary.paid, 2);
  assert.equal((await balanceOf(client, payee)) - before, 2n * PRICE);
  await provePaid(payer, 2n * PRICE, sponsored);
  proved(`charge${said(sponsored)}`);
}

async function proveSplits(sponsored) {
  const before = [await balanceOf(client, payee), await balanceOf(client, sponsor)];
  const { payer } = await pays("charge", route("charge-splits", sponsored), 1);
  assert.equal((await balanceOf(client, payee)) - before[0], (PRICE * 9n) / 10n);
  const split = (await balanceOf(client, sponsor)) - before[1];
  const fees = PRICE / 10n - split;
  // The sponsor is who gets the split, less the fees he pays.
  assert.ok(sponsored ? fees > 0n : fees === 0n, `the split was ${split}`);
  await provePaid(payer, PRICE, sponsored);
  proved(`charge with a split${said(sponsored)}`);
}

async function proveProof() {
  const { payer } = await pays("charge", route("proof", false), 1);
  assert.equal(await balanceOf(client, payer), FUNDED);
  proved("zero-amount proof");
}

async function proveSession(sponsored) {
  const before = await balanceOf(client, payee);
  const { payer, summary } = await pays("session", route("session", sponsored), 4, { TOP_UP: "0.5" });
  // The request that opened the channel was paid as well.
  const spent = 5n * PRICE;
  assert.equal(summary.closed.spent, String(spent));
  const events = await eventsOf(summary.channel);
  assert.deepEqual(events.map(({ eventName }) => eventName), ["ChannelOpened", "TopUp", "ChannelClosed"]);
  assert.equal(events[1].args.newDeposit, 1_500_000n);
  assert.equal(events[2].args.settledToPayee, spent);
  assert.equal(events[2].args.refundedToPayer, 1_500_000n - spent);
  assert.deepEqual(await channelState(client, summary.channel), { settled: 0n, deposit: 0n, closeRequestedAt: 0 });
  const gained = (await balanceOf(client, payee)) - before;
  // The merchant pays for closing, unless he has a sponsor.
  assert.ok(gained <= spent && gained > spent - FEES_MAX, `the payee gained ${gained}`);
  await provePaid(payer, spent, sponsored);
  proved(`session: open, requests, top-up, close${said(sponsored)}`);
}

async function proveStream(sponsored) {
  const { payer, summary } = await pays("stream", route("stream/12", sponsored), 12);
  assert.equal(summary.closed.spent, String(12n * WORD));
  assert.equal(summary.closed.units, 12);
  await provePaid(payer, 12n * WORD, sponsored);
  proved(`stream, a voucher a word${said(sponsored)}`);
}

async function proveSettlement() {
  const { summary } = await pays("session", route("session", false), 2, { CLOSE: "0" });
  await control("POST", `/settle/${summary.channel}`);
  assert.deepEqual(await channelState(client, summary.channel), {
    settled: 3n * PRICE, deposit: 1_000_000n, closeRequestedAt: 0,
  });
  const known = (await control("GET", "/channels")).find(({ channelId }) => channelId === summary.channel);
  assert.equal(known.settledOnChain, String(3n * PRICE));
  assert.equal(known.chain.settled, String(3n * PRICE));
  proved("settlement with the channel left open");
}

async function proveFinality() {
  const number = async (tag) => Number((await client.request({ method: "eth_getBlockByNumber", params: [tag, false] })).number);
  await client.request({ method: "anvil_mine", params: ["0x3"] });
  const [final, safe, head] = [await number("finalized"), await number("safe"), await number("latest")];
  assert.ok(final > 0 && head - final <= 3 && safe - final <= 2, `blocks ${final} ${safe} ${head}`);
  proved("finalized and safe move");
}

async function provePaid(payer, amount, sponsored) {
  const fees = FUNDED - (await balanceOf(client, payer)) - amount;
  assert.ok(sponsored ? fees === 0n : fees > 0n && fees < FEES_MAX, `the payer's fees were ${fees}`);
}

async function pays(mode, url, count, more) {
  const { payer, summary } = await attempts(mode, url, count, more);
  assert.equal(summary.paid, count, JSON.stringify(summary));
  return { payer, summary };
}

async function attempts(mode, url, count, more = {}) {
  const key = generatePrivateKey();
  const payer = privateKeyToAccount(key).address;
  await fund(client, payer, FUNDED);
  const settings = { MODE: mode, URL: url, COUNT: String(count), RPC_URL: node, PRIVATE_KEY: key, ...more };
  const lines = await output("mpp-client.mjs", settings);
  return { payer, summary: JSON.parse(lines.at(-1)).summary };
}

async function eventsOf(channel) {
  const abi = Session.Precompile.escrowAbi.filter(({ type }) => type === "event");
  const logs = await getLogs(client, { address: RESERVE, events: abi, fromBlock: 0n, toBlock: "latest" });
  return logs.filter(({ args }) => args.channelId === channel);
}

async function control(method, path) {
  const response = await fetch(`${merchant}/control${path}`, { method });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

function route(path, sponsored) {
  return `${merchant}${sponsored ? "/sponsored" : ""}/${path}`;
}

function said(sponsored) {
  return sponsored ? ", sponsored" : "";
}

function proved(what) {
  console.log(JSON.stringify({ proved: what }));
}

/** Starts a peer that ends with this process; gives its address. */
async function start(script, settings) {
  for await (const line of lines(script, settings)) return JSON.parse(line).listening;
  throw new Error(`${script} ended before it listened`);
}

async function output(script, settings) {
  const all = [];
  for await (const line of lines(script, settings)) all.push(line);
  return all;
}

function lines(script, settings) {
  const path = fileURLToPath(new URL(`./${script}`, import.meta.url));
  // Its standard input is ours to hold: when this process ends, so does it.
  const environment = { ...process.env, CHAIN_ID, PORT: "0", EXIT_WITH_STDIN: "1", ...settings };
  const child = spawn(process.execPath, [path], { env: environment, stdio: ["pipe", "pipe", "inherit"] });
  return createInterface({ input: child.stdout });
}
