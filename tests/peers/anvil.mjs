// Starts anvil, and ends it whenever this process ends.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { endWith, setting } from "./process.mjs";

const BUNDLED = new URL("./node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil", import.meta.url);
const SETPRIV = "/usr/bin/setpriv";

/**
 * Starts anvil on 127.0.0.1 with these flags and those that behave, and gives its URL once it listens.
 *
 * Mixed mining: a transaction is mined at once, and blocks come without one too, so that block times stay
 * fresh and clients which wait for the next block get it. One slot an epoch lets `safe` and `finalized` move.
 */
export async function startAnvil(port, flags) {
  const anvil = spawn(...command([
    "--host", "127.0.0.1", "--port", port, ...flags,
    "--block-time", setting("BLOCK_SECONDS", "1"), "--mixed-mining", "--slots-in-an-epoch", "1",
  ]), { stdio: ["ignore", "pipe", "inherit"] });
  anvil.once("error", (error) => {
    console.error(error.message);
    process.exit(1);
  });
  anvil.once("exit", (code) => process.exit(code ?? 1));
  // Not before anvil has ended: nobody else waits for it.
  endWith(() => new Promise((ended) => anvil.once("exit", ended).kill("SIGTERM")));
  const url = await listening(anvil);
  anvil.stdout.resume();
  return url;
}

// With setpriv (util-linux), anvil ends even when this process is killed and cannot end it.
function command(flags) {
  const binary = setting("ANVIL", fileURLToPath(BUNDLED));
  if (!existsSync(SETPRIV)) return [binary, flags];
  return [SETPRIV, ["--pdeathsig", "TERM", binary, ...flags]];
}

async function listening(anvil) {
  for await (const line of createInterface({ input: anvil.stdout })) {
    const address = /^Listening on (\S+)/.exec(line)?.[1];
    if (address) return `http://${address}`;
  }
  throw new Error("anvil ended before it listened");
}
