import type { Mismatch, Place, PlacePart } from '../../golden/match/mismatch.ts';
import type { Exchange } from '../../golden/trace/exchanges.ts';
import type { BlockForm, Content, ServerSentEvent } from '../../trace/trace-event.ts';
import { type JsonNode, jsonString, toNode } from '../../wire/json.ts';
import type { Side } from '../../wire/message.ts';
import { usualLines } from '../../wire/sse.ts';
import { compareValues } from './plain-values.ts';

/** A unit of content of an exchange: a websocket message, a server-sent event, or a whole body. */
export type ContentUnit = {
  readonly at: PlacePart;
  readonly node: JsonNode;
  /** The number of the other side's units before it: of a response, the request that it is for. */
  readonly after: number;
  /** The event name of a server-sent event. */
  readonly event?: string;
  /** Whether JSON has white space between its tokens. */
  readonly spaced?: boolean;
  /** The lines of a server-sent event that carry it, and their ends. Absent for the form of OpenAI's servers. */
  readonly form?: string;
  /** A server-sent event without its empty line, which clients ignore. */
  readonly unfinished?: true;
};

/** The content that one side sent. Pings and closes are not content: each connection of a subject has its own. */
export function contentOf({ steps }: Pick<Exchange, 'steps'>, side: Side): ContentUnit[] {
  const units: ContentUnit[] = [];
  let after = 0;
  const add = (unit: UnitContent) =>
    units.push({ at: { side, part: 'message', number: units.length + 1 }, after, ...unit });
  for (const step of steps) {
    if (step.type === 'response') continue;
    if (step.type === 'message' && step.opcode !== 'text' && step.opcode !== 'binary') continue;
    if (step.from !== side) {
      after += 1;
      continue;
    }
    const { content } = step;
    if (content.kind === 'events') for (const event of content.events) add(eventUnit(event));
    else if (step.type === 'body') units.push({ at: { side, part: 'body' }, after, ...unitOf(content) });
    else add(unitOf(content));
  }
  return units;
}

function eventUnit({ event, data, spaced, form, unfinished }: ServerSentEvent): UnitContent {
  const text = form && formText(form);
  return {
    node: data,
    event,
    spaced: spaced ?? false,
    ...(text === undefined || text === usualForm(event) ? {} : { form: text }),
    ...(unfinished ? { unfinished } : {}),
  };
}

/** Retry times and comments are left out: they change nothing that a client receives. An id of an event does. */
function formText({ lines, ends }: BlockForm): string {
  return `lines ${lines.filter((line) => /^(?:event|data|id)/.test(line)).join(', ')} with ${ends}`;
}

function usualForm(event: string): string {
  return formText({ lines: usualLines(event), ends: 'LF' });
}

type UnitContent = Omit<ContentUnit, 'at' | 'after'>;

function unitOf(content: Exclude<Content, { kind: 'events' }>): UnitContent {
  switch (content.kind) {
    case 'json':
      return { node: content.json, spaced: content.spaced };
    case 'text':
      return { node: content.text };
    case 'bytes':
      return { node: jsonString(`${content.bytes} bytes, sha256 ${content.sha256}`) };
    case 'close':
      return { node: toNode(content.code) };
  }
}

/** Compares the values of two lists of content, and their order. */
export function compareContent(
  expected: readonly ContentUnit[],
  actual: readonly ContentUnit[],
  exchange: number,
): Mismatch[] {
  const list = (units: readonly ContentUnit[]): JsonNode => ({
    kind: 'array',
    items: units.map(({ node }) => node),
  });
  const whole: Place = { exchange, side: 'client', part: 'exchange', path: [] };
  return compareValues(list(expected), list(actual), whole).map((mismatch) => ({
    ...mismatch,
    places: mismatch.places.map(({ path: [index, ...path] }): Place => {
      // A missing unit is counted on the expected side; a missing member is in a unit that arrived.
      const isMissingUnit = mismatch.kind === 'missing' && path.length === 0;
      const unit = (isMissingUnit ? expected : actual)[Number(index)];
      return { ...(unit?.at ?? whole), exchange, path };
    }),
  }));
}

/**
 * Compares what reached the client: the values, their order, and their spelling. An event without its empty line is one
 * that the client ignores: it counts only where an event is expected at its place.
 */
export function compareReceived(
  sent: readonly ContentUnit[],
  received: readonly ContentUnit[],
  exchange: number,
): Mismatch[] {
  const expected = sent.filter(({ unfinished }) => !unfinished);
  const actual = received.filter(({ unfinished }, index) => !unfinished || index < expected.length);
  return [
    ...compareContent(expected, actual, exchange),
    ...(expected.length === actual.length ? compareSpelling(expected, actual, exchange) : []),
    ...actual
      .filter(({ unfinished }) => unfinished)
      .map(({ at }): Mismatch => {
        const places: Place[] = [{ ...at, exchange, path: [] }];
        return { kind: 'reframed', places, aspect: 'finished', expected: true, actual: false };
      }),
  ];
}

/** Compares what the values do not show: the white space of JSON, and the names and lines of server-sent events. */
function compareSpelling(
  expected: readonly ContentUnit[],
  actual: readonly ContentUnit[],
  exchange: number,
): Mismatch[] {
  return expected.flatMap((before, index): Mismatch[] => {
    const after = actual[index] ?? before;
    const place: Place = { ...after.at, exchange, path: [] };
    if (before.event !== undefined && after.event !== undefined && before.event !== after.event)
      return compareValues(jsonString(before.event), jsonString(after.event), { ...place, path: ['event'] });
    const respelled = { kind: 'respelled', places: [place] } as const;
    const found: Mismatch[] = [];
    if (before.spaced !== undefined && after.spaced !== undefined && before.spaced !== after.spaced)
      found.push({ ...respelled, spelling: 'white space', expected: before.spaced, actual: after.spaced });
    if (after.event !== undefined && before.form !== after.form) {
      const usual = usualForm(after.event);
      const [expected, actual] = [before.form ?? usual, after.form ?? usual];
      found.push({ ...respelled, spelling: 'event stream', expected, actual });
    }
    return found;
  });
}
