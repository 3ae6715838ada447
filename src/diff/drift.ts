import { type Golden, jsonMark, unorderedMark } from '../golden/golden.ts';
import { Matcher } from '../golden/match/matcher.ts';
import type { Mismatch, MismatchKind } from '../golden/match/mismatch.ts';
import { parseTemplate, printTemplate } from '../golden/pattern/template.ts';
import type { Exchange, Step } from '../golden/trace/exchanges.ts';
import { encodeEvent } from '../trace/codec.ts';
import { seals } from '../trace/seal.ts';
import type { HeaderField } from '../trace/trace-event.ts';
import { type JsonMember, type JsonNode, jsonString, mapJson, member, printJson } from '../wire/json.ts';

/** Parts of the protocol, in the order in which changes are told. */
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
  readonly kind: MismatchKind;
  /** The header, or the keys from the body down; the items of a list are `[]`, whichever they are. */
  readonly place: string;
  /** What the older version has, and the newer; null where there is nothing. */
  readonly before: string | null;
  readonly after: string | null;
  readonly scenarios: readonly string[];
};

/**
 * What changed from one version to another, by the goldens of both. Only scenarios that both have are compared; a
 * change that shows in several of them, or in several messages, is told once.
 */
export function drift(before: readonly Golden[], after: readonly Golden[]): Change[] {
  const changes = new Map<string, Change>();
  for (const old of before) {
    const young = counterpartOf(old, after);
    if (young === undefined) continue;
    const name = nameOf(old);
    for (const mismatch of compare(old, young)) {
      const change = changeOf(mismatch, name);
      const { group, kind, place, before: was, after: is } = change;
      // What came or went does so once, whatever its values; of a prompt it matters that it changed, and not each hash.
      const once = kind === 'added' || kind === 'missing' || group === 'prompts';
      const key = JSON.stringify(once ? [group, kind, place] : [group, kind, place, was, is]);
      const known = changes.get(key);
      const scenarios = known === undefined ? [name] : [...new Set([...known.scenarios, name])];
      changes.set(key, { ...(known ?? change), scenarios });
    }
  }
  return [...changes.values()].sort((a, b) => driftGroups.indexOf(a.group) - driftGroups.indexOf(b.group));
}

/** The scenarios that both versions have, by the names that changes have them under. */
export function comparedScenarios(before: readonly Golden[], after: readonly Golden[]): string[] {
  return before.filter((one) => counterpartOf(one, after) !== undefined).map(nameOf);
}

function counterpartOf({ lane, scenario }: Golden, others: readonly Golden[]): Golden | undefined {
  return others.find((other) => lane === other.lane && scenario === other.scenario);
}

function nameOf({ lane, scenario }: Golden): string {
  return lane === 'chatgpt' ? scenario : `${scenario} (${lane})`;
}

function compare(before: Golden, after: Golden): Mismatch[] {
  const mismatches: Mismatch[] = [];
  const matcher = new Matcher(new Map(), {
    mismatch: (mismatch) => mismatches.push(mismatch),
    occurrence: () => {},
  });
  const [old, young] = [
    before.exchanges.map((one) => plain(before, one)),
    after.exchanges.map((one) => plain(after, one)),
  ];
  old.forEach((one, at) => {
    const other = young[at];
    if (other === undefined) return;
    const exchange = at + 1;
    const place = { exchange, part: 'handshake', path: [] };
    matcher.fields(one.headers, other.headers, place, one.inOrder && other.inOrder);
    one.requests.forEach((request, index) => {
      const counterpart = other.requests[index];
      if (counterpart !== undefined) matcher.node(request, counterpart, { exchange, part: 'body', path: [] });
    });
    const ends = { exchange, part: 'retries', path: ['end of the connection'] };
    matcher.node(jsonString(one.end), jsonString(other.end), ends);
    for (const [what, text] of Object.entries(one.transport)) {
      const carried = { exchange, part: 'transport', path: [what] };
      matcher.node(jsonString(text), jsonString(other.transport[what] ?? ''), carried);
    }
  });
  const asked = ({ exchanges }: Golden) => exchanges.map(({ request }) => request.method).join(' ');
  const retries = { exchange: 1, part: 'retries', path: ['requests'] };
  matcher.node(jsonString(asked(before)), jsonString(asked(after)), retries);
  return mismatches;
}

