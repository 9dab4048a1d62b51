// A Tempo node on loopback: anvil as Tempo, the channel reserve and the older escrow at their real addresses, and a
// proxy in front.
//
// Environment: PORT (0: any), CHAIN_ID (4217), BLOCK_SECONDS (1), ANVIL (path of another binary),
// FUND (addresses, comma separated: each gets 1,000 pathUSD).
// The first line names the proxy, which is the node to everybody: {"listening": url, "anvil": url}.

import { startAnvil } from "./anvil.mjs";
import { buildChannelReserve, buildStreamEscrow } from "./build.mjs";
import { listen, setting } from "./process.mjs";
import { RESERVE, tempoChainId, V1_ESCROWS } from "./tempo.mjs";
import { rpc, TempoProxy } from "./tempo-proxy.mjs";

// The newest fork this anvil knows; main net is further.
const HARDFORK = "T4";

const chainId = tempoChainId(setting("CHAIN_ID", "4217"));
const anvil = await startAnvil("0", ["--network", "tempo", "--hardfork", HARDFORK, "--chain-id", String(chainId)]);
const { abi, runtime } = await buildChannelReserve();
await rpc(anvil, "anvil_setCode", [RESERVE, runtime]);
await rpc(anvil, "anvil_setCode", [V1_ESCROWS[chainId], (await buildStreamEscrow()).runtime]);
const proxy = new TempoProxy(anvil, abi);
for (const address of setting("FUND", ",").split(",").filter(Boolean)) await proxy.fund(address);
listen(proxy.app(), { anvil });
