import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Fault } from '../fault/fault.ts';
import type { Golden } from '../golden/golden.ts';
import { Matcher } from '../golden/match/matcher.ts';
import type { Place } from '../golden/match/mismatch.ts';
import { Filler } from '../golden/pattern/fill.ts';
import { clientJson, type Exchange, type Step } from '../golden/trace/exchanges.ts';
import { variablesFromBackend } from '../golden/trace/variable-uses.ts';
import type { BodyEvent, HeaderField, MessageEvent, ResponseEvent } from '../trace/trace-event.ts';
import { closingResponse } from '../wire/closing-response.ts';
import { type HeaderList, headerValue, pairHeaders } from '../wire/headers.ts';
import { type JsonNode, jsonString, printJson, tryParseJson } from '../wire/json.ts';
import { isModelRoute } from '../wire/route.ts';
import { encodeSse } from '../wire/sse.ts';
import { decompressZstd } from '../wire/zstd.ts';
import { startFaults } from './faults.ts';
import { beginResponse, bothVersions, cutOff, type Request, type Response } from './http-versions.ts';
import { listenWithFaults } from './listen-with-faults.ts';
import { jsonResponse } from './scripted-response.ts';
import { sideResponse } from './side-routes.ts';

type ReplayBackendOptions = {
  readonly golden: Golden;
  /** TCP port on 127.0.0.1; absent or 0 uses a free one. */
  readonly port?: number;
  readonly faults?: readonly Fault[];
  /** The seed by which bytes, frames, pings and compression vary; absent varies nothing. */
  readonly vary?: number | undefined;
};

export type ReplayBackend = {
  readonly port: number;
  /** `http://127.0.0.1:PORT`, without a path. */
  readonly origin: string;
  /** See FaultRelay: for a server in front of the backend that terminates TLS. */
  failHandshake(client: Socket): boolean;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
  /** Whether it serves HTTP/2 besides HTTP/1.1. Faults happen over HTTP/1.1 only. */
  readonly http2: boolean;
};

/**
 * Plays the backend's side of a golden on loopback, again and again. A request gets the exchange that it fits best; ids
 * of the backend are new in each round, and what the client chose is repeated as the client sent it.
 *
 * @throws ParityError `port-in-use` when the port is in use.
 */
export async function startReplayBackend(options: ReplayBackendOptions): Promise<ReplayBackend> {
  const { golden, port = 0, faults: wireFaults = [], vary } = options;
  let round = new Round(golden);
  const next = (method: string, message?: JsonNode) => {
    const exchange = round.take(method, message);
    if (exchange !== undefined) return { exchange, round };
    round = new Round(golden);
    return { exchange: round.take(method, message), round };
  };
  const faults = startFaults({});
  const websockets = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  const serve = (request: Request, response: Response) => {
    // This fails only when the client disconnects in the middle of its request.
    respond(request, response).catch(() => response.destroy());
  };
  const http1 = createServer(serve);

  async function respond(request: Request, response: Response): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const headers = pairHeaders(request.rawHeaders).filter(([name]) => !name.startsWith(':'));
    const body = await buffer(request);
    if (!isModelRoute(url)) {
      const path = url.replace(/\?.*$/s, '').replace(/\/{2,}/g, '/');
      const sideRequest = { method, path, headers, body: body.toString() };
      const side = sideResponse(sideRequest, { faults, models: [] }) ?? notRecorded;
      beginResponse(response, side).end(side.body);
      return;
    }
    const message = readBody(body, headerValue(headers, 'content-encoding'));
    const { exchange, round } = next(method, message);
    const sent = exchange?.steps.find((step) => step.type === 'response');
    if (exchange === undefined || sent === undefined) {
      beginResponse(response, notRecorded).end(notRecorded.body);
      return;
    }
    round.readRequest(exchange, headers, message);
    writeBody(response, sent, exchange, round);
  }

  http1.on('upgrade', (request, socket: Duplex, head) => {
    // Without a listener, a client that resets its connection would end the process.
    socket.on('error', () => {});
    const { exchange, round } = isModelRoute(request.url ?? '/')
      ? next('GET')
      : { exchange: undefined, round: undefined };
    const response = exchange?.steps.find((step) => step.type === 'response');
    if (exchange === undefined || round === undefined || response === undefined) {
      socket.end(closingResponse(notRecorded), () => socket.destroy());
      return;
    }
    round.readRequest(exchange, pairHeaders(request.rawHeaders));
    if (response.status !== 101) {
      const body = Buffer.concat(round.bodyOf(exchange));
      socket.end(closingResponse({ status: response.status, headers: round.headers(response), body }), () =>
        socket.destroy(),
      );
      return;
    }
    websockets.handleUpgrade(request, socket, head, (client) => playMessages(client, exchange, round));
  });

  const server = bothVersions(http1, serve);
  const listening = await listenWithFaults(server, { port, faults: wireFaults, vary });
  return {
    port: listening.port,
    origin: `http://127.0.0.1:${listening.port}`,
    http2: wireFaults.length === 0,
    failHandshake: listening.failHandshake,
    close: () => {
      for (const client of websockets.clients) client.terminate();
      return listening.close();
    },
  };
}

const notRecorded = jsonResponse(404, { detail: 'the recording has no such request' });

/** The exchanges of a golden that have not been played, and the values of its variables in this round. */
class Round {
  readonly #left: Exchange[];
  readonly #filler: Filler;
  readonly #reader: Matcher;

