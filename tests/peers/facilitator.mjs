// The official facilitator (@x402/core, @x402/evm) over HTTP: POST /verify, POST /settle, GET /supported.
//
// Environment: RPC_URL, NETWORK (eip155:8453), PORT (0: any), GAS_KEY (0x hex; without it a key is made
// at start and given ether, which only anvil allows).

import { x402Facilitator } from "@x402/core/facilitator";
import { toFacilitatorEvmSigner } from "@x402/evm";
import { registerExactEvmScheme } from "@x402/evm/exact/facilitator";
import express from "express";
import { createWalletClient, http, publicActions } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { chainIdOf, POLLING_INTERVAL_MS, reader, setEther, viemChain } from "./chain.mjs";
import { listen, setting } from "./process.mjs";

const CONFIRMATION_MS_MAX = 30_000;
const GAS_ETHER = 100;

const network = setting("NETWORK", "eip155:8453");
const chainId = chainIdOf(network);
const rpcUrl = setting("RPC_URL");

let lastSend = Promise.resolve();

const facilitator = new x402Facilitator();
registerExactEvmScheme(facilitator, { signer: await gasSigner(), networks: network });

const app = express().use(express.json({ limit: "256kb" }));
app.get("/supported", (_, response) => response.json(facilitator.getSupported()));
app.post("/verify", answer((payload, requirements) => facilitator.verify(payload, requirements)));
app.post("/settle", answer((payload, requirements) => facilitator.settle(payload, requirements)));
listen(app);

async function gasSigner() {
  const account = privateKeyToAccount(process.env.GAS_KEY || generatePrivateKey());
  if (!process.env.GAS_KEY) await setEther(reader(chainId, rpcUrl), account.address, GAS_ETHER);
  const chain = viemChain(chainId, rpcUrl);
  const wallet = createWalletClient({ account, chain, transport: http(rpcUrl), pollingInterval: POLLING_INTERVAL_MS });
  const client = { ...wallet.extend(publicActions), address: account.address };
  client.writeContract = oneByOne(client.writeContract);
  client.sendTransaction = oneByOne(client.sendTransaction);
  return toFacilitatorEvmSigner(client, { confirmationTimeoutMs: CONFIRMATION_MS_MAX });
}

// Sends wait for each other, so that each takes the account's pending nonce after the one before it is known;
// they do not wait to be mined. viem's own nonce manager gives a stale nonce about once in 300 when
// settlements run side by side, and leaves a gap when a send fails.
function oneByOne(send) {
  return (...given) => {
    const sent = lastSend.then(() => send(...given));
    lastSend = sent.catch(() => {});
    return sent;
  };
}

function answer(act) {
  return async (request, response) => {
    const { paymentPayload, paymentRequirements } = request.body ?? {};
    try {
      response.json(await act(paymentPayload, paymentRequirements));
    } catch (error) {
      response.status(500).json({ error: error instanceof Error ? error.message : "failed" });
    }
  };
}
