import { randomUUID } from 'node:crypto';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { requestInVersionOf } from '../../src/golden/trace/header-versions.ts';
import type { BodyFrames, HeaderField } from '../../src/trace/trace-event.ts';
import {
  type JsonMember,
  type JsonNode,
  jsonMember,
  jsonString,
  printJson,
  sameJson,
  toNode,
} from '../../src/wire/json.ts';
import { type Payload, payloadsOf, type Site, sites, withPayloads } from './sites.ts';

/** A single-point mutation of an exchange. A finding must name one of its places, or something below one. */
export type Mutant = { readonly places: readonly MutatedPlace[]; readonly mutate: () => Exchange };
export type MutatedPlace = { readonly part: string; readonly names: readonly string[] };

/** The mutants of an operator, and whether it must reach every one of them. */
export type Operator = {
  readonly name: string;
  /** What it attacks. */
  readonly area: Area;
  readonly mutants: readonly Mutant[];
};
export type Area =
  | 'headers and keys'
  | 'spelling'
  | 'content'
  | 'identity'
  | 'metadata'
  | 'tier'
  | 'previous_response_id'
  | 'frames'
  | 'HTTP/2'
  | 'sockets'
  | 'responses';

/** What one side sent in an exchange. */
export type Sent = {
  readonly official: Exchange;
  readonly places: readonly Site[];
  readonly leaves: readonly Site[];
  /** Strings that hold JSON. */
  readonly opened: ReadonlySet<Site>;
  /** Whether the client sends another value there in another run. */
  readonly varies: (site: Site) => boolean;
  /** Identifiers that other exchanges of the session have too. */
  readonly elsewhere: ReadonlySet<string>;
  /** Identifiers that may equal others: the golden declares that nothing depends on them. */
  readonly free: ReadonlySet<string>;
};

/** The other exchanges of the session, and the identifiers that may equal others by its golden. */
export type Surroundings = { readonly session?: readonly Exchange[]; readonly free?: ReadonlySet<string> };

/** Objects that the official client itself sends in any order. */
const unorderedObjects = new Set(['client_metadata']);

/**
 * Every mutant of the requests of an exchange. `other` is the same exchange in another run: it shows what varies.
 */
