import { setTimeout as delay } from 'node:timers/promises';
import { ParityError } from '../../errors.ts';
import type { Golden } from '../../golden/golden.ts';
import { Matcher } from '../../golden/match/matcher.ts';
import type { Place } from '../../golden/match/mismatch.ts';
import { Filler } from '../../golden/pattern/fill.ts';
import type { Exchange } from '../../golden/trace/exchanges.ts';
import { givenByBackend } from '../../golden/trace/variable-uses.ts';
import type { Content, HeaderField, MessageEvent } from '../../trace/trace-event.ts';
import { type HeaderList, headerValue } from '../../wire/headers.ts';
import { jsonString, printJson } from '../../wire/json.ts';
import { compressZstd } from '../../wire/zstd.ts';
import { RawConnection, type ReceivedEvent } from './raw-connection.ts';
import {
  describe,
  type ExpectedEvent,
  isEnd,
  jsonOf,
  matches,
  replayTurns,
  requestBody,
} from './replay-turns.ts';

/** How a replay went: to its end, or to the point where the subject did not play along. */
export type ReplayOutcome =
  | { readonly finished: true }
  | { readonly finished: false; readonly reason: string };

/**
 * Milliseconds that a replay gives a subject to pass on what gets no answer, before it goes on: the end of a
 * connection, or a message that the backend never answered. The official client gives a prewarm fifteen seconds
 * (measured: codex 0.169.0); the recording knows the outcome already.
 */
const unanswered = 250;

/**
 * Plays the client's side of a golden against a subject (the base URL of its responses API), with fresh identifiers,
 * clocks and a made-up sign-in; the sealed texts travel as their seals. Exchanges are played one after the other, each
 * on a connection of its own, as the official client does even with requests of one turn (measured: codex 0.169.0,
 * three requests over HTTP). A connection stays open until the golden says that it ended, or to the end of the replay.
 */
export async function replay(golden: Golden, subject: URL, signal: AbortSignal): Promise<ReplayOutcome> {
  return new Replay(golden, subject, signal).run();
}

class Replay {
  readonly #golden: Golden;
  readonly #subject: URL;
  readonly #signal: AbortSignal;
  readonly #filler: Filler;
  /** Takes from what the subject says the values that the client goes on with (response ids). */
  readonly #reader: Matcher;
  readonly #open = new Set<RawConnection>();

