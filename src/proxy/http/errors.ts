import { ParityError } from '../../errors.ts';
import type { HeaderList } from '../../wire/headers.ts';
import {
  filterMembers,
  type JsonMember,
  type JsonNode,
  jsonObject,
  member,
  printJson,
  stringAt,
  toNode,
  tryParseJson,
} from '../../wire/json.ts';
import { withRetryAfter } from './account-limit.ts';
import { type BackendResponse, headersForClient } from './upstream/send-upstream.ts';
import { InsecureBackend } from './upstream/way-out.ts';

/** An error response for a client: an HTTP status, and the value of "error" in the body. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly error: JsonNode;
  /** Further headers from the backend, such as `retry-after`. */
  readonly headers: HeaderList;

  constructor(status: number, error: JsonNode, headers: HeaderList = []) {
    super(stringAt(error, 'message') ?? 'the backend responded with an error');
    this.status = status;
    this.error = error;
    this.headers = headers;
  }

  get code(): string | undefined {
    return stringAt(this.error, 'code');
  }

  /** The error as JSON text: the body of an HTTP response, or the last chunk of a chat completion. */
  get body(): string {
    return printJson(jsonObject({ error: this.error }));
  }

  /** The error as an event of a response, in the form of the backend's own websocket error frames. */
  get event(): string {
    const { status, error, headers } = this;
    const stated = headers.length === 0 ? '' : `,"headers":${JSON.stringify(Object.fromEntries(headers))}`;
    return `{"type":"error","status":${status},"error":${printJson(error)}${stated}}`;
  }
}

/** An error that the proxy itself reports: a request that it does not serve, or a backend that it cannot reach. */
export function proxyError(status: number, code: string, message: string): ApiError {
  const type = status < 500 ? 'invalid_request_error' : 'proxy_error';
  return new ApiError(status, toNode({ message, type, param: null, code }));
}

/** The error for a method that a path has not. The response names those that it has (RFC 9110, section 15.5.6). */
export function methodError({ method }: { readonly method: string }, methods: readonly string[]): ApiError {
  const message = `use ${methods.join(' or ')} for this path, not ${method}`;
  const { status, error } = proxyError(405, 'bad_method', message);
  return new ApiError(status, error, [['allow', methods.join(', ')]]);
}

/** An invalid member of a request. `param` is its path. */
export function invalidRequest(message: string, param: string | null, code: string | null): ApiError {
  return new ApiError(400, toNode({ message, type: 'invalid_request_error', param, code }));
}

/** A backend that disconnected, or sent something that cannot be read. */
export function backendError(message: string, code: string): ApiError {
  return new ApiError(502, toNode({ message, type: 'server_error', param: null, code }));
}

/** The error for anything that was thrown. Network errors are not described to the client; sign-in errors are. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof ParityError) return proxyError(503, error.code.replaceAll('-', '_'), error.message);
  if (error instanceof InsecureBackend) return proxyError(502, 'upstream_insecure', error.message);
  return proxyError(502, 'upstream_unreachable', 'the backend cannot be reached');
}

/** The error in an HTTP response of the backend, for clients that cannot receive an HTTP response. */
export function errorFromBackend({ status, headers, body }: BackendResponse): ApiError {
  const text = body.toString('utf8');
  const node = tryParseJson(text)?.node;
  const error = member(node, 'error');
  const code = stringAt(node, 'detail', 'code') ?? null;
  const fallback = { message: text.slice(0, 1000), type: 'backend_error', param: null, code };
  return new ApiError(status, error?.kind === 'object' ? error : toNode(fallback), headersForClient(headers));
}

/**
 * The error in an error frame, unchanged. The backend's frames have `status` and `error` side by side (measured: codex
 * 0.169.0 accepts `{"type":"error","status":429,"error":{…}}`); the API documents events with code, message and param
 * at the top level.
 */
export function errorFromFrame(frame: JsonNode): ApiError {
  const error = member(frame, 'error');
  const [status, headers] = [statedStatus(frame), statedHeaders(frame)];
  if (error?.kind === 'object') return new ApiError(status ?? statusOf(error), error, headers);
  const own = filterMembers(frame, (key) => !frameMembers.has(key));
  return withUsualMembers(own, status, headers);
}

/** Members of an error frame with the error's members at top level that are not the error's. */
const frameMembers: ReadonlySet<string> = new Set([
  ...['type', 'sequence_number', 'stream_id', 'status', 'status_code', 'headers'],
]);

/** The error of a response with status `failed`. */
export function errorFromFailedResponse(response: JsonNode | undefined): ApiError {
  return withUsualMembers(member(response, 'error'));
}

/** The error in an event that ends a response without success, other than as `incomplete`. Undefined for all others. */
export function errorFromEvent(type: string, text: string): ApiError | undefined {
  if (type !== 'error' && type !== 'response.failed') return undefined;
  const node = tryParseJson(text)?.node ?? toNode(null);
  return type === 'error' ? errorFromFrame(node) : errorFromFailedResponse(member(node, 'response'));
}

/** Adds the members that the API's errors always have, where they are missing. */
function withUsualMembers(
  error: JsonNode | undefined,
  status = statusOf(error),
  headers: HeaderList = [],
): ApiError {
  const type = typeOfStatus.get(status) ?? (status < 500 ? 'invalid_request_error' : 'server_error');
  const usual = { message: 'the response failed', type, param: null, code: null };
  const missing = Object.entries(usual).filter(([key]) => member(error, key) === undefined);
  const added = missing.map(([key, value]): JsonMember => [key, toNode(value)]);
  const own = error?.kind === 'object' ? error.members : [];
  const stated = withRetryAfter(error, headers);
  return new ApiError(status, { kind: 'object', members: [...own, ...added] }, stated);
}

/** HTTP status by error code, for errors without a status. All other codes are 500. */
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

/** Errors about images are always the request's fault: `invalid_image`, `image_too_large`, … */
const imageCode = /(?:^|_)image(?:_|$)/;

const typeOfStatus: ReadonlyMap<number, string> = new Map([[429, 'rate_limit_error']]);

function statusOf(error: JsonNode | undefined): number {
  const code = stringAt(error, 'code') ?? stringAt(error, 'type') ?? '';
  if (code === 'invalid_request_error' || imageCode.test(code)) return 400;
  return statusOfCode.get(code) ?? 500;
}

export function statedStatus(frame: JsonNode): number | undefined {
  const stated = member(frame, 'status') ?? member(frame, 'status_code');
  const text = stated?.kind === 'string' ? stated.value : stated?.kind === 'number' ? stated.text : '';
  return /^[45]\d\d$/.test(text) ? Number(text) : undefined;
}

/** Headers of an error that mean something to a client. The others describe the connection to the backend. */
const errorHeader =
  /^(?:retry-after(?:-ms)?|x-should-retry|x-request-id|(?:x-codex|x-ratelimit|openai)-[\w-]+)$/i;

/** The headers in a frame that a response may have. */
function statedHeaders(frame: JsonNode): HeaderList {
  const stated = member(frame, 'headers');
  if (stated?.kind !== 'object') return [];
  return stated.members.flatMap(([name, value]): HeaderList => {
    const text = value.kind === 'number' ? value.text : value.kind === 'string' ? value.value : '';
    return errorHeader.test(name) && /^[\x20-\x7e]+$/.test(text) ? [[name, text]] : [];
  });
}
