// What each type makes of a text: JSON text, or a fault. Texts that are canonical already, as most are, go out as they
// came; only the others are taken apart.

import { asText } from "./bytes.mjs";
import { Fault, typeFault } from "./faults.mjs";
import { compactJson } from "./json.mjs";
import { toDate, toTimestamp } from "./times.mjs";

const NUMBER_CHARS = 65_536; // the longest text that is read as a number

const NOT_INT = typeFault("not an integer");
const TOO_LARGE_INT = typeFault("does not fit in 64 bits");
const NOT_FLOAT = typeFault("not a number");
const TOO_LARGE_FLOAT = typeFault("too large for a 64-bit float");
const NOT_BOOL = typeFault("not a boolean (true/false, t/f, yes/no, y/n, 1/0)");
const NOT_UUID = typeFault("not a UUID");
const NOT_BASE64 = typeFault("not valid base64");
const TOO_LONG = typeFault(`longer than the ${NUMBER_CHARS} characters that a number may have`);

const PLAIN_INT = /^(?:0|-?[1-9][0-9]{0,17})$/; // 18 digits always fit
const INT = /^[+-]?[0-9]+$/;

function toInt(text) {
  if (PLAIN_INT.test(text)) return text;
  if (text.length > NUMBER_CHARS) return TOO_LONG;
  if (!INT.test(text)) return NOT_INT;
  const digits = text.replace(/^[+-]?0*/, "") || "0";
  if (digits.length > 19) return TOO_LARGE_INT; // the length bounds the work
  const value = text[0] === "-" ? -BigInt(digits) : BigInt(digits);
  return BigInt.asIntN(64, value) === value ? String(value) : TOO_LARGE_INT;
}

// At most 15 digits, the last not a zero: written as the shortest text of the double that they stand for.
const PLAIN_FLOAT = /^-?(?:0|[1-9][0-9]{0,9})\.[0-9]{0,4}[1-9]$/;
const FLOAT = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

function toFloat(text) {
  if (PLAIN_FLOAT.test(text)) return text;
  if (text.length > NUMBER_CHARS) return TOO_LONG;
  if (!FLOAT.test(text)) return NOT_FLOAT;
  const value = Number(text);
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0";
  return Number.isFinite(value) ? String(value) : TOO_LARGE_FLOAT;
}

const BOOLS = new Map([
  ...["true", "t", "yes", "y", "1"].map((word) => [word, "true"]),
  ...["false", "f", "no", "n", "0"].map((word) => [word, "false"]),
]);

const toBool = (text) => BOOLS.get(text) ?? BOOLS.get(text.toLowerCase()) ?? NOT_BOOL;

const PLAIN_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID = /^(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32})$/;

function toUuid(text) {
  if (PLAIN_UUID.test(text)) return `"${text}"`;
  if (!UUID.test(text)) return NOT_UUID;
  const lower = text.toLowerCase();
  if (lower.length === 36) return `"${lower}"`;
  const [a, b, c, d] = [lower.slice(0, 8), lower.slice(8, 12), lower.slice(12, 16), lower.slice(16, 20)];
  return `"${a}-${b}-${c}-${d}-${lower.slice(20)}"`;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;
const SPARE_BITS = /[^AQgw]==$|[^AEIMQUYcgkosw048=]=$/; // ignored, as they are by most decoders, and not written

/** Whether a text is base64, padded, with nothing between or around. */
export const isBase64 = (text) => text.length % 4 === 0 && BASE64.test(text);

function toBytes(value) {
  if (typeof value !== "string") return `"${value.toString("base64")}"`;
  if (!isBase64(value)) return NOT_BASE64;
  return SPARE_BITS.test(value) ? `"${Buffer.from(value, "base64").toString("base64")}"` : `"${value}"`;
}

const TYPES = {
  string: (text) => JSON.stringify(text),
  int: toInt,
  float: toFloat,
  bool: toBool,
  date: toDate,
  timestamp: toTimestamp,
  uuid: toUuid,
  json: compactJson,
  bytes: toBytes,
};

/** The function of a type, for texts; the type `bytes` takes bytes as well. */
export function compileType(name) {
  const convert = TYPES[name];
  if (convert === undefined) throw new Error(`type ${name} is not supported`);
  return convert;
}

/** The function of a type for what a step made: to all types but `bytes`, bytes are UTF-8. */
export function compileTypeOfAny(name) {
  const convert = compileType(name);
  if (convert === toBytes) return convert;
  return (value) => {
    if (typeof value === "string") return convert(value);
    const text = asText(value);
    return text instanceof Fault ? text : convert(text);
  };
}