  constructor(golden: Golden) {
    this.#left = [...golden.exchanges];
    const fromBackend = variablesFromBackend(golden.exchanges);
    const filler = new Filler(golden.variables, []);
    this.#filler = filler;
    this.#reader = new Matcher(golden.variables, {
      mismatch: () => {},
      occurrence: (variable, value) => {
        if (!fromBackend.has(variable)) filler.set(variable, value);
      },
    });
  }

  /**
   * Removes and returns the exchange of this method that fits the body best, the first of equals; undefined if none is
   * left.
   */
  take(method: string, body: JsonNode | undefined): Exchange | undefined {
    let best: { readonly exchange: Exchange; readonly likeness: number } | undefined;
    for (const exchange of this.#left.filter(({ request }) => request.method === method)) {
      const expected = exchange.steps.map(clientJson).find((json) => json !== undefined);
      const likeness =
        expected === undefined || body === undefined ? 0 : this.#reader.likeness(expected, body);
      if (best === undefined || likeness > best.likeness) best = { exchange, likeness };
    }
    if (best !== undefined) this.#left.splice(this.#left.indexOf(best.exchange), 1);
    return best?.exchange;
  }

  /** Reads the values that the client chose. */
  readRequest({ request, steps }: Exchange, headers: HeaderList, body?: JsonNode): void {
    const fields = headers.map(([name, value]): HeaderField => [name, jsonString(value)]);
    this.#reader.fields(request.headers, fields, clientPlace);
    this.readMessage(steps.find(isFromClient), body);
  }

  readMessage(expected: Step | undefined, actual: JsonNode | undefined): void {
    const json = expected === undefined ? undefined : clientJson(expected);
    if (json !== undefined && actual !== undefined) this.#reader.node(json, actual, clientPlace);
  }

  headers({ headers }: ResponseEvent): [string, string][] {
    return headers
      .filter(([name]) => !/^sec-websocket-extensions$/i.test(name))
      .map(([name, value]) => [name, this.#text(value)]);
  }

  /** The pieces of the body of a response. */
  bodyOf({ steps }: Exchange): Buffer[] {
    const body = steps.find((step): step is BodyEvent => step.type === 'body' && step.from === 'backend');
    if (body === undefined) return [];
    const { content } = body;
    if (content.kind !== 'events') return [this.bytes(content)];
    return content.events.map(({ event, data }) => {
      return Buffer.from(encodeSse(this.#text(data), event === '' ? undefined : event));
    });
  }

  bytes(content: Exclude<MessageEvent['content'], { readonly kind: 'events' }>): Buffer {
    switch (content.kind) {
      case 'json':
        return Buffer.from(printJson(this.#filler.node(content.json)));
      case 'text':
        return Buffer.from(this.#text(content.text));
      case 'bytes':
        // The recording has the length alone. The first byte is not valid UTF-8, so it is not taken for text.
        return Buffer.alloc(content.bytes, 0xff);
      case 'close':
        return Buffer.from(content.reason === undefined ? '' : this.#text(content.reason));
    }
  }

  #text(pattern: JsonNode): string {
    const filled = this.#filler.node(pattern);
    return filled.kind === 'string' ? filled.value : printJson(filled);
  }
}

const clientPlace: Place = { exchange: 1, side: 'client', part: 'message', number: 1, path: [] };

function isFromClient(step: Step): boolean {
  return step.type !== 'response' && step.from === 'client';
}

function writeBody(response: Response, sent: ResponseEvent, exchange: Exchange, round: Round): void {
  const body = exchange.steps.find((step) => step.type === 'body' && step.from === 'backend');
  const content = beginResponse(response, { status: sent.status, headers: round.headers(sent) });
  for (const piece of round.bodyOf(exchange)) content.write(piece);
  if (body === undefined || body.type !== 'body' || body.complete) content.end();
  else if (exchange.cutBy !== 'client') content.write('', () => cutOff(response));
}

/** Plays the messages of the backend, each after the message of the client that came before it in the recording. */
function playMessages(client: WebSocket, exchange: Exchange, round: Round): void {
  const { end } = exchange;
  const steps = exchange.steps.filter((step): step is MessageEvent => step.type === 'message');
  const send = async () => {
    while (steps[0]?.from === 'backend') {
      const step = steps.shift();
      if (step !== undefined) await sendMessage(client, step, round);
    }
    if (steps.length === 0 && end === 'backend') client.terminate();
  };
  let sending = send();
  client.on('error', () => {});
  client.on('message', (data, isBinary) => {
    const expected = steps.find(isFromClient);
    if (expected !== undefined) steps.splice(0, steps.indexOf(expected) + 1);
    round.readMessage(expected, isBinary ? undefined : tryParseJson(textOf(data))?.node);
    sending = sending.then(send);
  });
}

async function sendMessage(client: WebSocket, step: MessageEvent, round: Round): Promise<void> {
  const { opcode, content, compressed = true } = step;
  if (content.kind === 'events') return;
  const bytes = round.bytes(content);
  if (content.kind === 'close') {
    if (content.code === null) client.close();
    else client.close(content.code, bytes);
    return;
  }
  await new Promise<void>((sent) => {
    if (opcode === 'ping') client.ping(bytes, false, () => sent());
    else client.send(bytes, { binary: opcode === 'binary', compress: compressed }, () => sent());
  });
}

function readBody(body: Buffer, encoding: string | undefined): JsonNode | undefined {
  try {
    return tryParseJson((encoding === 'zstd' ? decompressZstd(body) : body).toString('utf8'))?.node;
  } catch {
    // Not zstd: the comparison reports it.
    return undefined;
  }
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return (data instanceof ArrayBuffer ? Buffer.from(data) : data).toString('utf8');
}
