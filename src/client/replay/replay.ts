import { setTimeout as delay } from 'node:timers/promises';
import { ParityError } from '../../errors.ts';
import type { Golden } from '../../golden/golden.ts';
import { Matcher } from '../../golden/match/matcher.ts';
import type { Place } from '../../golden/match/mismatch.ts';
import { Filler } from '../../golden/pattern/fill.ts';
import type { Exchange, Step } from '../../golden/trace/exchanges.ts';
import { headersOverHttp1 } from '../../golden/trace/header-versions.ts';
import { modelsOf } from '../../golden/trace/models.ts';
import { variablesFromBackend } from '../../golden/trace/variable-uses.ts';
import type { Content, HeaderField, RequestEvent } from '../../trace/trace-event.ts';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { type JsonNode, jsonString, printJson } from '../../wire/json.ts';
import { compressZstd } from '../../wire/zstd.ts';
import { type ClientSettings, clientModel, officialSettings, withClientHeaders } from '../client-settings.ts';
import { RawConnection } from './raw-connection.ts';
import { RawHttp2Connection } from './raw-http2-connection.ts';
import type { ReceivedEvent } from './received-events.ts';
import {
  describe,
  type ExpectedEvent,
  isEnd,
  isErrorEvent,
  jsonOf,
  matches,
  replayTurns,
  requestBody,
} from './replay-turns.ts';

/** Whether a replay reached its end, or why the subject prevented it. */
export type ReplayOutcome =
  | { readonly finished: true }
  | { readonly finished: false; readonly reason: string };

/**
 * Milliseconds for a subject to forward what gets no response: the end of a connection, or a message without a response
 * in the recording. The official client waits fifteen seconds for a prewarm (measured: codex 0.169.0), but a replay
 * knows that there is no response.
 */
const forwardingTime = 250;

/**
 * Plays the client's side of a golden against a subject (the base URL of its Responses API), with new ids and clocks and
 * a made-up sign-in. Sealed texts are sent as their seals.
 *
 * Exchanges are played one after the other, each on its own connection, as the official client does even within a turn
 * (measured: codex 0.169.0, three requests over HTTP). A connection stays open until the golden ends it, or to the end
 * of the replay.
 */
export async function replay(
  golden: Golden,
  subject: URL,
  signal: AbortSignal,
  {
    settings = officialSettings,
    authority = subject.host,
    speed,
    linger,
    forwarded = delay,
    http2,
  }: ReplayOptions = {},
): Promise<ReplayOutcome> {
  return new Replay(golden, { subject, signal, settings, authority, speed, linger, forwarded, http2 }).run();
}

export type ReplayOptions = {
  readonly settings?: ClientSettings;
  /** How many times as fast as in the recording the client is between two events; absent does not wait. */
  readonly speed?: number | undefined;
  /** What the replay waits for at its end before it ends its connections. */
  readonly linger?: (() => Promise<void>) | undefined;
  /** Waits until the subject has forwarded the end of a connection, so many milliseconds at most; absent waits that long. */
  readonly forwarded?: (most: number) => Promise<unknown>;
  /** The host that requests name; absent is that of the subject's URL. */
  readonly authority?: string;
  /** The scheme of the server if it speaks HTTP/2: what was recorded over it is sent over it. Absent sends all over HTTP/1.1. */
  readonly http2?: 'http' | 'https' | undefined;
};

type ReplayTarget = Required<ReplayOptions> & { readonly subject: URL; readonly signal: AbortSignal };

/** Milliseconds between each event of a recording and the one before it, as far as it has times. */
function pausesIn({ exchanges }: Golden): ReadonlyMap<RequestEvent | Step, number> {
  const timed = exchanges
    .flatMap(({ request, steps }) => [request, ...steps])
    .flatMap((event) => (event.at === undefined ? [] : [{ event, at: event.at }]))
    .sort((a, b) => a.at - b.at);
  return new Map(timed.map(({ event, at }, index) => [event, at - (timed[index - 1]?.at ?? at)]));
}

class Replay {
  readonly #golden: Golden;
  readonly #subject: URL;
  readonly #signal: AbortSignal;
  readonly #settings: ClientSettings;
  /** A text with the names that the client uses for models. */
  readonly #rename: (text: string) => string;
  readonly #filler: Filler;
  /** Reads the values that the client needs again, such as response ids, from what the subject sends. */
  readonly #reader: Matcher;
  readonly #open = new Set<RawConnection | RawHttp2Connection>();
  readonly #pauses: ReadonlyMap<RequestEvent | Step, number>;
  readonly #speed: number;
  readonly #linger: (() => Promise<void>) | undefined;
  readonly #forwarded: ReplayTarget['forwarded'];
  readonly #http2: ReplayTarget['http2'];

