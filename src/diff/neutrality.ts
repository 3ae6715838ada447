import type { Mismatch, Place } from '../golden/match/mismatch.ts';
import type { Exchange, Step } from '../golden/trace/exchanges.ts';
import type { Content, ResponseEvent } from '../trace/trace-event.ts';
import { filterMembers, type JsonMember, type JsonNode, jsonString, toNode } from '../wire/json.ts';
import type { Side } from '../wire/message.ts';
import { lastKey } from './last-key.ts';
import { structuralDiff } from './structural.ts';

/** Members that a proxy shapes, and that parity judges. All others are the client's own words. */
export const shaped: ReadonlySet<string> = new Set([
  'type',
  'stream',
  'generate',
  'service_tier',
  'prompt_cache_key',
  'client_metadata',
]);

/**
 * Response headers that clients act upon, or show: what is wrong, when to come again, rate limits, the value that a
 * turn is to carry on, which model answered. The others belong to a connection, or to whoever answered.
 */
export const actedUpon =
  /^(?:content-type|retry-after|x-request-id|x-reasoning-included|x-models-etag|(?:x-codex|x-openai|openai)-.*)$/;

/** One thing that was said on an exchange: a message, a server-sent event, or a whole body. */
export type Saying = {
  /** What it is called in a place. */
  readonly part: string;
  readonly node: JsonNode;
  /** The name of a server-sent event. */
  readonly event?: string;
  /** White space between the tokens of JSON. */
  readonly spaced?: boolean;
};

/**
 * Request neutrality: what the client said in front of the subject, against what the subject said behind it. Only
 * content counts: instructions, input, tools and all else that is not shaped by the protocol, whether it went as a
 * message or as a body. `supplied` are keys that this client leaves out and the official client sends, so that a
 * subject has to add them: their values are for parity to judge.
 */
export function requestNeutrality(
  front: readonly Exchange[],
  back: readonly Exchange[],
  supplied: ReadonlySet<string> = new Set(),
): Mismatch[] {
  return byExchange(front, back, (said, passed, exchange) => {
    const own = (saying: Saying): Saying => ({ ...saying, node: ownWords(saying.node) });
    const [wanted, found] = [sayings(said, 'client').map(own), sayings(passed, 'client').map(own)];
    return compareInOrder(wanted, found, exchange).filter(
      ({ kind, places }) => kind !== 'added' || !supplied.has(lastKey(places[0]?.path ?? [])),
    );
  });
}

/**
 * Response neutrality: what the backend said behind the subject, against what reached the client: status and headers,
 * every event, error and body in order, as they were written, and how it ended.
 */
export function responseNeutrality(front: readonly Exchange[], back: readonly Exchange[]): Mismatch[] {
  return byExchange(back, front, (said, passed, exchange) => {
    const [wanted, found] = [sayings(said, 'backend'), sayings(passed, 'backend')];
    return [
      ...heads(said, passed, exchange),
      ...compareInOrder(wanted, found, exchange),
      ...spellings(wanted, found, exchange),
      ...endings(said, passed, exchange),
    ];
  });
}

function byExchange(
  said: readonly Exchange[],
  passed: readonly Exchange[],
  compare: (said: Exchange, passed: Exchange, exchange: number) => Mismatch[],
): Mismatch[] {
  return said.flatMap((one, at) => {
    const other = passed[at];
    const exchange = at + 1;
    if (other !== undefined) return compare(one, other, exchange);
    return [
      {
        kind: 'missing',
        places: [{ exchange, part: 'request', path: [] }],
        expected: one.request.method,
        actual: null,
      },
    ];
  });
}

export function compareInOrder(
  said: readonly Saying[],
  passed: readonly Saying[],
  exchange: number,
): Mismatch[] {
  const place: Place = { exchange, part: 'what was said', path: [] };
  const list = (all: readonly Saying[]): JsonNode => ({ kind: 'array', items: all.map(({ node }) => node) });
  return structuralDiff(list(said), list(passed), place).map((mismatch) => {
    const counted = mismatch.kind === 'missing' ? said : passed;
    const places = mismatch.places.map(({ path: [at, ...path] }) => ({
      exchange,
      // A member that is missing stands in a saying that was passed on; only whole ones are counted on the other side.
      part: (path.length === 0 ? counted : passed)[Number(at)]?.part ?? '',
      path,
    }));
    return { ...mismatch, places };
  });
}

