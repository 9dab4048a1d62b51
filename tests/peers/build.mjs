// Compiles contracts/NAME.sol into build/NAME.json: {sourceHash, abi, runtime}.
//
// `runtime` is the deployed code as 0x hex, ready for `anvil_setCode`. The file is kept while the hash of
// the source and of the compiler's settings stands, so a second build costs nothing.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const CONTRACTS = ["TestUSDC", "ChannelReserve", "StreamEscrow"];
const BUILD = new URL("./build/", import.meta.url);

/** Says that transient storage lives to the end of the transaction: what the reserve uses it for. */
const WARNING_OF_TSTORE = "2394";

const SETTINGS = {
  optimizer: { enabled: true, runs: 1_000_000 },
  // No metadata hash: the same source gives the same code wherever it stands.
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  evmVersion: "cancun",
};

/** The USDC that stands in on Base. */
export const buildTestUsdc = () => build("TestUSDC");

/** The channel reserve that stands in on Tempo. */
export const buildChannelReserve = () => build("ChannelReserve");

/** The escrow contract from before TIP-1034 that stands in on Tempo. */
export const buildStreamEscrow = () => build("StreamEscrow");

/** Compiles when needed; gives the artefact. */
async function build(name) {
  const content = readFileSync(new URL(`./contracts/${name}.sol`, import.meta.url), "utf8");
  const outputSelection = { "*": { [name]: ["abi", "evm.deployedBytecode.object"] } };
  const settings = { ...SETTINGS, outputSelection };
  const sourceHash = createHash("sha256").update(content).update(JSON.stringify(settings)).digest("hex");
  const artefact = new URL(`${name}.json`, BUILD);
  if (existsSync(artefact)) {
    const built = JSON.parse(readFileSync(artefact, "utf8"));
    if (built.sourceHash === sourceHash) return built;
  }
  const built = { sourceHash, ...(await compile(name, content, settings)) };
  store(artefact, built);
  return built;
}

async function compile(name, content, settings) {
  const { default: solc } = await import("solc");
  const input = { language: "Solidity", sources: { [`${name}.sol`]: { content } }, settings };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const complaints = (output.errors ?? []).filter((c) => c.errorCode !== WARNING_OF_TSTORE);
  if (complaints.length > 0) throw new Error(complaints.map((c) => c.formattedMessage).join("\n"));
  const { abi, evm } = output.contracts[`${name}.sol`][name];
  return { abi, runtime: `0x${evm.deployedBytecode.object}` };
}

// Written beside and renamed, so that tests which build at the same time never read half a file.
function store(artefact, built) {
  mkdirSync(BUILD, { recursive: true });
  const fresh = new URL(`${artefact.pathname}.${process.pid}.tmp`, artefact);
  writeFileSync(fresh, `${JSON.stringify(built, null, 2)}\n`);
  renameSync(fresh, artefact);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of CONTRACTS) {
    const { runtime } = await build(name);
    console.log(JSON.stringify({ artefact: `build/${name}.json`, runtimeBytes: (runtime.length - 2) / 2 }));
  }
}
