import type { Mismatch, Place, PlacePart } from '../../golden/match/mismatch.ts';
import type { Exchange } from '../../golden/trace/exchanges.ts';
import type { Content } from '../../trace/trace-event.ts';
import { type JsonNode, jsonString, toNode } from '../../wire/json.ts';
import type { Side } from '../../wire/message.ts';
import { compareValues } from './plain-values.ts';

/** A unit of content of an exchange: a websocket message, a server-sent event, or a whole body. */
export type ContentUnit = {
  readonly at: PlacePart;
  readonly node: JsonNode;
  /** The event name of a server-sent event. */
  readonly event?: string;
  /** Whether JSON has white space between its tokens. */
  readonly spaced?: boolean;
};

/** The content that one side sent. Pings and closes are not content: each connection of a subject has its own. */
export function contentOf({ steps }: Pick<Exchange, 'steps'>, side: Side): ContentUnit[] {
  const units: ContentUnit[] = [];
  const add = (unit: Omit<ContentUnit, 'at'>) =>
    units.push({ at: { side, part: 'message', number: units.length + 1 }, ...unit });
  for (const step of steps) {
    if (step.type === 'response' || step.from !== side) continue;
    if (step.type === 'message' && step.opcode !== 'text' && step.opcode !== 'binary') continue;
    const { content } = step;
    if (content.kind === 'events') for (const { event, data } of content.events) add({ node: data, event });
    else if (step.type === 'body') units.push({ at: { side, part: 'body' }, ...unitOf(content) });
    else add(unitOf(content));
  }
  return units;
}

function unitOf(content: Exclude<Content, { kind: 'events' }>): Omit<ContentUnit, 'at'> {
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

/** Compares what the values do not show: the white space of JSON, and the names of server-sent events. */
export function compareSpelling(
  expected: readonly ContentUnit[],
  actual: readonly ContentUnit[],
  exchange: number,
): Mismatch[] {
  if (expected.length !== actual.length) return [];
  return expected.flatMap((before, index): Mismatch[] => {
    const after = actual[index] ?? before;
    const place: Place = { ...after.at, exchange, path: [] };
    if (before.event !== undefined && after.event !== undefined && before.event !== after.event)
      return compareValues(jsonString(before.event), jsonString(after.event), { ...place, path: ['event'] });
    if (before.spaced === undefined || after.spaced === undefined || before.spaced === after.spaced)
      return [];
    return [
      {
        kind: 'respelled',
        places: [place],
        spelling: 'white space',
        expected: before.spaced,
        actual: after.spaced,
      },
    ];
  });
}