export function requestOperators(
  official: Exchange,
  other: Exchange,
  { session = [], free = new Set() }: Surroundings = {},
): readonly Operator[] {
  const sent = { ...sentIn(official, other, session), free };
  const operator = (area: Area, name: string, mutants: readonly Mutant[]): Operator => ({
    area,
    name,
    mutants,
  });
  const named = (name: string) => sent.leaves.filter((site) => lastName(site) === name);
  return [
    operator(
      'headers and keys',
      'drop a header or key',
      memberMutants(sent, (all, at) => all.toSpliced(at, 1)),
    ),
    operator(
      'headers and keys',
      'add a header or key',
      memberMutants(sent, (all, at) => all.toSpliced(at, 0, ['x-added', jsonString('1')]), 'x-added'),
    ),
    operator(
      'headers and keys',
      'duplicate a header or key',
      memberMutants(sent, (all, at) => all.toSpliced(at, 0, ...all.slice(at, at + 1))),
    ),
    operator(
      'headers and keys',
      'rename a header or key',
      memberMutants(
        sent,
        renamed((name) => `${name}x`),
      ),
    ),
    operator(
      'headers and keys',
      'exchange dash and underscore in a name',
      memberMutants(sent, renamed(exchanged)),
    ),
    operator('headers and keys', 'change the case of a name', memberMutants(sent, renamed(otherCase))),
    operator('headers and keys', 'swap two neighbouring headers or keys', swaps(sent)),
    operator('headers and keys', 'add a conversation_id header', conversationIds(sent)),
    operator('headers and keys', 'change the request line', requestLines(sent)),
    ...http2Mutants(sent).map(([name, mutants]) => operator('HTTP/2', name, mutants)),
    operator('spelling', 'escape a key', memberMutants(sent, escapedKey)),
    operator('spelling', 'spell a number differently', valueMutants(sent, respelledNumber)),
    operator('spelling', 'escape a string', stringMutants(sent)),
    operator('spelling', 'add white space to JSON', whiteSpace(sent)),
    operator(
      'content',
      'change a constant',
      valueMutants(sent, (site) => constant(sent, site)),
    ),
    operator(
      'content',
      'change the form of a varying value',
      valueMutants(sent, (site) => varying(sent, site)),
    ),
    operator('content', 'change the type of a value', retypedMutants(sent)),
    operator(
      'content',
      'insert an item',
      itemMutants(sent, (items, at) => items.toSpliced(at, 0, foreignItem)),
    ),
    operator(
      'content',
      'drop an item',
      itemMutants(sent, (items, at) => items.toSpliced(at, 1)),
    ),
    operator(
      'content',
      'repeat an item',
      itemMutants(sent, (items, at) => items.toSpliced(at, 0, ...items.slice(at, at + 1))),
    ),
    operator(
      'content',
      'swap two items',
      itemMutants(sent, (items, at) => swapped(items, at)),
    ),
    operator('identity', 'change one place of an identity', identityMutants(sent)),
    operator('identity', 'swap two identifiers', identifierSwaps(sent)),
    operator('identity', 'use an identifier twice', repetitions(sent)),
    operator('identity', 'change an identity from the last message on', lateChanges(sent)),
    operator('metadata', 'freeze the clock of a request', frozenClock(sent)),
    operator('metadata', 'keep a value of the previous message', keptValues(sent)),
    operator('metadata', 'send the metadata of another message', copiedMetadata(sent)),
    operator('tier', 'change the tier', tiers(named('service_tier'))),
    operator('previous_response_id', 'change previous_response_id', chains(named('previous_response_id'))),
    operator(
      'frames',
      'drop a message',
      messageMutants(sent, () => []),
    ),
    operator(
      'frames',
      'send a message twice',
      messageMutants(sent, (one) => [one, one]),
    ),
    operator(
      'frames',
      'send a message in two frames',
      messageMutants(sent, (one) => [{ ...one, fragments: 2 }]),
    ),
    operator(
      'frames',
      'change the compression of a message',
      messageMutants(sent, (one) => [{ ...one, compressed: !one.compressed }]),
    ),
    operator(
      'frames',
      'send a message as binary',
      messageMutants(sent, (one) => [{ ...one, opcode: 'binary' }]),
    ),
    operator(
      'frames',
      'send a ping',
      messageMutants(sent, (one) => [{ ...one, ...ping }, one]),
    ),
    operator(
      'frames',
      'send a close message',
      messageMutants(sent, (one) => [one, { ...one, ...close }]),
    ),
    operator('frames', 'break off a body', bodyMutants(sent)),
  ];
}

const foreignItem = toNode({ type: 'message', role: 'user', content: [] });
const ping = { opcode: 'ping', content: { kind: 'bytes', bytes: 0, sha256: '' } } as const;
const close = { opcode: 'close', content: { kind: 'close', code: 1000 } } as const;

/** What the client sent in an exchange. `other` is the same exchange in another run, `session` the others of this one. */
function sentIn(official: Exchange, other: Exchange, session: readonly Exchange[]): Omit<Sent, 'free'> {
  const places = sites(official);
  const otherTexts = new Map(sites(other).map((site) => [address(site), printJson(site.node)]));
  const isLeaf = ({ node }: Site) => node.kind !== 'array' && node.kind !== 'object';
  const opened = new Set(
    places.filter((site, at) => isLeaf(site) && address(site) === address(places[at + 1])),
  );
  const elsewhere = session.flatMap((exchange) => [...sites(exchange), ...sites(exchange, 'backend')]);
  return {
    official,
    places,
    leaves: places.filter((site) => isLeaf(site) && !opened.has(site)),
    opened,
    varies: (site) => otherTexts.get(address(site)) !== printJson(site.node),
    elsewhere: new Set(elsewhere.flatMap((site) => identifierIn(site) ?? [])),
  };
}

