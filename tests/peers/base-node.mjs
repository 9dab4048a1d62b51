// A Base node on loopback: anvil with the flags that behave, and a USDC at the real address.
//
// Environment: PORT (0: any), NETWORK (eip155:8453), BLOCK_SECONDS (1), ANVIL (path of another binary),
// FUND (addresses, comma separated: each gets 1,000 USDC and 1 ether).

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chainIdOf, installUsdc, mintUsdc, reader, setEther } from "./chain.mjs";
import { endWith, setting } from "./process.mjs";

const BUNDLED = new URL("./node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil", import.meta.url);
const SETPRIV = "/usr/bin/setpriv";
const FUNDED_USDC = 1_000_000_000n;

// Mixed mining: a transaction is mined at once, and blocks come without one too, so that block times stay
// fresh and clients which wait for the next block get it. One slot an epoch lets `safe` and `finalized` move.
function flags(chainId) {
  return [
    "--network", "optimism", "--chain-id", String(chainId), "--host", "127.0.0.1", "--port", setting("PORT", "0"),
    "--block-time", setting("BLOCK_SECONDS", "1"), "--mixed-mining", "--slots-in-an-epoch", "1",
  ];
}

// With setpriv (util-linux), anvil ends even when this process is killed and cannot end it.
function command(chainId) {
  const binary = setting("ANVIL", fileURLToPath(BUNDLED));
  if (!existsSync(SETPRIV)) return [binary, flags(chainId)];
  return [SETPRIV, ["--pdeathsig", "TERM", binary, ...flags(chainId)]];
}

async function started(anvil) {
  for await (const line of createInterface({ input: anvil.stdout })) {
    const address = /^Listening on (\S+)/.exec(line)?.[1];
    if (address) return `http://${address}`;
  }
  throw new Error("anvil ended before it listened");
}

const chainId = chainIdOf(setting("NETWORK", "eip155:8453"));
const anvil = spawn(...command(chainId), { stdio: ["ignore", "pipe", "inherit"] });
anvil.once("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
anvil.once("exit", (code) => process.exit(code ?? 1));
// Not before anvil has ended: nobody else waits for it.
endWith(() => new Promise((ended) => anvil.once("exit", ended).kill("SIGTERM")));

const url = await started(anvil);
anvil.stdout.resume();
const client = reader(chainId, url);
await installUsdc(client);
for (const address of setting("FUND", ",").split(",").filter(Boolean)) {
  await setEther(client, address, 1);
  await mintUsdc(client, address, FUNDED_USDC);
}
console.log(JSON.stringify({ listening: url }));
