/**
 * One block of a server-sent event stream (WHATWG HTML §9.2): all lines up to an empty one. Blocks without data are
 * reported too, unlike in a browser, because a keep-alive comment that a proxy adds or drops is a difference.
 */
export type SseEvent = {
  /** The event field. Empty when missing, where a browser reports "message". */
  readonly event: string;
  /** The data lines joined by LF. Empty when there are none, as in a comment. */
  readonly data: string;
};

/** Decodes a stream of server-sent events, in chunks of any size. */
export class SseDecoder {
  // Strips a byte order mark at the start, as the standard requires, and joins characters split between chunks.
  readonly #text = new TextDecoder('utf-8');
  #pending = '';
  #lines: string[] = [];

  push(bytes: Buffer): SseEvent[] {
    this.#pending += this.#text.decode(bytes, { stream: true });
    return this.#takeLines(false);
  }

  /**
   * Call when the stream ends. Also returns a block without its final empty line, which clients ignore.
   */
  end(): SseEvent[] {
    this.#pending += this.#text.decode();
    const events = this.#takeLines(true);
    if (this.#pending !== '') this.#lines.push(this.#pending);
    this.#pending = '';
    if (this.#lines.length > 0) events.push(this.#takeBlock());
    return events;
  }

  #takeLines(ended: boolean): SseEvent[] {
    const events: SseEvent[] = [];
    // Waits after a CR at the end: an LF may follow and belong to it.
    const line = ended ? /([^\r\n]*)(\r\n|\n|\r)/y : /([^\r\n]*)(\r\n|\n|\r(?!$))/y;
    let consumed = 0;
    for (let match = line.exec(this.#pending); match !== null; match = line.exec(this.#pending)) {
      const [, content = ''] = match;
      consumed = line.lastIndex;
      if (content !== '') this.#lines.push(content);
      else events.push(this.#takeBlock());
    }
    this.#pending = this.#pending.slice(consumed);
    return events;
  }

  #takeBlock(): SseEvent {
    const fields = this.#lines.map(field);
    this.#lines = [];
    const data = fields.filter(([name]) => name === 'data');
    return {
      event: fields.findLast(([name]) => name === 'event')?.[1] ?? '',
      data: data.map(([, value]) => value).join('\n'),
    };
  }
}

/** All blocks of a complete stream. */
export function decodeSse(text: string): SseEvent[] {
  const decoder = new SseDecoder();
  return [...decoder.push(Buffer.from(text)), ...decoder.end()];
}

/** Formats one event like OpenAI's servers: event line first, LF only, one data line per line of `data`. */
export function encodeSse(data: string, event?: string): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${event === undefined ? '' : `event: ${event}\n`}${lines.join('')}\n`;
}

function field(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon === -1) return [line, ''];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
}