function lastName({ names }: Site): string {
  return names.at(-1) ?? '';
}

function where({ document, names }: Site): MutatedPlace {
  return { part: document.part, names };
}

function address(site: Site | undefined): string {
  return site === undefined ? '' : [site.document.part, ...site.names].join(' / ');
}

export function mutant(site: Site, node: JsonNode): Mutant {
  return { places: [where(site)], mutate: () => site.replace(node) };
}

/** The official exchange with the new values that `change` returns for its leaves. */
function changedAt(sent: Sent, change: (site: Site) => JsonNode | undefined): Exchange {
  return sent.leaves.reduce((exchange, site) => {
    const node = change(site);
    if (node === undefined) return exchange;
    const now = sites(exchange).find((one) => address(one) === address(site));
    return now?.replace(node) ?? exchange;
  }, sent.official);
}

export function valueMutants(sent: Sent, change: (site: Site) => JsonNode | undefined): Mutant[] {
  return sent.leaves.flatMap((site) => {
    const node = change(site);
    return node === undefined ? [] : [mutant(site, node)];
  });
}

/** One mutant for each member of each object. Its place is the old name, the new name, or `added`. */
export function memberMutants(
  sent: Sent,
  change: (members: readonly JsonMember[], at: number, inJson: boolean) => readonly JsonMember[] | undefined,
  added?: string,
): Mutant[] {
  return sent.places.flatMap(({ node, document, names, replace, inJson }) => {
    if (node.kind !== 'object') return [];
    return node.members.flatMap(([key], at) => {
      const members = change(node.members, at, inJson);
      if (members === undefined) return [];
      const now = members[at]?.[0] ?? key;
      const keys = added === undefined ? [key, now] : [added];
      const mutated = keys.map((name) => ({ part: document.part, names: [...names, name] }));
      return [{ places: mutated, mutate: () => replace({ kind: 'object', members }) }];
    });
  });
}

export function renamed(change: (name: string) => string) {
  return (members: readonly JsonMember[], at: number): readonly JsonMember[] | undefined => {
    const [name, value] = members[at] ?? ['', jsonString('')];
    const other = change(name);
    return other === name ? undefined : members.with(at, [other, value]);
  };
}

export function otherCase(name: string): string {
  return name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase();
}

function constant(sent: Sent, site: Site): JsonNode | undefined {
  return sent.varies(site) ? undefined : changed(site.node);
}

function varying(sent: Sent, site: Site): JsonNode | undefined {
  return sent.varies(site) ? misshapen(site.node) : undefined;
}

export function respelledNumber({ node }: Site): JsonNode | undefined {
  if (node.kind !== 'number') return undefined;
  return { kind: 'number', text: `${node.text}${node.text.includes('.') ? '' : '.'}0` };
}

function retypedMutants(sent: Sent): Mutant[] {
  return sent.places
    .filter(({ inJson, names }) => inJson && names.length > 0)
    .map((site) => mutant(site, retyped(site.node)));
}

function exchanged(name: string): string {
  return name.replaceAll(/[-_]/g, (letter) => (letter === '-' ? '_' : '-'));
}

export function escapedKey(
  members: readonly JsonMember[],
  at: number,
  inJson: boolean,
): readonly JsonMember[] | undefined {
  const [name, value, spelling] = members[at] ?? ['', jsonString('')];
  if (!inJson || escaped(name) === spelling) return undefined;
  return members.with(at, jsonMember(name, value, escaped(name)));
}

/** Either of two neighbours may be the one that moved. */
function swaps(sent: Sent): Mutant[] {
  return sent.places.flatMap((site) => {
    const { node, document, names, replace } = site;
    if (node.kind !== 'object' || unorderedObjects.has(lastName(site))) return [];
    return node.members.slice(1).map(([key], at) => ({
      places: [key, node.members[at]?.[0] ?? ''].map((name) => ({
        part: document.part,
        names: [...names, name],
      })),
      mutate: () => replace({ kind: 'object', members: swapped(node.members, at) }),
    }));
  });
}

