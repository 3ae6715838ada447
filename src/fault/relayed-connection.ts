import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { closingResponse } from '../wire/closing-response.ts';
import { textOf } from '../wire/content-collector.ts';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { type Http1Event, mayLeaveHttp, RequestDecoder, ResponseDecoder } from '../wire/http1.ts';
import { stringAt, tryParseJson } from '../wire/json.ts';
import type { RequestHead, ResponseHead, Side, WebSocketMessage } from '../wire/message.ts';
import { isModelRoute } from '../wire/route.ts';
import { encodeSse } from '../wire/sse.ts';
import { WebSocketDecoder } from '../wire/websocket.ts';
import { negotiatedDeflate } from '../wire/websocket-deflate.ts';
import { VariedDataFrames } from './data-frames.ts';
import type { Fault, PendingWireFaults } from './fault.ts';
import type { Variation } from './variation.ts';
import { WebSocketWriter } from './websocket-writer.ts';

type RelayedConnectionOptions = {
  /** The side whose messages vary and fail. */
  readonly side: Side;
  readonly faults: PendingWireFaults;
  readonly variation: Variation | undefined;
  /** The number of the connection. */
  readonly number: number;
};

/** A message of a websocket, or the text of a server-sent event with its empty line. */
type RelayedMessage =
  | { readonly over: 'websocket'; readonly message: WebSocketMessage; readonly payload: Buffer }
  | { readonly over: 'http'; readonly block: Buffer };

/** How the body of the current HTTP message is sent, and whether it is read as server-sent events. */
type RelayedBody = { readonly isChunked: boolean; readonly isEvents: boolean };

/**
 * What still passes: everything; of the side that fails only pings and pongs (`stalled`); what the other side sends, to
 * nobody (`ignored`); nothing at all, and nothing is read (`frozen`).
 */
type Passing = 'all' | 'stalled' | 'ignored' | 'frozen';

/** While more bytes than this wait to be passed on, a side is not read. */
const mostWaiting = 1024 * 1024;

/** Milliseconds for bytes to arrive before a reset, which may overtake them. */
const beforeReset = 20;

/** The fatal alert `internal_error` (RFC 8446, section 6.2), as TLS 1.2 frames it. */
export const tlsAlert = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x50]);

const notUtf8 = Buffer.from([0xff, 0xfe, 0xfd]);

const earlyResponse = [
  '{"type":"response.created","response":{"id":"resp_early","object":"response","status":"in_progress","output":[]}}',
  '{"type":"response.completed","response":{"id":"resp_early","object":"response","status":"completed","output":[]}}',
];

/** One connection of a relay: decodes both sides, and writes what one of them sends anew. */
export class RelayedConnection {
  readonly #side: Side;
  readonly #faults: PendingWireFaults;
  readonly #variation: Variation | undefined;
  readonly #number: number;
  /** The socket of the side that varies and fails, and that of the other side. */
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #requests = new RequestDecoder();
  readonly #responses = new ResponseDecoder();
  /** Requests without a response so far. */
  readonly #pending: RequestHead[] = [];
  #isWebSocket = false;
  #decoder: WebSocketDecoder | undefined;
  #writer: WebSocketWriter | undefined;
  /** Whether the client does not learn that the backend accepted compression. It may leave its messages uncompressed. */
  #declines = false;
  #body: RelayedBody = { isChunked: false, isEvents: false };
  /** The start of a server-sent event that is not complete. */
  #block: Buffer = Buffer.alloc(0);
  #isModel = false;
  #passing: Passing = 'all';
  /** What refuses the request that is being received. */
  #refusal: Fault | undefined;
  #isEarly = false;
  /** Whether the rest of a response is left out, up to its last event. */
  #skips = false;
  /** Whether the body of an HTTP response has ended before its time. */
  #skipsBody = false;
  /** The messages since the last event of a response. */
  #sent: RelayedMessage[] = [];
  /** What the varied side sends is passed on one after the other. */
  #sequence: Promise<void> = Promise.resolve();

