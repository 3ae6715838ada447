import type { IncomingMessage } from 'node:http';
import { SseDecoder } from '../../wire/sse.ts';
import { isLastEvent } from '../http/backend-events.ts';
import { proxyError } from '../http/errors.ts';
import { type BackendResponse, readResponse, sendUpstream } from '../http/upstream/send-upstream.ts';
import type { Limits } from '../limits.ts';
import { reasonOf } from '../log.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { PackedPost } from '../shape/pack-post.ts';
import { cutOff, unreachable } from './again.ts';
import type { TakeEvent } from './connection.ts';
import { eventType } from './event.ts';

/** Asks once; resolves to the answer's head. Throws ApiError where there is no answer, or none in time. */
export async function askByPost(
  { responses, limits, metrics }: ProxyContext,
  packed: PackedPost,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  metrics.add('upstream_connections_total', 1, 'transport=http');
  const answer = await sendUpstream({
    url: responses,
    method: 'POST',
    ...packed,
    signal,
    firstByte: limits.firstByte,
  }).catch((error: unknown) => {
    // Who waits in vain is not asked to wait again: the official client waits on (measured: codex 0.169.0, a minute).
    const isSilent = !(error instanceof Error && 'code' in error);
    throw proxyError(
      502,
      isSilent ? 'upstream_silent' : unreachable,
      `the backend cannot be reached: ${reasonOf(error)}`,
    );
  });
  answer.setTimeout(limits.idle, () => answer.destroy());
  return answer;
}

/** Whether an answer is a stream of events. */
export function isStream({ statusCode, headers }: IncomingMessage): boolean {
  return statusCode === 200 && headers['content-type']?.startsWith('text/event-stream') === true;
}

/** Reads an answer that is no stream of events. Throws ApiError for one that is cut off. */
export async function wholeAnswer(answer: IncomingMessage, { bodyBytes }: Limits): Promise<BackendResponse> {
  return readResponse(answer, bodyBytes).catch((error: unknown) => {
    throw proxyError(502, cutOff, `the answer was cut off: ${reasonOf(error)}`);
  });
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
        if (isLastEvent(type)) return data;
      }
    }
  } catch (error) {
    throw proxyError(502, cutOff, `the answer was cut off: ${reasonOf(error)}`);
  }
  throw proxyError(502, cutOff, 'the answer was cut off');
}
