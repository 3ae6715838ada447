import { printJson, tryParseJson } from '../../wire/json.ts';
import { ChatChunks } from '../chat/chat-chunks.ts';
import { chatCompletion } from '../chat/chat-completion.ts';
import { chatRequest } from '../chat/chat-request.ts';
import { ApiError, proxyError } from '../http/errors.ts';
import { giveWay } from '../http/give-way.ts';
import { SseResponse } from '../http/sse-response.ts';
import { readEvent } from '../http/upstream-events.ts';
import type { HttpContext } from '../request-context.ts';
import { readTurnRequest, type TurnRequest } from '../sessions/turn-request.ts';
import { droppedHeaders, readRequestText, runHttpTurn, sendWholeResponse } from './http-turn.ts';

/** Serves `POST /v1/chat/completions`: translates the request, and the response back into a completion or chunks. */
export async function serveChatCompletions(context: HttpContext): Promise<void> {
  const text = await readRequestText(context);
  const body = tryParseJson(text)?.node;
  if (body === undefined) throw proxyError(400, 'invalid_json', 'the body is not JSON');
  await giveWay(text.length);
  const chat = chatRequest(body);
  const translated = printJson(chat.body);
  await giveWay(translated.length);
  const read = readTurnRequest(translated, context.shape);
  const droppedParams = chat.hasNames ? [...read.droppedParams, 'messages.name'] : read.droppedParams;
  // No later request can name its response.
  const request = { ...read, droppedParams, isStored: false };
  if (chat.streams) return streamChunks(context, request, chat.includesUsage);
  await sendWholeResponse(context, request, chatCompletion);
}

async function streamChunks(context: HttpContext, request: TurnRequest, usage: boolean): Promise<void> {
  const stream = new SseResponse(context.response, droppedHeaders(request), context.limits.ping);
  let chunks = new ChatChunks(usage);
  let failure: unknown;
  try {
    const last = await runHttpTurn(context, {
      request,
      onEvent: (_, text) => {
        const event = readEvent(text);
        if (event === undefined || failure !== undefined) return undefined;
        try {
          let room: Promise<void> | undefined;
          for (const chunk of chunks.take(event)) room = stream.send(undefined, printJson(chunk));
          return room;
        } catch (error) {
          failure = error;
          return undefined;
        }
      },
      discardEvents: () => {
        chunks = new ChatChunks(usage);
        return !stream.hasEvents;
      },
    });
    if (last === undefined) return;
    if (failure !== undefined) throw failure;
    stream.send(undefined, '[DONE]');
  } catch (error) {
    if (!(error instanceof ApiError) || !stream.begun) throw error;
    stream.send(undefined, error.body);
  }
  stream.end();
}
