import { type CreateRequest, readCreateRequest } from './create-request.ts';
import type { OnBackendEvent } from './event.ts';
import type { ResponseEvent } from './output.ts';
import { prewarmEvents, replyEvents } from './response-events.ts';
import type { Script } from './script.ts';

/** What is to be said to one message that asks for a response. */
export type Answer =
  | { readonly kind: 'events'; readonly events: readonly ResponseEvent[] }
  | { readonly kind: 'error'; readonly status: number; readonly error: ApiError };

/** The `error` member of an error frame, and of an HTTP error body. */
export type ApiError = { readonly type: string; readonly code: string; readonly message: string };

/**
 * Decides what one websocket frame or HTTP body is answered with; the transports only differ in how they say it.
 * A prewarm answers itself. Everything else takes the next scripted reply, and gets a 400 when none is left.
 */
export function answerTo(
  text: string,
  transport: 'websocket' | 'http',
  script: Script,
  onEvent: OnBackendEvent,
): Answer {
  const read = readCreateRequest(text);
  if (!read.understood) {
    onEvent({ type: 'not-understood', transport, reason: read.reason });
    return badRequest(`the simulated backend does not understand this message: ${read.reason}`);
  }
  const prewarm = !read.request.generate;
  onEvent({ type: 'create', transport, body: text, prewarm });
  return prewarm
    ? { kind: 'events', events: prewarmEvents(read.request) }
    : nextReply(read.request, script, onEvent);
}

function nextReply(request: CreateRequest, script: Script, onEvent: OnBackendEvent): Answer {
  const reply = script.next();
  if (reply !== undefined) return { kind: 'events', events: replyEvents(reply, request) };
  onEvent({ type: 'script-exhausted', scripted: script.length });
  return {
    kind: 'error',
    // Fatal at once; at a 5xx the client would try again for half a minute (measured: codex 0.169.0).
    status: 400,
    error: {
      type: 'invalid_request_error',
      code: 'script_exhausted',
      message: `the simulated backend's script is exhausted: all ${script.length} replies were used`,
    },
  };
}

function badRequest(message: string): Answer {
  return {
    kind: 'error',
    status: 400,
    error: { type: 'invalid_request_error', code: 'not_understood', message },
  };
}
