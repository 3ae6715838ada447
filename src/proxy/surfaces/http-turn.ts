import type { HeaderList } from '../../wire/headers.ts';
import { type JsonNode, member, printJson } from '../../wire/json.ts';
import { readText } from '../http/body.ts';
import { errorFromBackend, errorFromFailedResponse } from '../http/errors.ts';
import { giveWay } from '../http/give-way.ts';
import { sendBackendResponse, sendJson } from '../http/send.ts';
import { ResponseCollector, readEvent, streamEndedEarly } from '../http/upstream-events.ts';
import type { HttpContext } from '../request-context.ts';
import { type RunTurnOptions, runTurn } from '../sessions/run-turn.ts';
import type { TurnRequest } from '../sessions/turn-request.ts';

/** The text of a request's body. Throws ApiError when it cannot be read. */
export async function readRequestText({ request, headers, limits, heldBytes }: HttpContext): Promise<string> {
  const text = await readText(request, headers, { limit: limits.bodyBytes, heldBytes });
  await giveWay(text.length);
  return text;
}

/**
 * Runs a turn that was requested over HTTP. Returns the last event. Returns undefined when the backend sent a response
 * without events: the client has received that instead. Throws ApiError when there is no response.
 */
export async function runHttpTurn(
  context: HttpContext,
  options: RunTurnOptions,
): Promise<string | undefined> {
  const result = await runTurn(context, options);
  if (result.kind === 'events') return result.last;
  if (context.response.headersSent) throw errorFromBackend(result.response);
  sendBackendResponse(context.response, result.response, droppedHeaders(options.request));
  return undefined;
}

/** As runHttpTurn, but sends the whole response, in the form of `translate`. Throws ApiError when it failed. */
export async function sendWholeResponse(
  context: HttpContext,
  request: TurnRequest,
  translate: (response: JsonNode) => JsonNode,
): Promise<void> {
  const newCollector = () => new ResponseCollector(context.limits.bodyBytes);
  let collector = newCollector();
  const last = await runHttpTurn(context, {
    request,
    onEvent: (type, text) => {
      const event = type === 'response.output_item.done' ? readEvent(text) : undefined;
      if (event !== undefined) collector.take(event);
      return undefined;
    },
    onDeltas: () => undefined,
    discardEvents: () => {
      collector = newCollector();
      return true;
    },
  });
  if (last === undefined) return;
  const event = readEvent(last);
  const response = event === undefined ? undefined : collector.take(event);
  if (response === undefined) throw streamEndedEarly();
  if (event?.type === 'response.failed') throw errorFromFailedResponse(member(event.node, 'response'));
  sendJson(context.response, printJson(translate(response)), { headers: droppedHeaders(request) });
}

/** The name under which a client learns which members were dropped from its request. */
export const droppedHeader = 'x-codex-parity-dropped';

/** The header that lists the members which were dropped from a request. */
export function droppedHeaders({ droppedParams }: TurnRequest): HeaderList {
  return droppedParams.length === 0 ? [] : [[droppedHeader, droppedParams.join(', ')]];
}