  constructor(
    { client, backend }: Readonly<Record<Side, Socket>>,
    { side, faults, variation, number }: RelayedConnectionOptions,
  ) {
    this.#side = side;
    this.#faults = faults;
    this.#variation = variation;
    this.#number = number;
    [this.#from, this.#to] = side === 'backend' ? [backend, client] : [client, backend];
  }

  /** Whether it is a websocket that the other side has not ended. What nobody reads cannot be known to have ended. */
  get isOpenWebSocket(): boolean {
    return this.#isWebSocket && this.#passing !== 'frozen' && !this.#to.destroyed;
  }

  /** Relays until both sides have ended. */
  async run(): Promise<void> {
    const from = this.#read(this.#from, this.#to, async (bytes) => {
      this.#onEvents(this.#side === 'backend' ? this.#responses.push(bytes) : this.#requests.push(bytes));
      await this.#sequence;
    });
    const to = this.#read(this.#to, this.#from, (bytes) => this.#onOther(bytes));
    await Promise.all([from, to]);
  }

  /** Relays a connection over HTTP/2, with other DATA frames of a backend: those of a client are its own choice. */
  async runHttp2(): Promise<void> {
    const isVaried = this.#side === 'backend' && this.#variation !== undefined;
    const frames = isVaried ? new VariedDataFrames(this.#variation) : undefined;
    const from = this.#read(this.#from, this.#to, (bytes) =>
      this.#write(this.#to, frames?.push(bytes) ?? bytes),
    );
    const to = this.#read(this.#to, this.#from, (bytes) => this.#write(this.#from, bytes));
    await Promise.all([from, to]);
  }

  /**
   * Reads a side to its end, and ends the other like it. What arrives is read at once, even if it is passed on slowly: a socket
   * that is reset loses what has not been read.
   */
  #read(socket: Socket, peer: Socket, onData: (bytes: Buffer) => Promise<void>): Promise<void> {
    let work = Promise.resolve();
    let waiting = 0;
    let hasFinished = false;
    socket.on('data', (bytes: Buffer) => {
      if (this.#passing === 'frozen') {
        socket.pause();
        return;
      }
      waiting += bytes.length;
      if (waiting > mostWaiting) socket.pause();
      work = work
        .then(() => onData(bytes))
        .then(() => {
          waiting -= bytes.length;
          if (waiting <= mostWaiting && this.#passing !== 'frozen') socket.resume();
        });
    });
    // The side that stalls has no end of its own, but nobody waits for one when the other side has left.
    const passesEnd = () => this.#passing === 'all' || peer === this.#from || this.#to.readableEnded;
    socket.once('end', () => {
      hasFinished = true;
      work = work.then(() => {
        if (passesEnd()) peer.end();
      });
    });
    return new Promise((resolve) => {
      socket.once('close', () => {
        const ended = hasFinished ? work : work.then(() => delay(beforeReset));
        resolve(
          ended.then(() => {
            if (!hasFinished && passesEnd()) peer.resetAndDestroy();
          }),
        );
      });
    });
  }

  /** Passes on what the other side sends. Its requests are where a backend can fail before it responds. */
  async #onOther(bytes: Buffer): Promise<void> {
    if (!this.#isWebSocket) {
      const events = this.#side === 'backend' ? this.#requests.push(bytes) : this.#responses.push(bytes);
      for (const event of events) await this.#onOtherEvent(event);
    }
    if (this.#passing === 'all' || this.#passing === 'stalled') await this.#write(this.#from, bytes);
  }

  async #onOtherEvent(event: Http1Event<RequestHead | ResponseHead>): Promise<void> {
    if (event.type === 'end' && this.#refusal !== undefined) await this.#refuse(this.#refusal);
    if (event.type !== 'head') return;
    const { head } = event;
    if ('method' in head) await this.#onRequest(head);
    else this.#onResponse(head);
  }

  async #onRequest(head: RequestHead): Promise<void> {
    this.#onHead(head);
    const at = requestPlace(head);
    const fault = at === undefined ? undefined : this.#faults.at({ at }, this.#number);
    if (fault === undefined) return;
    if (fault.kind === 'status') {
      this.#refusal = fault;
      this.#passing = 'ignored';
    } else if (fault.kind !== 'early') {
      await this.#fail(fault, 'ignored');
    } else if (at === 'upgrade') {
      this.#isEarly = true;
    } else {
      this.#passing = 'ignored';
      const body = earlyResponse.map((event) => encodeSse(event)).join('');
      await this.#write(
        this.#to,
        closingResponse({ status: 200, headers: [['content-type', 'text/event-stream']], body }),
      );
      this.#end();
    }
  }

  async #refuse({ number }: Fault): Promise<void> {
    this.#refusal = undefined;
    const error = { type: 'fault', code: `fault_${number}`, message: `the backend refuses with ${number}` };
    const headers: HeaderList = [['content-type', 'application/json']];
    await this.#write(
      this.#to,
      closingResponse({ status: number, headers, body: JSON.stringify({ error }) }),
    );
    this.#end();
  }

  /** Prepares for what follows a response: a websocket, or the next request. */
  #onResponse(head: ResponseHead): void {
    const request = this.#pending.shift();
    this.#isModel = request !== undefined && isModelRoute(request.target);
    if (head.status !== 101) {
      if (request !== undefined && mayLeaveHttp(request)) this.#onEvents(this.#requests.settleUpgrade(false));
      return;
    }
    const deflate = negotiatedDeflate(head.headers);
    this.#isWebSocket = true;
    this.#decoder = new WebSocketDecoder(this.#side, deflate);
    this.#declines = this.#side === 'backend' && this.#variation?.declinesCompression() === true;
    this.#writer = new WebSocketWriter(this.#side, this.#declines ? null : deflate, this.#variation);
    const held = this.#requests.settleUpgrade(true);
    if (this.#side === 'client') this.#onEvents(held);
  }

  /** Queues what the varied side sent. */
  #onEvents(events: readonly Http1Event<RequestHead | ResponseHead>[]): void {
    for (const event of events) {
      if (event.type === 'head') this.#onHead(event.head);
      this.#sequence = this.#sequence
        .then(() => this.#pass(event))
        .catch(() => void this.#to.resetAndDestroy());
    }
  }

  #onHead(head: RequestHead | ResponseHead): void {
    if ('method' in head) {
      this.#responses.expect(head);
      this.#pending.push(head);
    } else this.#onResponse(head);
  }

  async #pass(event: Http1Event<RequestHead | ResponseHead>): Promise<void> {
    switch (event.type) {
      case 'interim':
      case 'head':
        return this.#passHead(event.head);
      case 'data':
        return this.#passBody(event.bytes);
      case 'end':
        return this.#passBodyEnd(event.complete);
      case 'upgraded':
        for (const decoded of this.#decoder?.push(event.bytes) ?? []) {
          if (decoded.type === 'undecodable') throw new RangeError(decoded.reason);
          await this.#passMessage(decoded.message);
        }
        return;
      case 'undecodable':
        throw new RangeError(event.reason);
    }
  }

  async #passHead(head: RequestHead | ResponseHead): Promise<void> {
    const isRequest = 'method' in head;
    if (isRequest) {
      this.#isModel = isModelRoute(head.target);
      const at = requestPlace(head);
      const fault = at === undefined ? undefined : this.#faults.at({ at }, this.#number);
      if (fault !== undefined) await this.#fail(fault, 'ignored');
    }
    const isEvents = !isRequest && this.#faults.isArmed && this.#isModel && mayBeEvents(head);
    // What is sent between the events has no place in a body of known length.
    const negotiated = this.#declines
      ? head.headers.filter(([name]) => !extensions.test(name))
      : head.headers;
    const headers = isEvents ? asChunks(negotiated) : negotiated;
    const isChunked = /chunked/i.test(headerValue(headers, 'transfer-encoding') ?? '');
    this.#body = { isChunked, isEvents };
    await this.#send(headBytes({ ...head, headers }));
    if (!isRequest && head.status === 101 && this.#isEarly) {
      for (const event of earlyResponse)
        await this.#send(this.#writer?.uncompressed('text', Buffer.from(event)) ?? Buffer.alloc(0));
    }
  }

  async #passBody(bytes: Buffer): Promise<void> {
    if (this.#skipsBody) return;
    if (!this.#body.isEvents) return this.#sendBody(bytes);
    this.#block = Buffer.concat([this.#block, bytes]);
    for (let end = this.#block.indexOf('\n\n'); end >= 0; end = this.#block.indexOf('\n\n')) {
      const block = this.#block.subarray(0, end + 2);
      this.#block = this.#block.subarray(end + 2);
      await this.#passData({ over: 'http', block }, eventType(block));
      if (this.#skipsBody) return;
    }
  }

  async #passBodyEnd(isComplete: boolean): Promise<void> {
    if (this.#isWebSocket) return;
    const rest = this.#block;
    this.#block = Buffer.alloc(0);
    if (this.#skipsBody) {
      this.#skipsBody = false;
      return;
    }
    await this.#sendBody(rest);
    if (isComplete && this.#body.isChunked) await this.#send(lastChunk);
  }

  async #passMessage(message: WebSocketMessage): Promise<void> {
    const { opcode, payload } = message;
    if (!Buffer.isBuffer(payload)) throw new RangeError('a message that is too long to relay');
    if (opcode === 'text' || opcode === 'binary') {
      const type = stringAt(tryParseJson(textOf(payload))?.node, 'type');
      return this.#passData({ over: 'websocket', message, payload }, type);
    }
    const bytes = this.#writer?.message({ opcode, payload, compressed: false }) ?? payload;
    if (this.#passing === 'stalled' && opcode !== 'close') return this.#write(this.#to, bytes);
    return this.#send(bytes);
  }

  /** Passes on a message, and what goes wrong with it. */
  async #passData(message: RelayedMessage, type: string | undefined): Promise<void> {
    if (this.#passing !== 'all') return;
    const isLast = type !== undefined && lastEvents.has(type);
    if (this.#skips) {
      this.#skips = !isLast;
      return;
    }
    const fault = this.#isModel
      ? this.#faults.at({ at: 'message', type, over: message.over }, this.#number)
      : undefined;
    if (fault !== undefined && fault.kind !== 'twice') await this.#fail(fault, 'stalled');
    if (this.#skipsBody) return;
    if (this.#skips) {
      this.#skips = !isLast;
      return;
    }
    await this.#sendMessage(message);
    if (this.#faults.isArmed || fault !== undefined) this.#sent.push(message);
    if (fault?.kind === 'twice') for (const again of this.#sent) await this.#sendMessage(again);
    if (isLast) this.#sent = [];
  }

  async #sendMessage(message: RelayedMessage): Promise<void> {
    if (message.over === 'http') return this.#sendBody(message.block);
    const { opcode, compressed } = message.message;
    await this.#send(
      this.#writer?.message({ opcode, compressed, payload: message.payload }) ?? message.payload,
    );
  }

  /** Does what a fault says. `stall` is what still passes after it stalls. */
  async #fail(fault: Fault, stall: Passing): Promise<void> {
    const { kind, number } = fault;
    switch (kind) {
      case 'reset':
        this.#passing = 'ignored';
        await delay(beforeReset);
        this.#to.resetAndDestroy();
        this.#from.destroy();
        return;
      case 'drop':
        return this.#end();
      case 'half-open':
        this.#passing = 'frozen';
        this.#from.destroy();
        return;
      case 'stall':
        this.#passing = stall;
        return;
      case 'tls-alert':
        await this.#write(this.#to, tlsAlert);
        return this.#end();
      case 'close':
        if (!this.#isWebSocket) return this.#endBody();
        await this.#send(this.#writer?.close(number));
        return this.#end();
      case 'error':
        return this.#sendError(number);
      case 'malformed':
        return this.#sendText('{"type":"response.output_text.delta","delta":');
      case 'oversize':
        return this.#sendText(Buffer.alloc(number, 'x').toString('latin1'));
      case 'invalid-utf8':
        return this.#isWebSocket
          ? this.#send(this.#writer?.uncompressed('text', notUtf8))
          : this.#sendBody(Buffer.concat([Buffer.from('data: "'), notUtf8, Buffer.from('"\n\n')]));
      case 'binary':
        return this.#isWebSocket
          ? this.#send(this.#writer?.uncompressed('binary', notUtf8))
          : this.#sendBody(notUtf8);
      case 'bad-deflate':
        return this.#send(this.#writer?.badDeflate());
      case 'masking':
        return this.#send(this.#writer?.wronglyMasked());
      case 'status':
      case 'early':
      case 'twice':
        // They happen at requests and after messages.
        return;
    }
  }

  async #sendError(status: number): Promise<void> {
    const error = { type: 'server_error', code: `fault_${status}`, message: 'the backend fails on purpose' };
    const frame = JSON.stringify({ type: 'error', status, error });
    if (this.#isWebSocket) {
      await this.#sendText(frame);
      this.#skips = true;
      return;
    }
    await this.#sendBody(Buffer.from(encodeSse(frame, 'error')));
    await this.#endBody();
  }

  /** Ends the body of an HTTP response, whose connection stays open. */
  async #endBody(): Promise<void> {
    await this.#send(lastChunk);
    this.#skipsBody = true;
  }

  async #sendText(text: string): Promise<void> {
    if (this.#isWebSocket) await this.#send(this.#writer?.uncompressed('text', Buffer.from(text)));
    else await this.#sendBody(Buffer.from(encodeSse(text)));
  }

  async #sendBody(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    const size = `${bytes.length.toString(16)}\r\n`;
    await this.#send(this.#body.isChunked ? Buffer.concat([Buffer.from(size), bytes, lineEnd]) : bytes);
  }

  /** Sends bytes of the varied side, up to a fault that happens within them. */
  async #send(bytes: Buffer | undefined): Promise<void> {
    if (bytes === undefined || this.#passing !== 'all') return;
    const due = this.#isModel ? this.#faults.within(bytes.length, this.#number) : undefined;
    await this.#write(this.#to, due === undefined ? bytes : bytes.subarray(0, due.after));
    if (due === undefined) return;
    await this.#fail(due.fault, 'stalled');
  }

  /** Ends the connection to the other side, and reads what it still sends. */
  #end(): void {
    this.#passing = 'ignored';
    this.#to.end();
    this.#from.destroy();
  }

  async #write(socket: Socket, bytes: Buffer): Promise<void> {
    if (this.#variation === undefined) return write(socket, bytes);
    for (const piece of this.#variation.pieces(bytes)) {
      await write(socket, piece);
      await this.#variation.pause();
    }
  }
}

