import { once } from 'node:events';
import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { listenLocally } from '../listening.ts';
import { type HeaderList, headerValue, pairHeaders } from '../wire/headers.ts';
import { type JsonNode, stringAt, tryParseJson } from '../wire/json.ts';
import { type Identity, identityFromBody, identityFromHeaders } from './identity.ts';
import { relay, toBuffer } from './relay.ts';
import type { Shape } from './shape.ts';
import type { SignIn } from './sign-in.ts';
import { wireTier } from './tier.ts';
import { maximumMessageBytes, openUpstream, type Upgrade } from './upstream.ts';

export type ProxyOptions = {
  readonly shape: Shape;
  /** Read anew for each connection, so that a sign-in that was renewed meanwhile is used. */
  readonly signIn: () => SignIn;
  /** The backend's base, such as https://chatgpt.com/backend-api/codex; `/responses` is appended. */
  readonly upstream: URL;
  /** 0 for any free port. */
  readonly port: number;
  /** One line for each connection and each failure, without secrets or content. */
  readonly log: (line: string) => void;
};

export type RunningProxy = { readonly port: number; readonly close: () => Promise<void> };

/** The paths at which clients speak the responses websocket: by the official client's own, and by the API's name. */
const served: ReadonlySet<string> = new Set(['/backend-api/codex/responses', '/v1/responses']);

/** What the handshake must know: who speaks, and, where the golden's client hints at them, which model and tier. */
type Opening = { readonly identity: Identity; readonly model: string; readonly tier: string | undefined };

