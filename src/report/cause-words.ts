import { type CauseCode, isSingleCode } from '../diff/cause-code.ts';
import type { Finding } from '../diff/finding.ts';
import { type Fold, fold, type ScenarioTransport } from '../diff/fold.ts';
import type { Cause } from '../diff/report-causes.ts';
import type { Verdict } from '../diff/verdict.ts';
import { comparedNode, lastName, type PathKey } from '../golden/match/mismatch.ts';
import { baseName } from '../golden/pattern/unique-names.ts';
import { type JsonNode, jsonString, member, printJson, stringAt, tryParseJson } from '../wire/json.ts';
import { causeText } from './cause-texts.ts';
import { explain } from './explain.ts';
import { type Report, titleOf } from './report.ts';
import { type DifferenceText, differenceText, isSealed, placeText } from './values.ts';

/** A cause in words. */
export type CauseWords = DifferenceText & {
  /** What is wrong. */
  readonly title: string;
  /** In which scenarios. */
  readonly where: string;
  /** The first place. */
  readonly place: string;
  /** What follows, in a few words; null where it is not known. */
  readonly effect: string | null;
  readonly why: string;
  readonly fix: string;
};

/** Writes the words of causes of a report. */
export function causeWriter({ scenarios }: Pick<Report, 'scenarios'>): (cause: Cause) => CauseWords {
  const checked = new Map<string, ScenarioTransport | undefined>(
    scenarios
      .filter(({ verdict, findings }) => isJudged(verdict) || findings.length > 0)
      .map((scenario) => [titleOf(scenario), scenario.transport]),
  );
  return (cause) => {
    const { code, example, cells } = cause;
    const { effect = null, fix } = causeText(code);
    return {
      title: titleOfCause(cause),
      where: foldText(fold(new Set(cells.map(titleOf)), checked)),
      place: example.places[0] === undefined ? '' : placeText(example.places[0]),
      ...differenceText(example),
      effect,
      why: explain(example),
      fix: example.cause?.type === 'nothing upstream' ? fix.replace('{upstream}', example.cause.url) : fix,
    };
  };
}

function isJudged({ type }: Verdict): boolean {
  return type === 'ok' || type === 'findings';
}

/** Which scenarios, in a few words. */
function foldText(folded: Fold): string {
  switch (folded.type) {
    case 'all':
      return folded.total === 1 ? '1 of 1' : `all ${folded.total}`;
    case 'all over':
      return `all ${folded.total} over ${folded.transport === 'http' ? 'HTTP' : 'websocket'}`;
    case 'all but':
      return `all but ${folded.others.length}`;
    case 'some':
      return `${folded.shown.length} of ${folded.total}`;
  }
}

/** The longest value in a title. */
const longestValue = 48;

/** What is wrong, with names and values. */
function titleOfCause({ code, name, example, cells }: Cause): string {
  const { title } = causeText(code);
  const { expected, actual } = differenceText(example);
  if (code === 'setup/refused') return `${title}: ${refusalText(example) ?? actual}`;
  if (code === 'client/other-version' && example.cause?.type === 'other version')
    return `${title}: ${example.cause.version}`;
  if (lists.has(code))
    return listTitle(
      title,
      cells.flatMap(({ findings }) => findings),
    );
  if (code.startsWith('wire/tls-')) return `${title}: ${tlsChange(example)}`;
  if (isSingleCode(code) && !withValues.has(code)) return title;
  const thing = thingOf(example, name);
  switch (example.kind) {
    case 'missing':
      return `${thing} missing`;
    case 'added':
      return `${thing}${isWhole(example) ? '' : `: ${short(comparedNode(example, 'actual'), actual)}`} added`;
    case 'renamed':
    case 'recased':
      return `${expected} sent as ${actual}`;
    case 'moved':
      return `${thing} moved`;
    case 'changed':
    case 'retyped':
      if (code.endsWith('-added')) return `${thing}: ${addition(example)} added`;
      if (isSealed(comparedNode(example, 'expected')) && isSealed(comparedNode(example, 'actual')))
        return `${thing}: ${actual}`;
      return `${thing}: ${short(comparedNode(example, 'actual'), actual)} instead of ${short(comparedNode(example, 'expected'), expected)}`;
    case 'respelled':
    case 'reframed':
      return `${title}: ${actual}`;
    case 'disagrees':
    case 'repeated':
      return code.endsWith('-stale')
        ? `${thing} is that of an earlier ${example.lifetime}`
        : example.kind === 'disagrees'
          ? `${thing} is not the same everywhere`
          : repetition(thing, example);
  }
}

/** That two values agree which always differ: those of two things, or an earlier and a later one of the same thing. */
function repetition(
  thing: string,
  { places, otherVariable }: Finding & { readonly kind: 'repeated' },
): string {
  const other = baseName(otherVariable);
  return other === thing
    ? `${lastName(places[0]?.path ?? []) || thing} repeats an earlier value`
    : `${thing} has the value of ${other}`;
}

