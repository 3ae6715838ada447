import type { Golden } from '../../golden/golden.ts';
import { clientJson, type Exchange, type Step } from '../../golden/trace/exchanges.ts';
import type { ResponseEvent } from '../../trace/trace-event.ts';
import type { HeaderList } from '../../wire/headers.ts';
import {
  type JsonMember,
  type JsonNode,
  jsonString,
  member,
  printJson,
  stringAt,
  toNode,
} from '../../wire/json.ts';
import { actedUpon, isResponse } from './exchange.ts';
import { type ContentUnit, contentOf } from './messages.ts';

/** A request for a response, and what the backend sent for it. */
export type UpstreamTurn = {
  readonly request: JsonNode;
  /** Events, or the body of an error. Text that is not JSON is left out. */
  readonly events: readonly ContentUnit[];
  /** Status and headers of a response over HTTP. */
  readonly head?: ResponseEvent;
};

/** The error of a turn that failed. A member is absent where the backend left it open, or it cannot be passed on. */
export type TurnError = {
  readonly status?: JsonNode;
  /** The headers that clients act upon, by lower-case name. */
  readonly headers?: JsonNode;
  /** The value of the member "error". */
  readonly error?: JsonNode;
  /** The error is that of a response, to which the API adds members that the backend leaves out. */
  readonly ofResponse?: true;
};

/**
 * The turns upstream for a number of requests, in order. A turn that failed and was retried is left out, and so is a
 * prewarm.
 */
export function turnsOf(exchanges: readonly Exchange[], requests: number): UpstreamTurn[] {
  const attempts = exchanges.flatMap(attemptsIn);
  const spare = Math.max(0, attempts.length - requests);
  const retried = attempts.filter((turn) => errorOf(turn) !== undefined).slice(0, spare);
  return attempts.filter((turn) => !retried.includes(turn));
}

/** The error that a program must see for a turn; undefined where the turn is complete. */
export function errorOf(turn: UpstreamTurn): TurnError | undefined {
  const { events, head } = turn;
  if (head !== undefined && head.status !== 200) {
    const headers = errorHeaders(head.headers.map(([name, value]) => [name, textOf(value)]));
    return { status: toNode(head.status), headers, ...errorIn(events[0]?.node) };
  }
  const last = events.at(-1)?.node;
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
        headers: errorHeaders(headersIn(last)),
        ...errorIn(last),
      };
    }
    default:
      return {};
  }
}

/** Whether the backend broke off without an error. */
export function isCutOff(turn: UpstreamTurn): boolean {
  const error = errorOf(turn);
  return error !== undefined && error.error === undefined && error.status === undefined;
}

/**
 * The part of a golden that applies to a program. Where a request fails, the official client retries by itself; a program
 * sees the error, and decides for itself. A subject that retries in its place must do it as the official client does, but
 * may give up earlier, and use HTTP after fewer refused upgrades. `upstream`: what the subject sent.
 */
export function untilFailure(golden: Golden, upstream: readonly Exchange[]): Golden {
  const exchanges = withoutSpareUpgrades(golden.exchanges, upstream);
  const index = exchanges.findIndex((exchange) => attemptsIn(exchange).some(fails));
  if (index === -1) return { ...golden, exchanges };
  const kept = exchanges.slice(0, Math.max(index + 1, upstream.length));
  const last = kept.at(-1);
  if (last === undefined || kept.length === exchanges.length) return { ...golden, exchanges };
  // Traces do not show the end of a connection that nothing follows.
  const { end: _, ...open } = last;
  return { ...golden, exchanges: [...kept.slice(0, -1), open] };
}

/** Leaves out the last ones of the golden's refused upgrades that the subject did not make. */
function withoutSpareUpgrades(
  golden: readonly Exchange[],
  upstream: readonly Exchange[],
): readonly Exchange[] {
  const made = upstream.filter(isRefusedUpgrade).length;
  const spare = golden.filter(isRefusedUpgrade).slice(Math.max(1, made));
  return golden.filter((exchange) => !spare.includes(exchange));
}

/** Whether the backend refused an upgrade, other than for its sign-in: renewing that takes a number of attempts. */
function isRefusedUpgrade(exchange: Exchange): boolean {
  const status = exchange.steps.find(isResponse)?.status ?? 101;
  return status !== 101 && status !== 401 && attemptsIn(exchange).length === 0;
}

function fails(turn: UpstreamTurn): boolean {
  return errorOf(turn) !== undefined;
}

/** Whether the response began. Rate-limit events and immediate errors come before a response. */
function hasBegun({ events }: UpstreamTurn): boolean {
  return events.some(({ node }) => stringAt(node, 'type')?.startsWith('response.'));
}

/** The requests for a response in an exchange, each with what the backend sent for it. */
function attemptsIn(exchange: Exchange): UpstreamTurn[] {
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
      const events = contentOf({ steps }, 'backend').filter(({ node }) => node.kind === 'object');
      return { request, events, ...(head === undefined ? {} : { head }) };
    });
}

function requestIn(step: Step): JsonNode | undefined {
  const json = clientJson(step);
  return member(json, 'model') === undefined ? undefined : json;
}

function errorIn(node: JsonNode | undefined): { readonly error?: JsonNode } {
  const error = member(node, 'error');
  return error === undefined ? {} : { error };
}

/** The member "headers" of an error frame, which has no headers of its own. */
function headersIn(frame: JsonNode | undefined): HeaderList {
  const headers = member(frame, 'headers');
  if (headers?.kind !== 'object') return [];
  return headers.members.map(([name, value]) => [name, textOf(value)]);
}

/** The headers of an error that clients act upon, as an object sorted by name. */
export function errorHeaders(headers: HeaderList): JsonNode {
  const members = headers.flatMap(([name, value]): JsonMember[] => {
    const lower = name.toLowerCase();
    return lower !== 'content-type' && actedUpon.test(lower) ? [[lower, jsonString(value)]] : [];
  });
  return { kind: 'object', members: members.sort(([a], [b]) => (a < b ? -1 : 1)) };
}

function textOf(node: JsonNode): string {
  return node.kind === 'string' ? node.value : printJson(node);
}
