import { hash } from 'node:crypto';
import { content } from '../diff/envelope.ts';
import { type Finding, placesKey } from '../diff/finding.ts';
import { liveFindings } from '../diff/live.ts';
import { clientJson, connectionKind, type Exchange, type Step } from '../golden/trace/exchanges.ts';
import { requestHeader } from '../golden/trace/threads.ts';
import type { HeaderField, RequestEvent } from '../trace/trace-event.ts';
import {
  filterMembers,
  type JsonNode,
  jsonString,
  mapChildren,
  member,
  printJson,
  stringAt,
  tryParseJson,
} from '../wire/json.ts';
import { turnMetadata } from '../wire/turn-metadata.ts';
import { requestFacts } from './request-facts.ts';
import type { ComparedStart } from './session-start.ts';
import type { TurnStep } from './turn-frames.ts';

/**
 * The start of a session with the first request of a later turn in place of that of the first turn, since the official
 * client sends both alike (measured: codex 0.171.0, scenario second-turn). Undefined for a turn that the start cannot
 * stand for: over another transport, of another model or effort, of a session that was resumed, or that compacts the
 * history or follows a compaction. What it continues and its tier are those of the first turn: whether they are right is
 * judged elsewhere.
 */
export function inPlaceOfFirst(
  start: readonly Exchange[],
  { request, isContinued, step }: TurnStep,
): readonly Exchange[] | undefined {
  const at = start.findIndex(({ steps }) => steps.some(isTurnRequest));
  const to = start[at];
  const index = to?.steps.findIndex(isTurnRequest) ?? -1;
  const [first, later] = [to?.steps[index], step].map((one) => one && clientJson(one));
  if (to === undefined || first === undefined || later === undefined) return undefined;
  if (connectionKind(request) !== connectionKind(to.request) || !isLike(first, later)) return undefined;
  if (step.type === 'response' || step.content.kind !== 'json') return undefined;
  const json = ofFirst.reduce((body, key) => withMember(body, key, first), later);
  const { connection, exchange } = to.request;
  const headers = request.headers.map((field) => headerLike(field, to.request));
  const compared: Exchange = {
    ...to,
    ...(isContinued ? {} : { request: { ...request, connection, exchange, headers } }),
    steps: to.steps.with(index, { ...step, exchange, content: { ...step.content, json } }),
  };
  return start.with(at, compared);
}

/** Whether a step is the request of a turn: not a prewarm. */
export function isTurnRequest(step: Step): boolean {
  const json = clientJson(step);
  return json !== undefined && requestFacts(json)?.prewarm === false;
}

/** Ids and times, which differ from turn to turn. */
const idOrTime = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|resp_\w+|\b\d{10,}\b/g;

/**
 * A digest of what of a request is compared, with ids and times by the order in which they occur, after those of the start. Two turns
 * of one form have the same findings.
 */
export function formOf({ request, isContinued, step }: TurnStep, start: readonly string[]): string {
  const json = clientJson(step);
  const body = json === undefined ? '' : printJson(filterMembers(json, (key) => !content.has(key)));
  const head = isContinued ? '' : JSON.stringify([request.target, request.headers]);
  const known = new Map(start.map((text, index) => [text, index]));
  const form = `${head}${body}`.replaceAll(idOrTime, (text) => {
    const index = known.get(text) ?? known.size;
    known.set(text, index);
    return `#${index}`;
  });
  return hash('sha1', form);
}

/** The ids and times in the start of a session. */
export function idsOf(start: readonly Exchange[]): string[] {
  const texts = start.flatMap(({ request, steps }) => [
    JSON.stringify(request.headers),
    ...steps.map((step) => printJson(clientJson(step) ?? jsonString(''))),
  ]);
  const ids = [...new Set(texts.flatMap((text) => text.match(idOrTime) ?? []))];
  // Copies: a part of a text keeps all of it in memory.
  return JSON.parse(JSON.stringify(ids));
}

/** What a later turn has beside the golden of its session, without what is known of the turns before it. */
export function laterFindings(
  { golden }: ComparedStart,
  exchanges: readonly Exchange[],
  known: readonly Finding[],
): readonly Finding[] {
  const keys = new Set(known.map(placesKey));
  return liveFindings(golden, exchanges).findings.filter((finding) => !keys.has(placesKey(finding)));
}

/** Members that differ from turn to turn, and have verdicts of their own. */
const ofFirst = ['previous_response_id', 'service_tier'];

/** Metadata of a turn that say how its session began, and with which effort. */
const ofStart = ['history_initialization', 'reasoning_effort'];

function isLike(first: JsonNode, later: JsonNode): boolean {
  const [a, b] = [requestFacts(first), requestFacts(later)];
  if (a?.model !== b?.model || b?.compacts !== false || b.isCompacted) return false;
  const [expected, actual] = [first, later].map((body) =>
    tryParseJson(stringAt(body, 'client_metadata', turnMetadata) ?? ''),
  );
  return ofStart.every((key) => stringAt(expected?.node, key) === stringAt(actual?.node, key));
}

/** Where a websocket is opened for a turn, and not for a prewarm, its handshake has the metadata of that turn. */
function headerLike([name, value]: HeaderField, first: RequestEvent): HeaderField {
  if (name.toLowerCase() !== turnMetadata || connectionKind(first) === 'http') return [name, value];
  return [name, requestHeader(first, /^x-codex-turn-metadata$/i) ?? value];
}

/** A body with the member as `first` has it, which may be none. */
function withMember(body: JsonNode, key: string, first: JsonNode): JsonNode {
  const value = member(first, key);
  if (value === undefined || body.kind !== 'object' || first.kind !== 'object')
    return filterMembers(body, (name) => name !== key);
  if (member(body, key) !== undefined) return mapChildren(body, (old, name) => (name === key ? value : old));
  const at = first.members.findIndex(([name]) => name === key);
  return { ...body, members: body.members.toSpliced(at, 0, [key, value]) };
}
