// What the peers share about a test chain: the pinned tokens, JSON-RPC, and the set-up of a bare anvil.

import { createPublicClient, defineChain, encodeFunctionData, http, parseAbi } from "viem";
import { buildTestUsdc } from "./build.mjs";

/** The real USDC addresses; the runtime of contracts/TestUSDC.sol is set there. */
export const USDC = {
  8453: { address: "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", name: "USD Coin", version: "2" },
  84532: { address: "0x036CbD53842c5426634e7929541eC2318f3dCF7e", name: "USDC", version: "2" },
};

/** How often a peer asks whether its transaction is mined. viem's own pace is seconds, which would be measured as ours. */
export const POLLING_INTERVAL_MS = 20;

const ONE_ETHER_WEI = 10n ** 18n;
const TOKEN_ABI = parseAbi(["function mint(address to, uint256 value) returns (bool)"]);

/** `eip155:8453` to 8453. Only the two chains of the testbed. */
export function chainIdOf(network) {
  const chainId = Number(/^eip155:([0-9]{1,10})$/.exec(network)?.[1]);
  if (!(chainId in USDC)) throw new Error(`NETWORK ${network}: known are eip155:8453 and eip155:84532`);
  return chainId;
}

/** A viem chain for anvil: no multicall, no ENS, nothing that leaves the loopback. */
export function viemChain(chainId, rpcUrl) {
  return defineChain({
    id: chainId,
    name: `anvil ${chainId}`,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  });
}

/** A client that reads. */
export function reader(chainId, rpcUrl) {
  return createPublicClient({
    chain: viemChain(chainId, rpcUrl),
    transport: http(rpcUrl),
    pollingInterval: POLLING_INTERVAL_MS,
  });
}

/** Puts the USDC where the real one is. Idempotent; balances stay. */
export async function installUsdc(client) {
  const { runtime } = await buildTestUsdc();
  await client.request({ method: "anvil_setCode", params: [USDC[client.chain.id].address, runtime] });
}

/** Mints `value` base units to `to`, sent from an unlocked account of anvil, and waits for it. */
export async function mintUsdc(client, to, value) {
  const [from] = await client.request({ method: "eth_accounts", params: [] });
  const data = encodeFunctionData({ abi: TOKEN_ABI, functionName: "mint", args: [to, value] });
  const token = USDC[client.chain.id].address;
  const hash = await client.request({ method: "eth_sendTransaction", params: [{ from, to: token, data }] });
  const receipt = await client.waitForTransactionReceipt({ hash });
  if (receipt.status !== "success") throw new Error(`mint reverted: ${hash}`);
}

/** Gives `to` a native balance of `ether` whole ether. */
export async function setEther(client, to, ether) {
  const balance = `0x${(BigInt(ether) * ONE_ETHER_WEI).toString(16)}`;
  await client.request({ method: "anvil_setBalance", params: [to, balance] });
}
