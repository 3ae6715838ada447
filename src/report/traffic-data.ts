import type { Comparison } from '../diff/comparison.ts';
import { envelopeOf, envelopesOf } from '../diff/envelope.ts';
import type { Finding } from '../diff/finding.ts';
import type { KeptTraffic } from '../diff/kept-traffic.ts';
import { revealedNode } from '../diff/revealed.ts';
import type { Golden } from '../golden/golden.ts';
import { type Alignment, align, likenessOfForm } from '../golden/match/align.ts';
import { contentNode, reasonText } from '../golden/match/content-node.ts';
import { Matcher } from '../golden/match/matcher.ts';
import type { Place } from '../golden/match/mismatch.ts';
import { type Correspondence, correspondence } from '../golden/match/unify.ts';
import { kinds } from '../golden/pattern/kinds.ts';
import { type Exchange, mapExchange, type Step } from '../golden/trace/exchanges.ts';
import { headersOverHttp2, requestInVersionOf } from '../golden/trace/header-versions.ts';
import type { Content, ServerSentEvent } from '../trace/trace-event.ts';
import type {
  FrameData,
  MarkData,
  RowData,
  TrackData,
  TrafficVariant,
  VariableData,
  ViewData,
} from '../ui/model.ts';
import { type JsonNode, stringAt } from '../wire/json.ts';
import type { Side } from '../wire/message.ts';
import type { SharedTexts } from './shared-texts.ts';

/** A frame, and by which numbers places name it. */
type Frame = {
  /** Its index in the track. */
  readonly index: number;
  readonly data: FrameData;
  /** The payload of its side that it belongs to, counted from 0 over all payloads; undefined for heads and ends. */
  readonly payload?: number;
  /** The same over what is content: messages that are not pings or closes, and server-sent events. */
  readonly unit?: number;
  readonly node?: JsonNode;
};

type Track = { readonly name: string; readonly pattern: boolean; readonly exchanges: readonly Frame[][] };

/** A pair of frames of two tracks; undefined where one has none. */
type FramePair = readonly [left: Frame | undefined, right: Frame | undefined];

/** The traffic of a scenario as a page shows it. */
export function trafficVariant(
  traffic: KeptTraffic,
  findings: readonly Finding[],
  texts: SharedTexts,
): TrafficVariant {
  const { golden, front, back, mode, compared, texts: known } = traffic;
  const readable = (exchange: Exchange) => mapExchange(exchange, (value) => revealedNode(value, known));
  const sent = track(
    front === undefined ? 'client ↔ backend' : 'subject ↔ backend',
    false,
    back.map(readable),
    texts,
  );
  const received =
    front === undefined ? undefined : track('client ↔ subject', false, front.map(readable), texts);
  const surface = compared === 'everything' || compared === 'envelope' ? undefined : compared;
  const pairing = front === undefined ? 'in order' : 'by likeness';
  const matched =
    compared === 'everything'
      ? correspondence(golden, back, pairing)
      : correspondence(envelopeOf(golden, surface), envelopesOf(back, surface), pairing);
  const variables = [...golden.variables.values()].map(({ name, kind }): VariableData => {
    const value = matched.values.get(name);
    return { name, description: kinds[kind].description, ...(value === undefined ? {} : { value }) };
  });
  const own = findings.map((finding) => ({
    ...finding,
    places: finding.places.filter((place) => place.mode === undefined || place.mode === mode),
  }));
  const expected = track('golden', true, overVersionsOf(back, golden, matched), texts);
  const rows = parityRows(expected, sent, matched);
  const parity = { id: 'parity', label: 'golden and upstream', left: 0 } as const;
  const shared = { label: mode ?? '', variables };
  if (received === undefined) {
    return {
      ...shared,
      tracks: [expected, sent].map(trackData),
      views: [view({ ...parity, right: 1 }, rows, own)],
      timeline: { parties: ['client', 'backend'], tracks: [1] },
    };
  }
  return {
    ...shared,
    tracks: [expected, received, sent].map(trackData),
    views: [
      view({ ...parity, right: 2 }, rows, own),
      view(
        { id: 'neutrality', label: 'both sides of the subject', left: 1, right: 2 },
        neutralityRows(received, sent),
        own,
      ),
    ],
    timeline: { parties: ['client', 'subject', 'backend'], tracks: [1, 2] },
  };
}

/**
 * The exchanges of a golden, each as the official client plays it over the version of HTTP of its counterpart: which version is
 * used is up to the server.
 */
