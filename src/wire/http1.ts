import { type HeaderList, headerValue } from './headers.ts';
import {
  type BodyDecoder,
  type BodyFraming,
  bodyDecoder,
  noBody,
  requestFraming,
  responseFraming,
} from './http1-body.ts';
import type { RequestHead, ResponseHead } from './message.ts';
import { type Undecodable, UndecodableError, undecodable } from './undecodable.ts';

/** A decoded event. Events are in wire order; `undecodable` is the last one. */
export type Http1Event<Head> =
  | { readonly type: 'head'; readonly head: Head }
  /** A 1xx response other than 101. The final head follows. */
  | { readonly type: 'interim'; readonly head: Head }
  | { readonly type: 'data'; readonly bytes: Buffer }
  /** The end of a message. `complete` is false when the connection ended before the body did. */
  | { readonly type: 'end'; readonly complete: boolean }
  /** Bytes after an upgrade or a CONNECT, which are no longer HTTP. */
  | { readonly type: 'upgraded'; readonly bytes: Buffer }
  | Undecodable;

/** How one direction of a connection ended: `finished` by a FIN, `cut` by a reset or by the tap itself. */
export type StreamEnding = 'finished' | 'cut';

/** What the head of a message says about the bytes after it. */
type Plan = {
  readonly body: BodyFraming;
  readonly next: 'head' | 'held' | 'upgraded';
  readonly interim?: true;
};

type State =
  | { readonly at: 'head' | 'held'; readonly pending: Buffer }
  | {
      readonly at: 'body';
      readonly framing: BodyFraming;
      readonly decoder: BodyDecoder;
      readonly next: Plan['next'];
    }
  | { readonly at: 'upgraded' | 'stopped' };

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const requestLine = new RegExp(`^(${token}) (\\S+) HTTP/(1\\.[01])$`);
const requestStart = new RegExp(`^${token}(?: |$)`);
const statusLine = /^HTTP\/(1\.[01]) (\d{3})(?: (.*))?$/;
const statusStart = 'HTTP/1.';
const headerLine = new RegExp(`^(${token}):[ \\t]*(.*?)[ \\t]*$`);

/** Bytes of a head, by default, and of what is held back. */
const headLimit = 64 * 1024;
const nothing = Buffer.alloc(0);

/**
 * Decodes one direction of an HTTP/1.1 connection from a copy of its bytes, in chunks of any size, with keep-alive and
 * pipelining. It never throws: bytes it cannot decode become its last event, `undecodable`.
 */
abstract class Http1Decoder<Head> {
  readonly #longestHead: number;
  #state: State = { at: 'head', pending: nothing };

  /** `longestHead`: bytes. */
  constructor(longestHead = headLimit) {
    this.#longestHead = longestHead;
  }

  /** True while the bytes can still become a start line. Other bytes are reported at once, not at 64 KiB. */
  protected abstract mayStart(bytes: Buffer): boolean;
  protected abstract readHead(startLine: string, headers: HeaderList): Head;
  protected abstract plan(head: Head): Plan;

  /** Decodes the next bytes. The buffers in the events may share memory with `bytes`. */
  push(bytes: Buffer): Http1Event<Head>[] {
    const events: Http1Event<Head>[] = [];
    try {
      let rest: Buffer | null = bytes;
      while (rest !== null) rest = this.#step(rest, events);
    } catch (error) {
      this.#state = { at: 'stopped' };
      events.push(undecodable(error));
    }
    return events;
  }

  /** Call when no more bytes follow. Ends a body that runs until the close, and reports a message that was cut off. */
  end(ending: StreamEnding): Http1Event<Head>[] {
    const state = this.#state;
    this.#state = { at: 'stopped' };
    if (state.at === 'body') {
      return [{ type: 'end', complete: state.framing.by === 'close' && ending === 'finished' }];
    }
    if (state.at === 'head' && state.pending.length > 0) {
      return [{ type: 'undecodable', reason: 'the connection ended inside a head' }];
    }
    return [];
  }

  /** Continues with the bytes held back after an upgrade request, as the response decided. */
  protected resume(next: 'head' | 'upgraded'): Http1Event<Head>[] {
    const state = this.#state;
    if (state.at === 'stopped') return [];
    if (state.at === 'body') {
      this.#state = { ...state, next };
      return [];
    }
    this.#state = next === 'head' ? { at: next, pending: nothing } : { at: next };
    return 'pending' in state ? this.push(state.pending) : [];
  }

