import type { HeaderList } from '../../wire/headers.ts';
import { type JsonNode, type JsonObject, member, printJson, stringAt, toNode } from '../../wire/json.ts';

/** An answer that is an error: an HTTP status and what the API says under "error". */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly error: JsonNode;
  /** What the backend told besides, such as when to try again. */
  readonly headers: HeaderList;

  constructor(status: number, error: JsonNode, headers: HeaderList = []) {
    super(stringAt(error, 'message') ?? 'the backend answered with an error');
    this.status = status;
    this.error = error;
    this.headers = headers;
  }

  /** JSON text: the body of an HTTP answer, and, once an event stream has begun, the data of its last event. */
  get body(): string {
    return printJson({ kind: 'object', members: [['error', this.error]] });
  }
}

/** A request that is refused before the backend sees it. `param` is the path of what is wrong. */
export function invalidRequest(message: string, param: string | null, code: string | null): ApiError {
  return new ApiError(400, toNode({ message, type: 'invalid_request_error', param, code }));
}

/** A backend that left, or said what cannot be understood. */
export function backendFailed(message: string, code: string): ApiError {
  return new ApiError(502, toNode({ message, type: 'server_error', param: null, code }));
}

/**
 * The error that an error frame tells, its words untouched. The backend's frames have status and error side by side
 * (measured: codex 0.169.0 takes `{"type":"error","status":429,"error":{…}}`); the API documents events with code,
 * message and param at top level.
 */
export function errorFrame(frame: JsonNode): ApiError {
  const error = member(frame, 'error');
  if (error?.kind === 'object') {
    return new ApiError(statedStatus(frame) ?? statusOf(error), error, statedHeaders(frame));
  }
  const told = complete(without(frame, ['type', 'sequence_number']));
  return new ApiError(statusOf(told), told);
}

/** The error that ended a response, with the members that clients look for. */
export function failedResponse(response: JsonNode | undefined): ApiError {
  const error = member(response, 'error');
  const told = complete(error?.kind === 'object' ? error : { kind: 'object', members: [] });
  return new ApiError(statusOf(told), told);
}

/** The status for the codes of events that tell none; any other code is the server's fault. */
const statusOfCode: ReadonlyMap<string, number> = new Map([
  ['bio_policy', 400],
  ['context_length_exceeded', 400],
  ['cyber_policy', 400],
  ['data_residency_mismatch', 400],
  ['invalid_prompt', 400],
  ['misalignment_policy_violation', 400],
  ['previous_response_not_found', 400],
  ['insufficient_quota', 429],
  ['rate_limit_exceeded', 429],
  ['usage_limit_reached', 429],
  ['usage_not_included', 429],
  ['server_is_overloaded', 503],
  ['slow_down', 503],
]);

/** What is wrong with a picture is always the request's fault: `invalid_image`, `image_too_large`, … */
const aboutImages = /(?:^|_)image(?:_|$)/;

const types: ReadonlyMap<number, string> = new Map([
  [400, 'invalid_request_error'],
  [429, 'rate_limit_error'],
]);

function statusOf(error: JsonNode): number {
  const code = stringAt(error, 'code') ?? stringAt(error, 'type') ?? '';
  if (code === 'invalid_request_error' || aboutImages.test(code)) return 400;
  return statusOfCode.get(code) ?? 500;
}

function statedStatus(frame: JsonNode): number | undefined {
  const stated = member(frame, 'status') ?? member(frame, 'status_code');
  const status = stated?.kind === 'number' ? Number(stated.text) : 0;
  return Number.isInteger(status) && status >= 400 && status <= 599 ? status : undefined;
}

/** Headers in a frame: those that may stand in an answer of HTTP. */
function statedHeaders(frame: JsonNode): HeaderList {
  const stated = member(frame, 'headers');
  if (stated?.kind !== 'object') return [];
  return stated.members.flatMap(([name, value]): HeaderList => {
    const text = value.kind === 'number' ? value.text : value.kind === 'string' ? value.value : '';
    const isOfBody = /^(?:content-|transfer-)/i.test(name);
    return isOfBody || !/^[\w-]+$/.test(name) || !/^[\x20-\x7e]+$/.test(text) ? [] : [[name, text]];
  });
}

/** Adds the members that the API's errors always have, where they are missing. */
function complete(error: JsonObject): JsonObject {
  const type = types.get(statusOf(error)) ?? 'server_error';
  const usual = { message: 'the response failed', type, param: null, code: null };
  const missing = Object.entries(usual).filter(([key]) => member(error, key) === undefined);
  return {
    kind: 'object',
    members: [...error.members, ...missing.map(([key, value]) => [key, toNode(value)] as const)],
  };
}

function without(node: JsonNode, keys: readonly string[]): JsonObject {
  const members = node.kind === 'object' ? node.members : [];
  return { kind: 'object', members: members.filter(([key]) => !keys.includes(key)) };
}
