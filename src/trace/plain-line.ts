import { type JsonNode, jsonString, printJson } from '../wire/json.ts';
import type { Side } from '../wire/message.ts';
import { encodeEvent } from './codec.ts';
import type { Content } from './event.ts';
import type { Line } from './line-file.ts';

/** What the common lines hold around their content: the same for all messages of one kind. */
export type Framing = {
  /** Its place in the list of all. */
  readonly number: number;
  readonly type: 'message' | 'body';
  readonly from: Side;
  readonly content: 'json' | 'text';
  /** The bytes from the number of the exchange to the content. */
  readonly behind: Buffer;
};

/** A line that was read no further than to its content, which `at` is the first byte of. */
export type PlainLine = { readonly framing: Framing; readonly exchange: number; readonly at: number };

/** Framings by what stands before the number of the exchange, and the one of them that was found last. */
type Group = { readonly before: Buffer; readonly those: readonly Framing[]; last: Framing | undefined };

const groups: readonly Group[] = [framingsOf('message', [true, false], 0), framingsOf('body', [false], 8)];

/** All that there are. */
export const framings: readonly Framing[] = groups.flatMap(({ those }) => those);

/**
 * The line of a whole text message in one frame, or of a whole body, as this program writes it; undefined for every
 * other line. Whether its content is valid JSON is not known yet.
 */
export function plainLine({ bytes, start, end }: Line): PlainLine | undefined {
  for (const group of groups) {
    if (!holds(bytes, start, end, group.before)) continue;
    const number = start + group.before.length;
    let behind = number;
    let exchange = 0;
    for (let digit = digitAt(bytes, behind); digit >= 0; digit = digitAt(bytes, behind)) {
      exchange = exchange * 10 + digit;
      behind += 1;
    }
    // What JSON would not take for a number, or no one for a whole one, is left to the parser.
    if (behind === number || bytes[number] === zero || behind - number > 15) return undefined;
    const framing = framingAt(group, bytes, behind, end);
    if (framing !== undefined) return { framing, exchange, at: behind + framing.behind.length };
  }
  return undefined;
}

/** Most lines are framed as the one before. */
function framingAt(group: Group, bytes: Buffer, at: number, end: number): Framing | undefined {
  const { last, those } = group;
  if (last !== undefined && holds(bytes, at, end, last.behind)) return last;
  group.last = those.find(({ behind }) => holds(bytes, at, end, behind));
  return group.last;
}

const zero = 0x30;

function digitAt(bytes: Buffer, at: number): number {
  const digit = (bytes[at] ?? 0) - zero;
  return digit <= 9 ? digit : -1;
}

function holds(bytes: Buffer, at: number, end: number, wanted: Buffer): boolean {
  if (at + wanted.length > end) return false;
  for (let index = 0; index < wanted.length; index += 1) {
    if (bytes[at + index] !== wanted[index]) return false;
  }
  return true;
}

/** Cut out of lines that the codec writes, so that there is one description of the format. */
function framingsOf(type: Framing['type'], compressions: readonly boolean[], first: number): Group {
  const those = (['client', 'backend'] as const).flatMap((from) =>
    (['json', 'text'] as const).flatMap((content) =>
      compressions.map((compressed) => ({ type, from, content, ...cut(type, from, content, compressed) })),
    ),
  );
  return {
    before: those[0]?.before ?? Buffer.alloc(0),
    those: those.map((one, at) => ({ ...one, number: first + at })),
    last: undefined,
  };
}

function cut(
  type: Framing['type'],
  from: Side,
  kind: Framing['content'],
  compressed: boolean,
): { readonly before: Buffer; readonly behind: Buffer } {
  const nothing: JsonNode = jsonString('');
  const content: Content = kind === 'json' ? { kind, json: nothing, spaced: false } : { kind, text: nothing };
  const common = { exchange: 7, from, content };
  const line = encodeEvent(
    type === 'message'
      ? { type, ...common, opcode: 'text', compressed, fragments: 1 }
      : { type, ...common, complete: true },
  );
  const [before = '', behind = ''] = printJson(line).slice(0, -'""}'.length).split('7');
  return { before: Buffer.from(before), behind: Buffer.from(behind) };
}
