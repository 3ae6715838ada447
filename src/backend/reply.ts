import { z } from 'zod';
import { jsonObjectText } from '../schema.ts';
import { parseJson, stringsIn } from '../wire/json.ts';
import type { CreateRequest } from './create-request.ts';
import { reasoning } from './reasoning.ts';
import {
  compaction,
  completeResponse,
  createdResponse,
  firstEvents,
  heldResponse,
  message,
  noise,
  type ResponseObject,
  unfinishedResponse,
} from './response-events.ts';
import type { CloseCode, ScriptedOutput, ScriptedResponse } from './scripted-response.ts';
import { callStyle, scriptedToolCall, toolCallOutput, toolCallTexts } from './tool-calls.ts';

/** Who a reply is for: the user's thread, a thread that it started, or a request to compact the thread. */
const requester = z.enum(['turn', 'subagent', 'compaction']);
export type Requester = z.output<typeof requester>;

const closeCode: z.ZodType<CloseCode> = z.int().nullable();

/** Absent is for whoever sends the next request. Threads that run side by side send theirs in no fixed order. */
const to = requester.exactOptional();
/** The summary of a reasoning item that comes before the output. */
const reasoningSummary = z.string().exactOptional();
/** A value that the client must send with each further request of the turn. */
const turnState = z.string().exactOptional();

/**
 * A scripted reply, as scenario files write it. The first key names its kind; `replyKinds` below has what each kind
 * makes the backend send.
 */
export const scriptedReply = z.discriminatedUnion('reply', [
  z.strictObject({
    reply: z.literal('text'),
    to,
    text: z.string(),
    reasoning: reasoningSummary,
    turnState,
    /** Sent after the response has begun. */
    noise: z.array(noise).readonly().exactOptional(),
    /** Ends the connection after the response. */
    close: closeCode.exactOptional(),
  }),
  z.strictObject({
    reply: z.literal('tool_calls'),
    to,
    style: callStyle.default('auto'),
    /** Each is an output item of the same response. */
    calls: z.array(scriptedToolCall).min(1, 'must contain a call').readonly(),
    reasoning: reasoningSummary,
    turnState,
  }),
  /** The request is refused, with an error frame or an HTTP status. `error` is the object under "error". */
  z.strictObject({
    reply: z.literal('error'),
    to,
    status: z.int(),
    error: jsonObjectText,
    /** Such as when to retry. They are sent in the frame, or as HTTP headers. */
    headers: z
      .record(z.string(), z.string())
      .transform(Object.entries<string>)
      .exactOptional(),
  }),
  /** The response fails after it began; `error` is the object under "response.error". */
  z.strictObject({ reply: z.literal('failed'), to, error: jsonObjectText }),
  z.strictObject({ reply: z.literal('incomplete'), to, reason: z.string() }),
  /** The connection ends after the first text delta. */
  z.strictObject({ reply: z.literal('break'), to, close: closeCode }),
  /** A binary message follows the first text delta. */
  z.strictObject({ reply: z.literal('binary'), to }),
  /** Nothing follows the first text delta: the client interrupts, steers or disconnects. */
  z.strictObject({ reply: z.literal('hold'), to, text: z.string() }),
]);
export type ScriptedReply = z.output<typeof scriptedReply>;

type ReplyKind = ScriptedReply['reply'];
type ReplyOf<Kind> = Extract<ScriptedReply, { readonly reply: Kind }>;

/** The request for a reply, who it is from, and the response object created for it. */
type ReplyContext = {
  readonly request: CreateRequest;
  readonly requester: Requester;
  readonly response: ResponseObject;
};

type ReplyBehaviour<Kind> = {
  /** The texts of a reply, exactly as they are sent. */
  readonly texts: (reply: ReplyOf<Kind>) => string[];
  readonly respond: (reply: ReplyOf<Kind>, context: ReplyContext) => ScriptedResponse;
};

/** The text of a reply that ends early and has none of its own. */
const firstWords = 'In the beginning';

const replyKinds: { readonly [Kind in ReplyKind]: ReplyBehaviour<Kind> } = {
  text: {
    texts: ({ text, reasoning = [] }) => [text, reasoning].flat(),
    respond: ({ text, reasoning, turnState, noise, close }, { request, response, requester }) => {
      const output = requester === 'compaction' ? compaction(text) : message(text);
      const outputs = [...thoughts(reasoning, request), output];
      const ending = close === undefined ? {} : { ending: { close } };
      return { ...completeResponse(response, outputs, turnState, noise), ...ending };
    },
  },
  tool_calls: {
    texts: ({ calls, reasoning = [] }) => [...calls.flatMap(toolCallTexts), reasoning].flat(),
    respond: ({ calls, style, reasoning, turnState }, { request, response }) => {
      const outputs = calls.map((call, index) => toolCallOutput(call, style, index, request));
      return completeResponse(response, [...thoughts(reasoning, request), ...outputs], turnState);
    },
  },
  error: {
    texts: ({ error }) => stringsIn(parseJson(error).node),
    respond: ({ status, error, headers = [] }) => ({ kind: 'refused', status, error, headers }),
  },
  failed: {
    texts: ({ error }) => stringsIn(parseJson(error).node),
    respond: ({ error }, { response }) =>
      unfinishedResponse(response, { status: 'failed', error: JSON.parse(error) }),
  },
  incomplete: {
    texts: () => [],
    respond: ({ reason }, { response }) =>
      unfinishedResponse(response, { status: 'incomplete', incomplete_details: { reason } }),
  },
  break: {
    texts: () => [firstWords],
    respond: ({ close }, { response }) => ({
      kind: 'stream',
      parts: firstEvents(response, message(firstWords)),
      ending: { close },
    }),
  },
  binary: {
    texts: () => [firstWords],
    respond: (_, { response }) => ({
      kind: 'stream',
      parts: [...firstEvents(response, message(firstWords)), notUtf8],
      ending: { hold: [] },
    }),
  },
  hold: {
    texts: ({ text }) => [text],
    respond: ({ text }, { response }) => heldResponse(response, message(text)),
  },
};

function thoughts(summary: string | undefined, { includesReasoning }: CreateRequest): ScriptedOutput[] {
  return summary === undefined ? [] : [reasoning(summary, includesReasoning)];
}

const notUtf8 = Buffer.from([0xff, 0xfe, 0xfd]);

function behaviourOf<Kind extends ReplyKind>(kind: Kind): ReplyBehaviour<Kind> {
  return replyKinds[kind];
}

/** The texts of a reply, exactly as they are sent. They are ours, so recordings may keep them readable. */
export function replyTexts(reply: ScriptedReply): string[] {
  return behaviourOf(reply.reply).texts(reply);
}

/** What the backend sends for a reply. Each call makes new ids. */
export function scriptedResponse(
  reply: ScriptedReply,
  request: CreateRequest,
  requester: Requester,
): ScriptedResponse {
  return behaviourOf(reply.reply).respond(reply, { request, requester, response: createdResponse(request) });
}