export function swapped<T>(list: readonly T[], at: number): T[] {
  return [...list.slice(0, at), ...list.slice(at, at + 2).reverse(), ...list.slice(at + 2)];
}

export function changed(node: JsonNode): JsonNode {
  if (node.kind === 'string') return jsonString(`${node.value}x`);
  if (node.kind === 'number') return { kind: 'number', text: String(Number(node.text) + 1) };
  return { kind: 'literal', value: node.kind === 'literal' && node.value !== true };
}

function misshapen(node: JsonNode): JsonNode {
  return node.kind === 'string' ? jsonString(`x${node.value}`) : { kind: 'number', text: '1' };
}

export function retyped(node: JsonNode): JsonNode {
  switch (node.kind) {
    case 'string':
      return { kind: 'literal', value: null };
    case 'number':
      return jsonString(node.text);
    case 'literal':
      return jsonString(String(node.value));
    case 'array':
      return { kind: 'object', members: [] };
    case 'object':
      return { kind: 'array', items: [] };
  }
}

export function stringMutants(sent: Sent): Mutant[] {
  const strings = sent.places.filter(
    ({ node, inJson }) => inJson && node.kind === 'string' && node.value !== '',
  );
  return strings.flatMap((site) => {
    if (site.node.kind !== 'string') return [];
    const { value, spelling } = site.node;
    return escaped(value) === spelling ? [] : [mutant(site, jsonString(value, escaped(value)))];
  });
}

/** Spells a text with its first character as an escape. A seal may already be spelled so. */
function escaped(text: string): string {
  const code = text.charCodeAt(0).toString(16).padStart(4, '0');
  return `"\\u${code}${JSON.stringify(text.slice(1)).slice(1)}`;
}

function whiteSpace(sent: Sent): Mutant[] {
  const inStrings = [...sent.opened].map((site) =>
    mutant(site, jsonString(site.node.kind === 'string' ? site.node.value.replace(/^./, '$& ') : '')),
  );
  const whole = messageMutants(sent, (step) =>
    step.content.kind === 'json' ? [{ ...step, content: { ...step.content, spaced: true } }] : [step],
  );
  return [...inStrings, ...whole];
}

/** One mutant for each item of each list, unless the change is none. Its place is in the list. */
export function itemMutants(
  sent: Sent,
  change: (items: readonly JsonNode[], at: number) => readonly JsonNode[],
): Mutant[] {
  return sent.places.flatMap((site) => {
    const { node } = site;
    if (node.kind !== 'array') return [];
    return node.items
      .map((_, at): JsonNode => ({ kind: 'array', items: change(node.items, at) }))
      .filter((list) => printJson(list) !== printJson(node))
      .map((list) => mutant(site, list));
  });
}

type Id = { readonly value: string; readonly sites: readonly Site[] };

function identifierIn({ node }: Site): string | undefined {
  if (node.kind !== 'string' || node.value.startsWith('<<sealed ')) return undefined;
  return /[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}|<<secret [^<>]*>>/.exec(node.value)?.[0];
}

/** The identifiers that are new in each run, with all their places. */
function identifiers(sent: Sent): Id[] {
  const found = new Map<string, Site[]>();
  for (const site of sent.leaves) {
    const value = identifierIn(site);
    if (value !== undefined) found.set(value, [...(found.get(value) ?? []), site]);
  }
  return [...found].map(([value, sites]) => ({ value, sites }));
}

/** It has one place, and the backend did not give it: another identifier of its kind is equivalent. */
function isFresh(sent: Sent, { value, sites: [site, ...others] }: Id): boolean {
  if (others.length > 0 || site === undefined || sent.elsewhere.has(value)) return false;
  return lastName(site) !== 'previous_response_id';
}

