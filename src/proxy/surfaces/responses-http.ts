import { toNode } from '../../wire/json.ts';
import { ApiError, errorFromFrame } from '../http/errors.ts';
import { SseResponse } from '../http/sse-response.ts';
import { readEvent } from '../http/upstream-events.ts';
import type { HttpContext } from '../request-context.ts';
import { readTurnRequest, type TurnRequest } from '../sessions/turn-request.ts';
import { droppedHeaders, readText, runHttpTurn, sendWholeResponse } from './http-turn.ts';

/** Serves `POST /v1/responses`: streams the events, or sends the whole response. */
export async function serveResponsesHttp(context: HttpContext): Promise<void> {
  const request = readTurnRequest(await readText(context));
  if (request.stream) return streamEvents(context, request);
  await sendWholeResponse(context, request, (response) => response);
}

async function streamEvents(context: HttpContext, request: TurnRequest): Promise<void> {
  const stream = new SseResponse(context.response, droppedHeaders(request));
  const held: (readonly [type: string, text: string])[] = [];
  try {
    const last = await runHttpTurn(context, {
      request,
      onEvent: (type, text) => {
        // An error before all other events becomes a response with its own status. Events about the account may come
        // before it, so hold them until the response begins.
        if (type === '' || (!stream.begun && type === 'error')) return undefined;
        if (!stream.begun && type.startsWith('codex.')) {
          held.push([type, text]);
          return undefined;
        }
        for (const event of held.splice(0)) stream.send(...event);
        return stream.send(type, text);
      },
      discardEvents: () => {
        held.splice(0);
        return !stream.begun;
      },
    });
    if (last === undefined) return;
    if (!stream.begun) throw errorFromFrame(readEvent(last)?.node ?? toNode(null));
  } catch (error) {
    if (!(error instanceof ApiError) || !stream.begun) throw error;
    stream.send('error', error.event);
  }
  stream.end();
}
