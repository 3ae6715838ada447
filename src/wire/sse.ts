import { type HeaderList, headerValue } from './headers.ts';

/** An event of a server-sent event stream, as a client dispatches it (WHATWG HTML §9.2.6). */
export type SseEvent = {
  /** The event field. Empty when missing, where a browser reports "message". */
  readonly event: string;
  /** The data lines joined by LF. */
  readonly data: string;
};

/** The line ends of a block: one kind, or several. */
export type SseLineEnds = 'LF' | 'CRLF' | 'CR' | 'mixed';

/** All lines of a stream up to an empty one. */
export type SseBlock = {
  readonly event: string;
  /** Undefined without a data line, as in a comment. Clients ignore such a block. */
  readonly data: string | undefined;
  /** The kind of each line in order. `data:` is a data line without the usual space after the colon. */
  readonly lines: readonly string[];
  readonly ends: SseLineEnds;
  /** True when the stream ended before the empty line. Clients ignore such a block. */
  readonly unfinished: boolean;
};

/** Whether a response with these headers is a stream of server-sent events. */
export function isEventStream(headers: HeaderList): boolean {
  return /^text\/event-stream(?:[;\s]|$)/i.test(headerValue(headers, 'content-type') ?? '');
}

/** Decodes a stream of server-sent events, in chunks of any size, as a client does. */
export class SseDecoder {
  // Strips a byte order mark at the start, as the standard requires, and joins characters split between chunks.
  readonly #text = new TextDecoder('utf-8');
  readonly #blocks = new BlockReader();

  /** The events that these bytes complete. */
  push(bytes: Buffer): SseEvent[] {
    return this.#blocks.read(this.#text.decode(bytes, { stream: true })).flatMap(dispatched);
  }
}

/** The events of a complete stream. */
export function decodeSse(text: string): SseEvent[] {
  return sseBlocks(text).flatMap(dispatched);
}

/** All blocks of a complete stream, including those that clients ignore. */
export function sseBlocks(text: string): SseBlock[] {
  const reader = new BlockReader();
  return [...reader.read(text.replace(/^\ufeff/, '')), ...reader.end()];
}

/** Formats one event like OpenAI's servers: event line first, LF only, one data line per line of `data`. */
export function encodeSse(data: string, event?: string): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${event === undefined ? '' : `event: ${event}\n`}${lines.join('')}\n`;
}

/** Whether a block is written as OpenAI's servers do: an event line if it has a name, one data line, LF only. */
export function isUsualForm({ event, lines, ends }: Omit<SseBlock, 'data' | 'unfinished'>): boolean {
  return ends === 'LF' && lines.join() === usualLines(event).join();
}

/** The lines of an event from OpenAI's servers. */
export function usualLines(event: string): string[] {
  return event === '' ? ['data'] : ['event', 'data'];
}

function dispatched({ event, data, unfinished }: SseBlock): SseEvent[] {
  return data === undefined || unfinished ? [] : [{ event, data }];
}

const lineEnd = /\r\n|\n|\r/g;
const endNames = { '\n': 'LF', '\r\n': 'CRLF', '\r': 'CR' } as const;

/** Splits text into blocks. A CR ends its line at once; an LF that follows in the next chunk belongs to it. */
class BlockReader {
  #line = '';
  #afterCarriageReturn = false;
  #lines: string[] = [];
  #ends: SseLineEnds | undefined;

  read(text: string): SseBlock[] {
    const blocks: SseBlock[] = [];
    let from = this.#afterCarriageReturn && text.startsWith('\n') ? 1 : 0;
    if (text !== '') this.#afterCarriageReturn = text.endsWith('\r');
    lineEnd.lastIndex = from;
    for (let end = lineEnd.exec(text); end !== null; end = lineEnd.exec(text)) {
      const line = this.#line + text.slice(from, end.index);
      from = lineEnd.lastIndex;
      this.#line = '';
      const name = endNames[end[0] as keyof typeof endNames];
      this.#ends = this.#ends === undefined || this.#ends === name ? name : 'mixed';
      if (line !== '') this.#lines.push(line);
      else if (this.#lines.length > 0) blocks.push(this.#takeBlock(false));
      else this.#ends = undefined;
    }
    this.#line += text.slice(from);
    return blocks;
  }

  /** The block without its empty line, if there is one. */
  end(): SseBlock[] {
    if (this.#line !== '') this.#lines.push(this.#line);
    this.#line = '';
    return this.#lines.length > 0 ? [this.#takeBlock(true)] : [];
  }

  #takeBlock(unfinished: boolean): SseBlock {
    const fields = this.#lines.map(readField);
    const ends = this.#ends ?? 'LF';
    this.#lines = [];
    this.#ends = undefined;
    const data = fields.filter(({ name }) => name === 'data').map(({ value }) => value);
    return {
      event: fields.findLast(({ name }) => name === 'event')?.value ?? '',
      data: data.length === 0 ? undefined : data.join('\n'),
      lines: fields.map(lineKind),
      ends,
      unfinished,
    };
  }
}

type SseField = { readonly name: string; readonly value: string; readonly spaced: boolean };

function readField(line: string): SseField {
  const colon = line.indexOf(':');
  if (colon === -1) return { name: line, value: '', spaced: false };
  const spaced = line[colon + 1] === ' ';
  return { name: line.slice(0, colon), value: line.slice(colon + (spaced ? 2 : 1)), spaced };
}

/** Names of fields that clients ignore are not kept: they may be anything. */
function lineKind({ name, spaced }: SseField): string {
  if (name === 'event' || name === 'data') return spaced ? name : `${name}:`;
  if (name === '') return 'comment';
  return name === 'id' || name === 'retry' ? name : 'other';
}
