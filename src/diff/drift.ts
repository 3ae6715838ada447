import { type Golden, jsonMark, unorderedMark } from '../golden/golden.ts';
import { choicesOf } from '../golden/match/http2-mismatches.ts';
import { Matcher } from '../golden/match/matcher.ts';
import {
  comparedNode,
  type Difference,
  type Mismatch,
  type MismatchKind,
  type NameOrder,
  type PathKey,
  type Place,
} from '../golden/match/mismatch.ts';
import { parseTemplate, printTemplate } from '../golden/pattern/template.ts';
import type { Exchange, Step } from '../golden/trace/exchanges.ts';
import { headersOverHttp1 } from '../golden/trace/header-versions.ts';
import { encodeEvent } from '../trace/codec.ts';
import { seals } from '../trace/seal.ts';
import type { HeaderField } from '../trace/trace-event.ts';
import {
  type JsonMember,
  type JsonNode,
  jsonString,
  mapJson,
  member,
  printJson,
  stringAt,
} from '../wire/json.ts';
import { turnMetadata } from '../wire/turn-metadata.ts';
import { type ScenarioTransport, transportIn } from './fold.ts';

/** Parts of the protocol, in the order in which changes are reported. */
export const driftGroups = [
  'transport',
  'retry behaviour',
  'handshake',
  'turn metadata',
  'client metadata',
  'body',
  'prompts',
] as const;
export type DriftGroup = (typeof driftGroups)[number];

/** One change of the protocol between two versions, and the scenarios that show it. */
export type Change = {
  readonly group: DriftGroup;
  /** Of prompts only `changed` is reported for a difference inside one. */
  readonly kind: MismatchKind;
  /** The header, or the keys from the body down. */
  readonly path: readonly PathKey[];
  /** The name or type of the list item at the path. */
  readonly item?: string;
  /** From the older version (expected) to the newer one (actual). */
  readonly difference: Difference;
  readonly scenarios: readonly string[];
  /** The paths at which the same name of a model changed too. */
  readonly also?: readonly (readonly PathKey[])[];
};

/**
 * The changes from one version to another, from the goldens of both. Only scenarios that both have are compared. A
 * change that several scenarios or messages show is reported once.
 */
export function drift(before: readonly Golden[], after: readonly Golden[]): Change[] {
  const changes = new Map<string, Change>();
  for (const older of before) {
    const newer = counterpartOf(older, after);
    if (newer === undefined) continue;
    const name = nameOf(older);
    const ofScenario = compare(older, newer).map(({ area, mismatch }) => changeOf(area, mismatch, name));
    for (const change of withToolsOnce(ofScenario)) {
      const { group, kind, path, item, difference } = change;
      // A new or removed name is one change, whatever its values; of prompts only the fact of a change matters.
      const once = kind === 'added' || kind === 'missing' || group === 'prompts';
      const anyItem = path.map((key) => (typeof key === 'number' ? 0 : key));
      const key = JSON.stringify(once ? [group, kind, anyItem, item] : [group, anyItem, difference]);
      const known = changes.get(key);
      const scenarios = known === undefined ? [name] : [...new Set([...known.scenarios, name])];
      changes.set(key, { ...(known ?? change), scenarios });
    }
  }
  return withModelOnce([...changes.values()]).sort(
    (a, b) => driftGroups.indexOf(a.group) - driftGroups.indexOf(b.group),
  );
}

/** A tool that is removed and added, with another description or other parameters, is one change. */
function withToolsOnce(changes: readonly Change[]): Change[] {
  const isTool = ({ group, path, item }: Change) =>
    group === 'prompts' && item !== undefined && path.length === 2 && path[0] === 'tools';
  const ofTool = (item: string | undefined) =>
    changes.filter((change) => isTool(change) && change.item === item).map(({ difference }) => difference);
  return changes.flatMap((change): Change[] => {
    if (!isTool(change)) return [change];
    const differences = ofTool(change.item);
    const removed = differences.find((difference) => difference.kind === 'missing');
    const added = differences.find((difference) => difference.kind === 'added');
    if (removed === undefined || added === undefined || change.kind === 'moved') return [change];
    if (change.kind !== 'missing') return [];
    const difference = { kind: 'changed', expected: removed.expected, actual: added.actual } as const;
    return [{ ...change, kind: 'changed', difference }];
  });
}

/** Another model is one change: its name is also in the hint, and in the turn metadata. */
function withModelOnce(changes: readonly Change[]): Change[] {
  const models = changes.filter(
    ({ group, kind, path }) => group === 'body' && kind === 'changed' && path.join() === 'model',
  );
  const modelOf = (change: Change) => {
    if (models.includes(change) || change.kind !== 'changed') return undefined;
    return models.find((model) => namesSameModel(change, model));
  };
  const followers = Map.groupBy(changes, modelOf);
  return changes.flatMap((change): Change[] => {
    if (modelOf(change) !== undefined) return [];
    const own = followers.get(change);
    const also = [...new Map(own?.map(({ path }) => [path.join('.'), path])).values()];
    return [also.length === 0 ? change : { ...change, also }];
  });
}

