// Proves that the hostile service is one: honest where it says so, so that the official client pays it; and that its attacks
// are attacks, by what they do to that client.

import assert from "node:assert/strict";
import { get } from "node:http";
import { balanceOf, channelState } from "./tempo.mjs";

const PRICE = 10_000n;
const DEPOSIT = 1_000_000n;
// Some challenges are larger than fetch takes.
const HEADERS_BYTES_MAX = 1024 * 1024;

/** Runs every proof. `pays(mode, url, count)` runs the official client; `proved` is told of each proof. */
export async function proveHostile({ client, hostile, pays, proved }) {
  const read = async (path) => (await fetch(`${hostile}/control${path}`)).json();
  const { payee } = await read("");
  const proofs = { honest, challenges, takesTwice, takesOpen, inflates };
  for (const [name, prove] of Object.entries(proofs)) {
    await prove({ client, hostile, pays, read, payee });
    proved(`hostile: ${name}`);
  }
}

async function honest({ hostile, pays }) {
  const charge = await pays("charge", `${hostile}/charge/honest`, 2);
  assert.equal(charge.summary.paid, 2);
  const session = await pays("session", `${hostile}/session/honest`, 3);
  assert.equal(session.summary.paid, 3);
  assert.equal(session.summary.closed.spent, String(4n * PRICE));
  const stream = await pays("stream", `${hostile}/stream/honest`, 6);
  assert.equal(stream.summary.closed.spent, "6000");
  const redirected = await pays("charge", `${hostile}/redirect/same-origin`, 1);
  assert.equal(redirected.summary.paid, 1);
}

/** Every attack begins with a challenge, or with a redirect to one. */
async function challenges({ hostile, read }) {
  const routes = await read("/attacks");
  assert.ok(routes.length > 100, `${routes.length} attacks`);
  for (const route of routes) {
    const { statusCode, headers } = await answered(`${hostile}${route}`);
    const asked = statusCode === 402 && headers["www-authenticate"].includes("Payment");
    assert.ok(asked || (statusCode === 307 && headers.location), `${route}: ${statusCode}`);
  }
}

function answered(url) {
  return new Promise((done, failed) => {
    get(url, { maxHeaderSize: HEADERS_BYTES_MAX }, (response) => done(response.resume())).once("error", failed);
  });
}

async function takesTwice({ client, hostile, pays, payee }) {
  const before = await balanceOf(client, payee);
  const { summary } = await pays("charge", `${hostile}/charge/paid-402`, 1);
  assert.equal(summary.paid, 0);
  assert.ok((await balanceOf(client, payee)) - before >= PRICE, "nothing was taken");
}

async function takesOpen({ client, hostile, pays, read }) {
  const { summary } = await pays("session", `${hostile}/session/open-broadcast-500`, 1);
  assert.equal(summary.paid, 0);
  const given = (await read("/credentials")).filter(({ url, payload }) => url === "/session/open-broadcast-500" && payload.action === "open");
  const { deposit } = await channelState(client, given[0].payload.channelId);
  assert.equal(deposit, DEPOSIT);
}

/** The official client signs nine tenths of the deposit for the second word of six. */
async function inflates({ hostile, pays, read }) {
  await pays("stream", `${hostile}/stream/inflated-need`, 6);
  const [channel] = (await read("/channels")).filter(({ accepted }) => accepted === String((DEPOSIT * 9n) / 10n));
  assert.equal(channel?.spent, "1000");
}
