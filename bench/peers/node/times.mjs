// Dates and times by hand: `Date` knows milliseconds only, and accepts days that do not exist.

import { typeFault } from "./faults.mjs";

const NOT_DATE = typeFault("not an ISO 8601 date");
const NOT_TIME = typeFault("not an ISO 8601 timestamp");
const NO_SUCH = typeFault("no such date or time");

const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;
const TIME =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?$/;
const DAYS = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const MINUTES = 24 * 60; // of a day

const [MINUS, POINT, COLON, ZERO, Z] = Array.from("-.:0Z", (char) => char.charCodeAt(0));

const two = (text, at) => text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 11 * ZERO;
const padded = (number, digits) => String(number).padStart(digits, "0");

const daysOf = (year, month) =>
  month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : DAYS[month];

// Whether a text that starts with the shape of a date names one; years from 1 on.
function isDay(text) {
  const year = two(text, 0) * 100 + two(text, 2);
  const month = two(text, 5);
  const day = two(text, 8);
  return year > 0 && month > 0 && month < 13 && day > 0 && (day < 29 || day <= daysOf(year, month));
}

export function toDate(text) {
  if (!DATE.test(text)) return NOT_DATE;
  return isDay(text) ? `"${text}"` : NO_SUCH;
}

/** In UTC, which a text without an offset is in; digits after the sixth drop. */
export function toTimestamp(text) {
  if (!TIME.test(text)) return NOT_TIME;
  if (!isDay(text)) return NO_SUCH;
  const { length } = text;
  if (length === 10) return `"${text}T00:00:00.000000Z"`;
  const minute = two(text, 14);
  if (two(text, 11) > 23 || minute > 59) return NO_SUCH;
  let at = 16; // behind the minutes
  let seconds = ":00";
  let digits = "";
  if (text.charCodeAt(at) === COLON) {
    if (two(text, 17) > 59) return NO_SUCH;
    seconds = text.slice(16, 19);
    at = 19;
    if (text.charCodeAt(at) === POINT) {
      const first = at + 1;
      do {
        at += 1;
      } while (text.charCodeAt(at) >= ZERO && text.charCodeAt(at) < ZERO + 10);
      digits = text.slice(first, Math.min(at, first + 6));
    }
  }
  const fraction = digits === "" ? "000000" : digits.padEnd(6, "0");
  if (at === length || text.charCodeAt(at) === Z) {
    return `"${text.slice(0, 10)}T${text.slice(11, 16)}${seconds}.${fraction}Z"`;
  }
  const minutes = length - at > 3 ? two(text, length - 2) : 0;
  if (two(text, at + 1) > 23 || minutes > 59) return NO_SUCH;
  const offset = two(text, at + 1) * 60 + minutes;
  const moved = inUtc(text, text.charCodeAt(at) === MINUS ? offset : -offset);
  return moved === null ? NO_SUCH : `"${moved}${seconds}.${fraction}Z"`;
}

// The date and the minutes of a text, later by less than a day; null beyond the years 1 to 9999.
function inUtc(text, by) {
  let year = two(text, 0) * 100 + two(text, 2);
  let month = two(text, 5);
  let day = two(text, 8);
  let minute = two(text, 11) * 60 + two(text, 14) + by;
  if (minute < 0) {
    minute += MINUTES;
    day -= 1;
    if (day === 0) {
      month -= 1;
      if (month === 0) [year, month] = [year - 1, 12];
      day = daysOf(year, month);
    }
  } else if (minute >= MINUTES) {
    minute -= MINUTES;
    day += 1;
    if (day > daysOf(year, month)) {
      day = 1;
      month += 1;
      if (month === 13) [year, month] = [year + 1, 1];
    }
  }
  if (year === 0 || year === 10_000) return null;
  const date = `${padded(year, 4)}-${padded(month, 2)}-${padded(day, 2)}`;
  return `${date}T${padded(Math.floor(minute / 60), 2)}:${padded(minute % 60, 2)}`;
}
