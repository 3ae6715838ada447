import { type JsonNode, tryParseJson } from '../../wire/json.ts';
import { mostMembers } from '../http/body.ts';

/** A member of a JSON object, with its value as unparsed JSON text. */
export type RawMember = readonly [key: string, value: string];

const space = 0x20;
const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/**
 * Returns the members of a JSON object, or undefined if the text is not an object of up to `mostMembers`. Only finds where each value ends: most
 * of a request of 60 KB is content that the proxy does not read. So an invalid value is returned as it is.
 */
export function rawMembers(text: string): RawMember[] | undefined {
  return parseRawObject(text, undefined)?.members;
}

/** The members of an object, and the items of the one member that was requested as an array. */
export type RawJsonObject = { readonly members: RawMember[]; readonly items: readonly string[] | undefined };

/** As rawMembers, and in the same pass as rawItems for the last member with the key `arrayKey`. */
function parseRawObject(text: string, arrayKey: string | undefined): RawJsonObject | undefined {
  const members: RawMember[] = [];
  let items: readonly string[] | undefined;
  let at = afterBlank(text, 0);
  if (text.charCodeAt(at) !== openBrace) return undefined;
  at = afterBlank(text, at + 1);
  if (text.charCodeAt(at) === closeBrace) return isBlankFrom(text, at + 1) ? { members, items } : undefined;
  for (;;) {
    if (text.charCodeAt(at) !== quote) return undefined;
    const keyEnd = afterString(text, at);
    const key = keyEnd === -1 ? undefined : keyIn(text.slice(at, keyEnd));
    at = afterBlank(text, keyEnd);
    if (key === undefined || text.charCodeAt(at) !== colon) return undefined;
    const start = afterBlank(text, at + 1);
    const array = key === arrayKey ? arrayAt(text, start) : undefined;
    if (key === arrayKey) items = array?.items;
    const end = array?.end ?? afterValue(text, start);
    if (end === -1) return undefined;
    members.push([key, text.slice(start, end)]);
    if (members.length > mostMembers) return undefined;
    at = afterBlank(text, end);
    const next = text.charCodeAt(at);
    if (next === closeBrace) return isBlankFrom(text, at + 1) ? { members, items } : undefined;
    if (next !== comma) return undefined;
    at = afterBlank(text, at + 1);
  }
}

/**
 * Reads a client's request: its members as compact JSON, and the items of `input` if that is an array. Returns undefined
 * if the text is not a JSON object of up to `mostMembers`.
 */
export function readRequest(text: string): RawJsonObject | undefined {
  const request = parseRawObject(text, 'input');
  if (request === undefined || printedLength(request.members) === text.length) return request;
  return parseRawObject(withoutBlanks(text), 'input');
}

/** Returns JSON without white space between tokens. Words stay apart, so what is not JSON does not become so. */
function withoutBlanks(text: string): string {
  const bytes = Buffer.from(text);
  let [length, isInString, isAfterBlank] = [0, false, false];
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (!isInString && isBlank(byte)) {
      isAfterBlank = true;
      continue;
    }
    if (isAfterBlank && isOfWord(byte) && isOfWord(bytes[length - 1] ?? 0)) {
      bytes[length] = space;
      length += 1;
    }
    isAfterBlank = false;
    bytes[length] = byte;
    length += 1;
    if (byte === quote) isInString = !isInString;
    else if (byte === backslash && isInString && at + 1 < bytes.length) {
      at += 1;
      bytes[length] = bytes[at] ?? 0;
      length += 1;
    }
  }
  return bytes.toString('utf8', 0, length);
}

export function requestMembers(text: string): RawMember[] | undefined {
  return readRequest(text)?.members;
}

/** Returns the items of a JSON array as unparsed texts, or undefined if the text is not an array. */
export function rawItems(text: string): readonly string[] | undefined {
  const array = arrayAt(text, afterBlank(text, 0));
  return array !== undefined && isBlankFrom(text, array.end) ? array.items : undefined;
}

type RawArray = { readonly items: readonly string[]; readonly end: number };