  constructor(
    golden: Golden,
    { subject, signal, settings, authority, speed, linger, forwarded, http2 }: ReplayTarget,
  ) {
    this.#http2 = http2;
    this.#forwarded = forwarded;
    this.#pauses = speed === undefined ? new Map() : pausesIn(golden);
    this.#speed = speed ?? 1;
    this.#linger = linger;
    this.#golden = golden;
    this.#subject = subject;
    this.#signal = signal;
    this.#settings = settings;
    this.#rename = modelRenaming(golden, settings);
    const filler = new Filler(golden.variables, [['authority', authority]]);
    const given = variablesFromBackend(golden.exchanges);
    this.#filler = filler;
    this.#reader = new Matcher(golden.variables, {
      mismatch: () => {},
      occurrence: (variable, value) => {
        if (given.has(variable)) filler.set(variable, value);
      },
    });
  }

  async run(): Promise<ReplayOutcome> {
    const abort = () => this.#dropAll();
    this.#signal.addEventListener('abort', abort, { once: true });
    try {
      const outcome = await this.#play();
      await this.#linger?.();
      return outcome;
    } finally {
      this.#signal.removeEventListener('abort', abort);
      this.#dropAll();
    }
  }

  async #play(): Promise<ReplayOutcome> {
    for (const exchange of this.#golden.exchanges) {
      const reason = await this.#exchange(exchange);
      if (reason !== undefined) return { finished: false, reason };
    }
    return { finished: true };
  }

  #dropAll(): void {
    for (const connection of this.#open) connection.destroy();
  }

  /** Plays an exchange. Returns why it did not reach its end; undefined when it did. */
  async #exchange(exchange: Exchange): Promise<string | undefined> {
    await this.#pauseBefore(exchange.request);
    // Nothing would end a connection that is opened now.
    if (this.#signal.aborted) return `no time was left for ${requestName(exchange)}`;
    const connection = await this.#request(exchange);
    for (const [index, { message, expected }] of replayTurns(exchange).entries()) {
      if (message !== undefined) {
        await this.#pauseBefore(message);
        if (connection instanceof RawHttp2Connection) throw new ParityError('internal', noUpgrade);
        connection.send(message.opcode, this.#bytes(message.content));
      }
      const sent = index === 0 ? requestName(exchange) : `client message ${index}`;
      const reason = await this.#receive(connection, expected, sent);
      if (reason !== undefined) return reason;
      if (expected.length === 0) await delay(forwardingTime);
    }
    if (exchange.end === undefined) return undefined;
    connection.destroy();
    this.#open.delete(connection);
    if (exchange.end === 'client') await this.#forwarded(forwardingTime);
    return undefined;
  }

  async #pauseBefore(event: RequestEvent | Step): Promise<void> {
    const pause = (this.#pauses.get(event) ?? 0) / this.#speed;
    if (pause > 0) await delay(pause, undefined, { signal: this.#signal }).catch(() => {});
  }

  /** Sends a request on a connection of its own. */
  async #request(exchange: Exchange): Promise<RawConnection | RawHttp2Connection> {
    const { method, target, http2, headers } = exchange.request;
    const address = [this.#subject.hostname, Number(this.#subject.port || 80)] as const;
    const scheme = http2 === undefined ? undefined : this.#http2;
    const filled = this.#headers(scheme === undefined ? headersOverHttp1(exchange.request) : headers);
    const sent = requestBody(exchange);
    const plain = sent === undefined ? Buffer.alloc(0) : this.#bytes(sent.content);
    const body = headerValue(filled, 'content-encoding') === 'zstd' ? await compressZstd(plain) : plain;
    const request = {
      method,
      target: below(this.#subject, this.#text(target)),
      headers: withLength(filled, body.length),
      body,
    };
    if (http2 === undefined || scheme === undefined) {
      const connection = new RawConnection(...address);
      this.#open.add(connection);
      connection.request(request);
      return connection;
    }
    const connection = new RawHttp2Connection(...address);
    this.#open.add(connection);
    const { authority, ...choices } = http2;
    connection.request({
      ...request,
      scheme,
      http2: { ...choices, ...(authority === undefined ? {} : { authority: this.#text(authority) }) },
      ...(sent === undefined ? {} : { largestFrame: sent.largestFrame, endsEmpty: sent.endsEmpty }),
      ...(sent?.trailers === undefined
        ? {}
        : { trailers: sent.trailers.map(([name, value]) => [name, this.#text(value)] as const) }),
    });
    return connection;
  }

  #headers(headers: readonly HeaderField[]): HeaderList {
    const filled = headers.map(([name, value]) => [name, this.#rename(this.#text(value))] as const);
    return withClientHeaders(filled, this.#settings);
  }

  #text(pattern: JsonNode): string {
    const filled = this.#filler.node(pattern);
    return filled.kind === 'string' ? filled.value : printJson(filled);
  }

  #bytes(content: Content): Buffer {
    switch (content.kind) {
      case 'json':
        return Buffer.from(this.#rename(printJson(this.#filler.node(content.json))));
      case 'text':
        return Buffer.from(this.#text(content.text));
      case 'close': {
        const code = Buffer.alloc(content.code === null ? 0 : 2);
        if (content.code !== null) code.writeUInt16BE(content.code);
        return Buffer.concat([
          code,
          Buffer.from(content.reason === undefined ? '' : this.#text(content.reason)),
        ]);
      }
      default:
        throw new ParityError(
          'internal',
          `${this.#golden.scenario}: a client message without its content cannot be replayed`,
        );
    }
  }

  /**
   * Waits for the last expected event, and reads values from those before it. Missing and additional events are left to
   * the comparison. Returns why the last event will not come; undefined when it came. `sent` names the request.
   */
  async #receive(
    connection: Pick<RawConnection, 'next'>,
    expected: readonly ExpectedEvent[],
    sent: string,
  ): Promise<string | undefined> {
    for (let next = 0; next < expected.length; ) {
      const received = await connection.next();
      // The end is the client's own, and not what the golden has there.
      if (this.#signal.aborted && isEnd(received)) return timedOut(expected.slice(next), sent);
      const found = expected.findIndex((event, index) => index >= next && matches(received, event));
      const event = expected[found];
      if (event === undefined && isEnd(received)) {
        const missing = expected.slice(next);
        return endedEarly(received, missing, sent);
      }
      if (event === undefined) {
        // Nothing follows an error, so waiting for the rest would take up the time limit.
        if (isErrorEvent(jsonOf(received))) return `the subject responded to ${sent} with an error`;
        continue;
      }
      if (event.kind === 'response' && received.type === 'response' && received.head.status !== event.status)
        return `the subject responded to ${sent} with ${received.head.status} instead of ${event.status}`;
      this.#read(event, received);
      // A close message counts as the end of the connection.
      next = event.kind === 'end' ? expected.length : found + 1;
    }
    return undefined;
  }

  #read(expected: ExpectedEvent, received: ReceivedEvent): void {
    const place: Place = { exchange: 1, side: 'backend', part: 'response', path: [] };
    const document = jsonOf(received);
    if (expected.kind === 'json' && document !== undefined) this.#reader.node(expected.json, document, place);
    if (expected.kind !== 'response' || received.type !== 'response') return;
    const headers = received.head.headers.map(([name, value]): HeaderField => [name, jsonString(value)]);
    this.#reader.fields(expected.headers, headers, place);
  }
}

const noUpgrade = 'a message of a websocket over HTTP/2';

/** Renames the models of a golden wherever a request names one: in JSON, in JSON inside of a text, and in the routing hint. */
function modelRenaming(golden: Golden, settings: ClientSettings): (text: string) => string {
  const models = modelsOf(golden.exchanges).filter((model) => clientModel(settings, model) !== model);
  if (models.length === 0) return (text) => text;
  const names = [...new Set(models)]
    .map((model) => model.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('|');
  const named = new RegExp(`(?<=["=])(?:${names})(?=[\\\\"&;,]|$)`, 'g');
  return (text) => text.replaceAll(named, (model) => clientModel(settings, model));
}

function timedOut(missing: readonly ExpectedEvent[], sent: string): string {
  const [next = { kind: 'end' }] = missing;
  return next.kind === 'response'
    ? `no response to ${sent}`
    : `after ${sent}, ${describe(next)} did not come`;
}

function endedEarly(received: ReceivedEvent, missing: readonly ExpectedEvent[], sent: string): string {
  const [first, last] = [missing[0], missing.at(-1)];
  if (received.type === 'end' && received.undecodable !== undefined)
    return `the subject's response to ${sent} is neither HTTP nor websocket: ${received.undecodable}`;
  if (first?.kind === 'response') return `the subject ended the connection without a response to ${sent}`;
  return `the connection ended before ${last === undefined ? 'a response' : describe(last)}`;
}

function requestName({ request }: Exchange): string {
  return request.method === 'GET' ? 'the upgrade' : `the ${request.method}`;
}

/** Sets the content length to that of the body that is sent. */
function withLength(headers: HeaderList, length: number): HeaderList {
  return headers.map(([name, value]) => [
    name,
    name.toLowerCase() === 'content-length' ? String(length) : value,
  ]);
}

/** The target of the golden below the base path of a subject, instead of `/backend-api/codex`. */
function below(subject: URL, target: string): string {
  return subject.pathname.replace(/\/$/, '') + target.slice(target.lastIndexOf('/responses'));
}
