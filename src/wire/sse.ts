/**
 * One block of a server-sent event stream (WHATWG HTML §9.2): all lines up to an empty one. Blocks without data are
 * told too, unlike in a browser, because a keep-alive comment that a proxy adds or drops is a difference.
 */
export type SseEvent = {
  /** The event field; empty when there is none, which a browser would call "message". */
  readonly event: string;
  /** The data lines joined by LF; empty when there is none, as in a comment. */
  readonly data: string;
  readonly id: string | null;
  /** The block as sent, with its line ends and the empty line. */
  readonly raw: string;
  /** False for a last block that the stream ended without an empty line: no client dispatches it. */
  readonly terminated: boolean;
};

/** Decodes a stream of server-sent events, in chunks of any size. */
export class SseDecoder {
  // Strips a byte order mark at the start, as the standard asks, and joins characters split between chunks.
  readonly #text = new TextDecoder('utf-8');
  #pending = '';
  #lines: string[] = [];
  #raw = '';

  push(bytes: Buffer): SseEvent[] {
    this.#pending += this.#text.decode(bytes, { stream: true });
    return this.#takeLines(false);
  }

  /** Tells that the stream is over; gives the block that was left without its empty line, if any. */
  end(): SseEvent[] {
    this.#pending += this.#text.decode();
    const events = this.#takeLines(true);
    if (this.#pending !== '') this.#lines.push(this.#pending);
    this.#raw += this.#pending;
    this.#pending = '';
    if (this.#raw !== '') events.push(this.#takeBlock(false));
    return events;
  }

  #takeLines(over: boolean): SseEvent[] {
    const events: SseEvent[] = [];
    // A CR that is the last byte so far is not taken yet: an LF may follow and belong to it.
    const line = over ? /([^\r\n]*)(\r\n|\n|\r)/y : /([^\r\n]*)(\r\n|\n|\r(?!$))/y;
    let consumed = 0;
    for (let match = line.exec(this.#pending); match !== null; match = line.exec(this.#pending)) {
      const [whole, content = ''] = match;
      consumed = line.lastIndex;
      this.#raw += whole;
      if (content !== '') this.#lines.push(content);
      else events.push(this.#takeBlock(true));
    }
    this.#pending = this.#pending.slice(consumed);
    return events;
  }

  #takeBlock(terminated: boolean): SseEvent {
    const fields = this.#lines.map(field);
    const raw = this.#raw;
    this.#lines = [];
    this.#raw = '';
    const data = fields.filter(([name]) => name === 'data');
    return {
      event: fields.findLast(([name]) => name === 'event')?.[1] ?? '',
      data: data.map(([, value]) => value).join('\n'),
      id: fields.findLast(([name]) => name === 'id')?.[1] ?? null,
      raw,
      terminated,
    };
  }
}

/** All blocks of a stream that is there as a whole. */
export function decodeSse(text: string): SseEvent[] {
  const decoder = new SseDecoder();
  return [...decoder.push(Buffer.from(text)), ...decoder.end()];
}

/** Writes one event as OpenAI's servers do: event line first, LF only, a data line for each line of `data`. */
export function encodeSse(event: {
  readonly event?: string;
  readonly data: string;
  readonly id?: string;
}): string {
  const lines = event.data.split('\n').map((line) => `data: ${line}`);
  if (event.id !== undefined) lines.unshift(`id: ${event.id}`);
  if (event.event !== undefined) lines.unshift(`event: ${event.event}`);
  return `${lines.join('\n')}\n\n`;
}

function field(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon === -1) return [line, ''];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
}
