/**
 * JSON in bytes, gone over without being parsed: where its strings, numbers, words and members end. Of bytes that are
 * no JSON a place is told that means nothing, or none.
 */
export const quote = 0x22;
export const backslash = 0x5c;
export const braceOpen = 0x7b;
export const braceClosed = 0x7d;
export const bracketOpen = 0x5b;
export const bracketClosed = 0x5d;
export const comma = 0x2c;
export const colon = 0x3a;
export const space = 0x20;
const words = ['true', 'false', 'null'].map((word) => Buffer.from(word));

/** Whether these bytes stand at a place. */
export function isAt(bytes: Buffer, at: number, wanted: Buffer): boolean {
  for (let index = 0; index < wanted.length; index += 1) {
    if (bytes[at + index] !== wanted[index]) return false;
  }
  return true;
}

/** Whether a byte stands at a place, and again behind it. */
export function isTwice(bytes: Buffer, at: number, byte: number): boolean {
  return bytes[at] === byte && bytes[at + 1] === byte;
}

/** Whether a byte stands between two places. */
export function holds(bytes: Buffer, start: number, end: number, wanted: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] === wanted) return true;
  return false;
}

/** Behind the closing quote of the string that begins at `start`; undefined where none does, or it does not end. */
export function stringEnd(bytes: Buffer, start: number): number | undefined {
  const close = bytes[start] === quote ? closingQuote(bytes, start + 1) : bytes.length;
  return close < bytes.length ? close + 1 : undefined;
}

/** Where the string ends within which `at` stands, and not on an escape; behind all bytes where it does not. */
export function closingQuote(bytes: Buffer, at: number): number {
  let close = at;
  while (close < bytes.length && bytes[close] !== quote) close += bytes[close] === backslash ? 2 : 1;
  return close;
}

/** Where text without escapes ends: at a quote, a backslash, or what may not stand in a string. */
export function plainEnd(bytes: Buffer, start: number): number {
  let at = start;
  for (
    let byte = bytes[at] ?? 0;
    byte !== quote && byte !== backslash && byte >= space;
    byte = bytes[at] ?? 0
  ) {
    at += 1;
  }
  return at;
}

/** Where the members of an object stand by the spelling of their keys; undefined where two have the same one. */
export function membersFrom(
  bytes: Buffer,
  start: number,
): { readonly members: Map<string, { key: number; end: number }>; readonly end: number } | undefined {
  const members = new Map<string, { key: number; end: number }>();
  let at = start + 1;
  if (bytes[at] === braceClosed) return { members, end: at + 1 };
  while (true) {
    const colonAt = stringEnd(bytes, at);
    if (colonAt === undefined || bytes[colonAt] !== colon) return undefined;
    const end = valueEnd(bytes, colonAt + 1);
    const key = bytes.toString('latin1', at, colonAt);
    if (end === undefined || members.has(key)) return undefined;
    members.set(key, { key: at, end });
    at = end + 1;
    if (bytes[end] === braceClosed) return { members, end: at };
    if (bytes[end] !== comma) return undefined;
  }
}

/** Behind a value that is JSON; of what is none any place, or none. */
function valueEnd(bytes: Buffer, start: number): number | undefined {
  let depth = 0;
  let at = start;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === quote) {
      const end = stringEnd(bytes, at);
      if (end === undefined) return undefined;
      at = end;
      if (depth === 0) return at;
      continue;
    }
    if (byte === braceOpen || byte === bracketOpen) depth += 1;
    else if (byte === braceClosed || byte === bracketClosed || byte === comma) {
      if (depth === 0) return at;
      if (byte !== comma) depth -= 1;
      if (depth === 0) return at + 1;
    }
    at += 1;
  }
  return undefined;
}

/** Behind a word as JSON has it; where it starts, if there is none. */
export function wordEnd(bytes: Buffer, start: number): number {
  const word = words.find((one) => isAt(bytes, start, one));
  return start + (word?.length ?? 0);
}

/** Behind a number as JSON has it; where it starts, if there is none. */
export function numberEnd(bytes: Buffer, start: number): number {
  let at = start;
  if (bytes[at] === 0x2d) at += 1;
  const whole = digitsEnd(bytes, at);
  if (whole === at || (bytes[at] === 0x30 && whole > at + 1)) return start;
  at = whole;
  if (bytes[at] === 0x2e) {
    const fraction = digitsEnd(bytes, at + 1);
    if (fraction === at + 1) return start;
    at = fraction;
  }
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    const sign = bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d ? 1 : 0;
    const exponent = digitsEnd(bytes, at + 1 + sign);
    if (exponent === at + 1 + sign) return start;
    at = exponent;
  }
  return at;
}

function digitsEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (isDigit(bytes[at] ?? 0)) at += 1;
  return at;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

export function isHexadecimal(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46);
}
