import { type Golden, jsonMark } from '../golden/golden.ts';
import { lastName, type Mismatch, type PathKey, type Place } from '../golden/match/mismatch.ts';
import { unify } from '../golden/match/unify.ts';
import { printTemplate } from '../golden/pattern/template.ts';
import { clientJson, type Exchange, type Step } from '../golden/trace/exchanges.ts';
import { requestHeader } from '../golden/trace/threads.ts';
import type { HeaderField } from '../trace/trace-event.ts';
import { filterMembers, type JsonNode, jsonString, mapChildren, member, stringAt } from '../wire/json.ts';
import { turnMetadata } from '../wire/turn-metadata.ts';
import { byCause } from './causes.ts';
import { content, envelopeOf, envelopesOf, frontEnd } from './envelope.ts';
import { type Finding, findingOf } from './finding.ts';

/** What belongs to a live session alone, and therefore is not a fault. */
export type LiveInformation =
  /** A setting of the user. Undefined where a request does not have it. */
  | {
      readonly type: 'setting';
      readonly name: keyof OwnSettings;
      readonly expected?: string | undefined;
      readonly actual?: string | undefined;
    }
  /** Content, or a member that depends on model, configuration or working folder, and the messages where it differs. */
  | { readonly type: 'difference'; readonly name: string; readonly places: readonly Place[] }
  /** What the session has more than the golden, and is not compared. */
  | { readonly type: 'further'; readonly exchanges: number; readonly messages: number };

/** What was found in the requests of somebody's own client, and what it has of its own. */
export type OwnComparison = {
  readonly findings: readonly Finding[];
  readonly information: readonly LiveInformation[];
};

/**
 * Compares a live session with a golden: its envelope, identity, tier, order and framing are those of the golden. Its
 * prompts, settings and number of turns are the user's own: they are returned as information.
 */
export function liveFindings(golden: Golden, exchanges: readonly Exchange[]): OwnComparison {
  const sessions = golden.exchanges.flatMap((exchange, index) => {
    const live = exchanges[index];
    return live === undefined ? [] : [likeGolden(exchange, live)];
  });
  const live = sessions.map(({ kept }) => kept);
  const { findings, information } = ownComparison(golden, live);
  const messages = sessions.reduce((sum, { further }) => sum + further, 0);
  const further = { type: 'further', exchanges: exchanges.length - live.length, messages } as const;
  const hasFurther = further.exchanges + further.messages > 0;
  return { findings, information: hasFurther ? [...information, further] : information };
}

/** What a client was told to send. */
export type ClientInstructions = {
  readonly model?: string | undefined;
  /** Whether its settings have the reasoning effort of the golden: another one is a finding. */
  readonly effort?: boolean;
};

/**
 * The same for a client that played the scenario of the golden: it sends as many requests as the official client. If its
 * settings have the model, its requests to another one are its own, such as one for a title.
 */
export function clientFindings(
  golden: Golden,
  exchanges: readonly Exchange[],
  { model, effort = false }: ClientInstructions = {},
): OwnComparison {
  const isOwn = (exchange: Exchange) => {
    const models = bodiesOf(exchange).map((body) => stringAt(body, 'model'));
    return model !== undefined && models.length > 0 && !models.includes(model);
  };
  const own = exchanges.filter(isOwn);
  const { findings, information } = ownComparison(
    golden,
    exchanges.filter((exchange) => !isOwn(exchange)),
    effort ? ['reasoning effort'] : [],
  );
  const further = { type: 'further', exchanges: own.length, messages: 0 } as const;
  return { findings, information: own.length === 0 ? information : [...information, further] };
}

