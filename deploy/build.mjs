// Builds the site's scripts and styles: static/src/*.{js,ts,css} → static/dist, bundled and minified, names unchanged
// (Django's manifest storage adds the hashes). Only the top level are entry points; folders below are imported by them.
// A build replaces its own outputs and never leaves a half-written folder behind.

import { readdirSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const source = path.join(root, "static", "src");
const target = path.join(root, "static", "dist");

const entryPoints = readdirSync(source, { withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(js|ts|css)$/.test(entry.name) && !entry.name.endsWith(".d.ts"))
  .map((entry) => path.join(source, entry.name));

const options = {
  entryPoints,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  sourcemap: "linked",
  legalComments: "linked",
  external: ["/static/*"],
  loader: { ".woff2": "file", ".svg": "file", ".png": "file" },
  assetNames: "[name]",
  logLevel: "info",
  absWorkingDir: root,
};

if (process.argv.includes("--watch")) {
  const context = await esbuild.context({ ...options, outdir: target });
  await context.watch();
} else {
  const scratch = `${target}.new`;
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  // esbuild has printed what is wrong by itself; a stack trace of this script would only bury it.
  await esbuild.build({ ...options, outdir: scratch }).catch(() => process.exit(1));
  // Files are moved one by one over the old ones: a server that reads the folder now never finds it empty.
  await mkdir(target, { recursive: true });
  const fresh = new Set(await readdir(scratch));
  for (const name of fresh) await rename(path.join(scratch, name), path.join(target, name));
  for (const name of await readdir(target)) if (!fresh.has(name)) await rm(path.join(target, name), { recursive: true });
  await rm(scratch, { recursive: true });
}
