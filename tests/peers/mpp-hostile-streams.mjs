// How a stream is cheated. Each entry: `events(visit)`, the server-sent events, as text; and what a session's entry has.

import { zeroHash } from "viem";
import { event, sessionReceipt } from "./mpp-wire.mjs";

const WORDS = 6;
const VOUCHER_MS_MAX = 3_000;
const POLL_MS = 5;
const SILENCE_MS = 120_000;
const HUGE_BYTES = 8 * 1024 * 1024;
const NEEDS = 50;
const GARBAGE = ["+9000", "0x2328", "9e3", "-9000", "9000.0", " 9000", "", null, 9000, String(2n ** 96n), "٩٠٠٠"];

/** By name. */
export const STREAMS = {
  honest: { events: words },

  // Asks for more than was given: at once, above the deposit, again and again, before anything, or for nothing at all.
  "inflated-need": { events: (visit) => afterOneWord(visit, ({ deposit }) => (deposit * 9n) / 10n) },
  "need-above-deposit": { events: (visit) => afterOneWord(visit, ({ deposit }) => deposit * 4n) },
  "need-one-too-many": { events: (visit) => afterOneWord(visit, ({ spent }) => spent + 10n * priceOf(visit)) },
  "repeated-top-up": { events: repeatedTopUp },
  "need-too-soon": { events: (visit) => needs(visit, 1, ({ deposit }) => deposit / 2n) },
  "need-without-goods": { events: (visit) => needs(visit, NEEDS, ({ accepted }) => accepted + priceOf(visit)) },
  "need-other-channel": { events: (visit) => lying(visit, (channel) => ({ channelId: zeroHash, requiredCumulative: String(channel.deposit) })) },
  "need-garbage": { events: garbage },
  "need-lies-deposit": {
    events: (visit) => lying(visit, ({ accepted }) => ({ deposit: String(accepted), requiredCumulative: String(accepted + 1n) })),
  },

  // Events within a word, receipts that lie, goods that do not come.
  "injected-events": { events: injected },
  "forged-receipt": { events: (visit) => receipted(visit, ({ deposit }) => ({ acceptedCumulative: String(deposit), spent: String(deposit) })) },
  "lower-receipt": { events: (visit) => receipted(visit, () => ({ acceptedCumulative: "0", spent: "0", units: 0 })) },
  "ends-early": { events: endsEarly },
  silent: { events: silent },
  cut: { events: cut },
  "huge-event": { events: huge },

  // Takes vouchers and answers them with errors while the stream waits.
  "voucher-500": { events: words, voucher: postFails(500) },
  "voucher-410": { events: words, voucher: postFails(410) },
};

async function* words(visit) {
  yield* someWords(visit, WORDS);
  yield event("payment-receipt", sessionReceipt(visit.credential.challenge.id, visit.channel));
}

async function* someWords(visit, count) {
  const { channel } = visit;
  for (let word = 0; word < count; word++) {
    const required = channel.spent + priceOf(visit);
    yield* asked(channel, required);
    if (channel.accepted < required) return;
    channel.spent = required;
    channel.units += 1;
    yield event("message", `word ${word}`);
  }
}

/** Asks for a voucher unless it is there, and waits a while for it. */
async function* asked(channel, required) {
  if (channel.accepted >= required) return;
  yield need(channel, { requiredCumulative: String(required) });
  await arrival(() => channel.accepted >= required);
}

async function* afterOneWord(visit, required) {
  yield* someWords(visit, 1);
  yield* asked(visit.channel, required(visit.channel));
  yield event("payment-receipt", sessionReceipt(visit.credential.challenge.id, visit.channel));
}

async function* needs({ channel }, times, required) {
  for (let time = 0; time < times; time++) {
    const wanted = required(channel);
    yield* asked(channel, wanted);
    if (channel.accepted < wanted) return;
  }
}

async function* repeatedTopUp(visit) {
  yield* someWords(visit, 1);
  yield* needs(visit, WORDS, ({ deposit }) => deposit + 1n);
}

async function* lying(visit, lie) {
  yield* someWords(visit, 1);
  yield need(visit.channel, lie(visit.channel));
  await pause(VOUCHER_MS_MAX);
}

async function* garbage(visit) {
  yield* someWords(visit, 1);
  for (const requiredCumulative of GARBAGE) yield need(visit.channel, { requiredCumulative });
  yield event("payment-need-voucher", "{not json");
  await pause(VOUCHER_MS_MAX);
}

async function* injected(visit) {
  yield* someWords(visit, 1);
  const forged = need(visit.channel, { requiredCumulative: String(visit.channel.deposit) });
  yield event("message", `a word\r\n\r\n${forged}`);
  await pause(VOUCHER_MS_MAX);
}

async function* receipted(visit, lie) {
  yield* someWords(visit, 2);
  yield event("payment-receipt", { ...sessionReceipt(visit.credential.challenge.id, visit.channel), ...lie(visit.channel) });
}

async function* endsEarly(visit) {
  yield* someWords(visit, 1);
  const { channel, credential } = visit;
  yield* needs(visit, 1, ({ spent }) => spent + priceOf(visit));
  channel.spent = channel.accepted;
  yield event("payment-receipt", sessionReceipt(credential.challenge.id, { ...channel, units: WORDS }));
}

async function* silent(visit) {
  yield* someWords(visit, 1);
  await pause(SILENCE_MS);
}

async function* cut(visit) {
  yield* someWords(visit, 1);
  yield* needs(visit, 1, ({ spent }) => spent + priceOf(visit));
  yield "event: message\ndata: half a w";
  visit.response.destroy();
}

async function* huge(visit) {
  yield* someWords(visit, 1);
  yield `event: message\ndata: ${"x".repeat(HUGE_BYTES)}\n\n`;
}

function postFails(status) {
  return ({ answer, request, response }) => request.method === "POST" && answer(response, status, undefined, {});
}

function need({ channelId, accepted, deposit }, more) {
  return event("payment-need-voucher", {
    channelId, acceptedCumulative: String(accepted), deposit: String(deposit), requiredCumulative: String(accepted), ...more,
  });
}

function priceOf({ terms }) {
  return BigInt(terms.request.amount);
}

async function arrival(has) {
  for (let begun = Date.now(); !has() && Date.now() - begun < VOUCHER_MS_MAX; ) await pause(POLL_MS);
}

function pause(ms) {
  return new Promise((wake) => setTimeout(wake, ms));
}
