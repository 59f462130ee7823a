// JSON cells: parsed, checked beyond what `JSON.parse` checks, and written compact.
//
// `JSON.parse` reads every number as a double, but integers go out as written, and 12.0 is no integer. The few texts
// with a number that a double would change are read with such numbers as strings that are marked by a secret; of all
// others the plain value serves. (Keys that look like array indexes come out first, as in any JavaScript object.)

import { randomBytes } from "node:crypto";

import { Fault, typeFault } from "./faults.mjs";

const DEPTH = 64;
const NOT_JSON = typeFault("not valid JSON");
const TOO_DEEP = typeFault(`JSON nested more than ${DEPTH} deep`);
const TOO_LARGE = typeFault("JSON number too large for a 64-bit float");

const STRUCTURE = /"(?:[^"\\]|\\.)*(?:"|$)|([[{])|([\]}])/gs; // a string, or a bracket outside strings
// Sixteen digits, an exponent, a fraction of zeros, or a minus zero: perhaps in a string, which costs time only.
const ODD_NUMBER = /(?:^|[[:,\s])(?:-?(?:[0-9.]{16}|[0-9.]+[eE]|[0-9]+\.0+(?![0-9]))|-0(?![0-9.]))/;
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|(-?[0-9]+)((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/gs;
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;
const SECRET = randomBytes(12).toString("base64url"); // nothing in it that JSON would escape
const MARKED = new RegExp(`"${SECRET}([^"]*)"`, "g");

/** The value of a JSON text, for `jsonText` to write, or a fault. */
export function parseJson(text) {
  if (tooDeep(text)) return TOO_DEEP;
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return NOT_JSON;
  }
  if (text.includes("\\u") && SURROGATE_ESCAPE.test(text) && !wellFormed(value)) return NOT_JSON;
  return ODD_NUMBER.test(text) ? withMarkedNumbers(text) : value;
}

// Brackets are counted by native searches; where there are more than 64, a closer look says how deep they nest.
function tooDeep(text) {
  if (count(text, "[") + count(text, "{") <= DEPTH) return false;
  let [depth, deepest] = [0, 0];
  for (const [, opening, closing] of text.matchAll(STRUCTURE)) {
    if (opening !== undefined) depth += 1;
    else if (closing !== undefined) depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest > DEPTH;
}

function count(text, char) {
  let found = 0;
  for (let at = text.indexOf(char); at !== -1; at = text.indexOf(char, at + 1)) found += 1;
  return found;
}

// Half a pair of surrogates, which no UTF-8 can hold.
function wellFormed(value) {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(wellFormed);
  return Object.entries(value).every(([key, member]) => key.isWellFormed() && wellFormed(member));
}

// The text is valid, so what is outside strings and looks like a number is one.
function withMarkedNumbers(text) {
  let infinite = false;
  const marked = text.replace(STRING_OR_NUMBER, (all, whole, rest) => {
    if (whole === undefined) return all;
    if (rest === "") return `"${SECRET}${all}"`;
    const number = Number(all);
    infinite ||= !Number.isFinite(number);
    if (!Number.isInteger(number)) return all;
    const shortest = Object.is(number, -0) ? "-0" : String(number);
    return `"${SECRET}${shortest}${shortest.includes("e") ? "" : ".0"}"`;
  });
  return infinite ? TOO_LARGE : JSON.parse(marked);
}

/** A value of `parseJson` as compact JSON. */
export function jsonText(value) {
  const text = JSON.stringify(value);
  return text.includes(SECRET) ? text.replace(MARKED, "$1") : text;
}

/** Type `json`: the compact text of the value. */
export function compactJson(text) {
  const value = parseJson(text);
  return value instanceof Fault ? value : jsonText(value);
}

/** The members and indexes of a path such as `$.a.b[0].c`. */
export function parsePath(path) {
  if (!/^\$(?:\.[A-Za-z_][A-Za-z0-9_]*|\[(?:0|-?[1-9][0-9]*)\])*$/.test(path)) {
    throw new Error(`not a JSON path that is supported: ${path}`);
  }
  return Array.from(path.matchAll(/\.([^.[]+)|\[(-?[0-9]+)\]/g), ([, name, index]) => name ?? Number(index));
}

/** What a path finds in a value of `parseJson`, as a text; null where there is nothing. */
export function follow(value, path) {
  for (const step of path) {
    if (typeof value !== "object" || value === null) return null;
    if (typeof step === "number") {
      if (!Array.isArray(value)) return null;
      value = value.at(step);
    } else {
      if (Array.isArray(value) || !Object.hasOwn(value, step)) return null;
      value = value[step];
    }
  }
  if (value === null || value === undefined) return null;
  if (typeof value !== "string") return jsonText(value);
  return value.startsWith(SECRET) ? value.slice(SECRET.length) : value;
}