function withId({ node }: Site, before: string, after: string): JsonNode {
  return node.kind === 'string' ? jsonString(node.value.replace(before, after)) : node;
}

function identityMutants(sent: Sent): Mutant[] {
  return identifiers(sent)
    .filter((id) => !isFresh(sent, id))
    .flatMap(({ value, sites }) => sites.map((site) => mutant(site, withId(site, value, another(value)))));
}

/** A UUID of version 7 with the same time and other random digits. */
function otherUuid7(value: string): string {
  return `${value.slice(0, 24)}${value.slice(24) === 'f'.repeat(12) ? 'e'.repeat(12) : 'f'.repeat(12)}`;
}

/** Another identifier of the same form. */
function another(value: string): string {
  if (form(value) === 'hex') return 'f'.repeat(value.length);
  return form(value) === 'uuid' ? otherUuid7(value) : value.replace(/ \d+/, ' 9');
}

function form(value: string): string {
  if (value.startsWith('<<')) return value.replace(/<<secret \w+ \d+/, 'secret');
  return value.includes('-') ? 'uuid' : 'hex';
}

/** Two places, each of an identifier of its own, exchange their values. */
function identifierSwaps(sent: Sent): Mutant[] {
  return pairs(identifiers(sent)).flatMap(([one, another]) => {
    if (isFresh(sent, one) && isFresh(sent, another) && form(one.value) === form(another.value)) return [];
    return one.sites.flatMap((here) =>
      another.sites.map((there) => ({
        places: [where(here), where(there)],
        mutate: () =>
          changedAt(sent, (site) => {
            if (site === here) return withId(site, one.value, another.value);
            return site === there ? withId(site, another.value, one.value) : undefined;
          }),
      })),
    );
  });
}

/** All places of an identifier get the value of another one, so that nothing disagrees. */
function repetitions(sent: Sent): Mutant[] {
  const alike = pairs(identifiers(sent)).filter(
    ([one, another]) =>
      form(one.value) === form(another.value) && !sent.free.has(one.value) && !sent.free.has(another.value),
  );
  return alike.map(([one, another]) => ({
    places: [...one.sites, ...another.sites].map(where),
    mutate: () =>
      changedAt(sent, (site) =>
        another.sites.includes(site) ? withId(site, another.value, one.value) : undefined,
      ),
  }));
}

function pairs<T>(list: readonly T[]): (readonly [T, T])[] {
  return list.flatMap((one, at) => list.slice(at + 1).map((other) => [one, other] as const));
}

/** The second request says the time of the first, or the first that of the second. */
function frozenClock(sent: Sent): Mutant[] {
  const clocks = sent.leaves.filter((site) => lastName(site) === 'x-codex-ws-stream-request-start-ms');
  return pairs(clocks).flatMap(([one, another]) => [
    { places: [where(one), where(another)], mutate: () => another.replace(one.node) },
    { places: [where(one), where(another)], mutate: () => one.replace(another.node) },
  ]);
}

/**
 * What is new in a message stays what it was at the same place of the message before, wherever it stands from then on.
 */
function keptValues(sent: Sent): Mutant[] {
  const parts = [...new Set(sent.leaves.map(({ document }) => document.part))];
  return parts.slice(2).flatMap((part, at) => {
    const earlier = sent.leaves.filter(({ document }) => parts.indexOf(document.part) <= at + 1);
    const before = earlier.filter(({ document }) => document.part === parts[at + 1]);
    const fresh = new Map<string, Site>();
    for (const site of sent.leaves.filter(({ document }) => document.part === part)) {
      const value = drawn(site);
      const old = before.find(({ names }) => names.join(' / ') === site.names.join(' / '));
      if (value === undefined || old === undefined || fresh.has(value)) continue;
      if (!earlier.some((one) => drawn(one) === value)) fresh.set(value, old);
    }
    return [...fresh].flatMap(([value, old]) => {
      const stale = drawn(old);
      const sites = sent.leaves.filter((site) => drawn(site) === value);
      return stale === undefined ? [] : [replacedAt(sent, sites, value, stale)];
    });
  });
}

