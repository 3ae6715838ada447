import { isDeepStrictEqual } from 'node:util';
import {
  type ComparedMember,
  comparedNode,
  lastName,
  type Mismatch,
  type PathKey,
  type Place,
  type PlacePart,
} from '../golden/match/mismatch.ts';
import { type JsonNode, jsonString, stringAt } from '../wire/json.ts';
import { turnMetadata } from '../wire/turn-metadata.ts';

/** Merges mismatches that have one cause into one mismatch with all their places. */
export function byCause(mismatches: readonly Mismatch[]): Mismatch[] {
  const isConsequence = consequencesAmong(mismatches);
  const causes = mismatches.filter((mismatch) => !isConsequence(mismatch));
  const lists = merged(causes, listKey, mergeInList);
  return merged(merged(lists, metadataKeys(lists), mergeInMetadata), causeKey, (group) =>
    withAllPlaces(group[0], group),
  );
}

function consequencesAmong(mismatches: readonly Mismatch[]): (mismatch: Mismatch) => boolean {
  const unoffered = new Set(mismatches.filter(isMissingOffer).map((offer) => firstPlace(offer).exchange));
  const missing = mismatches.filter(isMissingMessage).map(firstPlace);
  const messages = new Set(missing.map((place) => messageKey(place)));
  const isFollowed = (place: Place) =>
    missing.some(
      ({ exchange, ...other }) => exchange === place.exchange && numberOf(other) >= numberOf(place),
    );
  return (mismatch) => {
    const place = firstPlace(mismatch);
    // Compression is missing because the handshake does not offer it.
    if (mismatch.kind === 'reframed' && mismatch.aspect === 'compressed' && mismatch.actual === false)
      return unoffered.has(place.exchange);
    // A subject that does not send a message closes the connection instead.
    if (mismatch.kind === 'added') return mismatch.actual.type === 'close' && isFollowed(place);
    // A request does not continue the response to a request that is missing itself.
    const isChain = mismatch.kind === 'missing' && lastName(place.path) === 'previous_response_id';
    return isChain && messages.has(messageKey(place, -1));
  };
}

function isMissingMessage({ kind, places }: Mismatch): boolean {
  return kind === 'missing' && places.every(({ part, path }) => part === 'message' && path.length === 0);
}

/** An offer that only differs still allows compression. */
function isMissingOffer(mismatch: Mismatch): boolean {
  if (lastName(firstPlace(mismatch).path).toLowerCase() !== 'sec-websocket-extensions') return false;
  const actual = comparedNode(mismatch, 'actual');
  return actual?.kind !== 'string' || !actual.value.toLowerCase().includes('permessage-deflate');
}

/** A message, or one before or after it, as one string. */
function messageKey(place: Place, offset = 0): string {
  return `${place.exchange} ${place.part === 'message' ? place.number + offset : ''}`;
}

function numberOf(place: PlacePart): number {
  return place.part === 'message' ? place.number : 0;
}

/** At least one mismatch. */
type Group = readonly [Mismatch, ...Mismatch[]];

/** Merges mismatches with the same key, at the position of the first. Those without a key stay as they are. */
function merged(
  mismatches: readonly Mismatch[],
  keyOf: (mismatch: Mismatch) => string | undefined,
  merge: (group: Group) => Mismatch,
): Mismatch[] {
  const groups = new Map<string | Mismatch, [Mismatch, ...Mismatch[]]>();
  for (const mismatch of mismatches) {
    const key = keyOf(mismatch) ?? mismatch;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [mismatch]);
    else group.push(mismatch);
  }
  return [...groups.values()].map((group) => (group.length === 1 ? group[0] : merge(group)));
}

function withAllPlaces(mismatch: Mismatch, group: Group): Mismatch {
  return { ...mismatch, places: group.flatMap(({ places }) => places) };
}

/** Several names of a list that are moved or recased: the list as a whole was built differently. */
function listKey(mismatch: Mismatch): string | undefined {
  if (mismatch.kind !== 'recased' && !('order' in mismatch)) return undefined;
  const place = firstPlace(mismatch);
  if (typeof place.path.at(-1) !== 'string') return undefined;
  return JSON.stringify([mismatch.kind, place.side, place.part, namesIn(place.path.slice(0, -1))]);
}

/** Shows the list that has most of them. A single one stays as it is. */
function mergeInList(group: Group): Mismatch {
  const lists = Map.groupBy(group, (mismatch) => JSON.stringify(listPlace(mismatch)));
  const [worst = group] = [...lists.values()].sort((a, b) => b.length - a.length);
  if (worst.length === 1) return withAllPlaces(group[0], group);
  const places = [...lists.values()].flatMap(([mismatch]) =>
    mismatch === undefined ? [] : [listPlace(mismatch)],
  );
  const [first = group[0]] = worst;
  if ('order' in first) return { kind: 'moved', places, order: first.order };
  const names = worst.flatMap((mismatch) => (mismatch.kind === 'recased' ? mismatch.names : []));
  return { kind: 'recased', places, names };
}

function listPlace(mismatch: Mismatch): Place {
  const place = firstPlace(mismatch);
  return { ...place, path: place.path.slice(0, -1) };
}

