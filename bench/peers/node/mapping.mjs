// A mapping's fields as functions: from a cell to JSON text, null, or a fault.

import { Fault } from "./faults.mjs";
import { compileStep } from "./steps.mjs";
import { compileType, compileTypeOfAny } from "./types.mjs";

const FIELD_KEYS = new Set(["name", "from", "type", "required", "steps"]);

/**
 * The fields of a mapping document, in its order. Keys that this peer does not know are an error: leaving one out of
 * account would be another mapping's time.
 */
export function compileMapping(document) {
  return document.fields.map((field, index) => {
    const unknown = Object.keys(field).find((key) => !FIELD_KEYS.has(key));
    if (unknown !== undefined) throw new Error(`field ${field.name}: ${unknown} is not supported`);
    const key = `${index === 0 ? "{" : ","}${JSON.stringify(field.name)}:`;
    return {
      name: field.name,
      label: field.from ?? field.name,
      key, // what stands before the value in a line
      nullText: `${key}null`,
      required: field.required ?? false,
      convert: compile(field.type, (field.steps ?? []).map(compileStep)),
    };
  });
}

// Most fields have no step or one: those pay for no loop.
function compile(typeName, steps) {
  if (steps.length === 0) return compileType(typeName);
  const type = compileTypeOfAny(typeName);
  if (steps.length === 1) {
    const [step] = steps;
    return (cell) => {
      const value = step(cell);
      return value === null || value instanceof Fault ? value : type(value);
    };
  }
  return (cell) => {
    let value = cell;
    for (const step of steps) {
      value = step(value);
      if (value === null || value instanceof Fault) return value;
    }
    return type(value);
  };
}
