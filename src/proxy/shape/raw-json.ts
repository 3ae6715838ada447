/** A member of an object, its value as the very text it was spelled with. */
export type RawMember = readonly [key: string, value: string];

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/**
 * The members of a JSON object, without looking into their values more than it takes to find their ends: a request of
 * 60 KB is mostly content that nobody here reads. Undefined for a text that is no object. What is wrong inside a value
 * stays as it is.
 */
export function rawMembers(text: string): RawMember[] | undefined {
  return rawObject(text, undefined)?.members;
}

/** The members of an object, and the items of one that is an array. */
export type RawObject = { readonly members: RawMember[]; readonly items: readonly string[] | undefined };

/** As rawMembers, and as rawItems for the last member `listed`, in one pass. */
export function rawObject(text: string, listed: string | undefined): RawObject | undefined {
  const members: RawMember[] = [];
  let items: readonly string[] | undefined;
  let at = afterBlank(text, 0);
  if (text.charCodeAt(at) !== openBrace) return undefined;
  at = afterBlank(text, at + 1);
  if (text.charCodeAt(at) === closeBrace) return isBlankFrom(text, at + 1) ? { members, items } : undefined;
  for (;;) {
    if (text.charCodeAt(at) !== quote) return undefined;
    const keyEnd = afterString(text, at);
    const key = keyEnd === -1 ? undefined : stringIn(text.slice(at, keyEnd));
    at = afterBlank(text, keyEnd);
    if (key === undefined || text.charCodeAt(at) !== colon) return undefined;
    const start = afterBlank(text, at + 1);
    const list = key === listed ? listAt(text, start) : undefined;
    if (key === listed) items = list?.items;
    const end = list?.end ?? afterValue(text, start);
    if (end === -1) return undefined;
    members.push([key, text.slice(start, end)]);
    at = afterBlank(text, end);
    const next = text.charCodeAt(at);
    if (next === closeBrace) return isBlankFrom(text, at + 1) ? { members, items } : undefined;
    if (next !== comma) return undefined;
    at = afterBlank(text, at + 1);
  }
}

/** The items of a JSON array, found like the members of an object; undefined for a text that is no array. */
export function rawItems(text: string): readonly string[] | undefined {
  const list = listAt(text, afterBlank(text, 0));
  return list !== undefined && isBlankFrom(text, list.end) ? list.items : undefined;
}

function listAt(
  text: string,
  start: number,
): { readonly items: readonly string[]; readonly end: number } | undefined {
  if (text.charCodeAt(start) !== openBracket) return undefined;
  const items: string[] = [];
  let at = afterBlank(text, start + 1);
  if (text.charCodeAt(at) === closeBracket) return { items, end: at + 1 };
  for (;;) {
    const end = afterValue(text, at);
    if (end === -1) return undefined;
    items.push(text.slice(at, end));
    at = afterBlank(text, end);
    const next = text.charCodeAt(at);
    if (next === closeBracket) return { items, end: at + 1 };
    if (next !== comma) return undefined;
    at = afterBlank(text, at + 1);
  }
}

/** The object that has these members. */
export function printMembers(members: Iterable<RawMember>): string {
  const printed: string[] = [];
  for (const [key, value] of members) printed.push(`${JSON.stringify(key)}:${value}`);
  return `{${printed.join(',')}}`;
}

/** How long printMembers would make it. */
export function printedLength(members: readonly RawMember[]): number {
  const punctuation = 1 + Math.max(members.length, 1);
  return members.reduce(
    (sum, [key, value]) => sum + JSON.stringify(key).length + 1 + value.length,
    punctuation,
  );
}

/** The text of the last member of that key, which is the one that JSON parsers take; undefined where there is none. */
export function rawMember(members: readonly RawMember[], key: string): string | undefined {
  return members.findLast(([name]) => name === key)?.[1];
}

/** The string that is the value of a member; undefined for another kind of value. */
export function rawString(members: readonly RawMember[], key: string): string | undefined {
  return stringIn(rawMember(members, key));
}

/** The string that a JSON text is; undefined for another kind of value. */
export function stringIn(text: string | undefined): string | undefined {
  if (text?.charCodeAt(0) !== quote) return undefined;
  try {
    const value: string = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

function afterValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === quote) return afterString(text, start);
  if (first === openBrace || first === openBracket) return afterNested(text, start);
  let at = start;
  while (at < text.length && isOfWord(text.charCodeAt(at))) at += 1;
  return at === start ? -1 : at;
}

function afterNested(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = afterString(text, at) - 1;
      if (at < 0) return -1;
    } else if (code === openBrace || code === openBracket) depth += 1;
    else if (code === closeBrace || code === closeBracket) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}

/** Where a string that begins at `start` is over; -1 where it is not. */
function afterString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === backslash) before -= 1;
    if ((end - before) % 2 === 1) return end + 1;
  }
  return -1;
}

function afterBlank(text: string, start: number): number {
  let at = start;
  while (isBlank(text.charCodeAt(at))) at += 1;
  return at;
}

function isBlankFrom(text: string, start: number): boolean {
  return afterBlank(text, start) === text.length;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** The characters of numbers, `true`, `false` and `null`. */
function isOfWord(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x61 && code <= 0x7a) ||
    code === 0x2d ||
    code === 0x2b ||
    code === 0x2e ||
    code === 0x45
  );
}
