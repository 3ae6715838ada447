import type { BodyEvent } from '../../trace/trace-event.ts';
import { member, printJson } from '../../wire/json.ts';
import { type Alignment, align, likenessOfForm } from './align.ts';
import { contentNode } from './content-node.ts';
import type { Matcher } from './matcher.ts';
import { contentValue, type Difference, type Mismatch, type Place } from './mismatch.ts';
import { type BackendPayload, messageType, type Payload, type SplitExchange } from './split-exchange.ts';

/** Two lists of payloads with more pairs than this are aligned window by window. */
export const maximumPairs = 4096;

/** How the payloads of each side correspond, as indices. Only the backend's that have a counterpart are in its pairs. */
export type PayloadAlignment = {
  readonly client: Alignment;
  readonly backend: readonly (readonly [expected: number, actual: number])[];
};

/** Unifies the payloads of both sides after a handshake. */
export class StepUnifier {
  readonly #report: (mismatch: Mismatch) => void;
  /** Matches what the client sent. */
  readonly #matcher: Matcher;
  /** Reads what the backend sent: for its values only. */
  readonly #reader: Matcher;

  readonly #byRole: boolean;

  /** `byRole`: whether prewarms are paired with prewarms and turns with turns, rather than by likeness alone. */
  constructor(
    report: (mismatch: Mismatch) => void,
    matcher: Matcher,
    reader: Matcher,
    { byRole }: { readonly byRole: boolean },
  ) {
    this.#report = report;
    this.#matcher = matcher;
    this.#reader = reader;
    this.#byRole = byRole;
  }

  /** Unifies what both sides sent in an exchange. Returns which payloads were compared. */
  payloads(expected: SplitExchange, actual: SplitExchange, exchange: number): PayloadAlignment {
    // Where the backend does not accept compression, as it did in the recording, no client may compress.
    const isDeclined = acceptsCompression(expected) && !acceptsCompression(actual);
    const received = isDeclined ? actual.client.map(withoutCompression) : actual.client;
    const sent = expected.client;
    const alignment = align(
      sent.length,
      received.length,
      (a, b) => this.#likeness(itemAt(sent, a), itemAt(received, b)),
      maximumPairs,
    );
    const backend = this.#backend(expected.backend, actual.backend, alignment, exchange);
    const areHttp2 = expected.request.version === '2' && actual.request.version === '2';
    this.#client(sent, received, alignment, { exchange, areHttp2 });
    return { client: alignment, backend };
  }