export function overVersionsOf(
  actual: readonly Exchange[],
  golden: Golden,
  { exchanges }: Correspondence,
): readonly Exchange[] {
  const counterparts = new Map(exchanges.pairs);
  return golden.exchanges.map((exchange, index) => {
    const counterpart = actual[counterparts.get(index) ?? -1];
    if (counterpart === undefined) return exchange;
    return { ...exchange, request: requestInVersionOf(exchange.request, counterpart.request) };
  });
}

/** The frames of exchanges. `hasHead` says whether the head of an exchange is one of them. */
export function track(
  name: string,
  pattern: boolean,
  exchanges: readonly Exchange[],
  texts: SharedTexts,
  hasHead: (exchange: number) => boolean = () => true,
): Track {
  let count = 0;
  const framed = exchanges.map((exchange, at) =>
    framesOf(exchange, at, texts)
      .filter(({ data }) => data.kind !== 'request' || hasHead(at))
      .map((frame): Frame => ({ ...frame, index: count++ })),
  );
  return { name, pattern, exchanges: framed };
}

export function trackData({ name, pattern, exchanges }: Track): TrackData {
  return {
    name,
    pattern,
    exchanges: exchanges.map(([first], index) => {
      const line = first?.data.kind === 'request' ? first.data.line : 'on a connection that was open';
      return `exchange ${index + 1}: ${line}`;
    }),
    frames: exchanges.flat().map(({ data }) => data),
  };
}

function framesOf(
  { request, steps, end }: Exchange,
  exchange: number,
  texts: SharedTexts,
): Omit<Frame, 'index'>[] {
  const line = `${request.method} ${textOf(request.target)}${request.version === undefined ? '' : ` HTTP/${request.version}`}`;
  const head = (headers: readonly (readonly [string, JsonNode])[]) =>
    headers.map(([name, value]) => [name, texts.json(value)] as const);
  const timed = (at: number | undefined) => (at === undefined ? {} : { at: Math.round(at * 10) / 10 });
  const frames: Omit<Frame, 'index'>[] = [
    {
      data: {
        ...{ exchange, from: 'client', kind: 'request', title: line, line, notes: [] },
        ...timed(request.at),
        headers: head(request.version === '2' ? headersOverHttp2(request) : request.headers),
      },
    },
  ];
  const payloads: Record<Side, number> = { client: 0, backend: 0 };
  const units: Record<Side, number> = { client: 0, backend: 0 };
  for (const step of steps) {
    if (step.type === 'response') {
      const status = `HTTP/${step.version ?? '1.1'} ${step.status}`;
      frames.push({
        data: {
          ...{
            exchange,
            from: 'backend',
            kind: 'response',
            title: `${step.status}`,
            line: status,
            notes: [],
          },
          ...timed(step.at),
          headers: head(step.headers),
        },
      });
      continue;
    }
    const { from, content } = step;
    const payload = payloads[from]++;
    const base = { exchange, from, ...timed(step.at) } as const;
    if (content.kind === 'events') {
      for (const event of content.events)
        frames.push({
          data: { ...base, kind: 'event', ...eventData(event, texts) },
          ...{ payload, unit: units[from]++, node: event.data },
        });
      continue;
    }
    const isContent = step.type === 'body' || step.opcode === 'text' || step.opcode === 'binary';
    frames.push({
      data: {
        ...base,
        kind: step.type,
        title: titleOf(step, content),
        notes: notesOf(step, content),
        ...contentData(content, texts),
      },
      ...{ payload, node: contentNode(content) },
      ...(isContent ? { unit: units[from]++ } : {}),
    });
  }
  if (end !== undefined) {
    const title = `the ${end} ends the connection`;
    frames.push({ data: { exchange, from: end, kind: 'end', title, notes: [] } });
  }
  return frames;
}

function eventData({ event, data, spaced, unfinished }: ServerSentEvent, texts: SharedTexts) {
  return {
    title: event === '' ? (stringAt(data, 'type') ?? 'event') : event,
    ...(event === '' ? {} : { line: `event: ${event}` }),
    notes: [
      ...(spaced ? ['with white space'] : []),
      ...(unfinished ? ['without the empty line that ends it'] : []),
    ],
    ...(data.kind === 'string' ? { text: texts.text(data.value) } : { json: texts.json(data) }),
  };
}

function titleOf(step: Exclude<Step, { type: 'response' }>, content: Content): string {
  const type = content.kind === 'json' ? stringAt(content.json, 'type') : undefined;
  if (type !== undefined) return type;
  if (step.type === 'body') return 'body';
  return content.kind === 'close' ? `close ${content.code ?? 'without a code'}` : step.opcode;
}

