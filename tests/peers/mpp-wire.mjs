// MPP's wire format by hand, for a service that says what no honest library would: challenges, credentials, receipts and
// server-sent events.

import { createHmac } from "node:crypto";

/** base64url without padding, of text. */
export function encoded(text) {
  return Buffer.from(text).toString("base64url");
}

/** RFC 8785 of what has no numbers but integers. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).filter((name) => value[name] !== undefined).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

/**
 * The value of a `WWW-Authenticate`. `request` is an object, or text to be sent as it is. The id is bound to the rest as
 * the specification has it, unless one is given.
 */
export function challengeHeader(secret, { realm, method = "tempo", intent, request, expires, ...more }) {
  const sent = encoded(typeof request === "string" ? request : canonical(request));
  const bound = [realm, method, intent, sent, expires ?? "", more.digest ?? ""];
  if (more.header) bound.push(more.header);
  bound.push(more.opaque ?? "");
  const id = createHmac("sha256", secret).update(bound.join("|")).digest("base64url");
  const fields = { id, realm, method, intent, request: sent, expires, ...more };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return `Payment ${given.map(([name, value]) => `${name}="${quoted(value)}"`).join(", ")}`;
}

function quoted(value) {
  return String(value).replace(/["\\]/g, "\\$&");
}

/** What is inside `Authorization: Payment …`, or nothing. */
export function credentialOf(request) {
  const header = request.headers.authorization ?? request.headers["payment-authorization"];
  const sent = /^Payment\s+(\S+)$/i.exec(header ?? "")?.[1];
  return sent && JSON.parse(Buffer.from(sent, "base64url").toString());
}

/** A receipt of a session. */
export function sessionReceipt(challengeId, { channelId, accepted, spent, units }, more = {}) {
  return {
    method: "tempo", intent: "session", status: "success", timestamp: new Date().toISOString(), reference: channelId, challengeId,
    channelId, acceptedCumulative: String(accepted), spent: String(spent), units, ...more,
  };
}

/** A receipt of a charge. */
export function chargeReceipt(reference) {
  return { method: "tempo", status: "success", timestamp: new Date().toISOString(), reference };
}

/** A server-sent event. `data` is an object, or text to be sent as it is. */
export function event(name, data) {
  return `event: ${name}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
}
