// A hostile MPP service on Tempo, written by hand. Each route cheats in one way; what is left of its behaviour is honest, and
// `honest` cheats in none. It takes real money on the test node.
//
// Environment: RPC_URL, CHAIN_ID (4217), TOKEN (pathUSD), PORT (0: any).
//
//   /charge/NAME    0.01 once                   /session/NAME   0.01 a request
//   /stream/NAME    6 words at 0.001 each       /parser/NAME    a challenge that is hard to read
//   /redirect/NAME  to another origin           (names: mpp-hostile-*.mjs, or GET /control/attacks)
//
// What it remembers (which challenge is the second, which channel is open) it remembers by the whole URL: a query keeps
// tests apart. For tests, free of charge:
//   GET /control                   {payee, stranger, token, chainId, other}: `other` is the same service at another origin
//   GET /control/attacks           every route
//   GET /control/credentials       every credential received, in order: {url, challenge, payload, source}
//   GET /control/channels          every channel: {channelId, deposit, accepted, spent, closed, ...}
//   POST /control/settle/CHANNEL   settles the highest voucher: {txHash}

import express from "express";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { HostileChain } from "./mpp-hostile-chain.mjs";
import { CHARGES } from "./mpp-hostile-charges.mjs";
import { PARSER_CHALLENGES } from "./mpp-hostile-parser.mjs";
import { SESSIONS } from "./mpp-hostile-sessions.mjs";
import { STREAMS } from "./mpp-hostile-streams.mjs";
import { chargeReceipt, challengeHeader, credentialOf, encoded, sessionReceipt } from "./mpp-wire.mjs";
import { listen, setting } from "./process.mjs";
import { fund, PATH_USD, RESERVE, tempoChainId, tempoClient } from "./tempo.mjs";

const SECRET = "a secret of the hostile service, of no value";
const FUNDED_UNITS = 100_000_000n;
const PRICE = 10_000n;
const WORD = 1_000n;
const SUGGESTED_DEPOSIT = 1_000_000n;
const VALID_MS = 300_000;
const REDIRECTS = ["challenge", "credential", "same-origin"];

const chainId = tempoChainId(setting("CHAIN_ID", "4217"));
const token = setting("TOKEN", PATH_USD);
const payee = privateKeyToAccount(generatePrivateKey());
const stranger = privateKeyToAccount(generatePrivateKey()).address;
const client = tempoClient(chainId, setting("RPC_URL"), payee);
await fund(client, payee.address, FUNDED_UNITS, token);
const chain = new HostileChain(client);

const memories = new Map();
const channels = new Map();
const credentials = [];

const app = express();
const other = await elsewhere();
app.get("/control", (_, response) => response.json({ payee: payee.address, stranger, token, chainId, other }));
app.get("/control/attacks", (_, response) => response.json(attacks()));
app.get("/control/credentials", (_, response) => response.json(credentials));
app.get("/control/channels", (_, response) => response.type("json").send(json([...channels.values()])));
app.post("/control/settle/:channel", guarded(async ({ params }, response) => {
  response.json({ txHash: await chain.settle(channels.get(params.channel)) });
}));
app.all("/charge/:name", guarded((request, response) => charge(visit(request, response, CHARGES, chargeTerms()))));
app.all("/session/:name", guarded((request, response) => session(visit(request, response, SESSIONS, sessionTerms("request", PRICE)))));
app.all("/stream/:name", guarded((request, response) => session(visit(request, response, STREAMS, sessionTerms("word", WORD)))));
app.all("/parser/:name", guarded(parser));
app.all("/redirect/:name", guarded(redirect));
listen(app);

/** The same service at another port, which is another origin. */
function elsewhere() {
  return new Promise((ready) => {
    const server = app.listen(0, "127.0.0.1", () => ready(`http://127.0.0.1:${server.address().port}`));
  });
}

function chargeTerms() {
  return {
    intent: "charge",
    request: { amount: String(PRICE), currency: token, recipient: payee.address, methodDetails: { chainId } },
  };
}

function sessionTerms(unitType, price) {
  const methodDetails = { chainId, escrowContract: RESERVE, sessionProtocol: "v2" };
  const suggestedDeposit = String(SUGGESTED_DEPOSIT);
  const request = { amount: String(price), currency: token, recipient: payee.address, suggestedDeposit, unitType, methodDetails };
  return { intent: "session", request };
}

/** One request: what it brings, how the route cheats, and what was before at this URL. */
function visit(request, response, table, terms) {
  const { name } = request.params;
  const attack = table[name];
  if (!attack) throw new Error(`no attack is called ${name}`);
  const memory = memoryOf(request.originalUrl);
  const credential = credentialOf(request);
  if (credential) credentials.push({ url: request.originalUrl, ...credential });
  return { request, response, attack, memory, credential, terms, chain, payee: payee.address, stranger, channels, answer };
}

function memoryOf(url) {
  if (!memories.has(url)) memories.set(url, { challenges: 0, credentials: 0 });
  return memories.get(url);
}

async function charge(visited) {
  const { attack, credential, response, memory } = visited;
  if (!credential) return challenge(visited);
  memory.credentials += 1;
  if (await attack.paid?.(visited, () => challenge(visited))) return undefined;
  const { payload } = credential;
  const reference = payload.type === "transaction" ? await chain.broadcast(payload.signature) : payload.hash ?? credential.challenge.id;
  const receipt = chargeReceipt(reference);
  return answer(response, 200, attack.receipt?.(receipt) ?? receipt);
}

