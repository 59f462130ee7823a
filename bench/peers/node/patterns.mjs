// Patterns as mappings have them (Python's `regex` package) for JavaScript.

// A class, an escape, the start of a group, or what means something else in the other language.
const PIECE = /\[\^?\]?(?:[^\]\\]|\\.)*\]|\\(.)|\((?:\?(P?<([A-Za-z_]\w*)>)?)?|[.$]/gs;
const SAME = new Set("d.[](){}*+?|^$/\\"); // escapes that mean the same to both, `\d` once it is translated

/**
 * The pattern, and the number of the group that is wanted by name or number.
 *
 * Groups lose their names: with names every match makes an object of them. Digits are Unicode's. What else the two
 * languages read differently is refused, not guessed.
 */
export function compilePattern(pattern, group) {
  let groups = 0;
  let wanted = typeof group === "number" ? group : undefined;
  const source = pattern.replace(PIECE, (piece, escaped, named, name) => {
    if (piece[0] === "[") return piece.replace(/\\(.)/gs, (escape, char) => translated(escape, char, pattern));
    if (piece[0] === "\\") return translated(piece, escaped, pattern);
    if (piece === "(?") return piece;
    if (piece === ".") return "[^\\n]";
    if (piece === "$") throw new Error(`pattern ${pattern}: $ is not supported`);
    groups += 1;
    if (named !== undefined && name === group) wanted = groups;
    return "(";
  });
  if (wanted === undefined || wanted > groups) throw new Error(`pattern ${pattern} has no group ${group}`);
  return [new RegExp(source, "u"), wanted];
}

function translated(escape, char, pattern) {
  if (!SAME.has(char)) throw new Error(`pattern ${pattern}: ${escape} is not supported`);
  return char === "d" ? "\\p{Nd}" : escape;
}
