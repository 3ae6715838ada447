import { type HeaderList, headerValue } from '../wire/headers.ts';
import type { OnBackendEvent } from './backend-event.ts';
import { type CreateRequest, readCreateRequest } from './create-request.ts';
import type { PendingFaults } from './faults.ts';
import { prewarmEvents, scriptedResponse } from './response-events.ts';
import type { Recipient, Script } from './script.ts';
import type { ScriptedResponse } from './scripted-response.ts';

/** What all connections of a backend share. */
export type BackendRun = {
  readonly script: Script;
  readonly trouble: PendingFaults;
  readonly onEvent: OnBackendEvent;
};

/** A message that may ask for a response, and how it came. */
export type ReceivedRequest = {
  readonly text: string;
  readonly transport: 'websocket' | 'http';
  /** Whom it is from, as far as path and headers tell. */
  readonly from: Recipient;
};

/**
 * Whom a request or an upgrade is from. A thread that another one started, such as a reviewer, names in this header
 * what it is for, and has a websocket of its own (measured: codex 0.128.0 and 0.169.0).
 */
export function senderOf(headers: HeaderList): 'turn' | 'subagent' {
  return headerValue(headers, 'x-openai-subagent') === undefined ? 'turn' : 'subagent';
}

/**
 * Decides what one websocket frame or HTTP body is answered with; the transports only differ in how they say it.
 * A prewarm answers itself. Everything else takes the next scripted reply for it, and gets a 400 when none is left.
 */
export function respond({ text, transport, from }: ReceivedRequest, stage: BackendRun): ScriptedResponse {
  const { onEvent, trouble } = stage;
  const read = readCreateRequest(text);
  if (!read.understood) {
    onEvent({ type: 'not-understood', transport, reason: read.reason });
    return badRequest(
      'not_understood',
      `the simulated backend does not understand this message: ${read.reason}`,
    );
  }
  const { request } = read;
  onEvent({ type: 'create', transport, body: text, prewarm: !request.generate });
  if (request.generate) return nextReply(request, request.compacts ? 'compaction' : from, stage);
  return trouble.stallsPrewarm()
    ? { kind: 'said', said: [], ending: { hold: [] } }
    : { kind: 'said', said: prewarmEvents(request) };
}

function nextReply(
  request: CreateRequest,
  recipient: Recipient,
  { script, onEvent }: BackendRun,
): ScriptedResponse {
  const reply = script.next(recipient);
  if (reply !== undefined) return scriptedResponse(reply, request, recipient);
  onEvent({ type: 'script-exhausted', scripted: script.length });
  // Fatal at once; at a 5xx the client would try again for half a minute (measured: codex 0.169.0).
  return badRequest(
    'script_exhausted',
    `the simulated backend's script is exhausted: it has no reply left for this request`,
  );
}

/** An error that the script does not ask for. */
export function badRequest(code: string, message: string): ScriptedResponse & { readonly kind: 'refused' } {
  const error = JSON.stringify({ type: 'invalid_request_error', code, message });
  return { kind: 'refused', status: 400, error };
}
