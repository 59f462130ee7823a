// The stage that maps rows: arrays of cells in, chunks of JSON Lines out, bad rows to the rejects.

import { Transform } from "node:stream";

import { Fault } from "./faults.mjs";
import { Lines } from "./lines.mjs";

const WAITING_ROWS = 512; // about as many as the parser makes of a chunk
const WAITING_BYTES = 262_144;

const EXTRA_CELL = [{ field: null, code: "extra-cell", message: "more cells than the header has" }];
const MISSING_CELL = [{ field: null, code: "missing-cell", message: "fewer cells than the header has" }];
const ENCODING = [{ field: null, code: "encoding-error", message: "not valid UTF-8" }];

export class RowMapper extends Transform {
  rowsRead = 0;
  rowsWritten = 0;
  #fields;
  #utf8;
  #rejects;
  #width = 0;
  #columns = null; // each field's place in a row; null before the header
  #lines = new Lines();

  /**
   * `fields` come from `compileMapping`; `utf8` watches the bytes that the rows are made of; `rejects` takes bad rows.
   */
  constructor(fields, utf8, rejects) {
    super({ writableObjectMode: true, writableHighWaterMark: WAITING_ROWS, readableHighWaterMark: WAITING_BYTES });
    this.#fields = fields;
    this.#utf8 = utf8;
    this.#rejects = rejects;
  }

  _transform(cells, _encoding, done) {
    if (this.#columns === null) {
      done(this.#takeHeader(cells));
      return;
    }
    this.rowsRead += 1;
    const mapped = this.#map(cells);
    if (typeof mapped === "string") {
      this.rowsWritten += 1;
      const chunk = this.#lines.add(mapped);
      if (chunk !== null) this.push(chunk);
      done();
    } else {
      this.#rejects.add(this.rowsRead, mapped, done);
    }
  }

  _flush(done) {
    if (this.#columns === null) {
      done(new Error("no header"));
      return;
    }
    for (const chunk of this.#lines.rest()) this.push(chunk);
    this.#rejects.close(done);
  }

  // An error, or undefined.
  #takeHeader(labels) {
    const missing = this.#fields.find(({ label }) => !labels.includes(label));
    if (missing !== undefined) return new Error(`the header has no column ${missing.label}`);
    this.#width = labels.length;
    this.#columns = this.#fields.map(({ label }) => labels.indexOf(label));
    return undefined;
  }

  // The row's line, or its errors.
  #map(cells) {
    if (cells.length !== this.#width) return cells.length > this.#width ? EXTRA_CELL : MISSING_CELL;
    for (const cell of cells) if (this.#utf8.isBroken(cell)) return ENCODING;
    const fields = this.#fields;
    let line = "";
    let errors = null;
    for (let index = 0; index < fields.length; index += 1) {
      const field = fields[index];
      const cell = cells[this.#columns[index]];
      const value = cell === "" ? null : field.convert(cell);
      if (typeof value === "string") {
        line += field.key + value;
      } else if (value instanceof Fault) {
        (errors ??= []).push({ field: field.name, code: value.code, message: value.message });
      } else if (field.required) {
        (errors ??= []).push({ field: field.name, code: "missing-value", message: "required, but null" });
      } else {
        line += field.nullText;
      }
    }
    return errors ?? `${line}}\n`;
  }
}