/** Whether a change is only that of the model's name, in scenarios that show it. */
function namesSameModel(change: Change, model: Change): boolean {
  const [before, after, from, to] = [...textsOf(change.difference), ...textsOf(model.difference)];
  if (before === undefined || after === undefined || from === undefined || to === undefined) return false;
  const isShown = change.scenarios.every((scenario) => model.scenarios.includes(scenario));
  return isShown && before !== after && before.replaceAll(from, () => to) === after;
}

function textsOf(difference: Difference): [string | undefined, string | undefined] {
  const text = (side: 'expected' | 'actual') => {
    const node = comparedNode(difference, side);
    return node?.kind === 'string' ? node.value : undefined;
  };
  return [text('expected'), text('actual')];
}

/** The scenarios that both versions have, by the names that changes use, and how the client speaks in each. */
export function comparedScenarios(
  before: readonly Golden[],
  after: readonly Golden[],
): ReadonlyMap<string, ScenarioTransport> {
  return new Map(
    before
      .filter((one) => counterpartOf(one, after) !== undefined)
      .map((one) => [nameOf(one), transportIn(one)]),
  );
}

function counterpartOf({ lane, scenario }: Golden, others: readonly Golden[]): Golden | undefined {
  return others.find((other) => lane === other.lane && scenario === other.scenario);
}

function nameOf({ lane, scenario }: Golden): string {
  return lane === 'chatgpt' ? scenario : `${scenario} (${lane})`;
}

/** What of two goldens is compared. */
type Area = 'handshake' | 'body' | 'transport' | 'retry behaviour';
type AreaMismatch = { readonly area: Area; readonly mismatch: Mismatch };

function compare(before: Golden, after: Golden): AreaMismatch[] {
  const mismatches: AreaMismatch[] = [];
  const place: Place = { exchange: 1, side: 'client', part: 'exchange', path: [] };
  const matcher = (area: Area) =>
    new Matcher(new Map(), {
      mismatch: (mismatch) => mismatches.push({ area, mismatch }),
      occurrence: () => {},
    });
  const compareText = (area: Area, name: string, textBefore: string, textAfter: string) =>
    matcher(area).node(jsonString(textBefore), jsonString(textAfter), { ...place, path: [name] });
  const exchangesAfter = after.exchanges.map((exchange) => plain(after, exchange));
  for (const [index, exchange] of before.exchanges.entries()) {
    const [exchangeBefore, exchangeAfter] = [plain(before, exchange), exchangesAfter[index]];
    if (exchangeAfter === undefined) break;
    const inOrder = exchangeBefore.inOrder && exchangeAfter.inOrder;
    matcher('handshake').fields(exchangeBefore.headers, exchangeAfter.headers, place, inOrder);
    for (const [at, request] of exchangeBefore.requests.entries()) {
      const counterpart = exchangeAfter.requests[at];
      if (counterpart !== undefined) matcher('body').node(request, counterpart, place);
    }
    compareText('retry behaviour', 'end of the connection', exchangeBefore.end, exchangeAfter.end);
    for (const [name, text] of Object.entries(exchangeBefore.transport))
      compareText('transport', name, text, exchangeAfter.transport[name] ?? '');
  }
  const methods = ({ exchanges }: Golden) => exchanges.map(({ request }) => request.method).join(' ');
  compareText('retry behaviour', 'requests', methods(before), methods(after));
  return mismatches;
}

/** An exchange of a golden with the kinds of its variables in place of their names. */
type Plain = {
  readonly headers: readonly HeaderField[];
  readonly inOrder: boolean;
  readonly requests: readonly JsonNode[];
  readonly transport: Readonly<Record<string, string>>;
  readonly end: string;
};

function plain(golden: Golden, { connection, request, steps, end }: Exchange): Plain {
  const sent = steps.filter((step) => step.type !== 'response' && step.from === 'client');
  const inOrder = request.unordered !== true;
  return {
    inOrder,
    end: end === undefined ? 'with the conversation' : `before, by the ${end}`,
    headers: headersOverHttp1(request).map(([name, value]) => [name, withoutNames(golden, value)]),
    requests: sent.flatMap((step) => requestOf(step)).map((node) => withoutNames(golden, node)),
    transport: {
      'request line': `${request.method} ${printJson(request.target)}`,
      TLS: offered(connection.tls),
      'HTTP/2': request.http2 === undefined ? 'not used' : Object.values(choicesOf(request.http2)).join('; '),
      messages: sent.map(transportOf).join(', '),
      'order of headers': inOrder ? 'one' : 'any',
    },
  };
}

