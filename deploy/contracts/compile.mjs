// Compiles deploy/contracts/*.sol with npm's solc → var/contracts/<Contract>.json: {"abi": …, "bytecode": "0x…"}.
// These contracts stand on private test chains only; nothing here may end up on a public one.

import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import solc from "solc";

const folder = path.dirname(fileURLToPath(import.meta.url));
const target = path.resolve(folder, "..", "..", "var", "contracts");

const names = readdirSync(folder).filter((name) => name.endsWith(".sol"));
const input = {
  language: "Solidity",
  sources: Object.fromEntries(names.map((name) => [name, { content: readFileSync(path.join(folder, name), "utf8") }])),
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: "paris",
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));

// A test contract destroys itself on purpose; that this is out of fashion need not be said each time.
const DEPRECATED_SELFDESTRUCT = "5159";
for (const message of output.errors ?? []) {
  if (message.errorCode !== DEPRECATED_SELFDESTRUCT) console.error(message.formattedMessage);
}
if ((output.errors ?? []).some((message) => message.severity === "error")) process.exit(1);

mkdirSync(target, { recursive: true });
for (const name of names) {
  for (const [contract, compiled] of Object.entries(output.contracts[name])) {
    if (!compiled.evm.bytecode.object) continue; // an interface
    const artifact = { abi: compiled.abi, bytecode: `0x${compiled.evm.bytecode.object}` };
    const file = path.join(target, `${contract}.json`);
    writeFileSync(`${file}.new`, `${JSON.stringify(artifact)}\n`);
    renameSync(`${file}.new`, file);
    console.log(`compiled ${contract}: ${(artifact.bytecode.length - 2) / 2} bytes`);
  }
}
