// Which cells held bytes that are not UTF-8.
//
// The parser decodes cells and puts U+FFFD for such bytes, which costs nothing and is searched for natively. A file may
// hold that character itself, though: so its bytes are watched on their way to the parser.

import { isUtf8 } from "node:buffer";

const REPLACEMENT = "\uFFFD";
const REPLACEMENT_BYTES = Buffer.from(REPLACEMENT);
const NONE = Buffer.alloc(0);

export class Utf8Watch {
  #written = false; // the file holds the character itself
  #broken = false; // the file holds bytes that are not UTF-8
  #rest = NONE; // the end of the last chunk, where a character may go on

  /** Looks at chunks and hands them on: a stage between the file and the parser. */
  async *watch(chunks) {
    for await (const chunk of chunks) {
      this.#look(chunk);
      yield chunk;
    }
    this.#broken ||= this.#rest.length > 0;
  }

  /** Whether a cell of the rows so far was not UTF-8. Throws where that cannot be told. */
  isBroken(cell) {
    if (!cell.includes(REPLACEMENT)) return false;
    if (!this.#written) return true;
    if (!this.#broken) return false;
    throw new Error("bytes that are not UTF-8, and U+FFFD itself: the parser does not tell them apart");
  }

  #look(chunk) {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = bytes.length - unfinished(bytes);
    const characters = bytes.subarray(0, end);
    this.#written ||= characters.includes(REPLACEMENT_BYTES);
    this.#broken ||= !isUtf8(characters);
    this.#rest = end === bytes.length ? NONE : Buffer.from(bytes.subarray(end));
  }
}

// How many bytes at the end may be the start of a character that goes on.
function unfinished(bytes) {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}
