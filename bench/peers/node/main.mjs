// Maps CSV files to JSON Lines: `node main.mjs --workload mixed --threads 2 --pipelines 4 --output DIR FILE...`
//
// Files go round-robin over the worker threads. Prints the numbers of rows and the versions as one line of JSON.

import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";

import { addRows, noRows } from "./counts.mjs";
import { compileMapping } from "./mapping.mjs";

const WORKLOADS = ["mixed", "plain", "hard"];
const OPTIONS = {
  workload: { type: "string" },
  threads: { type: "string", default: "1" },
  pipelines: { type: "string", default: "4" },
  output: { type: "string" },
};
// The default of 16 MB is collected so often that rows in flight survive it, and are moved.
const RESOURCES = { maxYoungGenerationSizeMb: 64 };

function die(message) {
  process.stderr.write(`main.mjs: ${message}\n`);
  process.exit(1);
}

function positive(name, text) {
  if (!/^[1-9][0-9]{0,3}$/.test(text)) throw new Error(`--${name} takes a positive number, not ${text}`);
  return Number(text);
}

function parseArguments() {
  const { values, positionals: files } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const { workload, output } = values;
  if (!WORKLOADS.includes(workload)) throw new Error(`--workload takes one of ${WORKLOADS.join(", ")}`);
  if (output === undefined) throw new Error("--output is missing: the folder for what is made");
  if (files.length === 0) throw new Error("no file is named");
  const [threads, pipelines] = ["threads", "pipelines"].map((name) => positive(name, values[name]));
  return { workload, output, files, threads, pipelines };
}

const readJson = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url)));

function parserVersion() {
  try {
    return readJson("node_modules/csv-parse/package.json").version;
  } catch {
    throw new Error("csv-parse is not installed: run scripts/setup node");
  }
}

// The numbers of rows of one worker's files.
function work(data) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("worker.mjs", import.meta.url), { workerData: data, resourceLimits: RESOURCES });
    worker.on("message", ({ total, error }) => (error === undefined ? resolve(total) : reject(new Error(error))));
    worker.on("error", reject);
    worker.on("exit", () => reject(new Error("a worker ended without a word")));
  });
}

async function main() {
  const { workload, output, files, threads, pipelines } = parseArguments();
  const versions = { node: process.versions.node, "csv-parse": parserVersion() };
  const { stemOf } = await import("./pipeline.mjs"); // not before it is known that the parser is there
  const stems = files.map(stemOf);
  const twice = stems.find((stem, index) => stems.indexOf(stem) !== index);
  if (twice !== undefined) throw new Error(`two files would be written as ${twice}.jsonl`);
  const document = readJson(`../../mappings/${workload}.json`);
  compileMapping(document); // what is wrong with it is said once, here
  await mkdir(output, { recursive: true });
  const shares = Array.from({ length: Math.min(threads, files.length) }, () => []);
  files.forEach((file, index) => shares[index % shares.length].push(file));
  const total = noRows();
  for (const part of await Promise.all(shares.map((share) => work({ document, files: share, output, pipelines })))) {
    addRows(total, part);
  }
  process.stdout.write(`${JSON.stringify({ ...total, versions })}\n`);
}

main().catch((error) => die(error.message));
