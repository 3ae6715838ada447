import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HeaderList, pairHeaders } from '../../wire/headers.ts';
import { type JsonNode, member, printJson } from '../../wire/json.ts';
import type { ProxyContext } from '../context.ts';
import { readBody, unpackBody } from '../http/body.ts';
import { ApiError, errorFromFailedResponse, errorFromFrame } from '../http/errors.ts';
import { sendBackendResponse, sendJson } from '../http/send.ts';
import { SseAnswer } from '../http/sse.ts';
import { endedEarly, ResponseCollector, responseEvent } from '../relay/response-stream.ts';
import type { TakeEvent } from '../sessions/connection.ts';
import { runTurn } from '../sessions/run-turn.ts';
import type { SessionStore } from '../sessions/store.ts';
import { readTurn, type TurnRequest } from '../sessions/turn-request.ts';
import { droppedHeader } from '../shape/unsupported-params.ts';

/** A turn that is asked for by HTTP, and where it is answered. */
export type Asked = {
  readonly context: ProxyContext;
  readonly store: SessionStore;
  /** The client's own. */
  readonly headers: HeaderList;
  readonly response: ServerResponse;
  /** Fires when the client leaves. */
  readonly gone: AbortSignal;
};

/** Serves `POST /v1/responses` for clients that the proxy speaks for: as events, or as the whole response at once. */
export async function answerResponses(
  context: ProxyContext,
  store: SessionStore,
  request: IncomingMessage,
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  const headers = pairHeaders(request.rawHeaders);
  const limit = context.limits.bodyBytes;
  const turn = readTurn(await unpackBody(await readBody(request, limit), headers, limit));
  const asked = { context, store, headers, response, gone };
  if (turn.stream) return stream(asked, turn);
  const document = await collected(asked, turn);
  if (document !== undefined) sendJson(response, printJson(document), { headers: toldOf(turn) });
}

/** The answer's headers of the proxy's own. */
export function toldOf({ dropped }: TurnRequest): HeaderList {
  return dropped.length === 0 ? [] : [[droppedHeader, dropped.join(', ')]];
}

async function stream({ context, store, headers, response, gone }: Asked, turn: TurnRequest): Promise<void> {
  const answer = new SseAnswer(response, toldOf(turn));
  const held: (readonly [string, string])[] = [];
  const forget = () => {
    held.splice(0);
    return !answer.begun;
  };
  try {
    const take: TakeEvent = (type, text) => {
      // An error that comes first is an answer with its own status; what is told of the account may come before it.
      if (type === '' || (!answer.begun && type === 'error')) return undefined;
      if (!answer.begun && type.startsWith('codex.')) {
        held.push([type, text]);
        return undefined;
      }
      for (const [one, said] of held.splice(0)) answer.send(one, said);
      return answer.send(type, text);
    };
    const result = await runTurn(context, store, { headers }, turn, gone, take, forget);
    if (result.kind === 'response') return sendBackendResponse(response, result.response, toldOf(turn));
    if (!answer.begun) throw errorFromFrame(responseEvent(result.last)?.node ?? nothing);
  } catch (error) {
    if (!(error instanceof ApiError) || !answer.begun) throw error;
    answer.send('error', error.event);
  }
  answer.end();
}

/**
 * The whole response of a turn; undefined where the backend sent an HTTP response without events, which this has sent
 * on. Throws ApiError where the turn failed.
 */
export async function collected(
  { context, store, headers, response: to, gone }: Asked,
  turn: TurnRequest,
): Promise<JsonNode | undefined> {
  let collector = new ResponseCollector();
  const take: TakeEvent = (type, text) => {
    const event = type === 'response.output_item.done' ? responseEvent(text) : undefined;
    if (event !== undefined) collector.take(event);
    return undefined;
  };
  const forget = () => {
    collector = new ResponseCollector();
    return true;
  };
  const result = await runTurn(context, store, { headers }, turn, gone, take, forget);
  if (result.kind === 'response') {
    sendBackendResponse(to, result.response, toldOf(turn));
    return undefined;
  }
  const event = responseEvent(result.last);
  const response = event === undefined ? undefined : collector.take(event);
  if (response === undefined) throw endedEarly();
  if (event?.type === 'response.failed') throw errorFromFailedResponse(member(event.node, 'response'));
  return response;
}

const nothing: JsonNode = { kind: 'literal', value: null };
