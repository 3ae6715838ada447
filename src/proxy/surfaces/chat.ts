import type { IncomingMessage, ServerResponse } from 'node:http';
import { pairHeaders } from '../../wire/headers.ts';
import { printJson, tryParseJson } from '../../wire/json.ts';
import { ChatChunks } from '../chat/chunks.ts';
import { chatCompletion } from '../chat/completion.ts';
import { chatRequest } from '../chat/request.ts';
import type { ProxyContext } from '../context.ts';
import { ApiError } from '../http/api-error.ts';
import { BackendAnswer } from '../http/backend-answer.ts';
import { readBody, unpackBody } from '../http/body.ts';
import { refused } from '../http/refusal.ts';
import { answerBackend } from '../http/send-backend-answer.ts';
import { SseAnswer } from '../http/sse.ts';
import { responseEvent } from '../relay/response-stream.ts';
import type { TakeEvent } from '../sessions/connection.ts';
import { runTurn } from '../sessions/run-turn.ts';
import type { SessionStore } from '../sessions/store.ts';
import { readTurn, type TurnRequest } from '../sessions/turn-request.ts';
import { type Asked, answerJson, collected, toldOf } from './responses-http.ts';

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
  if (body === undefined) throw refused(400, 'invalid_json', 'the body is not JSON');
  const chat = chatRequest(body);
  const turn = readTurn(printJson(chat.body));
  const asked = { context, store, headers, response, gone };
  try {
    if (chat.streams) await stream(asked, turn, chat.includesUsage);
    else answerJson(asked, turn, chatCompletion(await collected(asked, turn)));
  } catch (error) {
    if (!(error instanceof BackendAnswer)) throw error;
    answerBackend(response, error, toldOf(turn));
  }
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
    await runTurn(context, store, { headers }, turn, gone, take, forget);
    if (failure !== undefined) throw failure;
    answer.send(undefined, '[DONE]');
  } catch (error) {
    if (!(error instanceof ApiError) || !answer.begun) throw error;
    answer.send(undefined, error.body);
  }
  answer.end();
}