/** The last events of a response. */
const lastEvents: ReadonlySet<string> = new Set([
  'response.completed',
  'response.failed',
  'response.incomplete',
  'error',
]);

const extensions = /^sec-websocket-extensions$/i;
const lineEnd = Buffer.from('\r\n');
const lastChunk = Buffer.from('0\r\n\r\n');

/** Where a fault can happen at a request; undefined for requests that are neither for a response nor for a token. */
function requestPlace({ method, target, headers }: RequestHead): 'upgrade' | 'post' | 'token' | undefined {
  if (/\/oauth\/token(?:\?|$)/.test(target)) return 'token';
  if (!isModelRoute(target)) return undefined;
  if (method === 'POST') return 'post';
  return headerValue(headers, 'upgrade') === undefined ? undefined : 'upgrade';
}

/** Whether a response may have server-sent events: in strict mode the backend leaves out their content type. */
function mayBeEvents({ status, headers }: ResponseHead): boolean {
  const type = headerValue(headers, 'content-type') ?? 'text/event-stream';
  return status === 200 && type.startsWith('text/event-stream');
}

function asChunks(headers: HeaderList): HeaderList {
  const others = headers.filter(([name]) => !/^(?:content-length|transfer-encoding)$/i.test(name));
  return [...others, ['transfer-encoding', 'chunked']];
}

function headBytes(head: RequestHead | ResponseHead): Buffer {
  const first =
    'method' in head
      ? `${head.method} ${head.target} HTTP/${head.version}`
      : `HTTP/${head.version} ${head.status} ${head.reason}`;
  const lines = head.headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${first}\r\n${lines}\r\n`, 'latin1');
}

function eventType(block: Buffer): string | undefined {
  const data = /^data: ?(.*)$/m.exec(block.toString('utf8'))?.[1] ?? '';
  return stringAt(tryParseJson(data)?.node, 'type');
}

/** Writes, and waits until the socket can take more or is closed. */
async function write(socket: Socket, bytes: Buffer): Promise<void> {
  if (socket.destroyed || socket.writableEnded || bytes.length === 0 || socket.write(bytes)) return;
  await new Promise<void>((resolve) => {
    const settle = () => {
      socket.off('drain', settle).off('close', settle);
      resolve();
    };
    socket.on('drain', settle).on('close', settle);
  });
}
