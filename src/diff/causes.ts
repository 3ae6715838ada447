import { type Mismatch, type MismatchKind, type Place, placeText } from '../golden/match/mismatch.ts';
import { lastKey } from './last-key.ts';

/** What one cause does at several places is one mismatch with these places. */
export function byCause(mismatches: readonly Mismatch[]): Mismatch[] {
  const own = mismatches.filter((mismatch) => !follows(mismatch, mismatches));
  return merged(merged(merged(own, listOf, inOneList), metadataOf, inOneDocument), causeOf, first);
}

/** Whether it is the compression of a message where the handshake already offers another one. */
function follows({ kind, places, expected }: Mismatch, all: readonly Mismatch[]): boolean {
  if (kind !== 'reframed' || expected?.startsWith('compressed: ') !== true) return false;
  const exchange = places[0]?.exchange;
  return all.some(({ places: [place] }) => {
    const isOffer = place?.path.at(-1)?.toLowerCase() === 'sec-websocket-extensions';
    return isOffer && place?.exchange === exchange;
  });
}

/** Merges those that have the same key, at the place of the first; those without a key stay as they are. */
function merged(
  mismatches: readonly Mismatch[],
  keyOf: (mismatch: Mismatch) => string | undefined,
  merge: (several: readonly Mismatch[]) => Mismatch,
): Mismatch[] {
  const groups = new Map<string | Mismatch, Mismatch[]>();
  for (const mismatch of mismatches) {
    const key = keyOf(mismatch) ?? mismatch;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [mismatch]);
    else group.push(mismatch);
  }
  return [...groups.values()].flatMap((group) => (group.length === 1 ? group : [merge(group)]));
}

/** Names of a list that stand elsewhere, or are written with other letters: the list was made from another one. */
function listOf({ kind, places }: Mismatch): string | undefined {
  const [{ part, path } = nowhere] = places;
  const named = path.length > 0 && lastKey(path) === path.at(-1);
  if (!named || (kind !== 'moved' && kind !== 'recased')) return undefined;
  return JSON.stringify([kind, part.replace(/ \d+$/, ''), path.slice(0, -1).filter(isName)]);
}

/** One that is alone stays as it is; of several the list is told, as it is where most of them are wrong. */
function inOneList(several: readonly Mismatch[]): Mismatch {
  const lists = new Map<string, Mismatch[]>();
  for (const mismatch of several) {
    const list = placeText(listAt(mismatch));
    lists.set(list, [...(lists.get(list) ?? []), mismatch]);
  }
  const [worst = []] = [...lists.values()].sort((one, other) => other.length - one.length);
  const [one] = worst;
  if (one === undefined || worst.length === 1) return first(several);
  const text = (which: 'expected' | 'actual') =>
    one.kind === 'moved'
      ? inRows(worst.map(({ places, [which]: said }) => [lastKey(pathOf(places)), said ?? '']))
      : worst.map(({ [which]: said }) => said).join(', ');
  const places = [...lists.values()].map(([each = one]) => listAt(each));
  return { kind: one.kind, places, expected: text('expected'), actual: text('actual') };
}

function listAt({ places: [place = nowhere] }: Mismatch): Place {
  return { ...place, path: place.path.slice(0, -1) };
}

/** Names in their order, by what each stands behind (`after x`, or `first`): what stands in a row is told in a row. */
function inRows(names: readonly (readonly [name: string, stands: string])[]): string {
  const left = new Map(names.map(([name, stands]) => [name, stands.replace(/^after /, '')]));
  const rows: string[] = [];
  for (const [name, before] of left) {
    if (left.has(before)) continue;
    const row = before === 'first' ? [] : [before];
    for (let next: string | undefined = name; next !== undefined; ) {
      left.delete(next);
      row.push(next);
      next = [...left].find(([, stands]) => stands === row.at(-1))?.[0];
    }
    if (before === 'first') rows.unshift(row.join(', '));
    else rows.push(row.join(', '));
  }
  return rows.join('; ');
}

const metadata = 'x-codex-turn-metadata';

/** Where several things are wrong with the turn metadata of one message, it is the metadata of another one. */
function metadataOf({ places }: Mismatch): string | undefined {
  const [place = nowhere] = places;
  const at = place.path.indexOf(metadata);
  const inside = at !== -1 && at < place.path.length - 1 && places.length === 1;
  return inside ? JSON.stringify([place.exchange, place.part, place.path.slice(0, at)]) : undefined;
}

function inOneDocument(several: readonly Mismatch[]): Mismatch {
  const [
    {
      places: [place = nowhere],
    } = nothing,
  ] = several;
  const depth = place.path.indexOf(metadata) + 1;
  const text = (which: 'expected' | 'actual') =>
    several
      .map(({ places, [which]: said }) => {
        // Of a value that disagrees it is the one that all others agree on.
        const value = said?.replace(/^\w+, which is (.*) at exchange \d.*$/s, '$1') ?? 'nothing';
        return `${pathOf(places).slice(depth).join('.')} ${value === '' ? 'empty' : value}`;
      })
      .join(', ');
  const places = [{ ...place, path: place.path.slice(0, depth) }];
  return { kind: 'changed', places, expected: text('expected'), actual: text('actual') };
}

/**
 * The same difference at the same key of several messages. A whole message has no key: two that are missing are two.
 */
function causeOf({ kind, places, expected, actual, variable }: Mismatch): string | undefined {
  const path = pathOf(places);
  const key = lastKey(path);
  if (key === '') {
    const event = eventOf(places, expected ?? actual ?? '');
    if (event !== undefined) return JSON.stringify([kind, event]);
    return carried.has(kind) ? JSON.stringify([kind, expected, actual]) : undefined;
  }
  // Each turn has its own metadata, and its own ids: what is missing, or out of date, is so in all of them.
  if (key === metadata && kind === 'changed') return JSON.stringify([kind, path]);
  if (kind === 'missing' && key === path.at(-1)) return JSON.stringify([kind, path.filter(isName)]);
  return JSON.stringify([kind, key, expected, actual, variable]);
}

/** The type of a whole message of the backend: what is done to one event is done to all of its type. */
function eventOf([place]: readonly Place[], text: string): string | undefined {
  return place?.part.startsWith('backend message ') === true
    ? /^\{"type":"([^"]+)"/.exec(text)?.[1]
    : undefined;
}

/** What is wrong with how a message is written or framed, whichever it is. */
const carried: ReadonlySet<MismatchKind> = new Set(['respelled', 'reframed']);

function isName(key: string): boolean {
  return !/^\d+$/.test(key);
}

function first(several: readonly Mismatch[]): Mismatch {
  const [one = nothing] = several;
  return { ...one, places: several.flatMap(({ places }) => places) };
}

function pathOf(places: readonly Place[]): readonly string[] {
  return places[0]?.path ?? [];
}

const nowhere: Place = { exchange: 0, part: '', path: [] };
const nothing: Mismatch = { kind: 'changed', places: [], expected: null, actual: null };