/** An identity of several messages is another one in the last of them; which of the two is right may not be told. */
function lateChanges(sent: Sent): Mutant[] {
  const parts = [...new Set(sent.leaves.map(({ document }) => document.part))];
  return identifiers(sent).flatMap(({ value, sites }) => {
    const last = sites.filter(({ document }) => document.part === parts.at(-1));
    const before = new Set(sites.map(({ document }) => document.part)).size - 1;
    if (last.length === 0 || before < 1) return [];
    return [{ ...replacedAt(sent, last, value, another(value)), places: sites.map(where) }];
  });
}

function replacedAt(sent: Sent, sites: readonly Site[], before: string, after: string): Mutant {
  return {
    places: sites.map(where),
    mutate: () =>
      changedAt(sent, (site) => (sites.includes(site) ? withValue(site, before, after) : undefined)),
  };
}

function withValue(site: Site, before: string, after: string): JsonNode {
  return site.node.kind === 'number' ? { kind: 'number', text: after } : withId(site, before, after);
}

/** The identifier or the reading of a clock at a place. */
function drawn({ node }: Site): string | undefined {
  const text = node.kind === 'string' ? node.value : node.kind === 'number' ? node.text : '';
  if (text.startsWith('<<sealed ')) return undefined;
  return /[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}|^1\d{9}(?:\d{3}|\.\d+)$/.exec(text)?.[0];
}

function tiers(sites: readonly Site[]): Mutant[] {
  return sites.flatMap((site) => [
    ...['default', 'fast', 'auto', 'priority', 'flex', 'Priority', '']
      .map((tier) => jsonString(tier))
      .filter((tier) => !sameJson(tier, site.node))
      .map((tier) => mutant(site, tier)),
    mutant(site, { kind: 'literal', value: null }),
  ]);
}

function chains(sites: readonly Site[]): Mutant[] {
  return sites.flatMap((site) => [
    mutant(site, { kind: 'literal', value: null }),
    ...['', 'resp_', `resp_${'0'.repeat(32)}`].map((id) => mutant(site, jsonString(id))),
  ]);
}

/** The turn metadata of one message in the place of that of another, unless they differ in free identifiers only. */
function copiedMetadata(sent: Sent): Mutant[] {
  const withoutFree = ({ node }: Site) =>
    [...sent.free].reduce((text, id) => text.replaceAll(id, ''), printJson(node));
  const metadata = [...sent.opened].filter((site) => lastName(site) === 'x-codex-turn-metadata');
  return pairs(metadata).flatMap(([one, another]) =>
    withoutFree(one) === withoutFree(another) ? [] : [mutant(another, one.node), mutant(one, another.node)],
  );
}

function conversationIds(sent: Sent): Mutant[] {
  const { headers } = sent.official.request;
  return ['conversation_id', 'Conversation_id'].flatMap((name) =>
    [0, headers.length].map((at) => ({
      places: [{ part: 'handshake', names: [name] }],
      mutate: () => ({
        ...sent.official,
        request: {
          ...sent.official.request,
          headers: headers.toSpliced(at, 0, [name, jsonString(randomUUID())]),
        },
      }),
    })),
  );
}

type Message = Extract<Payload, { type: 'message' }>;

/** One mutant for each message of the client. An added one may be counted before or after the official one. */
function messageMutants(sent: Sent, change: (message: Message) => readonly Payload[]): Mutant[] {
  return payloadsOf(sent.official, 'client').flatMap((payload, index) => {
    if (payload.type !== 'message') return [];
    return [
      {
        places: [index + 1, index + 2].map((number) => ({ part: `client message ${number}`, names: [] })),
        mutate: () =>
          withPayloads(sent.official, 'client', (step, number) =>
            number === index + 1 && step.type === 'message' ? change(step) : [step],
          ),
      },
    ];
  });
}