function notesOf(step: Exclude<Step, { type: 'response' }>, content: Content): string[] {
  const spaced = content.kind === 'json' && content.spaced ? ['with white space'] : [];
  if (step.type === 'body') return [...spaced, ...(step.complete ? [] : ['breaks off'])];
  return [
    ...(step.opcode === 'text' || content.kind === 'close' ? [] : [step.opcode]),
    ...(step.compressed ? ['compressed'] : []),
    ...(step.fragments === undefined || step.fragments === 1 ? [] : [`${step.fragments} frames`]),
    ...spaced,
  ];
}

function contentData(content: Exclude<Content, { kind: 'events' }>, texts: SharedTexts): Partial<FrameData> {
  switch (content.kind) {
    case 'json':
      return { json: texts.json(content.json) };
    case 'text':
      return { text: texts.text(textOf(content.text)) };
    case 'bytes':
      return { text: [`${content.bytes} bytes, sha256 ${content.sha256}`] };
    case 'close':
      return content.reason === undefined ? {} : { text: texts.text(reasonText(content.reason)) };
  }
}

function textOf(node: JsonNode): string {
  return node.kind === 'string' ? node.value : '';
}

/** A pair of exchanges, and the pairs of their frames. */
type PairedExchange = {
  readonly left: number;
  readonly right: number;
  readonly frames: readonly FramePair[];
};

/** As `unify` compares them. */
export function parityRows(golden: Track, actual: Track, matched: Correspondence): PairedExchange[] {
  const { pairs, missing, added } = matched.exchanges;
  const all: (readonly [number, number])[] = [
    ...pairs,
    ...missing.map((a) => [a, -1] as const),
    ...added.map((b) => [-1, b] as const),
  ];
  const order = ([a, b]: readonly [number, number]) => (a === -1 ? b + 0.5 : a);
  return all
    .sort((one, next) => order(one) - order(next))
    .map(([a, b]) => {
      const [left, right] = [golden.exchanges[a] ?? [], actual.exchanges[b] ?? []];
      const payloads = matched.payloads.get(a);
      const counterparts: Record<Side, ReadonlyMap<number, number>> = {
        client: new Map(payloads?.client.pairs),
        backend: new Map(payloads?.backend),
      };
      const isCounterpart = (one: Frame, other: Frame) =>
        one.payload !== undefined &&
        counterparts[one.data.from].get(one.payload) === other.payload &&
        other.payload !== undefined;
      return { left: a, right: b, frames: pairFrames(left, right, isCounterpart) };
    });
}

/** Exchanges by position, and content by likeness, as neutrality is compared. */
export function neutralityRows(front: Track, back: Track): PairedExchange[] {
  const matcher = new Matcher(undefined, { mismatch: () => {}, occurrence: () => {} });
  const length = Math.max(front.exchanges.length, back.exchanges.length);
  return Array.from({ length }, (_, index) => {
    const [left, right] = [front.exchanges[index] ?? [], back.exchanges[index] ?? []];
    const counterparts: Record<Side, ReadonlyMap<number, number>> = {
      client: new Map(alignUnits(matcher, left, right, 'client').pairs),
      backend: new Map(alignUnits(matcher, left, right, 'backend').pairs),
    };
    const isCounterpart = (one: Frame, other: Frame) =>
      one.unit === undefined || other.unit === undefined
        ? one.unit === other.unit && one.data.title === other.data.title
        : counterparts[one.data.from].get(one.unit) === other.unit;
    return {
      left: index < front.exchanges.length ? index : -1,
      right: index < back.exchanges.length ? index : -1,
      frames: pairFrames(left, right, isCounterpart),
    };
  });
}

function alignUnits(
  matcher: Matcher,
  left: readonly Frame[],
  right: readonly Frame[],
  side: Side,
): Alignment {
  const nodes = (frames: readonly Frame[]) =>
    frames.flatMap(({ data, unit, node }) =>
      data.from === side && unit !== undefined && node !== undefined ? [node] : [],
    );
  const [a, b] = [nodes(left), nodes(right)];
  return align(a.length, b.length, (at, to) => {
    const [before, after] = [a[at], b[to]];
    if (before === undefined || after === undefined) return 0;
    return Math.max(matcher.likeness(before, after), likenessOfForm(before, after));
  });
}

/**
 * Pairs frames in the order of the left side. What only the right side has comes before the frame that follows it there.
 * Heads and ends of exchanges correspond, and so does what the caller says; of server-sent events in one payload, those
 * with one title.
 */
