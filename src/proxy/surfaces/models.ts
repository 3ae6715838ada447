import type { HeaderList } from '../../wire/headers.ts';
import { itemsOf, type JsonNode, member, stringAt, tryParseJson } from '../../wire/json.ts';
import { methodError, proxyError } from '../http/errors.ts';
import { sendJson } from '../http/send.ts';
import { readResponse, sendUpstream, upstreamUrl } from '../http/upstream/send-upstream.ts';
import { passThrough } from '../relay/relay-http.ts';
import { signedHeaders } from '../relay/signed-headers.ts';
import type { HttpContext } from '../request-context.ts';

/** Headers of the request for the backend's models. `signedHeaders` fills in the host. */
const modelsHeaders: HeaderList = [
  ['accept', 'application/json'],
  ['host', ''],
];

/**
 * Serves the list of models, and one model of it. The official client, which states its version, receives the backend's own response; every
 * other client receives a list in the form of OpenAI's API.
 */
export async function serveModels(context: HttpContext): Promise<void> {
  const { limits, signal, shape } = context;
  const isOfficial = context.identity !== undefined || /[?&]client_version=/.test(context.target);
  if (isOfficial) return passThrough(context);
  if (context.method !== 'GET' && context.method !== 'HEAD') throw methodError(context, ['GET']);
  const message = await sendUpstream({
    url: upstreamUrl(context.upstream, `/v1/models?client_version=${shape.codex}`),
    method: 'GET',
    headers: signedHeaders(modelsHeaders, await context.signIns.current(''), context.host),
    body: Buffer.alloc(0),
    signal,
    firstByte: limits.firstByte,
    form: shape.httpForm,
  });
  const { status, body } = await readResponse(message, {
    bytes: limits.bodyBytes,
    milliseconds: limits.idle,
  });
  const node = tryParseJson(body.toString('utf8'))?.node;
  if (status !== 200 || node === undefined) {
    throw proxyError(502, 'no_models', `the backend responded with ${status} to a request for its models`);
  }
  const data = modelNames(node).map((id) => ({ id, object: 'model', created: 0, owned_by: 'openai' }));
  const requested = /^\/v1\/models\/([^?]+)/.exec(context.target)?.[1];
  if (requested !== undefined) {
    const model = data.find(({ id }) => encodeURIComponent(id) === requested || id === requested);
    if (model === undefined)
      throw proxyError(404, 'model_not_found', `the backend has no model '${requested}'`);
    return sendJson(context.response, JSON.stringify(model));
  }
  sendJson(context.response, JSON.stringify({ object: 'list', data }));
}

/** The names in a list of models: under `slug` in the backend's, under `id` in OpenAI's. */
function modelNames(list: JsonNode): string[] {
  const models = itemsOf(member(list, 'models') ?? member(list, 'data'));
  return models.flatMap((model) => stringAt(model, 'slug') ?? stringAt(model, 'id') ?? []);
}
