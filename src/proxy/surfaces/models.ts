import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HeaderList, pairHeaders } from '../../wire/headers.ts';
import { type JsonNode, member, stringAt, tryParseJson } from '../../wire/json.ts';
import type { ProxyContext } from '../context.ts';
import { proxyError } from '../http/errors.ts';
import { sendJson } from '../http/send.ts';
import { readResponse, sendUpstream } from '../http/upstream/request.ts';
import { passThrough, signedHeaders } from '../relay/pass-through.ts';
import { upstreamUrl } from '../routes.ts';
import { officialIdentity } from '../shape/identity.ts';

/**
 * Serves the list of models. The official client, which tells its version, gets the backend's own answer; all others
 * the list that OpenAI's API gives.
 */
export async function answerModels(
  context: ProxyContext,
  request: IncomingMessage,
  response: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  const headers = pairHeaders(request.rawHeaders);
  const isOfficial = /[?&]client_version=/.test(request.url ?? '') || officialIdentity(headers) !== undefined;
  if (isOfficial || request.method !== 'GET') return passThrough(context, request, response, gone);
  const accepted: HeaderList = [
    ['accept', 'application/json'],
    ['host', ''],
  ];
  const message = await sendUpstream({
    url: upstreamUrl(context.upstream, `/v1/models?client_version=${context.shape.codex}`),
    method: 'GET',
    headers: signedHeaders(accepted, await context.signIns.current(''), context.host),
    body: Buffer.alloc(0),
    signal: gone,
    firstByte: context.limits.firstByte,
  });
  const { status, body } = await readResponse(message, context.limits.bodyBytes);
  const node = tryParseJson(body.toString('utf8'))?.node;
  if (status !== 200 || node === undefined) {
    throw proxyError(502, 'no_models', `the backend responded to the request for its models with ${status}`);
  }
  sendJson(response, JSON.stringify({ object: 'list', data: namesIn(node).map(asModel) }));
}

/** The names in the backend's catalogue, each under `slug`; in OpenAI's under `id`. */
function namesIn(catalogue: JsonNode): string[] {
  const models = member(catalogue, 'models') ?? member(catalogue, 'data');
  if (models?.kind !== 'array') return [];
  return models.items.flatMap((model) => stringAt(model, 'slug') ?? stringAt(model, 'id') ?? []);
}

function asModel(id: string) {
  return { id, object: 'model', created: 0, owned_by: 'openai' };
}
