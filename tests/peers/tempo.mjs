// What the peers share about a Tempo test chain: its addresses, clients for it, and what the reserve holds.

import { createClient, http, parseAbi } from "viem";
import { readContract } from "viem/actions";
import { tempo, tempoModerato } from "viem/tempo/chains";
import { buildChannelReserve } from "./build.mjs";
import { POLLING_INTERVAL_MS } from "./chain.mjs";

/** The channel reserve (TIP-1034), the same on every chain. */
export const RESERVE = "0x4d50500000000000000000000000000000000000";
/** The escrow contracts from before TIP-1034, by chain id. */
export const V1_ESCROWS = {
  4217: "0x33b901018174ddabe4841042ab76ba85d4e24f25",
  42431: "0xe1c4d3dce17bc111181ddf716f75bae49e61a336",
};
/** pathUSD, the token that every Tempo chain has from its first block. */
export const PATH_USD = "0x20c0000000000000000000000000000000000000";

const CHAINS = { [tempo.id]: tempo, [tempoModerato.id]: tempoModerato };
const TOKEN_ABI = parseAbi(["function balanceOf(address) view returns (uint256)"]);

/** 4217 (main net) or 42431 (Moderato). */
export function tempoChainId(text) {
  const chainId = Number(text);
  if (!(chainId in CHAINS)) throw new Error(`CHAIN_ID ${text}: known are ${Object.keys(CHAINS).join(" and ")}`);
  return chainId;
}

/** A viem client with Tempo's formats, for the node at `rpcUrl`; transactions are signed by `account`. */
export function tempoClient(chainId, rpcUrl, account) {
  return createClient({
    account,
    chain: { ...CHAINS[chainId], rpcUrls: { default: { http: [rpcUrl] } } },
    transport: http(rpcUrl),
    pollingInterval: POLLING_INTERVAL_MS,
  });
}

/** Base units of a TIP-20. */
export function balanceOf(client, owner, token = PATH_USD) {
  return readContract(client, { address: token, abi: TOKEN_ABI, functionName: "balanceOf", args: [owner] });
}

/** `{settled, deposit, closeRequestedAt}` of a channel; a deposit of zero says closed, or never open. */
export async function channelState(client, channelId) {
  const { abi } = await buildChannelReserve();
  return readContract(client, { address: RESERVE, abi, functionName: "getChannelState", args: [channelId] });
}

/** Gives `to` base units of a token, from the first development account; waits for it. */
export function fund(client, to, units, token = PATH_USD) {
  return client.request({ method: "tempo_fundAddress", params: [to, `0x${units.toString(16)}`, token] });
}
