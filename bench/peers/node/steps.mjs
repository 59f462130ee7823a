// What each step makes of a value: text, bytes (a Buffer), null, or a fault. Null reaches no step: the row stops there.

import { asText } from "./bytes.mjs";
import { Fault, stepFault } from "./faults.mjs";
import { follow, parseJson, parsePath } from "./json.mjs";
import { compilePattern } from "./patterns.mjs";
import { isBase64 } from "./types.mjs";

const NOT_BASE64 = stepFault("not valid base64");

const onText = (step) => (value) => {
  if (typeof value === "string") return step(value);
  const text = asText(value);
  return text instanceof Fault ? text : step(text);
};

function base64() {
  return onText((text) => (isBase64(text) ? Buffer.from(text, "base64") : NOT_BASE64));
}

// Several paths into a cell parse it once. Pipelines of a thread take turns between rows, never within one.
let lastText = null;
let lastValue = null;

function parsed(text) {
  if (text !== lastText) {
    const value = parseJson(text);
    lastValue = value instanceof Fault ? stepFault(value.message) : value;
    lastText = text;
  }
  return lastValue;
}

function json({ path, ...others }) {
  refuse("json", others);
  const names = parsePath(path);
  return onText((text) => {
    const value = parsed(text);
    return value instanceof Fault ? value : follow(value, names);
  });
}

function regex({ pattern, group = 0, ...others }) {
  refuse("regex", others);
  const [compiled, number] = compilePattern(pattern, group);
  return onText((text) => compiled.exec(text)?.[number] ?? null);
}

const STEPS = { base64, json, regex };

/** The function of a step as a mapping has it: a name, or a name with its options. */
export function compileStep(step) {
  const [[name, options]] = typeof step === "string" ? [[step, {}]] : Object.entries(step);
  const compile = STEPS[name];
  if (compile === undefined) throw new Error(`step ${name} is not supported`);
  if (name === "base64") refuse(name, options);
  return compile(options);
}

function refuse(name, options) {
  const [first] = Object.keys(options);
  if (first !== undefined) throw new Error(`step ${name}: ${first} is not supported`);
}
