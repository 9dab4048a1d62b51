// The official MPP client (mppx/client) with a plain local key: what is proven against, and the baseline that
// ours is measured against.
//
// Environment: MODE (charge, session or stream), URL, COUNT (1), WARMUP (0), RPC_URL, CHAIN_ID (4217), TOKEN (pathUSD),
// MAX_DEPOSIT (10), TOP_UP (none: so much is added by hand after the requests), CLOSE (1; 0 leaves the channel open),
// PRIVATE_KEY (0x hex; without it a key is made and funded through RPC_URL, which only the test node allows), PACED (1: not
// for streams; a payment for each line of standard input until that ends, COUNT and WARMUP mean nothing).
//
// Prints one JSON line per payment, {"ms", "status", "reference", "error"?}, without the one that opens a session's
// channel: each at once if PACED, otherwise all when they are made. And one at the end, {"summary": {"payer", "count", "paid",
// "p50_ms", "p99_ms", "elapsed_ms", "open_ms"?, "top_up_ms"?, "close_ms"?, "channel"?, "cumulative"?, "closed"?}}, where
// `closed` is a receipt. Exit code 1 unless every payment was made.

import { createInterface } from "node:readline";
import { Mppx, tempo } from "mppx/client";
import { Receipt } from "mppx";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { setting } from "./process.mjs";
import { fund, PATH_USD, tempoChainId, tempoClient } from "./tempo.mjs";

const FUNDED_UNITS = 100_000_000n;

const chainId = tempoChainId(setting("CHAIN_ID", "4217"));
const url = setting("URL");
const count = Number(setting("COUNT", "1"));
const warmup = Number(setting("WARMUP", "0"));
const mode = setting("MODE", "charge");
const paced = process.env.PACED === "1";

const account = privateKeyToAccount(process.env.PRIVATE_KEY || generatePrivateKey());
const client = tempoClient(chainId, setting("RPC_URL"), account);
if (!process.env.PRIVATE_KEY) await fund(client, account.address, FUNDED_UNITS, setting("TOKEN", PATH_USD));

const modes = { charge, session, stream };
const { payments, more } = await modes[mode]();
if (!paced) payments.forEach(print);
const summary = { payer: account.address, ...summarise(payments), ...more };
console.log(JSON.stringify({ summary }, (_, value) => (typeof value === "bigint" ? String(value) : value)));
process.exit(summary.paid === (paced ? payments.length : count) ? 0 : 1);

async function charge() {
  const { fetch } = Mppx.create({ methods: [tempo.charge({ account, getClient: () => client })], polyfill: false });
  return { payments: await repeated(() => pay(fetch)) };
}

async function session() {
  const manager = managed();
  const opening = await pay(manager.fetch);
  const payments = await repeated(() => pay(manager.fetch));
  return { payments, more: { open_ms: opening.ms, ...(await finish(manager)) } };
}

/** One payment a word; the first comes with the channel. */
async function stream() {
  const manager = managed();
  const payments = [];
  let last = performance.now();
  for await (const word of await manager.sse(url)) {
    const now = performance.now();
    payments.push({ ms: now - last, status: 200, reference: word });
    last = now;
  }
  const [opening] = payments;
  return { payments, more: { open_ms: opening?.ms, ...(await finish(manager)) } };
}

function managed() {
  const maxDeposit = setting("MAX_DEPOSIT", "10");
  return tempo.session.manager({ account, client, maxDeposit });
}

async function finish(manager) {
  const [topUp, top_up_ms] = await timed(() => process.env.TOP_UP && manager.topUp(process.env.TOP_UP));
  const cumulative = manager.cumulative;
  const { channelId: channel } = manager;
  const [closed, close_ms] = await timed(() => (setting("CLOSE", "1") === "1" ? manager.close() : undefined));
  return { channel, cumulative, top_up_ms: topUp && top_up_ms, close_ms: closed && close_ms, closed };
}

/** The payments that count. */
async function repeated(act) {
  if (paced) return onDemand(act);
  await repeat(warmup, act);
  return repeat(count, act);
}

async function onDemand(act) {
  const done = [];
  for await (const _ of createInterface({ input: process.stdin })) {
    done.push(await act());
    print(done.at(-1));
  }
  return done;
}

function print(payment) {
  console.log(JSON.stringify(payment));
}

async function repeat(times, act) {
  const done = [];
  while (done.length < times) done.push(await act());
  return done;
}

async function pay(fetchPaid) {
  const [{ status, reference, error }, ms] = await timed(async () => {
    try {
      const response = await fetchPaid(url);
      await response.arrayBuffer();
      const receipt = response.headers.get("Payment-Receipt");
      return { status: response.status, reference: receipt ? Receipt.deserialize(receipt).reference : null };
    } catch (error) {
      return { status: 0, reference: null, error: String(error?.message ?? error) };
    }
  });
  return { ms, status, reference, error };
}

async function timed(act) {
  const begun = performance.now();
  return [await act(), performance.now() - begun];
}

function summarise(payments) {
  const sorted = payments.map((payment) => payment.ms).sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
  const paid = payments.filter((payment) => payment.status === 200 && payment.reference).length;
  const elapsed_ms = sorted.reduce((sum, ms) => sum + ms, 0);
  return { count: payments.length, paid, p50_ms: at(0.5), p99_ms: at(0.99), elapsed_ms };
}
