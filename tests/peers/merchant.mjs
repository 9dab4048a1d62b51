// The official merchant (@x402/express). Sells a few words for USDC.
//
// Environment: FACILITATOR_URL, PAY_TO, PRICE ($0.01), NETWORK (eip155:8453), PORT (0: any).

import { HTTPFacilitatorClient } from "@x402/core/server";
import { ExactEvmScheme } from "@x402/evm/exact/server";
import { paymentMiddleware, x402ResourceServer } from "@x402/express";
import express from "express";
import { chainIdOf } from "./chain.mjs";
import { listen, setting } from "./process.mjs";

const network = setting("NETWORK", "eip155:8453");
chainIdOf(network);
const payTo = setting("PAY_TO");
// A payee whom no test allows.
const OTHER_PAYEE = "0x00000000000000000000000000000000DeaDBeef";
const VALIDITY_SECONDS = 60;

const offer = (price, more = {}) => ({
  accepts: { scheme: "exact", network, payTo, price, maxTimeoutSeconds: VALIDITY_SECONDS, ...more },
  description: "A few words",
  mimeType: "application/json",
});

const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: setting("FACILITATOR_URL") }));
server.register(network, new ExactEvmScheme());

const routes = {
  "GET /paid": offer(setting("PRICE", "$0.01")),
  "POST /paid": offer(setting("PRICE", "$0.01")),
  "GET /cheap": offer("$0.001"),
  "GET /dear": offer("$250"),
  "GET /other-payee": offer("$0.01", { payTo: OTHER_PAYEE }),
  // Charged before the handler runs: a failure after it does not mean "not charged".
  "GET /upfront": offer("$0.01", { extra: { paymentFlow: "upfront" } }),
  // The handler fails, so the authorization flow never settles.
  "GET /boom": offer("$0.01"),
};

const app = express();
app.get("/free", (_, response) => response.json({ words: "free of charge" }));
await server.initialize();
app.use(paymentMiddleware(routes, server, undefined, undefined, false));
app.get("/boom", (_, response) => response.status(500).json({ error: "the handler failed" }));
for (const path of ["/paid", "/cheap", "/dear", "/other-payee", "/upfront"]) {
  app.all(path, (_, response) => response.json({ words: "what you paid for", path }));
}
listen(app);
