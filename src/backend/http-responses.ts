import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { type HeaderList, headerValue } from '../wire/headers.ts';
import { type HttpResponse, json } from './http-response.ts';
import { type BackendRun, badRequest, respond, senderOf } from './respond.ts';
import type { ScriptedResponse, StreamPart } from './scripted-response.ts';

const unpackZstd = promisify(zstdDecompress);

type ReceivedPost = { readonly path: string; readonly headers: HeaderList; readonly body: Buffer };

/**
 * Answers `POST …/responses`, which the client falls back to when it gets no websocket: the same events as server-sent
 * events, an error as an HTTP status. With a ChatGPT sign-in the client compresses the body with zstd.
 *
 * `POST …/responses/compact` gets the output alone, as one JSON object: so 0.118.0 to 0.137.0 compact a thread, and
 * they go on with the items of `output` (measured).
 */
export async function respondToPost(
  { path, headers, body }: ReceivedPost,
  stage: BackendRun,
): Promise<HttpResponse> {
  const encoding = headerValue(headers, 'content-encoding');
  const text = await decoded(body, encoding);
  if (text === undefined) {
    const reason = `a body that is not ${encoding ?? 'identity'}`;
    stage.onEvent({ type: 'not-understood', transport: 'http', reason });
    return http(badRequest('not_understood', reason));
  }
  if (path.endsWith('/compact'))
    return compacted(respond({ text, transport: 'http', from: 'compaction' }, stage));
  return http(respond({ text, transport: 'http', from: senderOf(headers) }, stage));
}

/** The output items of an answer that ends well; any other is told as ever. */
function compacted(answer: ScriptedResponse): HttpResponse {
  const output = answer.kind === 'said' ? answer.output : undefined;
  return output === undefined ? http(answer) : json(200, { output });
}

function http(answer: ScriptedResponse): HttpResponse {
  if (answer.kind === 'refused') {
    const { headers, ...plain } = json(answer.status, {});
    return { ...plain, headers: [...headers, ...(answer.headers ?? [])], body: `{"error":${answer.error}}` };
  }
  const { turnState, said, ending } = answer;
  return {
    status: 200,
    headers: [
      ['content-type', 'text/event-stream; charset=utf-8'],
      ['cache-control', 'no-cache'],
      ...(turnState === undefined ? [] : [['x-codex-turn-state', turnState] as const]),
    ],
    body: Buffer.concat(said.map(serverSent)),
    ...(ending === undefined ? {} : { ending: 'hold' in ending ? 'hold' : 'cut' }),
  };
}

function serverSent(said: StreamPart): Buffer {
  if (Buffer.isBuffer(said)) return said;
  if (typeof said === 'string') return Buffer.from(`data: ${said}\n\n`);
  return Buffer.from(`event: ${said.type}\ndata: ${JSON.stringify(said)}\n\n`);
}

async function decoded(body: Buffer, contentEncoding: string | undefined): Promise<string | undefined> {
  if (contentEncoding === undefined || contentEncoding === 'identity') return body.toString('utf8');
  if (contentEncoding !== 'zstd') return undefined;
  try {
    return (await unpackZstd(body)).toString('utf8');
  } catch {
    return undefined;
  }
}
