// One file through one pipeline: file, parser, mapper, file.

import { createReadStream, createWriteStream } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";

import { parse } from "csv-parse";

import { Rejects } from "./rejects.mjs";
import { RowMapper } from "./rows.mjs";
import { Utf8Watch } from "./utf8.mjs";

const PIECE = 65_536; // bytes read at once: more makes rows by the thousand that wait, and outlive young garbage
const PARSER_OPTIONS = {
  bom: true,
  relax_column_count: true, // the mapper rejects ragged rows; the parser would end the file
  skip_empty_lines: true,
  readableHighWaterMark: 512,
};

/** The name of a file's output without its suffix: what a file is called before its last dot. */
export const stemOf = (file) => path.parse(file).name;

/** Maps a file into `folder`; returns its numbers of rows. */
export async function mapFile(file, fields, folder) {
  const output = path.join(folder, stemOf(file));
  const utf8 = new Utf8Watch();
  const rejects = new Rejects(`${output}.rejects.jsonl`, (error) => mapper.destroy(error));
  const mapper = new RowMapper(fields, utf8, rejects);
  await pipeline(
    createReadStream(file, { highWaterMark: PIECE }),
    (chunks) => utf8.watch(chunks),
    parse(PARSER_OPTIONS),
    mapper,
    createWriteStream(`${output}.jsonl`, { highWaterMark: 4 * PIECE }),
  );
  return { rows_read: mapper.rowsRead, rows_written: mapper.rowsWritten, rows_rejected: rejects.rows };
}