/** Starts the proxy on loopback. Throws ParityError where the port is taken. */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const server = createServer((_request, response) => {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(errorBody(404, 'not_found', 'codex-parity serves the responses websocket only'));
  });
  const clients = new WebSocketServer({
    noServer: true,
    perMessageDeflate: true,
    maxPayload: maximumMessageBytes,
  });
  clients.on('headers', (lines, request) => {
    lines.push(...(answerHeaders.get(request) ?? []).map(([name, value]) => `${name}: ${value}`));
  });
  // All connections, also those that the server has handed over to a websocket.
  const open = new Set<Duplex>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Without a listener, a client that resets its connection would end the process.
    socket.on('error', () => {});
    serve(options, clients, request, socket, head).catch((error: unknown) => {
      options.log(`failed: ${error instanceof Error ? error.message : String(error)}`);
      refuse(socket, 502, errorBody(502, 'upstream_unreachable', 'the backend cannot be reached'));
    });
  });
  const port = await listenLocally(server, options.port);
  return {
    port,
    close: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** Headers of the backend's 101 that go into ours, by the request they answer. */
const answerHeaders = new WeakMap<IncomingMessage, HeaderList>();

async function serve(
  options: ProxyOptions,
  clients: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const heard = pairHeaders(request.rawHeaders);
  const path = (request.url ?? '').split('?')[0] ?? '';
  if (!served.has(path))
    return refuse(socket, 404, errorBody(404, 'not_found', `nothing is served at ${path}`));
  // A page in a browser may open a websocket to loopback; it must not be able to use the user's sign-in.
  if (headerValue(heard, 'origin') !== undefined) {
    return refuse(socket, 403, errorBody(403, 'forbidden_origin', 'requests from browser pages are refused'));
  }
  // A client that leaves takes its upstream connection with it, also while that is still being opened.
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  const accept = () =>
    new Promise<WebSocket>((resolve) => {
      clients.handleUpgrade(request, socket, head, (client) => {
        // Without a listener, a malformed frame would end the process.
        client.on('error', () => client.terminate());
        resolve(client);
      });
    });

  const known = openingFromHeaders(heard, options.shape);
  if (known !== undefined) {
    // Asked first, answered second: so a refusal reaches the client as a refusal of its own upgrade.
    const { upgrade, shape } = await open(options, known, heard, gone.signal);
    if (!upgrade.accepted) return refuse(socket, upgrade.status, upgrade.body, upgrade.headers);
    answerHeaders.set(request, endToEnd(pairHeaders(upgrade.response.rawHeaders)));
    relay(await accept(), upgrade.socket, shape, []);
    return;
  }
  const client = await accept();
  const said: Buffer[] = [];
  const collect = (data: RawData) => said.push(toBuffer(data));
  client.on('message', collect);
  const first = await firstRequest(client);
  if (first === undefined) return client.terminate();
  try {
    const identity = identityFromHeaders(heard) ?? identityFromBody(first);
    const tier = wireTier(stringAt(first, 'service_tier'));
    const opening = { identity, model: stringAt(first, 'model') ?? '', tier };
    const { upgrade, shape } = await open(options, opening, heard, gone.signal);
    if (upgrade.accepted) {
      client.off('message', collect);
      return relay(client, upgrade.socket, shape, said);
    }
    const body = tryParseJson(upgrade.body.toString('utf8'))?.node;
    const message = stringAt(body, 'error', 'message') ?? 'the backend refused the upgrade';
    client.send(errorBody(upgrade.status, 'upstream_refused', message));
  } catch (error) {
    options.log(`failed: ${error instanceof Error ? error.message : String(error)}`);
    client.send(errorBody(502, 'upstream_unreachable', 'the backend cannot be asked'));
  }
  client.close(1011);
}

/** What an official client's handshake tells; undefined where the first message must be awaited. */
function openingFromHeaders(heard: HeaderList, shape: Shape): Opening | undefined {
  const identity = identityFromHeaders(heard);
  if (identity === undefined) return undefined;
  if (!shape.hintsAtModel) return { identity, model: '', tier: undefined };
  const hint = /^model=([^;]+)(?:;tier=(\w+))?$/.exec(headerValue(heard, 'x-codex-routing-hint') ?? '');
  return hint?.[1] === undefined ? undefined : { identity, model: hint[1], tier: wireTier(hint[2]) };
}

async function open(
  { shape, signIn, upstream, log }: ProxyOptions,
  { identity, model, tier }: Opening,
  heard: HeaderList,
  signal: AbortSignal,
): Promise<{ upgrade: Upgrade; shape: (heard: JsonNode) => JsonNode }> {
  const conversation = shape.conversation(identity, signIn(), heard);
  const url = new URL(`${upstream.href.replace(/^http/, 'ws').replace(/\/$/, '')}/responses`);
  const upgrade = await openUpstream({
    url,
    compresses: shape.compresses,
    signal,
    headers: (key) => conversation.handshake(url.host, key, model, tier),
  });
  log(upgrade.accepted ? 'connected' : `the backend refused the upgrade with ${upgrade.status}`);
  return { upgrade, shape: (body) => conversation.body(body) };
}

/** The client's first message that is a JSON object; undefined when it leaves or says something else. */
async function firstRequest(client: WebSocket): Promise<JsonNode | undefined> {
  const message = await new Promise<Buffer | undefined>((resolve) => {
    client.once('message', (data) => resolve(toBuffer(data)));
    client.once('close', () => resolve(undefined));
  });
  const node = message === undefined ? undefined : tryParseJson(message.toString('utf8'))?.node;
  return node?.kind === 'object' ? node : undefined;
}

const hopByHop = /^(?:connection|upgrade|keep-alive|transfer-encoding|content-length|sec-websocket-.*)$/i;

function endToEnd(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => !hopByHop.test(name));
}

function refuse(socket: Duplex, status: number, body: string | Buffer, headers: HeaderList = json): void {
  const lines = endToEnd(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n`;
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}${length}\r\n`);
  socket.end(body);
}

const json: HeaderList = [['content-type', 'application/json']];

/** An error as the backend words its own, over HTTP and over the websocket. */
function errorBody(status: number, code: string, message: string): string {
  return JSON.stringify({ type: 'error', status, error: { type: 'proxy_error', code, message } });
}
