// Vectors of MPP's headers, made by the official SDK: what it writes, and whether it reads what a service got wrong.
// Their form is that of the conformance vectors of mpp-tools, so that one test replays both.

import { deepStrictEqual } from "node:assert";
import { Challenge, Credential, Receipt } from "mppx";

const REALM = "api.example.com";
const SHOP = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";
const PATH_USD = "0x20c0000000000000000000000000000000000000";
const WALLET = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
const CHARGE = { amount: "10000", currency: PATH_USD, methodDetails: { chainId: 4217 }, recipient: SHOP };
/** Base64url of an empty object. */
const NONE = "e30";
const REFUSED = { parse: { success: false, error_type: "parse_error" } };

/** Each kind of header under the name of its file among those vectors. */
export function headers() {
  return {
    "www-authenticate": { scenarios: [...challenges(), ...tolerated(), ...refusedChallenges()] },
    authorization: { scenarios: credentials() },
    receipt: { scenarios: [...receipts(), ...refusedReceipts()] },
    base64url: { scenarios: encodings() },
  };
}

function challengeOf(more) {
  return { id: "ch-1", realm: REALM, method: "tempo", intent: "charge", request: {}, ...more };
}

function challenges() {
  const session = { ...CHARGE, suggestedDeposit: "30000", methodDetails: { chainId: 42431, feePayer: true, sessionProtocol: "v2" } };
  const all = { description: "A report", digest: "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", expires: "2027-01-15T08:05:00Z", request: CHARGE };
  const objects = {
    only_what_must_be_there: challengeOf({}),
    a_charge: challengeOf({ request: CHARGE }),
    a_session_with_nested_details: challengeOf({ intent: "session", request: session }),
    every_field: challengeOf(all),
    quotes_in_a_value: challengeOf({ description: 'the "good" report' }),
    backslashes_in_a_value: challengeOf({ description: "a\\b\\\\c" }),
    the_scheme_s_name_in_a_value: challengeOf({ description: "by Payment, or not", realm: "Payment desk" }),
    a_comma_and_an_equals_sign_in_a_value: challengeOf({ description: 'id="x", realm=y' }),
  };
  return Object.entries(objects).map(([name, object]) => read(name, object, Challenge.serialize(Challenge.from(object))));
}

/** Odd, and meant so: a reader takes them. */
function tolerated() {
  const wires = {
    spaces_around_everything: `Payment   id="ch-1" ,  realm="${REALM}" , method="tempo" ,intent="charge" ,  request="${NONE}"`,
    another_order: `Payment request="${NONE}", intent="charge", method="tempo", realm="${REALM}", id="ch-1"`,
    parameters_of_the_future: `Payment id="ch-1", realm="${REALM}", method="tempo", intent="charge", request="${NONE}", hue="blue"`,
    a_scheme_in_small_letters: `payment id="ch-1", realm="${REALM}", method="tempo", intent="charge", request="${NONE}"`,
  };
  return Object.entries(wires).map(([name, wire]) => read(name, challengeOf({}), wire));
}

function read(name, object, wire) {
  deepStrictEqual({ ...Challenge.deserialize(wire) }, object, name);
  return { name, object, wire, tests: { parse: true } };
}

function refusedChallenges() {
  const fields = { id: '"ch-1"', realm: `"${REALM}"`, method: '"tempo"', intent: '"charge"', request: `"${NONE}"` };
  const written = (changed) => {
    const all = Object.entries({ ...fields, ...changed }).filter(([, value]) => value !== undefined);
    return `Payment ${all.map(([name, value]) => `${name}=${value}`).join(", ")}`;
  };
  const wires = {
    nothing_at_all: "",
    another_scheme: 'Bearer realm="api"',
    the_scheme_alone: "Payment",
    an_empty_id: written({ id: '""' }),
    an_id_twice: `${written({})}, id="ch-2"`,
    a_request_that_is_no_base64url: written({ request: '"{}!"' }),
    a_request_that_is_no_json: written({ request: `"${Buffer.from("not json").toString("base64url")}"` }),
  };
  for (const name of Object.keys(fields)) wires[`without_its_${name}`] = written({ [name]: undefined });
  return Object.entries(wires).map(([name, wire]) => refused(name, wire, Challenge.deserialize));
}

function refused(name, wire, reader) {
  let isRead = true;
  try {
    reader(wire);
  } catch {
    isRead = false;
  }
  if (isRead) throw new Error(`the official SDK reads ${name}`);
  return { name, wire, tests: REFUSED };
}

function credentials() {
  const source = (chainId) => `did:pkh:eip155:${chainId}:${WALLET}`;
  const transaction = { type: "transaction", signature: `0x76${"ab".repeat(80)}` };
  const objects = {
    a_charge: { challenge: challengeOf({ request: CHARGE }), payload: transaction, source: source(4217) },
    a_proof: { challenge: challengeOf({ request: { ...CHARGE, amount: "0" } }), payload: { type: "proof", signature: `0x${"cd".repeat(65)}` }, source: source(42431) },
    a_challenge_that_ends: { challenge: challengeOf({ expires: "2027-01-15T08:05:00Z", description: "not echoed by everybody" }), payload: transaction, source: source(4217) },
  };
  return Object.entries(objects).map(([name, { challenge, payload, source }]) => {
    const wire = Credential.serialize(Credential.from({ challenge: Challenge.from(challenge), payload, source }));
    return { name, object: { challenge, payload, source }, wire, tests: { format: true } };
  });
}

function receipts() {
  const base = { method: "tempo", status: "success", timestamp: "2027-01-15T08:00:01Z" };
  const objects = {
    of_a_charge: { ...base, reference: `0x${"12".repeat(32)}` },
    with_an_id_of_the_caller_s: { ...base, reference: `0x${"34".repeat(32)}`, externalId: "order-7" },
  };
  return Object.entries(objects).map(([name, object]) => {
    const wire = Receipt.serialize(Receipt.from(object));
    deepStrictEqual({ ...Receipt.deserialize(wire) }, object, name);
    return { name, object, wire, tests: { parse: true } };
  });
}

function refusedReceipts() {
  const of = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
  const wires = {
    no_base64url: "!!!",
    no_json: of("not json"),
    no_reference: of({ method: "tempo", status: "success", timestamp: "2027-01-15T08:00:01Z" }),
    no_success: of({ method: "tempo", status: "failed", reference: "0x12", timestamp: "2027-01-15T08:00:01Z" }),
  };
  return Object.entries(wires).map(([name, wire]) => refused(name, wire, Receipt.deserialize));
}

function encodings() {
  const texts = { nothing: "", one_byte: "a", two_bytes: "ab", three_bytes: "abc", minus_and_underscore: ">>>???", beyond_ascii: "caf\u00e9 \u2615" };
  const good = Object.entries(texts).map(([name, decoded]) => {
    return { name, decoded, encoded: Buffer.from(decoded).toString("base64url"), tests: { parse: true } };
  });
  const bad = { another_alphabet: "not-valid!!!", bytes_that_are_no_text: "_w" };
  const tests = { parse: { success: false, error_type: "encoding_error" } };
  return [...good, ...Object.entries(bad).map(([name, encoded]) => ({ name, encoded, tests }))];
}
