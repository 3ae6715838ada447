import { type HeaderList, headerValue } from '../wire/headers.ts';
import { parseJson, stringAt } from '../wire/json.ts';
import { type CreateRequest, readCreateRequest } from './create-request.ts';
import type { PendingFaults } from './faults.ts';
import { type Conversation, conversationOf, type KnownResponses } from './known-responses.ts';
import { type Requester, type ScriptedReply, scriptedResponse } from './reply.ts';
import { prewarmEvents } from './response-events.ts';
import type { ScriptedResponse } from './scripted-response.ts';
import { asReported } from './strict-responses.ts';
import { strictRefusal } from './strict-rules.ts';

/** What happens in the backend, as it happens. It is not sealed, so it must never be stored or printed. */
export type BackendObservation =
  | {
      /** An HTTP request got its response. */
      readonly type: 'request';
      readonly method: string;
      readonly target: string;
      readonly headers: HeaderList;
      readonly status: number;
    }
  | {
      /** A request without a route got a 404. A new client version may use a new path. */
      readonly type: 'unrouted';
      readonly method: string;
      readonly target: string;
    }
  | { readonly type: 'upgrade'; readonly target: string; readonly headers: HeaderList }
  | {
      /** A request for a response; `body` is its JSON text, decompressed. */
      readonly type: 'create';
      readonly transport: 'websocket' | 'http';
      readonly body: string;
      /** True for `generate:false`, which uses no scripted reply. */
      readonly prewarm: boolean;
    }
  | {
      /** A message or body that is not a request for a response: not JSON, or of another type. */
      readonly type: 'not-understood';
      readonly transport: 'websocket' | 'http';
      readonly reason: string;
    }
  /** The strict backend refused a request for a response. `message` says why. */
  | { readonly type: 'refused'; readonly transport: 'websocket' | 'http'; readonly message: string }
  /** A request for a response got an error, as no scripted reply was left for it. */
  | { readonly type: 'script-exhausted'; readonly scripted: number };

/**
 * The replies of one run. All connections share them, and each is used once. With `repeats`, the script starts anew when
 * it has no reply left for a request.
 */
export function startScript(replies: readonly ScriptedReply[], repeats = false) {
  const left = [...replies];
  let unanswered = 0;
  const take = (requester: Requester): ScriptedReply | undefined => {
    const index = left.findIndex(({ to }) => to === undefined || to === requester);
    return index < 0 ? undefined : left.splice(index, 1)[0];
  };
  return {
    /** Removes and returns the next reply for a requester; undefined when none is left. */
    next: (requester: Requester): ScriptedReply | undefined => {
      const reply = take(requester);
      if (reply !== undefined) return reply;
      if (repeats) left.splice(0, left.length, ...replies);
      const again = take(requester);
      if (again === undefined) unanswered += 1;
      return again;
    },
    /** How many replies were used so far. */
    used: () => replies.length - left.length,
    /** How many requests came when no reply was left for them. */
    unanswered: () => unanswered,
    length: replies.length,
  };
}

/** What all connections of a backend share. */
export type BackendRun = {
  readonly script: ReturnType<typeof startScript>;
  readonly faults: PendingFaults;
  readonly strict: boolean;
  readonly replyTo: (request: CreateRequest, conversation: Conversation) => ScriptedReply | undefined;
  readonly onEvent: (event: BackendObservation) => void;
};

/** A websocket message or HTTP body that may request a response. */
type ReceivedRequest = {
  readonly text: string;
  readonly transport: 'websocket' | 'http';
  /** Of the `POST`, or of the upgrade. */
  readonly headers: HeaderList;
  /** The sender, as far as path and headers tell. */
  readonly requester: Requester;
  readonly strict: boolean;
  /** The responses of the connection. Absent over HTTP, where no response can be continued. */
  readonly known?: KnownResponses;
};

/**
 * Who sent a request or an upgrade. A thread that another thread started, such as a reviewer, names its purpose in this
 * header, and has its own websocket (measured: codex 0.128.0 and 0.169.0).
 */
export function requesterOf(headers: HeaderList): 'turn' | 'subagent' {
  return headerValue(headers, 'x-openai-subagent') === undefined ? 'turn' : 'subagent';
}

/**
 * Returns the response for one websocket message or HTTP body. A prewarm needs no scripted reply. Any other request
 * uses the next reply for its sender, and is refused with 400 when none is left.
 */
export function respond(received: ReceivedRequest, run: BackendRun): ScriptedResponse {
  const { text, transport, headers, strict, known } = received;
  const read = readCreateRequest(text);
  if (!read.understood) {
    run.onEvent({ type: 'not-understood', transport, reason: read.reason });
    return badRequest(
      'not_understood',
      `the simulated backend does not understand this message: ${read.reason}`,
    );
  }
  const { request } = read;
  run.onEvent({ type: 'create', transport, body: text, prewarm: !request.generate });
  const previous = known?.previousOf(request.body);
  const conversation = conversationOf(request.body, previous);
  const reply = () => scripted({ request, conversation, sender: received.requester }, run);
  if (!strict) return reply();
  const refusal = strictRefusal({ body: request.body, transport, headers, previous });
  if (refusal !== undefined) {
    run.onEvent({ type: 'refused', transport, message: messageOf(refusal) });
    return refusal;
  }
  const response = asReported(reply(), request.body, transport);
  known?.add(conversation, response);
  return response;
}

type Replied = {
  readonly request: CreateRequest;
  readonly conversation: Conversation;
  readonly sender: Requester;
};

function scripted({ request, conversation, sender }: Replied, run: BackendRun): ScriptedResponse {
  const { script, faults, replyTo, onEvent } = run;
  if (!request.generate) {
    return faults.stallsPrewarm()
      ? { kind: 'stream', parts: [], ending: { hold: [] } }
      : { kind: 'stream', parts: prewarmEvents(request) };
  }
  const requester = request.compacts ? 'compaction' : sender;
  const reply = replyTo(request, conversation) ?? script.next(requester);
  if (reply !== undefined) return scriptedResponse(reply, request, requester);
  onEvent({ type: 'script-exhausted', scripted: script.length });
  // The client gives up at once. After a 5xx it would retry for half a minute (measured: codex 0.169.0).
  return badRequest(
    'script_exhausted',
    `the simulated backend's script is exhausted: it has no reply left for this request`,
  );
}

function messageOf(refusal: Exclude<ScriptedResponse, { readonly kind: 'stream' }>): string {
  if (refusal.kind === 'rejected') return refusal.detail;
  return stringAt(parseJson(refusal.error).node, 'message') ?? refusal.error;
}

/** An error that is not part of the script. */
export function badRequest(code: string, message: string): ScriptedResponse {
  const error = JSON.stringify({ type: 'invalid_request_error', code, message });
  return { kind: 'refused', status: 400, error, headers: [] };
}