/** `told`: the settings that are not the session's own. */
function ownComparison(
  golden: Golden,
  live: readonly Exchange[],
  told: readonly (keyof OwnSettings)[] = [],
): OwnComparison {
  const known = settingsOfAll(golden.exchanges);
  const fixed = Object.fromEntries(told.map((name) => [name, known?.[name]]));
  const expected = {
    ...golden,
    exchanges: golden.exchanges.map((one, index) => {
      // Where no request follows, a trace does not show how the connection ends.
      const { end, ...open } = one;
      const isLast = live.length < golden.exchanges.length && index >= live.length - 1;
      return withSettings(isLast ? open : one, live.slice(Math.min(index, live.length - 1)), fixed);
    }),
  };
  const settings = differingSettings(golden.exchanges, live).filter(({ name }) => !told.includes(name));
  const isOwn = (mismatch: Mismatch) => isOwnMember(mismatch, new Set(settings.map(({ name }) => name)));
  const mismatches = unify(envelopeOf(expected), envelopesOf(live), 'in order');
  const differing = unify(expected, live, 'in order').filter(({ places }) => places.every(isContent));
  return {
    findings: byCause(mismatches.filter((mismatch) => !isOwn(mismatch))).map((mismatch) =>
      findingOf('parity', mismatch),
    ),
    information: [...settings, ...differences([...mismatches.filter(isOwn), ...differing])],
  };
}

/**
 * A live exchange with as many client messages as the golden has, and how many client messages follow. A prewarm does
 * not count, so that one that is missing does not let in the message of another turn. Where messages follow, the
 * connection has not ended yet.
 */
function likeGolden(
  { steps: expected, end }: Exchange,
  live: Exchange,
): { readonly kept: Exchange; readonly further: number } {
  const turns = (steps: readonly Step[]) => [...steps.keys()].filter((index) => isOfTurn(steps[index]));
  const further = turns(live.steps).slice(turns(expected).length);
  if (further.length === 0) return { kept: live, further: 0 };
  const kept = { ...live, steps: live.steps.slice(0, further[0]) };
  return { kept: end === undefined ? kept : { ...kept, end }, further: further.length };
}

function isOfTurn(step: Step | undefined): boolean {
  if (step?.type !== 'message' || step.from !== 'client') return false;
  return member(clientJson(step), 'generate') === undefined;
}

/** What a session has of its own, and shows at several places of a request. */
type SessionSettings = OwnSettings & { readonly tier: string | undefined };

/** The settings of a user that show at several places of a request. */
type OwnSettings = {
  readonly model: string | undefined;
  readonly 'reasoning effort': string | undefined;
  /** The program that the client is part of, if its name is that of an official one, such as `codex_exec`. */
  readonly 'front end': string | undefined;
};

function settingsOf(exchange: Exchange, body: JsonNode | undefined): SessionSettings {
  const originator = requestHeader(exchange.request, /^originator$/i);
  return {
    model: stringAt(body, 'model'),
    tier: stringAt(body, 'service_tier'),
    'reasoning effort': stringAt(body, 'reasoning', 'effort'),
    'front end':
      originator?.kind === 'string' && /^codex[-_ ]/i.test(originator.value) ? originator.value : undefined,
  };
}

function differingSettings(golden: readonly Exchange[], live: readonly Exchange[]) {
  const [expected, actual] = [golden, live].map(settingsOfAll);
  if (expected === undefined || actual === undefined) return [];
  return (['model', 'reasoning effort', 'front end'] as const)
    .map((name) => ({ type: 'setting', name, expected: expected[name], actual: actual[name] }) as const)
    .filter(
      ({ name, expected, actual }) =>
        expected !== actual && (name === 'reasoning effort' || actual !== undefined),
    );
}

/** The settings of the first request for a response; undefined if there is none. */
function settingsOfAll(exchanges: readonly Exchange[]): SessionSettings | undefined {
  const [first] = exchanges;
  const [body] = exchanges.flatMap(bodiesOf);
  return first === undefined || body === undefined ? undefined : settingsOf(first, body);
}

/** The requests for a response in an exchange. */
function bodiesOf({ steps }: Exchange): JsonNode[] {
  return steps.flatMap((step) => {
    const json = clientJson(step);
    return member(json, 'model') === undefined || json === undefined ? [] : [json];
  });
}

