// The file of rows that were left out; there is none without such rows.

import { createWriteStream } from "node:fs";

const BATCH_CHARS = 65_536;

export class Rejects {
  rows = 0;
  #path;
  #onError;
  #file = null;
  #batch = "";

  /** `onError` is called with what goes wrong between calls. */
  constructor(path, onError) {
    this.#path = path;
    this.#onError = onError;
  }

  /** Adds a row; `done` is called at once, or when the disk keeps up again. */
  add(row, errors, done) {
    this.rows += 1;
    this.#batch += `${JSON.stringify({ row, errors })}\n`;
    if (this.#batch.length < BATCH_CHARS || this.#write()) done();
    else this.#file.once("drain", done);
  }

  close(done) {
    if (this.rows === 0) {
      done();
      return;
    }
    this.#write();
    this.#file.end(done);
  }

  #write() {
    this.#file ??= createWriteStream(this.#path).on("error", this.#onError);
    const batch = this.#batch;
    this.#batch = "";
    return this.#file.write(batch);
  }
}
