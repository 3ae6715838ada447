import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import type { MessageEvent } from '../../src/trace/trace-event.ts';
import {
  type JsonMember,
  type JsonNode,
  jsonMember,
  jsonString,
  printJson,
  sameJson,
  toNode,
} from '../../src/wire/json.ts';
import { clientMessages, type Site, sites, withClientMessages } from './mutate.ts';
import { uuid7 } from './sample-run.ts';

/** A single-point mutation of an exchange. A finding must name one of its places, or something below one. */
export type Mutant = { readonly places: readonly MutatedPlace[]; readonly mutate: () => Exchange };
type MutatedPlace = { readonly part: string; readonly names: readonly string[] };

/** What the official client said in an exchange. */
type Said = {
  readonly official: Exchange;
  readonly places: readonly Site[];
  readonly leaves: readonly Site[];
  /** Strings that hold JSON. */
  readonly opened: ReadonlySet<Site>;
  /** Whether the client says something else there in another run. */
  readonly varies: (site: Site) => boolean;
};

/** Objects that the official client itself sends in any order. */
const unorderedObjects = new Set(['client_metadata']);

/** Every mutant of what the client says, by operator. `other` is another run: it tells what varies. */
export function mutantsOf(official: Exchange, other: Exchange): ReadonlyMap<string, readonly Mutant[]> {
  const places = sites(official);
  const otherTexts = new Map(sites(other).map((site) => [address(site), printJson(site.node)]));
  const isLeaf = ({ node }: Site) => node.kind !== 'array' && node.kind !== 'object';
  const opened = new Set(
    places.filter((site, at) => isLeaf(site) && address(site) === address(places[at + 1])),
  );
  const leaves = places.filter((site) => isLeaf(site) && !opened.has(site));
  const varies = (site: Site) => otherTexts.get(address(site)) !== printJson(site.node);
  const said: Said = { official, places, leaves, opened, varies };
  return new Map<string, readonly Mutant[]>([
    ['drop a header or key', memberMutants(said, (members, at) => members.toSpliced(at, 1))],
    [
      'add a header or key',
      memberMutants(said, (members, at) => members.toSpliced(at, 0, ['x-added', jsonString('1')]), 'x-added'),
    ],
    [
      'duplicate a header or key',
      memberMutants(said, (members, at) => members.toSpliced(at, 0, ...members.slice(at, at + 1))),
    ],
    [
      'rename a header or key',
      memberMutants(
        said,
        renamed((name) => `${name}x`),
      ),
    ],
    ['exchange dash and underscore in a name', memberMutants(said, renamed(exchanged))],
    [
      'write a name with other letters',
      memberMutants(
        said,
        renamed((name) => (name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase())),
      ),
    ],
    ['escape a key', memberMutants(said, escapedKey)],
    ['swap two neighbouring headers or keys', swaps(said)],
    ['change a literal', valueMutants(said, (site) => (said.varies(site) ? undefined : changed(site.node)))],
    [
      'give a varying value another form',
      valueMutants(said, (site) => (said.varies(site) ? misshapen(site.node) : undefined)),
    ],
    [
      'retype a value',
      said.places
        .filter(({ inJson, names }) => inJson && names.length > 0)
        .map((site) => mutant(site, retyped(site.node))),
    ],
    [
      'spell a number otherwise',
      valueMutants(said, ({ node }) =>
        node.kind === 'number'
          ? { kind: 'number', text: `${node.text}${node.text.includes('.') ? '' : '.'}0` }
          : undefined,
      ),
    ],
    ['escape a string', stringMutants(said)],
    ['add white space to JSON', whiteSpace(said)],
    [
      'insert an item',
      itemMutants(said, (items, at) =>
        items.toSpliced(at, 0, toNode({ type: 'message', role: 'user', content: [] })),
      ),
    ],
    ['drop an item', itemMutants(said, (items, at) => items.toSpliced(at, 1))],
    ['repeat an item', itemMutants(said, (items, at) => items.toSpliced(at, 0, ...items.slice(at, at + 1)))],
    ['swap two items', itemMutants(said, (items, at) => swapped(items, at))],
    ['change one place of an identity', identityMutants(said)],
    ['swap two identifiers', identifierSwaps(said)],
    ['use an identifier twice', repetitions(said)],
    ['freeze the clock of a request', frozenClock(said)],
    ['keep a value of the message before', keptValues(said)],
    ['change an identity from the last message on', lateChanges(said)],
    ['change the tier', tiers(said)],
    ['add a conversation_id header', conversationIds(said)],
    ['drop a message', messageMutants(said, () => [])],
    ['send a message twice', messageMutants(said, (step) => [step, step])],
    ['send a message in two frames', messageMutants(said, (step) => [{ ...step, fragments: 2 }])],
    ['send a message uncompressed', messageMutants(said, (step) => [{ ...step, compressed: false }])],
    ['send a message as binary', messageMutants(said, (step) => [{ ...step, opcode: 'binary' }])],
    [
      'ping',
      messageMutants(said, (step) => [
        { ...step, opcode: 'ping', content: { kind: 'bytes', bytes: 0, sha256: '' } },
        step,
      ]),
    ],
    [
      'close',
      messageMutants(said, (step) => [
        step,
        { ...step, opcode: 'close', content: { kind: 'close', code: 1000 } },
      ]),
    ],
    ['send another request line', requestLines(said)],
  ]);
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

function mutant(site: Site, node: JsonNode): Mutant {
  return { places: [where(site)], mutate: () => site.replace(node) };
}

/** The official exchange with other values at all the leaves that `change` has one for. */
function changedAt(said: Said, change: (site: Site) => JsonNode | undefined): Exchange {
  return said.leaves.reduce((exchange, site) => {
    const node = change(site);
    if (node === undefined) return exchange;
    const now = sites(exchange).find((one) => address(one) === address(site));
    return now?.replace(node) ?? exchange;
  }, said.official);
}

function valueMutants(said: Said, change: (site: Site) => JsonNode | undefined): Mutant[] {
  return said.leaves.flatMap((site) => {
    const node = change(site);
    return node === undefined ? [] : [mutant(site, node)];
  });
}

/** One mutant for each member of each object; its place is the member's old name, its new name, or `added`. */
function memberMutants(
  said: Said,
  change: (members: readonly JsonMember[], at: number, inJson: boolean) => readonly JsonMember[] | undefined,
  added?: string,
): Mutant[] {
  return said.places.flatMap(({ node, document, names, replace, inJson }) => {
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

function renamed(change: (name: string) => string) {
  return (members: readonly JsonMember[], at: number): readonly JsonMember[] | undefined => {
    const [name, value] = members[at] ?? ['', jsonString('')];
    const other = change(name);
    return other === name ? undefined : members.with(at, [other, value]);
  };
}

function exchanged(name: string): string {
  return name.replaceAll(/[-_]/g, (letter) => (letter === '-' ? '_' : '-'));
}

function escapedKey(
  members: readonly JsonMember[],
  at: number,
  inJson: boolean,
): readonly JsonMember[] | undefined {
  const [name, value] = members[at] ?? ['', jsonString('')];
  return inJson ? members.with(at, jsonMember(name, value, escaped(name))) : undefined;
}

/** Which of two neighbours moved cannot be told. */
function swaps(said: Said): Mutant[] {
  return said.places.flatMap((site) => {
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

function swapped<T>(list: readonly T[], at: number): T[] {
  return [...list.slice(0, at), ...list.slice(at, at + 2).reverse(), ...list.slice(at + 2)];
}

function changed(node: JsonNode): JsonNode {
  if (node.kind === 'string') return jsonString(`${node.value}x`);
  if (node.kind === 'number') return { kind: 'number', text: String(Number(node.text) + 1) };
  return { kind: 'literal', value: node.kind === 'literal' && node.value !== true };
}

function misshapen(node: JsonNode): JsonNode {
  return node.kind === 'string' ? jsonString(`x${node.value}`) : { kind: 'number', text: '1' };
}

function retyped(node: JsonNode): JsonNode {
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

function stringMutants(said: Said): Mutant[] {
  const strings = said.places.filter(
    ({ node, inJson }) => inJson && node.kind === 'string' && node.value !== '',
  );
  return strings.map((site) =>
    mutant(
      site,
      site.node.kind === 'string' ? jsonString(site.node.value, escaped(site.node.value)) : site.node,
    ),
  );
}

function escaped(text: string): string {
  const code = text.charCodeAt(0).toString(16).padStart(4, '0');
  return `"\\u${code}${JSON.stringify(text.slice(1)).slice(1)}`;
}

function whiteSpace(said: Said): Mutant[] {
  const inStrings = [...said.opened].map((site) =>
    mutant(site, jsonString(site.node.kind === 'string' ? site.node.value.replace(/^./, '$& ') : '')),
  );
  const whole = messageMutants(said, (step) =>
    step.content.kind === 'json' ? [{ ...step, content: { ...step.content, spaced: true } }] : [step],
  );
  return [...inStrings, ...whole];
}

/** One mutant for each item of each list, unless the change is none. Its place is in the list. */
function itemMutants(
  said: Said,
  change: (items: readonly JsonNode[], at: number) => readonly JsonNode[],
): Mutant[] {
  return said.places.flatMap((site) => {
    const { node } = site;
    if (node.kind !== 'array') return [];
    return node.items
      .map((_, at): JsonNode => ({ kind: 'array', items: change(node.items, at) }))
      .filter((list) => printJson(list) !== printJson(node))
      .map((list) => mutant(site, list));
  });
}

type Id = { readonly value: string; readonly sites: readonly Site[] };

/** The identifiers that the official client chose anew, with all the places they stand at. */
function identifiers(said: Said): Id[] {
  const found = new Map<string, Site[]>();
  for (const site of said.leaves) {
    if (site.node.kind !== 'string' || site.node.value.startsWith('<<sealed ')) continue;
    const value = /[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}|<<secret [^<>]*>>/.exec(site.node.value)?.[0];
    if (value !== undefined) found.set(value, [...(found.get(value) ?? []), site]);
  }
  return [...found].map(([value, sites]) => ({ value, sites }));
}

/** It stands at one place only, and the backend did not give it: another one of its kind is as good. */
function isFresh({ sites: [site, ...others] }: Id): boolean {
  return others.length === 0 && site !== undefined && lastName(site) !== 'previous_response_id';
}

function withId({ node }: Site, before: string, after: string): JsonNode {
  return node.kind === 'string' ? jsonString(node.value.replace(before, after)) : node;
}

function identityMutants(said: Said): Mutant[] {
  return identifiers(said)
    .filter((id) => !isFresh(id))
    .flatMap(({ value, sites }) => sites.map((site) => mutant(site, withId(site, value, another(value)))));
}

/** Another identifier of the same form. */
function another(value: string): string {
  if (form(value) === 'hex') return 'f'.repeat(value.length);
  return form(value) === 'uuid' ? uuid7(9, 'another') : value.replace(/ \d+/, ' 9');
}

function form(value: string): string {
  if (value.startsWith('<<')) return value.replace(/<<secret \w+ \d+/, 'secret');
  return value.includes('-') ? 'uuid' : 'hex';
}

/** Two places, each of an identifier of its own, exchange their values. */
function identifierSwaps(said: Said): Mutant[] {
  return pairs(identifiers(said)).flatMap(([one, another]) => {
    if (isFresh(one) && isFresh(another) && form(one.value) === form(another.value)) return [];
    return one.sites.flatMap((here) =>
      another.sites.map((there) => ({
        places: [where(here), where(there)],
        mutate: () =>
          changedAt(said, (site) => {
            if (site === here) return withId(site, one.value, another.value);
            return site === there ? withId(site, another.value, one.value) : undefined;
          }),
      })),
    );
  });
}

/** All places of an identifier get the value of another one, so that nothing disagrees. */
function repetitions(said: Said): Mutant[] {
  const alike = pairs(identifiers(said)).filter(([one, another]) => form(one.value) === form(another.value));
  return alike.map(([one, another]) => ({
    places: [...one.sites, ...another.sites].map(where),
    mutate: () =>
      changedAt(said, (site) =>
        another.sites.includes(site) ? withId(site, another.value, one.value) : undefined,
      ),
  }));
}

function pairs<T>(list: readonly T[]): (readonly [T, T])[] {
  return list.flatMap((one, at) => list.slice(at + 1).map((other) => [one, other] as const));
}

/** The second request says the time of the first, or the first that of the second. */
function frozenClock(said: Said): Mutant[] {
  const clocks = said.leaves.filter((site) => lastName(site) === 'x-codex-ws-stream-request-start-ms');
  return pairs(clocks).flatMap(([one, another]) => [
    { places: [where(one), where(another)], mutate: () => another.replace(one.node) },
    { places: [where(one), where(another)], mutate: () => one.replace(another.node) },
  ]);
}

/**
 * What is new in a message stays what it was at the same place of the message before, wherever it stands from then on.
 */
function keptValues(said: Said): Mutant[] {
  const parts = [...new Set(said.leaves.map(({ document }) => document.part))];
  return parts.slice(2).flatMap((part, at) => {
    const earlier = said.leaves.filter(({ document }) => parts.indexOf(document.part) <= at + 1);
    const before = earlier.filter(({ document }) => document.part === parts[at + 1]);
    const fresh = new Map<string, Site>();
    for (const site of said.leaves.filter(({ document }) => document.part === part)) {
      const value = drawn(site);
      const old = before.find(({ names }) => names.join(' / ') === site.names.join(' / '));
      if (value === undefined || old === undefined || fresh.has(value)) continue;
      if (!earlier.some((one) => drawn(one) === value)) fresh.set(value, old);
    }
    return [...fresh].flatMap(([value, old]) => {
      const stale = drawn(old);
      const sites = said.leaves.filter((site) => drawn(site) === value);
      return stale === undefined ? [] : [replacedAt(said, sites, value, stale)];
    });
  });
}

/** An identity of several messages is another one in the last of them; which of the two is right may not be told. */
function lateChanges(said: Said): Mutant[] {
  const parts = [...new Set(said.leaves.map(({ document }) => document.part))];
  return identifiers(said).flatMap(({ value, sites }) => {
    const last = sites.filter(({ document }) => document.part === parts.at(-1));
    const before = new Set(sites.map(({ document }) => document.part)).size - 1;
    if (last.length === 0 || before < 1) return [];
    return [{ ...replacedAt(said, last, value, another(value)), places: sites.map(where) }];
  });
}

function replacedAt(said: Said, sites: readonly Site[], before: string, after: string): Mutant {
  return {
    places: sites.map(where),
    mutate: () =>
      changedAt(said, (site) => (sites.includes(site) ? withValue(site, before, after) : undefined)),
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

function tiers(said: Said): Mutant[] {
  const tiers = said.leaves.filter((site) => lastName(site) === 'service_tier');
  return tiers.flatMap((site) => [
    ...['default', 'fast', 'auto', 'priority', 'flex', 'Priority', '']
      .map((tier) => jsonString(tier))
      .filter((tier) => !sameJson(tier, site.node))
      .map((tier) => mutant(site, tier)),
    mutant(site, { kind: 'literal', value: null }),
  ]);
}

function conversationIds(said: Said): Mutant[] {
  const { headers } = said.official.request;
  return ['conversation_id', 'Conversation_id'].flatMap((name) =>
    [0, headers.length].map((at) => ({
      places: [{ part: 'handshake', names: [name] }],
      mutate: () => ({
        ...said.official,
        request: {
          ...said.official.request,
          headers: headers.toSpliced(at, 0, [name, jsonString(uuid7(7, 'thread'))]),
        },
      }),
    })),
  );
}

/** One mutant for each message of the client; one that it adds may be counted before or behind the official one. */
function messageMutants(said: Said, change: (step: MessageEvent) => readonly MessageEvent[]): Mutant[] {
  return clientMessages(said.official).map((_, at) => ({
    places: [at + 1, at + 2].map((number) => ({ part: `client message ${number}`, names: [] })),
    mutate: () =>
      withClientMessages(said.official, (step, number) => (number === at + 1 ? change(step) : [step])),
  }));
}

function requestLines(said: Said): Mutant[] {
  const { request } = said.official;
  return [
    {
      places: [{ part: 'handshake', names: ['method'] }],
      mutate: () => ({ ...said.official, request: { ...request, method: 'POST' } }),
    },
    {
      places: [{ part: 'handshake', names: ['target'] }],
      mutate: () => ({ ...said.official, request: { ...request, target: jsonString('/v0/responses') } }),
    },
  ];
}
