import type { Line } from '../trace/line-file.ts';
import { braceOpen, holds, isAt, plainEnd, quote } from './json-bytes.ts';

const typeKey = Buffer.from('{"type":"');

/** The `type` that a document begins with; undefined where it begins with anything else, or the type is a pattern. */
export function plainType(line: Line, start: number): string | undefined {
  if (!hasPlainType(line, start)) return undefined;
  const from = start + typeKey.length;
  return line.bytes.toString('utf8', from, plainEnd(line.bytes, from));
}

/** Whether plainType tells it. */
export function hasPlainType({ bytes }: Line, start: number): boolean {
  if (!isAt(bytes, start, typeKey)) return false;
  const from = start + typeKey.length;
  const end = plainEnd(bytes, from);
  return bytes[end] === quote && !holds(bytes, from, end, braceOpen);
}
