// Reads an AsyncAPI document as any client generator would; says what is wrong with it.
import { Parser } from "@asyncapi/parser";
import { readFileSync } from "node:fs";

const WORST_ALLOWED = 2; // information; 0 is an error, 1 a warning

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const wrong = diagnostics.filter((found) => found.severity < WORST_ALLOWED);
for (const found of wrong) console.error(found.code, found.message, found.path.join("."));
if (!document || wrong.length) process.exit(1);
console.log(`${document.channels().length} channels, ${document.operations().length} operations`);