  constructor(golden: Golden, subject: URL, signal: AbortSignal) {
    this.#golden = golden;
    this.#subject = subject;
    this.#signal = signal;
    const filler = new Filler(golden.variables, [['authority', subject.host]]);
    const given = givenByBackend(golden.exchanges);
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
      for (const exchange of this.#golden.exchanges) {
        const reason = await this.#exchange(exchange);
        if (reason !== undefined) return { finished: false, reason };
      }
      return { finished: true };
    } finally {
      this.#signal.removeEventListener('abort', abort);
      this.#dropAll();
    }
  }

  #dropAll(): void {
    for (const connection of this.#open) connection.destroy();
  }

  /** Plays an exchange; returns why it could not be played to its end. */
  async #exchange(exchange: Exchange): Promise<string | undefined> {
    const connection = new RawConnection(this.#subject.hostname, Number(this.#subject.port || 80));
    this.#open.add(connection);
    await this.#ask(connection, exchange);
    for (const [at, { say, hear }] of replayTurns(exchange).entries()) {
      if (say !== undefined) this.#say(connection, say);
      const question = at === 0 ? questionOf(exchange) : `client message ${at}`;
      const reason = await this.#hear(connection, hear, question);
      if (reason !== undefined) return reason;
      if (hear.length === 0) await delay(unanswered);
    }
    if (exchange.end === undefined) return undefined;
    connection.destroy();
    this.#open.delete(connection);
    if (exchange.end === 'client') await delay(unanswered);
    return undefined;
  }

  async #ask(connection: RawConnection, exchange: Exchange): Promise<void> {
    const { method, target, headers } = exchange.request;
    const named = this.#filler.node(target);
    if (named.kind !== 'string')
      throw new ParityError('internal', `${this.#golden.scenario}: a target is no text`);
    const filled = this.#headers(headers);
    const content = requestBody(exchange)?.content;
    const plain = content === undefined ? Buffer.alloc(0) : this.#bytes(content);
    const body = headerValue(filled, 'content-encoding') === 'zstd' ? await compressZstd(plain) : plain;
    connection.request({
      method,
      target: below(this.#subject, named.value),
      headers: withLength(filled, body.length),
      body,
    });
  }

  #say(connection: RawConnection, { opcode, content }: MessageEvent): void {
    connection.send(opcode, this.#bytes(content));
  }

  #headers(headers: readonly HeaderField[]): HeaderList {
    return headers.map(([name, value]) => {
      const filled = this.#filler.node(value);
      return [name, filled.kind === 'string' ? filled.value : printJson(filled)];
    });
  }

  #bytes(content: Content): Buffer {
    switch (content.kind) {
      case 'json':
        return Buffer.from(printJson(this.#filler.node(content.json)));
      case 'text': {
        const filled = this.#filler.node(content.text);
        return Buffer.from(filled.kind === 'string' ? filled.value : printJson(filled));
      }
      case 'close': {
        const code = Buffer.alloc(content.code === null ? 0 : 2);
        if (content.code !== null) code.writeUInt16BE(content.code);
        return code;
      }
      default:
        throw new ParityError(
          'internal',
          `${this.#golden.scenario}: what the client said was not kept, and cannot be replayed`,
        );
    }
  }

  /**
   * Waits for the last of what the backend said, taking values from what comes on the way. What a subject leaves out
   * or adds before it is for the comparison to tell. Returns why it will not come.
   */
  async #hear(
    connection: RawConnection,
    wanted: readonly ExpectedEvent[],
    question: string,
  ): Promise<string | undefined> {
    for (let at = 0; at < wanted.length; ) {
      const heard = await connection.next();
      const found = wanted.findIndex((one, index) => index >= at && matches(heard, one));
      const one = wanted[found];
      if (one === undefined && isEnd(heard)) {
        const left = wanted.slice(at);
        return this.#signal.aborted ? notCome(left, question) : endedEarly(heard, left, question);
      }
      if (one === undefined) continue;
      if (one.kind === 'response' && heard.type === 'response' && heard.head.status !== one.status)
        return `the subject answered ${question} with ${heard.head.status} and not with ${one.status}`;
      this.#read(one, heard);
      // The close message is as good as the end that it announces.
      at = one.kind === 'end' ? wanted.length : found + 1;
    }
    return undefined;
  }

  #read(wanted: ExpectedEvent, heard: ReceivedEvent): void {
    const place: Place = { exchange: 1, side: 'backend', part: 'response', path: [] };
    const document = jsonOf(heard);
    if (wanted.kind === 'json' && document !== undefined) this.#reader.node(wanted.json, document, place);
    if (wanted.kind !== 'response' || heard.type !== 'response') return;
    const headers = heard.head.headers.map(([name, value]): HeaderField => [name, jsonString(value)]);
    this.#reader.fields(wanted.headers, headers, place);
  }
}

function notCome(wanted: readonly ExpectedEvent[], question: string): string {
  const [next = { kind: 'end' }] = wanted;
  return next.kind === 'response'
    ? `${question} was not answered`
    : `after ${question}, ${describe(next)} did not come`;
}

function endedEarly(heard: ReceivedEvent, wanted: readonly ExpectedEvent[], question: string): string {
  const [first, last] = [wanted[0], wanted.at(-1)];
  if (heard.type === 'end' && heard.undecodable !== undefined)
    return `the subject answered ${question} with what is neither HTTP nor websocket: ${heard.undecodable}`;
  if (first?.kind === 'response') return `the subject ended the connection instead of answering ${question}`;
  return `the connection ended while ${last === undefined ? 'an answer' : describe(last)} was awaited`;
}

function questionOf({ request }: Exchange): string {
  return request.method === 'GET' ? 'the upgrade' : `the ${request.method}`;
}

/** The length is that of the body which really goes out. */
function withLength(headers: HeaderList, length: number): HeaderList {
  return headers.map(([name, value]) => [
    name,
    name.toLowerCase() === 'content-length' ? String(length) : value,
  ]);
}

/** The target of the golden under a subject's own path: the official `/backend-api/codex` becomes the subject's. */
function below(subject: URL, target: string): string {
  return subject.pathname.replace(/\/$/, '') + target.slice(target.lastIndexOf('/responses'));
}