/**
 * An exchange of a golden with the settings of a live one: those of each request in its body and in its metadata, and
 * those of the first request in the handshake. So a header that names another model than the body still differs. An
 * upgrade that was refused has the settings of the request that follows it in a later exchange. `fixed`: settings that are
 * not the session's own.
 */
function withSettings(
  golden: Exchange,
  [live, ...later]: readonly Exchange[],
  fixed: Partial<OwnSettings>,
): Exchange {
  if (live === undefined) return golden;
  const settings = (request: JsonNode | undefined) => ({ ...settingsOf(live, request), ...fixed });
  const bodies = bodiesOf(live);
  const body = bodies[0] ?? later.flatMap(bodiesOf)[0];
  if (body === undefined) return golden;
  const own = settings(body);
  // The user agent spells the name of the front end in two ways (measured: codex 0.118.0), so it stays if it is the same.
  const isSame = own['front end'] === settingsOf(golden, undefined)['front end'];
  const first = isSame ? { ...own, 'front end': undefined } : own;
  // What a server does not accept, a client cannot use.
  const refuses = live.steps.some((step) => step.type === 'response' && !acceptsExtension(step));
  let request = 0;
  return {
    ...golden,
    request: {
      ...golden.request,
      headers: golden.request.headers.map((field) => headerWith(field, first, live)),
    },
    steps: golden.steps.map((recorded): Step => {
      const step = refuses && recorded.type === 'message' ? { ...recorded, compressed: false } : recorded;
      const json = clientJson(step);
      if (step.type === 'response' || step.content.kind !== 'json' || member(json, 'model') === undefined)
        return step;
      const own = settings(bodies[request] ?? bodies.at(-1) ?? body);
      request += 1;
      return { ...step, content: { ...step.content, json: bodyWith(step.content.json, own) } };
    }),
  };
}

function acceptsExtension({ headers }: Extract<Step, { type: 'response' }>): boolean {
  return headers.some(([name]) => name.toLowerCase() === 'sec-websocket-extensions');
}

