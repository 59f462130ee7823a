// Lines on their way out: texts of some lines, encoded one behind the other into chunks worth a write.

const TEXT_CHARS = 16_384; // encoded at once: a text that stays in the processor's cache while it is put together
const CHUNK_BYTES = 131_072;
const MOST_BYTES = 3; // in UTF-8, of one UTF-16 unit

export class Lines {
  #text = "";
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #used = 0;

  /** Takes a line; returns the chunk that is full by now, or null. */
  add(line) {
    this.#text += line;
    return this.#text.length < TEXT_CHARS ? null : this.#encode();
  }

  /** Returns what is left, in chunks. */
  rest() {
    return [this.#encode(), this.#chunk.subarray(0, this.#used)].filter((chunk) => chunk?.length > 0);
  }

  #encode() {
    const most = MOST_BYTES * this.#text.length;
    let full = null;
    if (this.#used + most > this.#chunk.length) {
      full = this.#chunk.subarray(0, this.#used);
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, most));
      this.#used = 0;
    }
    this.#used += this.#chunk.write(this.#text, this.#used);
    this.#text = "";
    return full;
  }
}
