import type { IncomingMessage } from 'node:http';
import { pairHeaders } from '../../wire/headers.ts';
import { SseDecoder } from '../../wire/sse.ts';
import type { ProxyContext } from '../context.ts';
import type { Limits } from '../limits.ts';
import { reasonOf } from '../log.ts';
import type { PackedPost } from '../packed-post.ts';
import { refused } from '../refusal.ts';
import { isLast } from '../response-stream.ts';
import { askUpstream, readAll } from '../upstream/http.ts';
import { cutOff } from './again.ts';
import { BackendAnswer } from './backend-answer.ts';
import type { TakeEvent } from './connection.ts';
import { eventType } from './event.ts';

/** Asks once; resolves to the answer's head. Throws ApiError where there is no answer. */
export async function askByPost(
  { responses, limits, metrics }: ProxyContext,
  packed: PackedPost,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  metrics.add('upstream_connections_total', 1, 'transport=http');
  const answer = await askUpstream({
    url: responses,
    method: 'POST',
    ...packed,
    signal,
    firstByte: limits.firstByte,
  }).catch((error: unknown) => {
    throw refused(502, 'upstream_unreachable', `the backend cannot be reached: ${reasonOf(error)}`);
  });
  answer.setTimeout(limits.idle, () => answer.destroy());
  return answer;
}

/** Throws BackendAnswer for an answer that is no stream of events, ApiError for one that is cut off. */
export async function mustStream(answer: IncomingMessage, { bodyBytes }: Limits): Promise<void> {
  const type = answer.headers['content-type'] ?? '';
  if (answer.statusCode === 200 && type.startsWith('text/event-stream')) return;
  const body = await readAll(answer, bodyBytes).catch((error: unknown) => {
    throw refused(502, cutOff, `the answer was cut off: ${reasonOf(error)}`);
  });
  throw new BackendAnswer(answer.statusCode ?? 502, pairHeaders(answer.rawHeaders), body);
}

/** Hands out the events of a stream; resolves to the last. Throws ApiError where it ends without one. */
export async function takeEvents(answer: IncomingMessage, take: TakeEvent): Promise<string> {
  const decoder = new SseDecoder();
  try {
    for await (const chunk of answer) {
      const bytes: Buffer = chunk;
      for (const { data } of decoder.push(bytes)) {
        const type = eventType(data);
        await take(type, data);
        if (isLast(type)) return data;
      }
    }
  } catch (error) {
    throw refused(502, cutOff, `the answer was cut off: ${reasonOf(error)}`);
  }
  throw refused(502, cutOff, 'the answer was cut off');
}