function bodyMutants(sent: Sent): Mutant[] {
  if (!payloadsOf(sent.official, 'client').some(({ type }) => type === 'body')) return [];
  return [
    {
      places: [{ part: 'client body', names: [] }],
      mutate: () =>
        withPayloads(sent.official, 'client', (step) => [
          step.type === 'body' ? { ...step, complete: false } : step,
        ]),
    },
  ];
}

/** What a client chooses over HTTP/2, changed; nothing for requests over HTTP/1.1. */
function http2Mutants({ official }: Sent): [name: string, Mutant[]][] {
  const { connection, request } = official;
  const { http2 } = request;
  if (http2 === undefined) return [];
  const { settings, pseudo, window } = http2;
  const at = (name: string) => [{ part: 'handshake', names: [name] }];
  const with2 = (name: string, changes: readonly Partial<typeof http2>[]): Mutant[] =>
    changes.map((change) => ({
      places: at(name),
      mutate: () => ({ ...official, request: { ...request, http2: { ...http2, ...change } } }),
    }));
  const swaps = <T>(list: readonly T[]) => list.slice(1).map((_, index) => swapped(list, index));
  const framed = (change: Partial<BodyFrames<HeaderField>>): Mutant => ({
    places: [{ part: 'client body', names: [] }],
    mutate: () =>
      withPayloads(official, 'client', (step) => [step.type === 'body' ? { ...step, ...change } : step]),
  });
  const frames = payloadsOf(official, 'client').flatMap((step): Partial<BodyFrames<HeaderField>>[] => {
    if (step.type !== 'body') return [];
    return [{ endsEmpty: true }, ...(step.largestFrame === undefined ? [] : [{ largestFrame: 1024 }])];
  });
  const hasBody = payloadsOf(official, 'client').length > 0;
  const { tls } = connection;
  return [
    [
      'change, drop or swap settings',
      with2('HTTP/2 settings', [
        ...settings.map(([name, value], index) => ({ settings: settings.with(index, [name, value + 1]) })),
        ...settings.map((_, index) => ({ settings: settings.toSpliced(index, 1) })),
        ...swaps(settings).map((moved) => ({ settings: moved })),
      ]),
    ],
    ['change the window', with2('HTTP/2 window', [{ window: 0 }, { window: window + 1 }])],
    [
      'swap pseudo-headers',
      with2(
        'HTTP/2 pseudo-headers',
        swaps(pseudo).map((moved) => ({ pseudo: moved })),
      ),
    ],
    [
      'ask for a priority',
      with2('HTTP/2 priority', [{ priority: { exclusive: true, dependsOn: 0, weight: 256 } }]),
    ],
    ['name another authority', with2(':authority', [{ authority: jsonString('example.com') }])],
    ['split a body differently', frames.map(framed)],
    ['add trailers', hasBody ? [framed({ trailers: [['checksum', jsonString('1')]] })] : []],
    [
      'offer HTTP/1.1 alone',
      !tls
        ? []
        : [
            {
              places: at('ALPN offered'),
              mutate: () => {
                const { version, ...overHttp1 } = request;
                return {
                  ...official,
                  connection: { ...connection, tls: { ...tls, offered: ['http/1.1'], chosen: 'http/1.1' } },
                  request: requestInVersionOf(request, overHttp1),
                };
              },
            },
          ],
    ],
  ];
}

function requestLines(sent: Sent): Mutant[] {
  const { request } = sent.official;
  return [
    {
      places: [{ part: 'handshake', names: ['method'] }],
      mutate: () => ({
        ...sent.official,
        request: { ...request, method: request.method === 'GET' ? 'POST' : 'GET' },
      }),
    },
    {
      places: [{ part: 'handshake', names: ['target'] }],
      mutate: () => ({ ...sent.official, request: { ...request, target: jsonString('/v0/responses') } }),
    },
  ];
}
