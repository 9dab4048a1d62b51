// The official client (@x402/fetch) with a plain local key: the baseline that ours is measured against.
//
// Environment: URL, COUNT (1), CONCURRENCY (1), WARMUP (0), NETWORK (eip155:8453), PRIVATE_KEY (0x hex; without it a key is
// made and given USDC through RPC_URL, which only the test chain allows).
// Prints one JSON line per payment, {"ms", "status", "transaction", "error"?}, and one at the end,
// {"summary": {"count", "paid", "p50_ms", "p99_ms", "elapsed_ms"}}. Exit code 1 unless every payment was made.

import { ExactEvmScheme } from "@x402/evm/exact/client";
import { decodePaymentResponseHeader, wrapFetchWithPayment, x402Client } from "@x402/fetch";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { chainIdOf, mintUsdc, reader } from "./chain.mjs";
import { setting } from "./process.mjs";

const FUNDED_USDC = 1_000_000_000n;

const network = setting("NETWORK", "eip155:8453");
const url = setting("URL");
const count = Number(setting("COUNT", "1"));

const { address, signTypedData } = await payer();
const fetchPaid = wrapFetchWithPayment(fetch, new x402Client().register(network, new ExactEvmScheme({ address, signTypedData })));

await run(Number(setting("WARMUP", "0")), () => {});
const begun = performance.now();
const payments = await run(count, (payment) => console.log(JSON.stringify(payment)));
const summary = summarise(payments, performance.now() - begun);
console.log(JSON.stringify({ summary }));
process.exit(summary.paid === count ? 0 : 1);

async function payer() {
  if (process.env.PRIVATE_KEY) return privateKeyToAccount(process.env.PRIVATE_KEY);
  const account = privateKeyToAccount(generatePrivateKey());
  await mintUsdc(reader(chainIdOf(network), setting("RPC_URL")), account.address, FUNDED_USDC);
  return account;
}

async function run(total, report) {
  const payments = [];
  let begun = 0;
  const worker = async () => {
    while (begun++ < total) {
      const payment = await pay();
      payments.push(payment);
      report(payment);
    }
  };
  await Promise.all(Array.from({ length: Number(setting("CONCURRENCY", "1")) }, worker));
  return payments;
}

async function pay() {
  const begun = performance.now();
  try {
    const response = await fetchPaid(url);
    await response.arrayBuffer();
    const ms = performance.now() - begun;
    const header = response.headers.get("PAYMENT-RESPONSE");
    const settlement = header ? decodePaymentResponseHeader(header) : {};
    return { ms, status: response.status, transaction: settlement.transaction ?? null, error: settlement.errorMessage ?? settlement.errorReason };
  } catch (error) {
    return { ms: performance.now() - begun, status: 0, transaction: null, error: String(error?.message ?? error) };
  }
}

function summarise(payments, elapsed) {
  const sorted = payments.map((payment) => payment.ms).sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
  const paid = payments.filter((payment) => payment.status === 200 && payment.transaction).length;
  return { count: payments.length, paid, p50_ms: at(0.5), p99_ms: at(0.99), elapsed_ms: elapsed };
}