function arrayAt(text: string, start: number): RawArray | undefined {
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

/** Returns the compact JSON of an object. */
export function printMembers(members: readonly RawMember[]): string {
  return printParts(members).join('');
}

/** UTF-16 code units. V8 copies the text when longer ones are joined with others. */
const longestJoined = 1024;

/** As printMembers, in parts that are to be written one after the other. Each long value is a part, so it is not copied. */
export function printParts(members: readonly RawMember[]): string[] {
  const parts: string[] = [];
  let text = '{';
  let separator = '';
  for (const [key, value] of members) {
    text += `${separator}${printKey(key)}:`;
    separator = ',';
    if (value.length <= longestJoined) text += value;
    else {
      parts.push(text, value);
      text = '';
    }
  }
  return [...parts, `${text}}`];
}

/** Returns the length of what printMembers returns, in UTF-16 code units. */
function printedLength(members: readonly RawMember[]): number {
  const punctuation = 1 + Math.max(members.length, 1);
  return members.reduce((sum, [key, value]) => sum + printKey(key).length + 1 + value.length, punctuation);
}

/** Returns the length of all values, in UTF-16 code units. */
export function valuesLength(members: readonly RawMember[]): number {
  return members.reduce((sum, [, value]) => sum + value.length, 0);
}

/** Returns the value of the last member with the key, as JSON parsers do, or undefined if there is none. */
export function rawMember(members: readonly RawMember[], key: string): string | undefined {
  for (let at = members.length - 1; at >= 0; at -= 1) {
    const member = members[at];
    if (member?.[0] === key) return member[1];
  }
  return undefined;
}

/** Returns the parsed value of a member. Undefined if there is none, or its text is not JSON. */
export function parsedMember(members: readonly RawMember[], key: string): JsonNode | undefined {
  const text = rawMember(members, key);
  return text === undefined ? undefined : tryParseJson(text)?.node;
}

/**
 * Returns the role of an input item, or undefined for other texts. Most items state it before anything long, and then only that is
 * read. A second role after that is left to the backend.
 */
export function roleOf(item: string): string | undefined {
  const [, role] = /^\{(?:"\w{1,40}":"[^"\\]{0,100}",){0,4}"role":"(\w+)"/.exec(item) ?? [];
  return role ?? (item.includes('"role"') ? rawString(rawMembers(item) ?? [], 'role') : undefined);
}

/** Keys by their JSON, and the other way round. All requests and events have the same few, and V8's JSON takes longer. */
const keys = new Map<string, string>();
const printedKeys = new Map<string, string>();

/** The most keys to remember, and UTF-16 code units of each: a client may send any. */
const mostKeys = 500;
const longestKey = 64;

function keyIn(json: string): string | undefined {
  return keys.get(json) ?? stringIn(json);
}

function printKey(key: string): string {
  const known = printedKeys.get(key);
  if (known !== undefined) return known;
  const json = JSON.stringify(key);
  if (keys.size < mostKeys && json.length <= longestKey) {
    printedKeys.set(key, json);
    keys.set(json, key);
  }
  return json;
}

/** Returns the string value of a member, or undefined for another kind of value. */
export function rawString(members: readonly RawMember[], key: string): string | undefined {
  return stringIn(rawMember(members, key));
}

/** Returns the string that a JSON text encodes, or undefined for another kind of value. */
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

/** Returns the index after the string that begins at `start`, or -1 if it does not end. */
function afterString(text: string, start: number): number {
  const first = text.indexOf('"', start + 1);
  if (first === -1) return -1;
  // Most strings have no escaped quote. Each further search would take longer than to read some characters.
  if (text.charCodeAt(first - 1) !== backslash) return first + 1;
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) return at + 1;
    if (code === backslash) at += 1;
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

/** Whether a character is one of numbers, `true`, `false` and `null`. */
function isOfWord(code: number): boolean {
  const isDigit = code >= 0x30 && code <= 0x39;
  const isLetter = code >= 0x61 && code <= 0x7a;
  return isDigit || isLetter || code === 0x2d || code === 0x2b || code === 0x2e || code === 0x45;
}
