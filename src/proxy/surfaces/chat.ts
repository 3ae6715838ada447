import type { IncomingMessage, ServerResponse } from 'node:http';
import { pairHeaders } from '../../wire/headers.ts';
import { printJson, tryParseJson } from '../../wire/json.ts';
import { ChatChunks } from '../chat/chunks.ts';
import { chatCompletion } from '../chat/completion.ts';
import { chatRequest } from '../chat/request.ts';
import type { ProxyContext } from '../context.ts';
import { readBody, unpackBody } from '../http/body.ts';
import { ApiError, proxyError } from '../http/errors.ts';
import { sendBackendResponse, sendJson } from '../http/send.ts';
import { SseAnswer } from '../http/sse.ts';
import { responseEvent } from '../relay/response-stream.ts';
import type { TakeEvent } from '../sessions/connection.ts';
import { runTurn } from '../sessions/run-turn.ts';
import type { SessionStore } from '../sessions/store.ts';
import { readTurn, type TurnRequest } from '../sessions/turn-request.ts';
import { type Asked, collected, toldOf } from './responses-http.ts';

/** Serves `POST /v1/chat/completions`: the request as one for a response, and the response as a completion. */
export async function answerChat(
  context: ProxyContext,
  store: SessionStore,
  request: IncomingMessage,
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  const headers = pairHeaders(request.rawHeaders);
  const limit = context.limits.bodyBytes;
  const text = await unpackBody(await readBody(request, limit), headers, limit);
  const body = tryParseJson(text)?.node;
  if (body === undefined) throw proxyError(400, 'invalid_json', 'the body is not JSON');
  const chat = chatRequest(body);
  const turn = readTurn(printJson(chat.body));
  const asked = { context, store, headers, response, gone };
  if (chat.streams) return stream(asked, turn, chat.includesUsage);
  const document = await collected(asked, turn);
  if (document === undefined) return;
  sendJson(response, printJson(chatCompletion(document)), { headers: toldOf(turn) });
}

async function stream(asked: Asked, turn: TurnRequest, includesUsage: boolean): Promise<void> {
  const { context, store, headers, response, gone } = asked;
  const answer = new SseAnswer(response, toldOf(turn));
  let chunks = new ChatChunks(includesUsage);
  let failure: unknown;
  const forget = () => {
    chunks = new ChatChunks(includesUsage);
    return !answer.begun;
  };
  try {
    const take: TakeEvent = (_, text) => {
      const event = responseEvent(text);
      if (event === undefined || failure !== undefined) return undefined;
      try {
        let room: Promise<void> | undefined;
        for (const chunk of chunks.take(event)) room = answer.send(undefined, printJson(chunk));
        return room;
      } catch (error) {
        failure = error;
        return undefined;
      }
    };
    const result = await runTurn(context, store, { headers }, turn, gone, take, forget);
    if (result.kind === 'response') return sendBackendResponse(response, result.response, toldOf(turn));
    if (failure !== undefined) throw failure;
    answer.send(undefined, '[DONE]');
  } catch (error) {
    if (!(error instanceof ApiError) || !answer.begun) throw error;
    answer.send(undefined, error.body);
  }
  answer.end();
}