  /** Consumes bytes in the current state. Returns the rest for the next state, or null when it needs more bytes. */
  #step(bytes: Buffer, events: Http1Event<Head>[]): Buffer | null {
    const state = this.#state;
    switch (state.at) {
      case 'head':
        return this.#stepHead(
          state.pending.length === 0 ? bytes : Buffer.concat([state.pending, bytes]),
          events,
        );
      case 'body': {
        const content: Buffer[] = [];
        const rest = state.decoder.push(bytes, content);
        events.push(...content.map((part) => ({ type: 'data', bytes: part }) as const));
        if (rest === null) return null;
        events.push({ type: 'end', complete: true });
        this.#state = state.next === 'upgraded' ? { at: 'upgraded' } : { at: state.next, pending: nothing };
        return rest;
      }
      case 'held': {
        const pending = Buffer.concat([state.pending, bytes]);
        if (pending.length > headLimit)
          throw new UndecodableError('more than 64 KiB sent before the response to the upgrade');
        this.#state = { at: 'held', pending };
        return null;
      }
      case 'upgraded':
        if (bytes.length > 0) events.push({ type: 'upgraded', bytes });
        return null;
      case 'stopped':
        return null;
    }
  }

  #stepHead(bytes: Buffer, events: Http1Event<Head>[]): Buffer | null {
    // Skips empty lines before a start line (RFC 9112 §2.2).
    const start = bytes.findIndex((byte) => byte !== 0x0d && byte !== 0x0a);
    const pending = start === -1 ? nothing : bytes.subarray(start);
    this.#state = { at: 'head', pending };
    if (pending.length === 0) return null;
    if (!this.mayStart(pending)) throw new UndecodableError('the bytes are not HTTP/1.1');
    const end = emptyLine(pending);
    if ((end?.from ?? pending.length) > this.#longestHead)
      throw new UndecodableError(`a head longer than ${this.#longestHead / 1024} KiB`);
    if (end === null) return null;

    // Latin1 keeps every byte of a value.
    const [startLine = '', ...lines] = pending.toString('latin1', 0, end.from).split(/\r?\n/);
    const head = this.readHead(startLine, lines.map(parseHeaderLine));
    const plan = this.plan(head);
    if (plan.interim) {
      events.push({ type: 'interim', head });
      this.#state = { at: 'head', pending: nothing };
    } else {
      events.push({ type: 'head', head });
      this.#state = { at: 'body', framing: plan.body, decoder: bodyDecoder(plan.body), next: plan.next };
    }
    return pending.subarray(end.to);
  }
}

/** Decodes the requests of the client. */
export class RequestDecoder extends Http1Decoder<RequestHead> {
  /**
   * Call with the outcome of an upgrade or CONNECT request. This decoder holds back the bytes after such a request,
   * since only the response decides whether they are HTTP.
   */
  settleUpgrade(accepted: boolean): Http1Event<RequestHead>[] {
    return this.resume(accepted ? 'upgraded' : 'head');
  }

  protected override mayStart(bytes: Buffer): boolean {
    return requestStart.test(bytes.toString('latin1', 0, 32));
  }

  protected override readHead(startLine: string, headers: HeaderList): RequestHead {
    const [, method, target, version] = requestLine.exec(startLine) ?? [];
    if (method === undefined || target === undefined)
      throw new UndecodableError('the request line is not HTTP/1.1');
    return { method, target, version: version === '1.0' ? '1.0' : '1.1', headers };
  }

  protected override plan(head: RequestHead): Plan {
    return { body: requestFraming(head), next: mayLeaveHttp(head) ? 'held' : 'head' };
  }
}

/** Decodes the responses of the backend. Pass it every request with expect: the framing of a response depends on it. */
export class ResponseDecoder extends Http1Decoder<ResponseHead> {
  readonly #requests: RequestHead[] = [];

  /** Registers a request that was sent, in connection order. */
  expect(request: RequestHead): void {
    this.#requests.push(request);
  }

  protected override mayStart(bytes: Buffer): boolean {
    return statusStart.startsWith(bytes.toString('latin1', 0, statusStart.length));
  }

  protected override readHead(startLine: string, headers: HeaderList): ResponseHead {
    const [, version, status, reason = ''] = statusLine.exec(startLine) ?? [];
    if (status === undefined) throw new UndecodableError('the status line is not HTTP/1.1');
    return { status: Number(status), reason, version: version === '1.0' ? '1.0' : '1.1', headers };
  }

  protected override plan(head: ResponseHead): Plan {
    if (head.status < 200 && head.status !== 101) return { body: noBody, next: 'head', interim: true };
    const request = this.#requests.shift();
    if (request === undefined) throw new UndecodableError('a response without a request');
    const tunnelled = request.method === 'CONNECT' && head.status >= 200 && head.status < 300;
    if (head.status === 101 || tunnelled) return { body: noBody, next: 'upgraded' };
    return { body: responseFraming(head, request), next: 'head' };
  }
}

/**
 * True for a request after which the connection may stop being HTTP: CONNECT, or one with an Upgrade header. The
 * Connection header does not count, because a backend may upgrade a request without it.
 */
export function mayLeaveHttp(head: RequestHead): boolean {
  return head.method === 'CONNECT' || headerValue(head.headers, 'upgrade') !== undefined;
}

function parseHeaderLine(line: string): readonly [string, string] {
  const [, name, value] = headerLine.exec(line) ?? [];
  if (name === undefined || value === undefined)
    throw new UndecodableError('a header line is not "name: value"');
  return [name, value];
}

/** The offsets of the empty line after a head. A bare LF counts as a line end (RFC 9112 §2.2). */
function emptyLine(bytes: Buffer): { from: number; to: number } | null {
  for (let feed = bytes.indexOf(0x0a); feed !== -1; feed = bytes.indexOf(0x0a, feed + 1)) {
    const next = bytes[feed + 1] === 0x0d ? feed + 2 : feed + 1;
    if (bytes[next] !== 0x0a) continue;
    return { from: bytes[feed - 1] === 0x0d ? feed - 1 : feed, to: next + 1 };
  }
  return null;
}
