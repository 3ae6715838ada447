import { type HeaderList, headerValue } from '../wire/headers.ts';
import { encodeSse } from '../wire/sse.ts';
import { decompressZstd } from '../wire/zstd.ts';
import { type BackendRun, badRequest, requesterOf, respond } from './respond.ts';
import {
  type HttpResponse,
  jsonResponse,
  type ScriptedResponse,
  type StreamPart,
} from './scripted-response.ts';

type ReceivedPost = { readonly path: string; readonly headers: HeaderList; readonly body: Buffer };

/**
 * The response to `POST …/responses`, which the client uses when it gets no websocket: the same events as server-sent
 * events, and errors as an HTTP status. With a ChatGPT sign-in the client compresses the body with zstd.
 *
 * `POST …/responses/compact` returns the output alone, as one JSON object. Codex 0.118.0 to 0.137.0 compact a thread
 * with it, and continue with the items of `output` (measured).
 */
export function respondToPost({ path, headers, body }: ReceivedPost, run: BackendRun): HttpResponse {
  const encoding = headerValue(headers, 'content-encoding');
  const text = decodeBody(body, encoding);
  if (text === undefined) {
    const reason = `a body that is not ${encoding ?? 'identity'}`;
    run.onEvent({ type: 'not-understood', transport: 'http', reason });
    return httpResponse(badRequest('not_understood', reason), false);
  }
  const isCompaction = path.endsWith('/compact');
  // An API key's requests go to the public API, which has other rules.
  const strict = run.strict && path.startsWith('/backend-api/') && !isCompaction;
  const requester = isCompaction ? 'compaction' : requesterOf(headers);
  const response = respond({ text, transport: 'http', headers, requester, strict }, run);
  return isCompaction && response.kind === 'stream' && response.output !== undefined
    ? jsonResponse(200, { output: response.output })
    : httpResponse(response, strict);
}

/** @param strict whether to leave out the content type, as the real backend does by reports */
function httpResponse(response: ScriptedResponse, strict: boolean): HttpResponse {
  if (response.kind === 'refused') {
    const { status, error } = response;
    const headers: HeaderList = [['content-type', 'application/json'], ...response.headers];
    return { status, headers, body: `{"error":${error}}` };
  }
  if (response.kind === 'rejected') return jsonResponse(response.status, { detail: response.detail });
  const { turnState, parts, ending } = response;
  return {
    status: 200,
    headers: [
      ...(strict ? [] : [['content-type', 'text/event-stream; charset=utf-8'] as const]),
      ['cache-control', 'no-cache'],
      ...(turnState === undefined ? [] : [['x-codex-turn-state', turnState] as const]),
    ],
    body: Buffer.concat(parts.map(serverSent)),
    ...(ending === undefined ? {} : { ending: 'hold' in ending ? 'hold' : 'cut' }),
  };
}

function serverSent(part: StreamPart): Buffer {
  if (Buffer.isBuffer(part)) return part;
  return Buffer.from(typeof part === 'string' ? encodeSse(part) : encodeSse(JSON.stringify(part), part.type));
}

/** Undefined for a body that is not in its content encoding. */
function decodeBody(body: Buffer, contentEncoding: string | undefined): string | undefined {
  if (contentEncoding === undefined || contentEncoding === 'identity') return body.toString('utf8');
  if (contentEncoding !== 'zstd') return undefined;
  try {
    return decompressZstd(body).toString('utf8');
  } catch {
    return undefined;
  }
}