function headerWith([name, value]: HeaderField, settings: SessionSettings, live: Exchange): HeaderField {
  const text = value.kind === 'string' ? value.value : '';
  const literal = (setting: string | undefined) => printTemplate([{ literal: setting ?? '' }]);
  const program = settings['front end'];
  switch (name.toLowerCase()) {
    case turnMetadata:
      return [name, metadataWith(value, settings)];
    case 'x-codex-routing-hint':
      return [
        name,
        hasOwnHint(live, settings)
          ? jsonString(literal(hintOf(settings)))
          : jsonString(text.replace(/^model=[^;]*/, () => `model=${literal(settings.model)}`)),
      ];
    case 'originator':
      return [name, program === undefined ? value : jsonString(literal(program))];
    case 'user-agent':
      return [
        name,
        program === undefined
          ? value
          : jsonString(text.replaceAll(/^[^/]+(?=\/)|(?<=\()[^(;]+(?=;)/g, () => literal(program))),
      ];
    default:
      return [name, value];
  }
}

/** Whether the hint in a handshake is that of the request: one with a wrong tier follows from the tier. */
function hasOwnHint({ request }: Exchange, settings: SessionSettings): boolean {
  const hint = requestHeader(request, /^x-codex-routing-hint$/i);
  return hint?.kind === 'string' && hint.value === hintOf(settings);
}

/** The hint of a request with these settings. */
function hintOf({ model = '', tier }: SessionSettings): string {
  return `model=${model}${tier === undefined ? '' : `;tier=${tier}`}`;
}

function bodyWith(body: JsonNode, settings: OwnSettings): JsonNode {
  return mapChildren(replaced(body, 'model', settings.model), (value, key) => {
    if (key === 'reasoning') return replaced(value, 'effort', settings['reasoning effort']);
    if (key !== 'client_metadata') return value;
    const effort = stringAt(body, 'reasoning', 'effort');
    return mapChildren(value, (inner, name) =>
      name === turnMetadata ? metadataWith(inner, settings, effort) : inner,
    );
  });
}

/**
 * An effort that differs from that of the golden's body stays: the client sends another effort as an item of the input,
 * and not in the body (measured: codex 0.169.0 and 0.171.0, scenario effort-switched).
 */
function metadataWith(pattern: JsonNode, settings: OwnSettings, effortOfBody?: string): JsonNode {
  return mapChildren(pattern, (document, key) => {
    if (key !== jsonMark) return document;
    const withModel = replaced(document, 'model', settings.model);
    if (effortOfBody !== undefined && stringAt(document, 'reasoning_effort') !== effortOfBody)
      return withModel;
    return replaced(withModel, 'reasoning_effort', settings['reasoning effort']);
  });
}

/** The object with another value of a member that it has. Without a value, it loses the member. */
function replaced(node: JsonNode, name: string, setting: string | undefined): JsonNode {
  if (setting === undefined) return filterMembers(node, (key) => key !== name);
  const value = jsonString(printTemplate([{ literal: setting }]));
  return mapChildren(node, (old, key) => (key === name ? value : old));
}

/** Turn metadata of the machine and its configuration (measured: codex 0.169.0, in a repository and with other settings). */
const environment: ReadonlySet<PathKey> = new Set([
  ...['workspaces', 'sandbox', 'sandbox_mode', 'auto_review_enabled', 'analytics_enabled'],
  ...['node_repl_auto_review_required', 'node_repl_disabled'],
]);

/** Members of the body that the catalogue gives a model, and their places in metadata and headers. */
const ofModel: ReadonlySet<PathKey> = new Set([
  ...['parallel_tool_calls', 'reasoning', 'node_repl_auto_review_required'],
  ...['ws_request_header_x_openai_internal_codex_responses_lite', 'x-openai-internal-codex-responses-lite'],
]);

/** Whether a mismatch of the envelope follows from settings, configuration or working folder of the user. */
function isOwnMember(mismatch: Mismatch, settings: ReadonlySet<keyof OwnSettings>): boolean {
  if (!['missing', 'added', 'changed', 'retyped'].includes(mismatch.kind)) return false;
  return mismatch.places.every((place) => {
    const { path } = place;
    const [inMetadata] = path.slice(path.indexOf(turnMetadata) + 1);
    if (path.includes(turnMetadata) && environment.has(inMetadata ?? '')) return true;
    // The user chooses the summary. A turn state is passed back as the backend gives it.
    if (isContent(place) || path.join('.') === 'reasoning.summary') return true;
    if (mismatch.kind === 'added' && lastName(path) === 'x-codex-turn-state') return true;
    // A member that the golden has gets the user's value. Here the golden does not have it.
    if (settings.has('reasoning effort') && /\breasoning[._]effort$/.test(path.join('.'))) return true;
    if (settings.has('front end') && frontEnd.has(lastName(path))) return true;
    return settings.has('model') && path.some((key) => ofModel.has(key));
  });
}

/** Whether a place is in the content of a request. */
function isContent({ side, part, path: [key] }: Place): boolean {
  return side === 'client' && (part === 'message' || part === 'body') && content.has(String(key));
}

/** The names that differ, each with the messages and heads in which it does. */
function differences(mismatches: readonly Mismatch[]): LiveInformation[] {
  const all = mismatches.flatMap(({ places }) => places).map((place) => ({ name: nameOf(place), place }));
  return [...Map.groupBy(all, ({ name }) => name)].map(([name, group]) => {
    const places = new Map(
      group.map(({ place }) => [JSON.stringify({ ...place, path: [] }), { ...place, path: [] }]),
    );
    return { type: 'difference', name, places: [...places.values()] };
  });
}

function nameOf(place: Place): string {
  const { path } = place;
  if (isContent(place)) return String(path[0]);
  const depth = path.indexOf(turnMetadata);
  return depth === -1 ? path.filter((key) => typeof key === 'string').join('.') : String(path[depth + 1]);
}