/** What the content does not show: the white space of JSON, the names of server-sent events. */
export function spellings(said: readonly Saying[], passed: readonly Saying[], exchange: number): Mismatch[] {
  if (said.length !== passed.length) return [];
  return said.flatMap((one, at): Mismatch[] => {
    const other = passed[at] ?? one;
    const place: Place = { exchange, part: other.part, path: [] };
    if (one.event !== undefined && other.event !== undefined && one.event !== other.event)
      return structuralDiff(toNode(one.event), toNode(other.event), { ...place, path: ['event'] });
    if (one.spaced === undefined || other.spaced === undefined || one.spaced === other.spaced) return [];
    const text = (spaced: boolean) => (spaced ? 'JSON with white space' : 'JSON without white space');
    return [
      {
        kind: 'respelled',
        places: [{ ...place, path: ['white space'] }],
        expected: text(one.spaced),
        actual: text(other.spaced),
      },
    ];
  });
}

function heads(said: Exchange, passed: Exchange, exchange: number): Mismatch[] {
  const [wanted, found] = [said.steps.find(isResponse), passed.steps.find(isResponse)];
  const place = { exchange, part: 'response', path: [] };
  return structuralDiff(headNode(wanted), headNode(found), place);
}

function headNode(response: ResponseEvent | undefined): JsonNode {
  const headers = (response?.headers ?? []).flatMap(([name, value]): JsonMember[] => {
    const lower = name.toLowerCase();
    if (!actedUpon.test(lower)) return [];
    return [[lower, lower === 'content-type' ? mediaType(value) : value]];
  });
  const sorted = headers.sort(([one], [other]) => (one < other ? -1 : 1));
  return { kind: 'object', members: [['status', toNode(response?.status ?? null)], ...sorted] };
}

function mediaType(value: JsonNode): JsonNode {
  if (value.kind !== 'string') return value;
  return jsonString(value.value.replace(/;.*$/s, '').trim().toLowerCase());
}

export function isResponse(step: Step): step is ResponseEvent {
  return step.type === 'response';
}

/** How the backend ended an exchange, against how it ended for the client. */
function endings(said: Exchange, passed: Exchange, exchange: number): Mismatch[] {
  const [expected, actual] = [ending(said), ending(passed)];
  if (expected === actual) return [];
  const places = [{ exchange, part: 'the end of the answer', path: [] }];
  // What a subject says to a client that has gone is of no account.
  if (expected === null && passed.end !== 'backend') return [];
  const kind = actual === null ? 'missing' : expected === null ? 'added' : 'changed';
  return [{ kind, places, expected, actual }];
}

/** How an exchange was ended by whoever answers it; null where it was not, or where the client ended it first. */
function ending({ steps, end }: Exchange): string | null {
  for (const step of steps) {
    if (step.type === 'message' && step.content.kind === 'close') {
      return step.from === 'backend' ? `close ${step.content.code ?? 'without a code'}` : null;
    }
    if (step.type === 'body' && step.from === 'backend' && !step.complete && end !== 'client')
      return 'an answer that was cut off';
  }
  const upgraded = steps.find(isResponse)?.status === 101;
  return upgraded && end === 'backend' ? 'the end of the connection, without a close' : null;
}

export function sayings({ steps }: Exchange, side: Side): Saying[] {
  const said: Saying[] = [];
  const add = (saying: Omit<Saying, 'part'>) =>
    said.push({ part: `${side} message ${said.length + 1}`, ...saying });
  for (const step of steps) {
    if (step.type === 'response' || step.from !== side) continue;
    // Pings belong to a connection, and each side of a subject has connections of its own; closes are endings.
    if (step.type === 'message' && step.opcode !== 'text' && step.opcode !== 'binary') continue;
    const { content } = step;
    if (content.kind === 'events') for (const { event, data } of content.events) add({ node: data, event });
    else if (step.type === 'body') said.push({ ...saying(content), part: `${side} body` });
    else add(saying(content));
  }
  return said;
}

function saying(content: Exclude<Content, { kind: 'events' }>): Omit<Saying, 'part'> {
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

function ownWords(node: JsonNode): JsonNode {
  return filterMembers(node, (key) => !shaped.has(key));
}
