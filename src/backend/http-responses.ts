import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { answerTo } from './answer.ts';
import type { OnBackendEvent } from './event.ts';
import { type HttpAnswer, json } from './http-answer.ts';
import type { Script } from './script.ts';

const unpackZstd = promisify(zstdDecompress);

/**
 * Answers `POST …/responses`, which the client falls back to when it gets no websocket: the same events as server-sent
 * events, an error as an HTTP status. With a ChatGPT sign-in the client compresses the body with zstd.
 */
export async function answerPost(
  body: Buffer,
  contentEncoding: string | undefined,
  script: Script,
  onEvent: OnBackendEvent,
): Promise<HttpAnswer> {
  const text = await decoded(body, contentEncoding);
  if (text === undefined) {
    const reason = `a body that is not ${contentEncoding ?? 'identity'}`;
    onEvent({ type: 'not-understood', transport: 'http', reason });
    return json(400, { error: { type: 'invalid_request_error', code: 'not_understood', message: reason } });
  }
  const answer = answerTo(text, 'http', script, onEvent);
  if (answer.kind === 'error') return json(answer.status, { error: answer.error });
  return {
    status: 200,
    headers: [
      ['content-type', 'text/event-stream; charset=utf-8'],
      ['cache-control', 'no-cache'],
    ],
    body: answer.events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''),
  };
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