/** A golden's exchange with its variables shown by their kinds, so that their names do not matter. */
type Plain = {
  readonly headers: readonly HeaderField[];
  readonly inOrder: boolean;
  readonly requests: readonly JsonNode[];
  readonly transport: Readonly<Record<string, string>>;
  readonly end: string;
};

function plain(golden: Golden, { connection, request, steps, end }: Exchange): Plain {
  const said = steps.filter((step) => step.type !== 'response' && step.from === 'client');
  const inOrder = request.unordered !== true;
  return {
    inOrder,
    end: end === undefined ? 'with the conversation' : `before, by the ${end}`,
    headers: request.headers.map(([name, value]) => [name, withoutNames(golden, value)]),
    requests: said.flatMap((step) => requestOf(step)).map((node) => withoutNames(golden, node)),
    transport: {
      'request line': `${request.method} ${printJson(request.target)}`,
      TLS: offered(connection.tls),
      messages: said.map(transportOf).join(', '),
      'order of headers': inOrder ? 'one' : 'any',
    },
  };
}

function offered(tls: Exchange['connection']['tls']): string {
  return tls === null ? 'plain' : `TLS, ALPN ${tls.offered.join(' ') || 'none'}`;
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

/** Braces of the pattern language become plain text, so that nothing is taken for a variable any more. */
function withoutNamesInText(golden: Golden, text: string): string {
  const parts = parseTemplate(text).map((part) =>
    'variable' in part ? `<${golden.variables.get(part.variable)?.kind ?? part.variable}>` : part.literal,
  );
  return printTemplate([{ literal: parts.join('') }]);
}

function withoutVersion({ codex }: Golden, text: string): string {
  return text.replaceAll(codex, '<version>');
}

function changeOf({ kind, places: [place], expected, actual }: Mismatch, scenario: string): Change {
  const whole = place?.path ?? [];
  const path = whole.filter((key) => !isItem(key));
  const part = place?.part ?? 'body';
  const group = groupOf(part, path, expected, actual);
  // Of prompts it is told which changed; what changed in them is theirs to say, and sealed.
  if (group === 'prompts') {
    return {
      group,
      kind: whole.length > 2 || path.length > 1 ? 'changed' : kind,
      place: whole.length === 2 && path.length === 1 ? printPath(whole) : (path[0] ?? ''),
      before: expected,
      after: actual,
      scenarios: [scenario],
    };
  }
  // The same document as a header and in client_metadata: it changes at both places at once.
  const keys = group === 'turn metadata' ? whole.slice(whole.indexOf('x-codex-turn-metadata') + 1) : whole;
  return {
    group,
    kind,
    place: printPath(keys),
    before: expected,
    after: actual,
    scenarios: [scenario],
  };
}

function isItem(key: string): boolean {
  return /^\d+$/.test(key);
}

function printPath(keys: readonly string[]): string {
  return keys
    .map((key) => (isItem(key) ? '[]' : `.${key}`))
    .join('')
    .replace(/^\./, '');
}

function groupOf(part: string, keys: readonly string[], ...values: (string | null)[]): DriftGroup {
  if (part === 'transport') return 'transport';
  if (part === 'retries') return 'retry behaviour';
  const metadata = keys.indexOf('x-codex-turn-metadata');
  if (metadata !== -1 && metadata < keys.length - 1) return 'turn metadata';
  if (part === 'handshake') return 'handshake';
  if (keys[0] === 'client_metadata') return 'client metadata';
  const isPrompt = values.some((value) => value !== null && seals.test(value));
  return isPrompt || keys.includes('tools') ? 'prompts' : 'body';
}
