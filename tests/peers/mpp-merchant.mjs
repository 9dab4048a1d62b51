// The official MPP merchant (mppx/server) on Tempo. Sells words by charge, by session, and by the word as a stream.
//
// Environment: RPC_URL, CHAIN_ID (4217), TOKEN (pathUSD), PRICE (0.01, of a charge and of a session's request),
// UNIT_PRICE (0.001, of a streamed word), SUGGESTED_DEPOSIT (1), SPLIT_TO (an address), PORT (0: any),
// MERCHANT_KEY and SPONSOR_KEY (0x hex; without them keys are made at start and funded, which only the test node allows).
//
// Every route below /sponsored is the same with the fees paid by the merchant's sponsor:
//   /charge            PRICE once                  /charge-splits  PRICE, a tenth of it to SPLIT_TO
//   /proof             nothing, but a proof of who asks
//   /session           PRICE a request             /stream/N       N words at UNIT_PRICE each, as server-sent events
// and for tests, free of charge:
//   GET /control                   {payee, sponsor, token, chainId}
//   GET /control/channels          what the merchant knows of its channels, and what the chain does
//   GET /control/receipts          every receipt given, in order
//   POST /control/settle/CHANNEL   settles the highest voucher: {txHash}

import { setMaxListeners } from "node:events";
import express from "express";
import { Mppx, Request, Store, tempo } from "mppx/server";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { listen, setting } from "./process.mjs";
import { channelState, fund, PATH_USD, tempoChainId, tempoClient } from "./tempo.mjs";

// Any 32 bytes: challenges are checked by whoever made them, in this process.
const SECRET_KEY = "a secret of the test merchant, of no value";
const FUNDED_UNITS = 100_000_000n;
const WORDS_MAX = 10_000;
const DECIMALS = 6;

// A stream waits for every voucher on the same signal, and Node.js warns of the eleventh.
setMaxListeners(0);

const chainId = tempoChainId(setting("CHAIN_ID", "4217"));
const rpcUrl = setting("RPC_URL");
const token = setting("TOKEN", PATH_USD);
const price = setting("PRICE", "0.01");
const suggestedDeposit = setting("SUGGESTED_DEPOSIT", "1");
const merchant = await account("MERCHANT_KEY");
const sponsor = await account("SPONSOR_KEY");
const client = tempoClient(chainId, rpcUrl, merchant);
const splitTo = setting("SPLIT_TO", sponsor.address);
const store = Store.memory();
const receipts = [];

const app = express();
app.get("/control", (_, response) => {
  response.json({ payee: merchant.address, sponsor: sponsor.address, token, chainId });
});
app.get("/control/receipts", (_, response) => response.json(receipts));
app.get("/control/channels", answer(channels));
app.post("/control/settle/:channel", answer(async ({ params }) => {
  return { txHash: await tempo.settle(store, client, params.channel, { account: merchant }) };
}));
sell(app, "", undefined);
sell(app, "/sponsored", sponsor);
listen(app);

async function account(name) {
  const key = process.env[name] || generatePrivateKey();
  const made = privateKeyToAccount(key);
  if (!process.env[name]) await fund(tempoClient(chainId, rpcUrl), made.address, FUNDED_UNITS, token);
  return made;
}

function sell(routes, prefix, feePayer) {
  const charging = mppx(tempo.charge, feePayer, {});
  const paying = mppx(tempo.session, feePayer, {});
  const streaming = mppx(tempo.session, feePayer, { sse: true });

  routes.all(`${prefix}/charge`, paid(charging.charge({ amount: price }), words));
  const splits = [{ amount: String(Number(price) / 10), recipient: splitTo }];
  routes.all(`${prefix}/charge-splits`, paid(charging.charge({ amount: price, splits }), words));
  routes.all(`${prefix}/proof`, paid(charging.charge({ amount: "0" }), words));
  routes.all(`${prefix}/session`, paid(paying.session({ amount: price, unitType: "request", suggestedDeposit }), words));
  const word = { amount: setting("UNIT_PRICE", "0.001"), unitType: "word", suggestedDeposit };
  routes.all(`${prefix}/stream/:count`, paid(streaming.session(word), stream));
}

function mppx(method, feePayer, more) {
  const settings = { account: merchant, chainId, currency: token, decimals: DECIMALS, getClient: () => client, store, ...more };
  const made = Mppx.create({ methods: [method({ ...settings, ...(feePayer && { feePayer }) })], secretKey: SECRET_KEY });
  made.onPaymentSuccess(({ receipt }) => receipts.push(receipt));
  return made;
}

/** A route that costs what `offer` asks, and then gives what `goods` makes: a response, or words to stream. */
function paid(offer, goods) {
  return Request.toNodeListener(async (request) => {
    const result = await offer(request);
    if (result.status === 402) return result.challenge;
    return management(result) ?? result.withReceipt(goods(request));
  });
}

/** The answer to a voucher, top-up or close of its own, which buys nothing. */
function management(result) {
  try {
    return result.withReceipt();
  } catch {
    return undefined;
  }
}

function words() {
  return Response.json({ words: "what you paid for" });
}

// An iterable, not a generator function: then every word is charged as it goes out.
function stream({ url }) {
  return wordsOf(Math.min(Number(new URL(url).pathname.split("/").at(-1)), WORDS_MAX));
}

async function* wordsOf(count) {
  for (let word = 0; word < count; word++) yield `word ${word}`;
}

async function channels() {
  const ids = new Set(receipts.map((receipt) => receipt.channelId).filter(Boolean));
  return Promise.all([...ids].map(async (id) => ({ ...(await store.get(id)), chain: await channelState(client, id) })));
}

function answer(act) {
  return async (request, response) => {
    try {
      const text = JSON.stringify(await act(request), (_, value) => (typeof value === "bigint" ? String(value) : value));
      response.type("json").send(text);
    } catch (error) {
      response.status(500).json({ error: String(error?.message ?? error) });
    }
  };
}
