// Compiles contracts/TestUSDC.sol into build/TestUSDC.json: {sourceHash, abi, runtime}.
//
// `runtime` is the deployed code as 0x hex, ready for `anvil_setCode`. The file is kept while the hash of
// the source and of the compiler's settings stands, so a second build costs nothing.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SOURCE = new URL("./contracts/TestUSDC.sol", import.meta.url);
const ARTEFACT = new URL("./build/TestUSDC.json", import.meta.url);

const SETTINGS = {
  optimizer: { enabled: true, runs: 1_000_000 },
  // No metadata hash: the same source gives the same code wherever it stands.
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  evmVersion: "cancun",
  outputSelection: { "*": { TestUSDC: ["abi", "evm.deployedBytecode.object"] } },
};

/** Compiles when needed; gives the artefact. */
export async function buildTestUsdc() {
  const content = readFileSync(SOURCE, "utf8");
  const sourceHash = createHash("sha256").update(content).update(JSON.stringify(SETTINGS)).digest("hex");
  if (existsSync(ARTEFACT)) {
    const built = JSON.parse(readFileSync(ARTEFACT, "utf8"));
    if (built.sourceHash === sourceHash) return built;
  }
  const built = { sourceHash, ...(await compile(content)) };
  store(built);
  return built;
}

async function compile(content) {
  const { default: solc } = await import("solc");
  const input = { language: "Solidity", sources: { "TestUSDC.sol": { content } }, settings: SETTINGS };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const complaints = output.errors ?? [];
  if (complaints.length > 0) throw new Error(complaints.map((c) => c.formattedMessage).join("\n"));
  const { abi, evm } = output.contracts["TestUSDC.sol"].TestUSDC;
  return { abi, runtime: `0x${evm.deployedBytecode.object}` };
}

// Written beside and renamed, so that tests which build at the same time never read half a file.
function store(built) {
  mkdirSync(new URL("./", ARTEFACT), { recursive: true });
  const fresh = new URL(`./TestUSDC.${process.pid}.tmp`, ARTEFACT);
  writeFileSync(fresh, `${JSON.stringify(built, null, 2)}\n`);
  renameSync(fresh, ARTEFACT);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const built = await buildTestUsdc();
  console.log(JSON.stringify({ artefact: "build/TestUSDC.json", runtimeBytes: (built.runtime.length - 2) / 2 }));
}
