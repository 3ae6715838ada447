import type { Golden } from '../golden/golden.ts';
import type { Exchange, Step } from '../golden/trace/exchanges.ts';
import type { ResponseEvent } from '../trace/trace-event.ts';
import type { HeaderList } from '../wire/headers.ts';
import {
  type JsonMember,
  type JsonNode,
  jsonString,
  member,
  printJson,
  stringAt,
  toNode,
} from '../wire/json.ts';
import { actedUpon, isResponse, type Saying, sayings } from './neutrality.ts';

/** A request that asked for an answer, and what the backend said to it. */
export type Turn = {
  readonly request: JsonNode;
  /** Events, or the body of an error; text that is no JSON is nothing. */
  readonly said: readonly Saying[];
  /** Status and headers of an answer over HTTP. */
  readonly head?: ResponseEvent;
};

/** What the backend told of a turn that failed. Absent is what it left open, or what can be told no more. */
export type Told = {
  readonly status?: JsonNode;
  /** Those that clients act upon, by name. */
  readonly headers?: JsonNode;
  /** What stands under "error". */
  readonly error?: JsonNode;
  /** Whether that is the error of a response, to which the API adds members that the backend leaves out. */
  readonly ofResponse?: true;
};

/**
 * The turns upstream that answer so many requests, in their order. A turn that failed and was said again answers none;
 * nor does a prewarm.
 */
export function turnsOf(exchanges: readonly Exchange[], requests: number): Turn[] {
  const attempts = exchanges.flatMap(attemptsIn);
  const spare = Math.max(0, attempts.length - requests);
  const saidAgain = attempts.filter((turn) => toldOf(turn) !== undefined).slice(0, spare);
  return attempts.filter((turn) => !saidAgain.includes(turn));
}

/** What a program is to be told of a turn that failed; undefined where it came to its end. */
export function toldOf(turn: Turn): Told | undefined {
  const { said, head } = turn;
  if (head !== undefined && head.status !== 200) {
    const headers = headersTold(head.headers.map(([name, value]) => [name, textOf(value)]));
    return { status: toNode(head.status), headers, ...errorIn(said[0]?.node) };
  }
  const last = said.at(-1)?.node;
  switch (stringAt(last, 'type')) {
    case 'response.completed':
    case 'response.incomplete':
      return undefined;
    case 'response.failed':
      return { ...errorIn(member(last, 'response')), ofResponse: true };
    case 'error': {
      if (hasBegun(turn)) return errorIn(last);
      const status = member(last, 'status');
      return {
        ...(status === undefined ? {} : { status }),
        headers: headersTold(headersIn(last)),
        ...errorIn(last),
      };
    }
    default:
      return {};
  }
}

/** Whether the backend left a turn without any word of its end. */
export function isCutOff(turn: Turn): boolean {
  const told = toldOf(turn);
  return told !== undefined && told.error === undefined && told.status === undefined;
}

/**
 * A golden as far as a program goes by it. Where an answer fails after it began, the official client asks again by
 * itself; a program has the beginning, is told of the end, and asks again or not. A subject that asks again in its
 * place is to do as the official client does: `seen` is how many exchanges it had upstream.
 */
export function untilTold(golden: Golden, seen: number): Golden {
  const at = golden.exchanges.findIndex((exchange) => attemptsIn(exchange).some(failsLate));
  const exchanges = at === -1 ? golden.exchanges : golden.exchanges.slice(0, Math.max(at + 1, seen));
  const last = exchanges.at(-1);
  if (last === undefined || exchanges.length === golden.exchanges.length) return golden;
  // Of an end that nothing comes after, traces tell nothing.
  const { end: _, ...open } = last;
  return { ...golden, exchanges: [...exchanges.slice(0, -1), open] };
}

function failsLate(turn: Turn): boolean {
  return hasBegun(turn) && toldOf(turn) !== undefined;
}

/** Whether a response was begun: what is told of the account, or wrong at once, begins none. */
function hasBegun({ said }: Turn): boolean {
  return said.some(({ node }) => stringAt(node, 'type')?.startsWith('response.'));
}

/** The requests for an answer in an exchange, each with what the backend said to it. */
function attemptsIn(exchange: Exchange): Turn[] {
  const requests: { request: JsonNode; steps: Step[] }[] = [];
  for (const step of exchange.steps) {
    const request = requestIn(step);
    if (request !== undefined) requests.push({ request, steps: [] });
    else requests.at(-1)?.steps.push(step);
  }
  return requests
    .filter(({ request }) => member(request, 'generate') === undefined)
    .map(({ request, steps }) => {
      const head = steps.find(isResponse);
      const said = sayings({ ...exchange, steps }, 'backend').filter(({ node }) => node.kind === 'object');
      return { request, said, ...(head === undefined ? {} : { head }) };
    });
}

function requestIn(step: Step): JsonNode | undefined {
  if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return undefined;
  return member(step.content.json, 'model') === undefined ? undefined : step.content.json;
}

function errorIn(node: JsonNode | undefined): { readonly error?: JsonNode } {
  const error = member(node, 'error');
  return error === undefined ? {} : { error };
}

/** What an error frame says in the place of the headers that it cannot have. */
function headersIn(frame: JsonNode | undefined): HeaderList {
  const headers = member(frame, 'headers');
  if (headers?.kind !== 'object') return [];
  return headers.members.map(([name, value]) => [name, textOf(value)]);
}

/** The headers of an error that clients act upon. */
export function headersTold(headers: HeaderList): JsonNode {
  const told = headers.flatMap(([name, value]): JsonMember[] => {
    const lower = name.toLowerCase();
    return lower !== 'content-type' && actedUpon.test(lower) ? [[lower, jsonString(value)]] : [];
  });
  return { kind: 'object', members: told.sort(([one], [other]) => (one < other ? -1 : 1)) };
}

function textOf(node: JsonNode): string {
  return node.kind === 'string' ? node.value : printJson(node);
}