/** What a list of a TLS handshake has more and less than that of the golden. */
function tlsChange(finding: Finding): string {
  const [expected = [], actual = []] = (['expected', 'actual'] as const).map((side) => {
    const node = comparedNode(finding, side);
    return node?.kind === 'string' ? node.value.split(' ') : [];
  });
  const changes = [
    ...actual.filter((name) => !expected.includes(name)).map((name) => `${name} added`),
    ...expected.filter((name) => !actual.includes(name)).map((name) => `${name} missing`),
  ];
  const [first = 'in another order', ...others] = changes;
  return others.length === 0 ? first : `${first}, ${others.length} more`;
}

/** Status and message of a refusal; the message of an error object where it is one. */
function refusalText(finding: Finding): string | undefined {
  const instead = finding.kind === 'missing' ? finding.instead : undefined;
  if (instead?.type !== 'subject behaviour' || instead.refusal === undefined) return undefined;
  const { status, text } = instead.refusal;
  const document = tryParseJson(text)?.node;
  const message =
    stringAt(document, 'error', 'message') ?? stringAt(document, 'message') ?? stringAt(document, 'detail');
  return [...(status === undefined ? [] : [String(status)]), message ?? text].join(' ');
}

const lists: ReadonlySet<CauseCode> = new Set(['shape/header-case', 'shape/key-order', 'shape/header-order']);

/** The single codes whose titles show both values. */
const withValues: ReadonlySet<CauseCode> = new Set([
  ...(['transport/method', 'transport/target', 'transport/http-version', 'transport/alpn'] as const),
  ...(['wire/http2-settings', 'wire/http2-window', 'wire/http2-pseudo-headers'] as const),
  ...(['wire/http2-priority', 'wire/http2-frames', 'wire/http2-trailers'] as const),
  'response/status',
]);

/** A list that is in another order or case: sorted by name, or the first names that show it. */
function listTitle(title: string, findings: readonly Finding[]): string {
  const order = findings.find((finding) => 'order' in finding);
  if (order !== undefined && 'order' in order && order.order.actual.length > 3) {
    const { actual } = order.order;
    if (actual.every((name, at) => at === 0 || (actual[at - 1] ?? '') <= name))
      return `${title}: sorted by name`;
  }
  const names = [
    ...new Set(
      findings.flatMap((finding) => {
        if ('order' in finding) return finding.order.moved;
        if (finding.kind === 'recased') return finding.names.map(({ to }) => to);
        return finding.places.map(({ path }) => String(path.at(-1) ?? ''));
      }),
    ),
  ];
  const more = names.length > 3 ? `, ${names.length - 3} more` : '';
  return `${title}: ${names.slice(0, 3).join(', ')}${more}`;
}

function isWhole({ places }: Finding): boolean {
  return places.every(({ path }) => path.length === 0);
}

/** What a finding is about: a name, or the kind of a whole part. */
function thingOf(finding: Finding, name: string): string {
  const [place] = finding.places;
  if (name !== '') return name === lastName(place?.path ?? []) ? namesOf(place?.path ?? []) : name;
  if (finding.kind === 'added' && finding.actual.type === 'close') return 'a close message';
  const node = comparedNode(finding, 'expected') ?? comparedNode(finding, 'actual');
  switch (place?.part) {
    case 'message':
      return place.side === 'backend' ? eventName(node) : requestName(node);
    case 'body':
      return place.side === 'backend' ? 'the body of a response' : requestName(node);
    case 'ending':
      return 'the end of a response';
    case 'result':
      return "the library's result";
    case 'exchange':
    case undefined:
      return 'a request';
    case 'handshake':
    case 'response':
    case 'connection':
      return `the ${place.part}`;
  }
}

/** The last names of a path: a key with the object that it belongs to. */
function namesOf(path: readonly PathKey[]): string {
  return path
    .filter((key) => typeof key === 'string')
    .slice(-2)
    .join('.');
}

function eventName(node: JsonNode | undefined): string {
  const type = stringAt(node, 'type');
  return type === undefined ? 'an event without a type' : `event ${type}`;
}

function requestName(node: JsonNode | undefined): string {
  if (member(node, 'generate') !== undefined) return 'a prewarm';
  return stringAt(node, 'type') ?? 'a message';
}

/** What a text has more than another one that it contains. */
function addition(finding: Finding): string {
  const [expected, actual] = [comparedNode(finding, 'expected'), comparedNode(finding, 'actual')];
  if (expected?.kind !== 'string' || actual?.kind !== 'string') return 'text';
  const [before = '', ...after] = actual.value.split(expected.value);
  return short(jsonString(`${before}${after.join(expected.value)}`), null);
}

function short(node: JsonNode | undefined, text: string | null): string {
  const whole = node === undefined ? (text ?? 'nothing') : printJson(node);
  return whole.length > longestValue ? `${whole.slice(0, longestValue)}…` : whole;
}
