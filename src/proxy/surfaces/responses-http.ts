import { toNode } from '../../wire/json.ts';
import { ApiError, errorFromFrame } from '../http/errors.ts';
import { SseResponse } from '../http/sse-response.ts';
import { readEvent } from '../http/upstream-events.ts';
import type { HttpContext } from '../request-context.ts';
import { readTurnRequest, type TurnRequest } from '../sessions/turn-request.ts';
import { droppedHeaders, readRequestText, runHttpTurn, sendWholeResponse } from './http-turn.ts';

/** Serves `POST /v1/responses`: streams the events, or sends the whole response. */
export async function serveResponsesHttp(context: HttpContext): Promise<void> {
  const request = readTurnRequest(await readRequestText(context), context.shape);
  if (request.stream) return streamEvents(context, request);
  await sendWholeResponse(context, request, (response) => response);
}

async function streamEvents(context: HttpContext, request: TurnRequest): Promise<void> {
  const stream = new SseResponse(context.response, droppedHeaders(request), context.limits.ping);
  try {
    const last = await runHttpTurn(context, {
      request,
      onEvent: (type, text) => {
        // An error before all other events becomes a response with its own status.
        if (!stream.begun && type === 'error') return undefined;
        return stream.send(type, text);
      },
      onDeltas: (deltas) => stream.sendDeltas(deltas),
      discardEvents: () => !stream.hasEvents,
    });
    if (last === undefined) return;
    if (!stream.begun) throw errorFromFrame(readEvent(last)?.node ?? toNode(null));
  } catch (error) {
    if (!(error instanceof ApiError) || !stream.begun) throw error;
    stream.send('error', error.event);
  }
  stream.end();
}