/**
 * Several mismatches in the turn metadata of one message: it is the metadata of another message. Of two messages with the
 * same value either may be wrong: it is the one whose metadata has other mismatches.
 */
function metadataKeys(mismatches: readonly Mismatch[]): (mismatch: Mismatch) => string | undefined {
  const keysOf = ({ places }: Mismatch) => [...new Set(places.map(metadataKey))];
  const ownKey = (mismatch: Mismatch) => {
    const [key, ...others] = keysOf(mismatch);
    return mismatch.kind === 'repeated' || others.length > 0 ? undefined : key;
  };
  const wrong = new Set(mismatches.map(ownKey));
  return (mismatch) => {
    if (mismatch.kind !== 'repeated') return ownKey(mismatch);
    const keys = keysOf(mismatch);
    // A value that is outside of turn metadata too did not come with it.
    return keys.includes(undefined) ? undefined : keys.find((key) => wrong.has(key));
  };
}

function metadataKey(place: Place): string | undefined {
  const metadata = metadataPlace(place);
  return metadata === undefined ? undefined : JSON.stringify(metadata);
}

/** The turn metadata that a place is in. */
function metadataPlace(place: Place): Place | undefined {
  const depth = place.path.indexOf(turnMetadata) + 1;
  const isInside = depth > 0 && depth < place.path.length;
  return isInside ? { ...place, path: place.path.slice(0, depth) } : undefined;
}

function mergeInMetadata(group: Group): Mismatch {
  const place = firstPlace(group.find(({ kind }) => kind !== 'repeated') ?? group[0]);
  const metadata = metadataPlace(place) ?? place;
  const members = (side: 'expected' | 'actual') =>
    group.flatMap((mismatch) => {
      const value = memberValue(mismatch, side);
      return mismatch.places
        .filter((place) => isDeepStrictEqual(metadataPlace(place), metadata))
        .map(({ path }): ComparedMember => {
          const member = { path: path.slice(metadata.path.length) };
          return value === undefined ? member : { ...member, value };
        });
    });
  return {
    kind: 'changed',
    places: [metadata],
    expected: { type: 'members', members: members('expected') },
    actual: { type: 'members', members: members('actual') },
  };
}

/** A value that is repeated should be that of its own variable. */
function memberValue(mismatch: Mismatch, side: 'expected' | 'actual'): JsonNode | undefined {
  return mismatch.kind === 'repeated' && side === 'expected'
    ? jsonString(`{{${mismatch.variable}}}`)
    : comparedNode(mismatch, side);
}

/**
 * Equal for the same difference at the same key of several messages. A whole message has no key: two missing messages
 * are two mismatches.
 */
function causeKey(mismatch: Mismatch): string | undefined {
  const { places, lifetime: _, ...difference } = mismatch;
  const { path } = firstPlace(mismatch);
  const name = lastName(path);
  const { kind } = difference;
  const rewritten = rewrittenId(mismatch);
  if (rewritten !== undefined) return JSON.stringify(['rewritten', rewritten]);
  if (name === '') {
    const type = backendEventType(mismatch);
    if (type !== undefined) return JSON.stringify([kind, type]);
    if (mismatch.kind === 'added' && mismatch.actual.type === 'close') return JSON.stringify(difference);
    return kind === 'respelled' || kind === 'reframed' ? JSON.stringify(difference) : undefined;
  }
  // Each turn has its own metadata and ids, so what is missing or stale differs from turn to turn.
  if (name === turnMetadata && kind === 'changed') return JSON.stringify([kind, path]);
  if (kind === 'missing' && name === path.at(-1)) return JSON.stringify([kind, namesIn(path)]);
  return JSON.stringify([name, difference]);
}

/** The kind of an id that reached the client changed: `resp` of a response id. A subject that rewrites ids rewrites all. */
function rewrittenId(mismatch: Mismatch): string | undefined {
  const { side, part, path } = firstPlace(mismatch);
  if (mismatch.kind !== 'changed' || side !== 'backend' || (part !== 'message' && part !== 'body'))
    return undefined;
  if (!/^(?:.*_)?id$/.test(lastName(path))) return undefined;
  const expected = comparedNode(mismatch, 'expected');
  return expected?.kind === 'string' ? (/^[a-z]+(?=_)/.exec(expected.value)?.[0] ?? '') : undefined;
}

/** The type of a whole backend message: a subject treats all events of a type alike. */
function backendEventType(mismatch: Mismatch): string | undefined {
  const { side, part } = firstPlace(mismatch);
  if (side !== 'backend' || part !== 'message') return undefined;
  if (mismatch.kind === 'moved') return 'item' in mismatch ? stringAt(mismatch.item, 'type') : undefined;
  return stringAt(comparedNode(mismatch, 'expected') ?? comparedNode(mismatch, 'actual'), 'type');
}

function namesIn(path: readonly PathKey[]): readonly PathKey[] {
  return path.filter((key) => typeof key === 'string');
}

function firstPlace({ places: [place] }: Mismatch): Place {
  return place ?? { exchange: 1, side: 'client', part: 'exchange', path: [] };
}
