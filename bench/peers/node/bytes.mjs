// Bytes that a step made, as text.

import { isUtf8 } from "node:buffer";

import { stepFault } from "./faults.mjs";

const NOT_UTF8 = stepFault("not valid UTF-8");

/** The text that a cell's value is, or that bytes are in UTF-8. */
export function asText(value) {
  if (typeof value === "string") return value;
  return isUtf8(value) ? value.toString() : NOT_UTF8;
}
