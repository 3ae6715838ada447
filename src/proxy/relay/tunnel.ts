import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { encodeFrames } from '../../wire/websocket-frame.ts';
import { type ControlFrame, FrameScanner, type MessagePart } from '../../wire/websocket-scanner.ts';
import { ApiError } from '../http/errors.ts';
import { messageTooBig } from '../http/message-too-big.ts';
import { countPassedBytes } from '../http/passed-bytes.ts';
import { everyTick, Timeout } from '../http/timeout.ts';
import type { AcceptedTunnel } from '../http/upstream/open-tunnel.ts';
import type { ReusedReads } from '../http/upstream/reused-reads.ts';
import type { UpgradeContext } from '../request-context.ts';
import type { Identity } from '../shape/identity.ts';
import { rawMember, requestMembers } from '../shape/raw-json.ts';
import { stoppingCode, whenStopping } from '../stopping.ts';
import { lastEventOf, mayBeLastEvent } from './last-event.ts';
import { MessageCopy } from './message-copy.ts';
import { type RelayedAccount, reportEvent } from './relayed-account.ts';
import { useHttp } from './use-http.ts';

export type TunnelOptions = {
  readonly context: UpgradeContext;
  readonly identity: Identity;
  readonly backend: Pick<AcceptedTunnel, 'socket' | 'first' | 'reads'>;
  /** Whether permessage-deflate was negotiated. */
  readonly deflate: boolean;
  readonly account: RelayedAccount;
};

/** While more compressed bytes than this wait to be read from a copy, the sender is paused. */
const farthestBehind = 1024 * 1024;

/** Milliseconds for a client to end its connection after the backend's has ended. */
const lingering = 1000;

/** The payload of the proxy's pings, by which it knows their pongs. */
const pingPayload = randomBytes(8);

/** A close message of the proxy, and an event before it. */
type Ending = { readonly code: number; readonly reason?: string; readonly event?: string };

/**
 * Joins the websockets of a client and the backend after their handshake: passes bytes on as they are, in both directions, and
 * ends both together. What the proxy must know it reads from a copy. It only adds pings to the client, whose pongs it takes
 * out, and a close when the tunnel must end.
 */
export function joinTunnel(options: TunnelOptions): void {
  new Tunnel(options).start({ ofClient: options.context.head, ofBackend: options.backend.first });
}

/** What lasts as long as a tunnel. The request and its headers would take most of the memory of an idle one. */
type TunnelContext = Pick<
  UpgradeContext,
  'limits' | 'log' | 'countRunning' | 'withoutWebsockets' | 'state' | 'signal' | 'stopping' | 'socket'
>;

class Tunnel {
  readonly #context: TunnelContext;
  readonly #identity: Identity;
  readonly #account: RelayedAccount;
  readonly #client: Duplex;
  readonly #backend: Socket;
  /** Undefined if the responses are compressed: their copy is read later. */
  readonly #reads: ReusedReads | undefined;
  readonly #requests: OneWay;
  readonly #responses: OneWay;
  #ended = false;
  #running = false;
  #isPrewarm = false;
  /** The type of the message of the backend that is being read, if it ends a response. */
  #last: string | undefined;
  #ending: Ending | undefined;
  /** Whether bytes of the backend are being read that the client has not been sent yet. */
  #isResponding = false;
  /** Whether the backend has sent its close message, after which nothing may follow. */
  #closed = false;
  #awaitsPong = false;