async function session(visited) {
  const { attack, credential } = visited;
  if (!credential) return challenge(visited);
  const { action } = credential.payload;
  const again = () => challenge(visited);
  if (action === "open") {
    if (await attack.open?.(visited, again)) return undefined;
    await opened(visited);
  }
  visited.channel = channels.get(credential.payload.channelId.toLowerCase());
  if (!visited.channel) return answer(visited.response, 410, undefined, problem("session/channel-not-found"));
  return { open: bought, voucher, topUp, close }[action](visited, again);
}

async function opened({ credential: { payload }, memory }) {
  await chain.broadcast(payload.transaction);
  const channelId = payload.channelId.toLowerCase();
  const { deposit } = await chain.state(channelId);
  memory.channel = {
    channelId, deposit, descriptor: payload.descriptor, accepted: 0n, signature: undefined, spent: 0n, units: 0, closed: false,
  };
  channels.set(channelId, memory.channel);
  accept(memory.channel, payload);
}

function accept(channel, { cumulativeAmount, signature }) {
  if (BigInt(cumulativeAmount) <= channel.accepted) return;
  channel.accepted = BigInt(cumulativeAmount);
  channel.signature = signature;
}

async function voucher(visited, again) {
  const { attack, channel, credential, request } = visited;
  accept(channel, credential.payload);
  if (await attack.voucher?.(visited, again)) return undefined;
  // Of its own, and for the stream that waits for it.
  if (request.method === "POST" && streams(request)) return receipted(visited, 204);
  return bought(visited);
}

async function topUp(visited) {
  await chain.broadcast(visited.credential.payload.transaction);
  visited.channel.deposit = (await chain.state(visited.channel.channelId)).deposit;
  return receipted(visited, 204);
}

async function close(visited, again) {
  const { attack, channel, credential } = visited;
  if (await attack.close?.(visited, again)) return undefined;
  const txHash = await chain.close(channel, credential.payload, channel.spent);
  channel.closed = true;
  return receipted(visited, 204, { txHash });
}

/** Goods for a voucher: a stream of words, or words at once. */
async function bought(visited) {
  const { attack, channel, request, response, terms } = visited;
  if (streams(request)) {
    response.set({ "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform" });
    const events = attack.events ?? STREAMS.honest.events;
    for await (const text of events(visited)) response.write(text);
    return response.end();
  }
  channel.spent += BigInt(terms.request.amount);
  channel.units += 1;
  return receipted(visited, 200);
}

function streams(request) {
  return request.path.startsWith("/stream/");
}

function receipted({ attack, channel, credential, response }, status, more) {
  const honest = sessionReceipt(credential.challenge.id, channel, more);
  return answer(response, status, attack.receipt ? attack.receipt(honest, { channel }) : honest);
}

/** A 402 with the terms of the route, as the attack has them this time. */
function challenge(visited) {
  const { attack, memory, request, response, terms } = visited;
  memory.challenges += 1;
  const honest = { realm: request.hostname, expires: new Date(Date.now() + VALID_MS).toISOString(), ...structuredClone(terms) };
  const offers = [attack.challenge?.(honest, { ...visited, nth: memory.challenges }) ?? honest].flat();
  response.set("WWW-Authenticate", offers.map((offer) => challengeHeader(SECRET, offer)));
  response.set("Cache-Control", "no-store");
  return answer(response, 402, undefined, problem("payment-required"));
}

function parser(request, response) {
  const credential = credentialOf(request);
  if (credential) credentials.push({ url: request.originalUrl, ...credential });
  const build = PARSER_CHALLENGES[request.params.name];
  if (!build) throw new Error(`no attack is called ${request.params.name}`);
  const terms = { realm: request.hostname, expires: new Date(Date.now() + VALID_MS).toISOString(), ...chargeTerms() };
  response.set("WWW-Authenticate", build(terms, (changed) => challengeHeader(SECRET, { ...terms, ...changed })));
  answer(response, 402, undefined, problem("payment-required"));
}

/** Leads to the honest charge at another origin: before there is a credential, or when there is one. */
function redirect(request, response) {
  const { name } = request.params;
  const credential = credentialOf(request);
  if (credential) credentials.push({ url: request.originalUrl, ...credential });
  if (name === "same-origin") return response.redirect(307, "/charge/honest");
  if (name === "credential" && !credential) return challenge(visit(request, response, { credential: {} }, chargeTerms()));
  return response.redirect(307, `${other}/charge/honest`);
}

function answer(response, status, receipt, body = { words: "what you paid for" }) {
  if (receipt !== undefined) {
    response.set("Payment-Receipt", encoded(typeof receipt === "string" ? receipt : JSON.stringify(receipt)));
    response.set("Cache-Control", "private");
  }
  response.status(status).json(status === 204 ? undefined : body);
  return true;
}

function problem(name) {
  return { type: `https://paymentauth.org/problems/${name}`, title: name };
}

function attacks() {
  const names = { charge: CHARGES, session: SESSIONS, stream: STREAMS, parser: PARSER_CHALLENGES };
  const routes = Object.entries(names).flatMap(([kind, table]) => Object.keys(table).map((name) => `/${kind}/${name}`));
  return [...routes, ...REDIRECTS.map((name) => `/redirect/${name}`)];
}

function guarded(act) {
  return async (request, response) => {
    try {
      await act(request, response);
    } catch (error) {
      if (response.headersSent) return response.destroy();
      response.status(500).json({ error: String(error?.message ?? error) });
    }
  };
}

function json(value) {
  return JSON.stringify(value, (_, each) => (typeof each === "bigint" ? String(each) : each));
}