function pairFrames(
  left: readonly Frame[],
  right: readonly Frame[],
  isCounterpart: (left: Frame, right: Frame) => boolean,
): FramePair[] {
  const taken = new Set<Frame>();
  const partners = new Map<Frame, Frame>();
  // Counterparts are in order on each side, so each search begins where the last one of its side ended.
  const from: Record<string, number> = {};
  for (const one of left) {
    const { kind, from: side, title } = one.data;
    const queue = `${kind} ${side}`;
    for (let at = from[queue] ?? 0; at < right.length; at += 1) {
      const other = right[at];
      if (other === undefined || other.data.kind !== kind || other.data.from !== side) continue;
      const fits =
        one.payload === undefined
          ? true
          : isCounterpart(one, other) && (kind !== 'event' || other.data.title === title);
      if (!fits) continue;
      partners.set(one, other);
      taken.add(other);
      from[queue] = at + 1;
      break;
    }
  }
  const pairs: FramePair[] = [];
  const rest = right.entries();
  let next = rest.next();
  const flushUntil = (end: Frame | undefined) => {
    while (!next.done && next.value[1] !== end) {
      if (!taken.has(next.value[1])) pairs.push([undefined, next.value[1]]);
      next = rest.next();
    }
  };
  const position = new Map(right.map((frame, index) => [frame, index]));
  for (const one of left) {
    const partner = partners.get(one);
    if (partner !== undefined && !next.done && (position.get(partner) ?? 0) >= next.value[0])
      flushUntil(partner);
    pairs.push([one, partner]);
  }
  flushUntil(undefined);
  return pairs;
}

type RowIndex = { readonly left: Map<string, number>; readonly right: Map<string, number> };

export function view(
  about: Omit<ViewData, 'rows' | 'marks'>,
  exchanges: readonly PairedExchange[],
  findings: readonly Finding[],
): ViewData {
  const rows: RowData[] = [];
  const index: RowIndex = { left: new Map(), right: new Map() };
  const add = (row: RowData, side: 'left' | 'right', keys: readonly string[]) => {
    for (const key of keys) if (!index[side].has(key)) index[side].set(key, rows.length);
    return row;
  };
  for (const { left, right, frames } of exchanges) {
    const head: RowData = ['exchange', left, right];
    add(head, 'left', [`${left} exchange`]);
    rows.push(add(head, 'right', [`${right} exchange`]));
    for (const [one, other] of frames) {
      const row: RowData = ['frame', one?.index ?? -1, other?.index ?? -1];
      add(row, 'left', one === undefined ? [] : keysOf(one, about.id));
      rows.push(add(row, 'right', other === undefined ? [] : keysOf(other, about.id)));
    }
  }
  return { ...about, rows, marks: findings.flatMap((finding, at) => marksOf(finding, at, about.id, index)) };
}

/** The keys by which a place finds a frame. */
function keysOf({ data: { exchange, from, kind, title }, payload, unit }: Frame, view: string): string[] {
  const number = view === 'parity' ? payload : unit;
  switch (kind) {
    case 'request':
      return [`${exchange} handshake`];
    case 'response':
      return [`${exchange} response`];
    case 'end':
      return [`${exchange} connection`, `${exchange} ending`];
    case 'body':
      return [`${exchange} ${from} body`];
    default:
      if (number !== undefined) return [`${exchange} ${from} ${number + 1}`];
      return title.startsWith('close') ? [`${exchange} ending`] : [];
  }
}

/** The rows that show a finding. */
function marksOf(finding: Finding, index: number, view: string, rows: RowIndex): MarkData[] {
  const { kind, places, comparison, also = [] } = finding;
  const own = [comparison, ...also].find((name) => viewOf(name) === view);
  if (own === undefined) return [];
  // What is missing is counted on the side of what is expected; so is all that parity reports, except for what is added.
  const [expected, actual] =
    own === 'response neutrality' ? [rows.right, rows.left] : [rows.left, rows.right];
  return places.flatMap((place): MarkData[] => {
    const { path } = place;
    const isWhole = path.length === 0;
    const isExpected = own === 'parity' ? !(kind === 'added' && isWhole) : kind === 'missing' && isWhole;
    const [first, second] = isExpected ? [expected, actual] : [actual, expected];
    const keys = [keyOf(place), `${place.exchange - 1} exchange`];
    const row = keys.map((key) => first.get(key) ?? second.get(key)).find((at) => at !== undefined);
    return row === undefined
      ? []
      : [{ row, finding: index, path, ...('order' in finding ? { order: true } : {}) }];
  });
}

function viewOf(comparison: Comparison): string {
  return comparison === 'parity' ? 'parity' : 'neutrality';
}

function keyOf(place: Place): string {
  const exchange = place.exchange - 1;
  switch (place.part) {
    case 'message':
      return `${exchange} ${place.side} ${place.number}`;
    case 'body':
      return `${exchange} ${place.side} body`;
    default:
      return `${exchange} ${place.part}`;
  }
}