  #client(
    expected: readonly Payload[],
    actual: readonly Payload[],
    { pairs, missing, added }: Alignment,
    { exchange, areHttp2 }: { readonly exchange: number; readonly areHttp2: boolean },
  ): void {
    for (const [a, b] of pairs) {
      const place = placeOf(exchange, itemAt(expected, a), a);
      this.#payload(itemAt(expected, a), itemAt(actual, b), place, areHttp2);
    }
    for (const index of missing) {
      const payload = itemAt(expected, index);
      const places = [placeOf(exchange, payload, index)];
      this.#report({ kind: 'missing', places, expected: contentValue(payload.content) });
    }
    for (const index of added) {
      const payload = itemAt(actual, index);
      const places = [placeOf(exchange, payload, index)];
      this.#report({ kind: 'added', places, actual: contentValue(payload.content) });
    }
  }

  /** Pairs each backend message of the golden with the next one of its type in the response to the same request. */
  #backend(
    expected: readonly BackendPayload[],
    actual: readonly BackendPayload[],
    { pairs }: Alignment,
    exchange: number,
  ): [number, number][] {
    const responses = Map.groupBy(actual, ({ request }) => request);
    const counterparts = new Map([[-1, -1], ...pairs]);
    return [...Map.groupBy(expected, (payload) => payload.request)].flatMap(([request, payloads]) =>
      this.#response(payloads, responses.get(counterparts.get(request) ?? NaN) ?? [], exchange),
    );
  }

  #response(
    expected: readonly BackendPayload[],
    actual: readonly BackendPayload[],
    exchange: number,
  ): [number, number][] {
    const pairs: [number, number][] = [];
    const stacks = Map.groupBy(actual.toReversed(), ({ payload }) => messageType(payload));
    let last = 0;
    for (const { payload, number } of expected) {
      const type = messageType(payload);
      const stack = stacks.get(type) ?? [];
      while ((stack.at(-1)?.number ?? Infinity) <= last) stack.pop();
      const next = stack.pop();
      if (next === undefined) continue;
      last = next.number;
      pairs.push([number - 1, next.number - 1]);
      const place: Place = {
        exchange,
        side: 'backend',
        part: 'message',
        number: next.number,
        ...(type === undefined ? {} : { type }),
        path: [],
      };
      this.#reader.node(contentNode(payload.content), contentNode(next.payload.content), place);
    }
    return pairs;
  }

  #likeness(expected: Payload, actual: Payload): number {
    if (expected.type !== actual.type) return 0;
    const [before, after] = [contentNode(expected.content), contentNode(actual.content)];
    const isSameKind = expected.content.kind === actual.content.kind;
    const likeness = Math.max(
      isSameKind ? likenessOfForm(before, after) : 0,
      this.#matcher.likeness(before, after),
    );
    if (!this.#byRole || !isSameKind || likeness === 1) return likeness;
    return roleOf(expected) === roleOf(actual)
      ? Math.max(likeness, alikeByRole)
      : Math.min(likeness, unlikeByRole);
  }

  #payload(expected: Payload, actual: Payload, place: Place, areHttp2: boolean): void {
    const report = (difference: Difference) => this.#report({ ...difference, places: [place] });
    for (const [aspect, before, after] of framing(expected, actual, areHttp2)) {
      if (before === undefined || after === undefined) continue;
      if (before !== after) report({ kind: 'reframed', aspect, expected: before, actual: after });
    }
    const [before, after] = [expected.content, actual.content];
    if (before.kind !== after.kind) {
      report({ kind: 'retyped', expected: contentValue(before), actual: contentValue(after) });
      return;
    }
    if (before.kind === 'json' && after.kind === 'json' && before.spaced !== after.spaced) {
      const [expected, actual] = [before.spaced, after.spaced];
      report({ kind: 'respelled', spelling: 'white space', expected, actual });
    }
    this.#matcher.node(contentNode(before), contentNode(after), place);
  }
}

function acceptsCompression({ response }: SplitExchange): boolean {
  const extensions = response?.headers.filter(([name]) => /^sec-websocket-extensions$/i.test(name)) ?? [];
  return extensions.some(([, value]) => printJson(value).includes('permessage-deflate'));
}

/** A message of which is not known whether it was compressed. */
function withoutCompression(payload: Payload): Payload {
  if (payload.type !== 'message') return payload;
  const { compressed, ...message } = payload;
  return message;
}

/** The least likeness of two requests of one role, and the most of two roles: a prewarm is paired with a turn only if none else is left. */
const alikeByRole = 0.6;
const unlikeByRole = 0.5;

/** What a payload is for, whatever it holds. */
function roleOf({ content }: Payload): 'prewarm' | 'turn' | 'other' {
  if (content.kind !== 'json' || member(content.json, 'model') === undefined) return 'other';
  return member(content.json, 'generate') === undefined ? 'turn' : 'prewarm';
}

/** The aspects of framing of two payloads, each with its two values; undefined where a value is not known. */
function framing(expected: Payload, actual: Payload, areHttp2: boolean) {
  if (expected.type === 'message' && actual.type === 'message') {
    return (['opcode', 'compressed', 'fragments'] as const).map(
      (aspect) => [aspect, expected[aspect], actual[aspect]] as const,
    );
  }
  if (expected.type === 'body' && actual.type === 'body')
    return [
      ['complete', expected.complete, actual.complete] as const,
      ['largestFrame', expected.largestFrame, actual.largestFrame] as const,
      ...(areHttp2
        ? [
            ['endsEmpty', expected.endsEmpty ?? false, actual.endsEmpty ?? false] as const,
            ['trailers', trailersOf(expected), trailersOf(actual)] as const,
          ]
        : []),
    ];
  return [];
}

/** The headers after a body, in words. */
function trailersOf({ trailers = [] }: BodyEvent): string {
  const texts = trailers.map(
    ([name, value]) => `${name}: ${value.kind === 'string' ? value.value : printJson(value)}`,
  );
  return texts.join(', ') || 'none';
}

function placeOf(exchange: number, { type }: Payload, index: number): Place {
  return type === 'body'
    ? { exchange, side: 'client', part: 'body', path: [] }
    : { exchange, side: 'client', part: 'message', number: index + 1, path: [] };
}

function itemAt<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new RangeError(`index ${index} of ${list.length}`);
  return item;
}
