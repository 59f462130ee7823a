// Faults are values, made once: a row that is left out must not cost an exception.

export class Fault {
  constructor(code, message) {
    this.code = code;
    this.message = message;
  }
}

export const typeFault = (message) => new Fault("type-error", message);
export const stepFault = (message) => new Fault("step-error", message);