  constructor({ context, identity, backend, deflate, account }: TunnelOptions) {
    const { limits, log, countRunning, withoutWebsockets, state, signal, stopping, socket } = context;
    this.#context = { limits, log, countRunning, withoutWebsockets, state, signal, stopping, socket };
    this.#identity = identity;
    this.#account = account;
    this.#client = context.socket;
    this.#backend = backend.socket;
    this.#reads = deflate ? undefined : backend.reads;
    this.#requests = new OneWay({
      from: 'client',
      deflate,
      source: this.#client,
      target: this.#backend,
      onControl: (frame) => this.#isOwnPong(frame),
      copy: new MessageCopy({
        onHead: (head) => this.#beginRequest(head),
        onEnd: (text) => {
          if (text !== '') this.#isPrewarm = rawMember(requestMembers(text) ?? [], 'generate') !== undefined;
        },
        tooLong: { bytes: context.limits.messageBytes, report: () => this.#refuseLength() },
      }),
    });
    this.#responses = new OneWay({
      from: 'backend',
      deflate,
      source: this.#backend,
      target: this.#client,
      skips: (chunk, start, length) => !mayBeLastEvent(chunk, start, length),
      onControl: (frame) => this.#watchClose(frame),
      copy: new MessageCopy({
        onHead: (head) => {
          this.#last = lastEventOf(head);
          return account.signIns.hasSeveral && this.#last !== undefined;
        },
        onEnd: (text) => {
          const last = this.#last;
          // The request that it belongs to was read before.
          if (last !== undefined) this.#requests.copy.whenRead(() => this.#endResponse(last, text));
        },
        tooLong: undefined,
      }),
    });
  }

  /** Begins with what each side has sent already. */
  start({ ofClient, ofBackend }: { readonly ofClient: Buffer; readonly ofBackend: Buffer }): void {
    const { signal } = this.#context;
    const endBackend = () => this.#endBackend();
    const endClient = () => this.#endClient();
    this.#client.on('end', endBackend).on('close', endBackend);
    this.#backend.on('end', endClient).on('close', endClient);
    if (this.#client.destroyed || signal.aborted) {
      this.#endBackend();
      return;
    }
    const stop = () => {
      if (this.#running && signal.reason instanceof ApiError)
        this.#end({ code: stoppingCode, event: signal.reason.event });
    };
    signal.addEventListener('abort', stop, { once: true });
    whenStopping(this.#context, () => this.#endIdle());
    this.#pass(this.#responses, ofBackend);
    this.#pass(this.#requests, ofClient);
    for (const way of [this.#responses, this.#requests]) {
      way.source.on('data', (chunk: Buffer) => {
        countPassedBytes(chunk.length);
        this.#pass(way, chunk);
      });
      way.target.on('drain', () => way.resume());
    }
    this.#reads?.passTo((chunk) => this.#passReused(chunk));
    if (this.#client instanceof Socket) this.#watchClient(this.#client);
  }

  /** Passes on what the backend sent, in memory that is used again. Returns whether it is free. */
  #passReused(chunk: Buffer): boolean {
    const isWaiting = this.#client.writableLength > 0;
    if (isWaiting) countPassedBytes(chunk.length);
    this.#pass(this.#responses, isWaiting ? Buffer.from(chunk) : chunk);
    return isWaiting || this.#client.writableLength === 0;
  }

  #pass(way: OneWay, chunk: Buffer): void {
    if (this.#ended || chunk.length === 0) return;
    this.#isResponding = way === this.#responses;
    try {
      way.pass(chunk);
    } catch (error) {
      // What is not understood is not passed on.
      this.#context.log.info({}, `ended a tunnel: ${error instanceof Error ? error.message : 'bad frame'}`);
      this.#finish();
      this.#backend.destroy();
      this.#client.destroy();
      return;
    }
    this.#isResponding = false;
    if (this.#ending !== undefined) this.#end(this.#ending);
  }

  #setRunning(value: boolean): void {
    if (value !== this.#running) this.#context.countRunning(value ? 1 : -1);
    this.#running = value;
  }

  /** Returns whether the request is to be read completely. */
  #beginRequest(head: string): boolean {
    // `response.interrupt` (since 0.166) steers a running turn.
    if (this.#ended || !/^\{\s*"type"\s*:\s*"response\.create"/.test(head)) return false;
    this.#isPrewarm = false;
    this.#setRunning(true);
    return this.#account.signIns.hasSeveral;
  }

  #endResponse(type: string, text: string): void {
    if (this.#ended) return;
    this.#setRunning(false);
    this.#endIdle();
    if (!this.#account.signIns.hasSeveral) return;
    const isFailure = type === 'error' || type === 'response.failed';
    // A prewarm that succeeds says nothing about the account.
    if (!isFailure && this.#isPrewarm) return;
    // The next request goes to another account, so it needs another connection.
    if (reportEvent(this.#account, type, text)) this.#end({ code: 1000 });
  }

  /**
   * The client connects again, and then learns to use HTTP. What a copy shows after the message was passed on completely comes
   * too late: the backend serves or refuses it, and must not get it a second time.
   */
  #refuseLength(): void {
    if (this.#requests.passedMessages > this.#requests.copy.messages) return;
    useHttp(this.#context, this.#identity);
    this.#end({ code: messageTooBig });
  }

  /** Ends the tunnel if the proxy stops and no turn runs, also none whose request has not been read yet. */
  #endIdle(): void {
    if (!this.#context.stopping.aborted) return;
    this.#requests.copy.whenRead(() => {
      const isIdle = !this.#running && this.#requests.scanner.betweenMessages;
      if (isIdle) this.#end({ code: stoppingCode });
    });
  }

  #watchClose({ opcode, payload }: ControlFrame): false {
    if (opcode !== 'close') return false;
    this.#closed = true;
    if (payload.length >= 2 && payload.readUInt16BE() === messageTooBig) {
      useHttp(this.#context, this.#identity);
    }
    return false;
  }

  /** Whether a frame responds to a ping of the proxy, which the backend does not know of. */
  #isOwnPong({ opcode, payload }: ControlFrame): boolean {
    if (!this.#awaitsPong || opcode !== 'pong' || !payload.equals(pingPayload)) return false;
    this.#awaitsPong = false;
    return true;
  }

  /** Ends the tunnel with a close message to the client, as soon as the backend's frame is complete. */
  #end(ending: Ending): void {
    if (this.#ended) return;
    const { scanner } = this.#responses;
    this.#ending = ending;
    if (this.#isResponding || !scanner.betweenFrames) return;
    const { code, reason = '', event } = ending;
    const payload = Buffer.from(`00${reason}`);
    payload.writeUInt16BE(code);
    const frames = [{ opcode: 'close', payload } as const];
    const isEventAllowed = event !== undefined && scanner.betweenMessages;
    if (!this.#closed) {
      this.#client.write(
        encodeFrames(isEventAllowed ? [{ opcode: 'text', payload: Buffer.from(event) }, ...frames] : frames),
      );
    }
    this.#endClient();
  }

  /** Nothing is passed on any more. */
  #finish(): void {
    this.#ended = true;
    this.#setRunning(false);
    this.#requests.copy.close();
    this.#responses.copy.close();
  }

  /** The backend has ended its connection, or must not receive any more. */
  #endClient(): void {
    if (this.#ended) return;
    this.#finish();
    this.#backend.destroy();
    const client = this.#client;
    // Unread bytes would reset the connection, and the client would lose what was sent last.
    client.resume().once('end', () => client.destroy());
    const end = () => client.destroy();
    const { idle } = this.#context.limits;
    let late = new Timeout(idle, end);
    client.once('finish', () => {
      late.end();
      late = new Timeout(Math.min(lingering, idle), end);
    });
    client.once('close', () => late.end());
    client.end();
  }

  /** The client has ended its connection. */
  #endBackend(): void {
    if (this.#ended) return;
    this.#finish();
    this.#client.destroy();
    this.#backend.destroySoon();
    // It may not read the rest.
    const late = new Timeout(lingering, () => this.#backend.destroy());
    this.#backend.once('close', () => late.end());
  }

  /** Ends the tunnel of a client that is gone or idle; see watchClient for websockets that are not tunnelled. */
  #watchClient(client: Socket): void {
    const { ping, idle, sessionIdle } = this.#context.limits;
    let { bytesRead } = client;
    let messages = this.#messages;
    let unheard = 0;
    let unused = 0;
    const end = everyTick(ping, (elapsed) => {
      // A client that the proxy does not read from at present cannot be heard.
      unheard = client.bytesRead > bytesRead || client.isPaused() ? 0 : unheard + elapsed;
      const isUsed =
        this.#running ||
        this.#messages > messages ||
        !this.#requests.scanner.betweenMessages ||
        !this.#responses.scanner.betweenMessages;
      unused = isUsed ? 0 : unused + elapsed;
      ({ bytesRead } = client);
      messages = this.#messages;
      if (unheard > (client.writableLength > 0 ? idle : 2 * ping)) client.destroy();
      else if (unused > sessionIdle) this.#end({ code: 1001, reason: 'idle' });
      else if (this.#responses.scanner.betweenFrames && !this.#closed && !this.#ended) {
        this.#awaitsPong = true;
        client.write(encodeFrames([{ opcode: 'ping', payload: pingPayload }]));
      }
    });
    client.on('close', end);
  }

  get #messages(): number {
    return this.#requests.scanner.messages + this.#responses.scanner.messages;
  }
}

type OneWayOptions = {
  readonly from: 'client' | 'backend';
  readonly deflate: boolean;
  readonly source: Duplex;
  readonly target: Duplex;
  readonly copy: MessageCopy;
  /** Returns whether the frame is taken out. */
  readonly onControl: (frame: ControlFrame) => boolean;
  readonly skips?: (chunk: Buffer, start: number, length: number) => boolean;
};

/** One direction of a tunnel. */
class OneWay {
  readonly source: Duplex;
  readonly target: Duplex;
  readonly copy: MessageCopy;
  readonly scanner: FrameScanner;
  /** The start of a frame that is not understood yet. */
  #held: Buffer | undefined;
  #passedMessages = 0;
  /** Where frames of the current chunk are taken out. */
  #cuts: readonly { readonly start: number; readonly end: number }[] = [];

  constructor({ from, deflate, source, target, copy, onControl, skips }: OneWayOptions) {
    this.source = source;
    this.target = target;
    this.copy = copy;
    this.scanner = new FrameScanner({
      from,
      deflate,
      onPart: (part: MessagePart) => copy.push(part),
      onControl: (frame) => {
        if (onControl(frame)) this.#cuts = [...this.#cuts, frame];
      },
      ...(skips === undefined ? {} : { skips }),
    });
  }

  /** How many messages were passed on to their end. */
  get passedMessages(): number {
    return this.#passedMessages;
  }

  /** Passes bytes on, once they are understood. Pauses the source if they cannot be sent at once. Throws UndecodableError. */
  pass(chunk: Buffer): void {
    const bytes = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]);
    const understood = this.scanner.scan(bytes);
    // What was read may have ended the tunnel.
    if (this.target.destroyed || this.target.writableEnded) return;
    this.#held = understood === bytes.length ? undefined : Buffer.from(bytes.subarray(understood));
    let from = 0;
    for (const { start, end } of this.#cuts) {
      if (start > from) this.target.write(bytes.subarray(from, start));
      from = end;
    }
    this.#cuts = [];
    if (understood > from)
      this.target.write(understood - from === bytes.length ? bytes : bytes.subarray(from, understood));
    const { messages, betweenMessages } = this.scanner;
    this.#passedMessages = betweenMessages ? messages : messages - 1;
    if (this.copy.behind > farthestBehind) this.copy.whenRead(() => this.resume());
    if (!this.#hasRoom) this.source.pause();
  }

  resume(): void {
    if (this.#hasRoom) this.source.resume();
  }

  get #hasRoom(): boolean {
    return !this.target.writableNeedDrain && this.copy.behind <= farthestBehind;
  }
}
