// A Base node on loopback: anvil with the flags that behave, and a USDC at the real address.
//
// Environment: PORT (0: any), NETWORK (eip155:8453), BLOCK_SECONDS (1), ANVIL (path of another binary),
// FUND (addresses, comma separated: each gets 1,000 USDC and 1 ether).

import { startAnvil } from "./anvil.mjs";
import { chainIdOf, installUsdc, mintUsdc, reader, setEther } from "./chain.mjs";
import { setting } from "./process.mjs";

const FUNDED_USDC = 1_000_000_000n;

const chainId = chainIdOf(setting("NETWORK", "eip155:8453"));
const url = await startAnvil(setting("PORT", "0"), ["--network", "optimism", "--chain-id", String(chainId)]);
const client = reader(chainId, url);
await installUsdc(client);
for (const address of setting("FUND", ",").split(",").filter(Boolean)) {
  await setEther(client, address, 1);
  await mintUsdc(client, address, FUNDED_USDC);
}
console.log(JSON.stringify({ listening: url }));