function offered(tls: Exchange['connection']['tls']): string {
  return tls ? `TLS, ALPN ${tls.offered.join(' ') || 'none'}` : 'plain';
}

function requestOf(step: Step): JsonNode[] {
  return step.type !== 'response' && step.content.kind === 'json' ? [step.content.json] : [];
}

function transportOf(step: Step): string {
  const line = encodeEvent(step);
  const carried = ['opcode', 'compressed', 'fragments'].map((key) => member(line, key));
  return carried
    .map((node) => (node === undefined ? '' : JSON.stringify('value' in node ? node.value : null)))
    .join(' ');
}

function withoutNames(golden: Golden, pattern: JsonNode): JsonNode {
  return mapJson(pattern, (node) => {
    if (node.kind === 'string')
      return jsonString(withoutVersion(golden, withoutNamesInText(golden, node.value)));
    if (node.kind !== 'object') return node;
    const inner = member(node, jsonMark);
    if (inner !== undefined) return inner;
    const members = node.members.filter(([key]) => key !== unorderedMark);
    return { kind: 'object', members: members.map(([key, value]): JsonMember => [key, value]) };
  });
}

/** Turns variables into plain text. */
function withoutNamesInText(golden: Golden, text: string): string {
  const parts = parseTemplate(text).map((part) =>
    'variable' in part ? `<${golden.variables.get(part.variable)?.kind ?? part.variable}>` : part.literal,
  );
  return printTemplate([{ literal: parts.join('') }]);
}

function withoutVersion({ codex }: Golden, text: string): string {
  return text.replaceAll(codex, '<version>');
}

function changeOf(area: Area, { places, lifetime: _, ...mismatch }: Mismatch, scenario: string): Change {
  const path = places[0]?.path ?? [];
  const difference = 'order' in mismatch ? { ...mismatch, order: orderOf(path, mismatch.order) } : mismatch;
  const names = path.filter((key) => typeof key === 'string');
  const group = groupOf(area, names, difference);
  const change = { group, kind: difference.kind, path, difference, scenarios: [scenario] };
  // What changed inside a prompt is sealed, so only the prompt is named: a whole item, or the member that holds it.
  if (group === 'prompts') {
    const isTool =
      path.at(-2) === 'tools' && typeof path.at(-1) === 'number' && difference.kind !== 'changed';
    if (isTool) return { ...change, path: path.slice(-2), ...itemOf(difference) };
    const isItem = path.length === 2 && names.length === 1;
    const isInside = path.length > 2 || names.length > 1;
    return {
      ...change,
      ...(isInside ? { kind: 'changed' } : {}),
      ...(isItem ? itemOf(difference) : { path: names.slice(0, 1) }),
    };
  }
  if (group === 'body' && path.length === 2 && path[0] === 'input')
    return { ...change, ...itemOf(difference) };
  // The same document is a header and a member of client_metadata: it changes at both places at once.
  return group === 'turn metadata' ? { ...change, path: path.slice(path.indexOf(turnMetadata) + 1) } : change;
}

/** The orders without the other names that moved: they may have moved in other scenarios only. */
function orderOf(path: readonly PathKey[], { moved, expected, actual }: NameOrder): NameOrder {
  const name = String(path.at(-1));
  const fixedBefore = (names: readonly string[]) =>
    names.slice(0, names.indexOf(name)).findLast((other) => !moved.includes(other));
  const shown = [name, fixedBefore(expected), fixedBefore(actual)];
  const own = (names: readonly string[]) => names.filter((other) => shown.includes(other));
  return { moved: [name], expected: own(expected), actual: own(actual) };
}

/** The name of a whole list item, such as a tool; its type if it has none. */
function itemOf(difference: Difference): { readonly item?: string } {
  const node =
    'item' in difference
      ? difference.item
      : (comparedNode(difference, 'expected') ?? comparedNode(difference, 'actual'));
  const item = stringAt(node, 'name') ?? stringAt(node, 'type');
  return item === undefined ? {} : { item };
}

function groupOf(area: Area, names: readonly PathKey[], difference: Difference): DriftGroup {
  if (area === 'transport' || area === 'retry behaviour') return area;
  const depth = names.indexOf(turnMetadata);
  if (depth !== -1 && depth < names.length - 1) return 'turn metadata';
  if (area === 'handshake') return 'handshake';
  if (names[0] === 'client_metadata') return 'client metadata';
  return names.includes('tools') || isSealedText(difference) ? 'prompts' : 'body';
}

function isSealedText(difference: Difference): boolean {
  return (['expected', 'actual'] as const).some((side) => {
    const node = comparedNode(difference, side);
    return node?.kind === 'string' && seals.test(node.value);
  });
}
