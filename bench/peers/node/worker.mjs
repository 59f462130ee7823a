// A worker thread: its files, a few at a time, each through a pipeline of its own.

import { parentPort, workerData } from "node:worker_threads";

import { addRows, noRows } from "./counts.mjs";
import { compileMapping } from "./mapping.mjs";
import { mapFile } from "./pipeline.mjs";

const { document, files, output, pipelines } = workerData;
const fields = compileMapping(document);
const total = noRows();
const waiting = files.values(); // shared by the lanes: each takes the next file when it is free

async function lane() {
  for (const file of waiting) {
    try {
      addRows(total, await mapFile(file, fields, output));
    } catch (error) {
      throw new Error(`${file}: ${error.message}`);
    }
  }
}

try {
  await Promise.all(Array.from({ length: pipelines }, lane));
  parentPort.postMessage({ total });
} catch (error) {
  parentPort.postMessage({ error: error.message });
}
