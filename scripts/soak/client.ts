import { once } from 'node:events';
import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { connect, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { WebSocket } from 'ws';
import { SseDecoder } from '../../src/wire/sse.ts';
import { echoPath } from './backend.ts';
import type { Abort, PlannedSession, PlannedTurn } from './plan.ts';

/** What a client received of a turn. */
export type Outcome = {
  /** The conversation that the request has, without its own prompt: `u:TURN` and `a:TURN`. */
  readonly before: readonly string[];
  /** The response that the request continues from. */
  readonly previous: string | undefined;
  /** The messages of a websocket, or the data of server-sent events. */
  readonly events: readonly string[];
  /** The body, if it is not a stream. */
  readonly body: string | undefined;
  /** The status of the response or of a refused upgrade; undefined without one. */
  readonly status: number | undefined;
  /**
   * How it ended: `ended` by the proxy with the last event or a whole body, `cut` by the proxy without that, `left` by
   * the client as planned, `late` when nothing came for a long time.
   */
  readonly ending: 'ended' | 'cut' | 'left' | 'late';
  /** How the connection ended, if it did. */
  readonly reason?: string | undefined;
};

type Received = Omit<Outcome, 'before' | 'previous'>;

/** Milliseconds without anything from the proxy, after which a client gives up: where it must not be, and where it may. */
const patience = 30_000;
const shortPatience = 8000;

const lastEvent = /^\{"type":"(?:response\.(?:completed|failed|incomplete)|error)"/;

/** What was said so far, from the client's view. */
type Message = { readonly turn: string; readonly role: 'user' | 'assistant'; readonly text: string };

/** A client of one session: it runs its turns one after another. */
export class SoakClient {
  readonly #session: PlannedSession;
  readonly #proxy: URL;
  readonly #slowness: number;
  #agent = newAgent();
  #socket: WebSocket | undefined;
  #history: Message[] = [];
  /** The last response, if the next turn can continue from it, and the websocket that it came over. */
  #previous:
    | { readonly id: string; readonly messages: number; readonly socket: WebSocket | undefined }
    | undefined;
  /** Whether the proxy has refused the websocket, so that the client uses POST as the official one does. */
  #usesHttp = false;

  /** @param slowness how many times as long everything may take */
  constructor(session: PlannedSession, proxy: URL, slowness: number) {
    this.#session = session;
    this.#proxy = proxy;
    this.#slowness = slowness;
  }

  async run(turn: PlannedTurn): Promise<Outcome> {
    const prompt: Message = {
      turn: turn.id,
      role: 'user',
      text: `${turn.id} ${'p'.repeat(turn.promptPadding)}`,
    };
    const before = this.#history.map(({ turn: id, role }) => `${role.slice(0, 1)}:${id}`);
    const previous = this.#chained()?.id;
    const isWebSocket = this.#session.surface.endsWith('websocket') && !this.#usesHttp;
    let received = isWebSocket ? await this.#overWebSocket(turn, prompt) : await this.#overHttp(turn, prompt);
    if (isWebSocket && received.status === 426) {
      this.#usesHttp = true;
      received = await this.#overHttp(turn, prompt);
    }
    this.#previous = undefined;
    const text = completeText(received);
    if (text !== undefined) {
      this.#history = [...this.#history, prompt, { turn: turn.id, role: 'assistant', text }];
      const id = responseIdIn(received);
      if (id !== undefined) this.#previous = { id, messages: this.#history.length, socket: this.#socket };
    }
    // A complete response may have come before the client half-closed its connection.
    const isSpent =
      received.ending !== 'ended' || turn.abort === 'half-closed' || !this.#session.keepsConnection;
    if (isSpent) this.close();
    return { ...received, before, previous };
  }

  /** Ends the client's connections. */
  close(): void {
    this.#agent.destroy();
    this.#agent = newAgent();
    this.#socket?.terminate();
    this.#socket = undefined;
  }

  /**
   * Requests what the proxy forwards as it is. Returns what is wrong with the response, and undefined if it belongs to the
   * request.
   */
  async echo(id: string): Promise<string | undefined> {
    const request = this.#post(`${echoPath}${id}`, { 'content-type': 'text/plain' });
    request.end(id);
    let failure = 'no response';
    const [response]: IncomingMessage[] = await once(request, 'response').catch((error: unknown) => {
      failure = `${error instanceof Error ? error.message : error} on a ${request.reusedSocket ? 'kept' : 'new'} connection`;
      return [];
    });
    if (response === undefined) return failure;
    const body = await textOf(response);
    const isOwn = body === JSON.stringify({ echo: id, body: id });
    return isOwn ? undefined : `status ${response.statusCode}: ${body.slice(0, 300)}`;
  }

  /** The last response, if the session continues from it. Only a client that names its session may reconnect. */
  #chained() {
    const { chains, naming, surface } = this.#session;
    const isBound =
      surface === 'official websocket' || (surface === 'responses websocket' && naming === 'none');
    const isLost = isBound && (this.#usesHttp || this.#previous?.socket !== this.#socket);
    return chains && !isLost ? this.#previous : undefined;
  }

  #request(turn: PlannedTurn, prompt: Message, transport: 'websocket' | 'http'): object {
    const previous = this.#chained();
    const messages = [...this.#history.slice(previous?.messages ?? 0), prompt];
    const { surface, naming, id } = this.#session;
    const named = naming === 'prompt_cache_key' || this.#isRelayed ? { prompt_cache_key: id } : {};
    if (surface === 'chat') {
      const content = messages.map(({ role, text }) => ({ role, content: text }));
      return { model: 'm', messages: content, stream: !turn.whole, ...named };
    }
    const input = messages.map(({ role, text }) => ({
      type: 'message',
      role,
      content: [{ type: role === 'user' ? 'input_text' : 'output_text', text }],
    }));
    return {
      ...(transport === 'websocket' ? { type: 'response.create' } : { stream: !turn.whole }),
      model: 'm',
      ...(previous === undefined ? {} : { previous_response_id: previous.id }),
      input,
      store: false,
      ...named,
    };
  }

  get #headers(): Record<string, string> {
    const { surface, naming, id, hasHint } = this.#session;
    if (!this.#isRelayed) return naming === 'session-id' ? { 'session-id': id } : {};
    const metadata = JSON.stringify({ session_id: id, turn_id: id });
    const hint = hasHint && surface.endsWith('websocket') ? { 'x-codex-routing-hint': 'model=m' } : {};
    return { originator: 'codex_exec', 'session-id': id, 'x-codex-turn-metadata': metadata, ...hint };
  }

  /** Milliseconds after which the client gives up a turn. An official client is relayed for as long as it waits. */
  #patienceFor({ fault }: PlannedTurn): number {
    return this.#slowness * (this.#isRelayed && fault?.how === 'silence' ? shortPatience : patience);
  }

  get #isRelayed(): boolean {
    return this.#session.surface.startsWith('official');
  }

  get #path(): string {
    const { surface } = this.#session;
    if (surface === 'chat') return '/v1/chat/completions';
    return surface === 'responses' ? '/v1/responses' : '/backend-api/codex/responses';
  }

  #post(path: string, headers: Record<string, string | number>): ClientRequest {
    const request = requestHttp(new URL(path, this.#proxy), {
      method: 'POST',
      agent: this.#agent,
      headers: { ...this.#headers, ...headers },
    });
    request.on('error', () => {});
    return request;
  }

  async #overHttp(turn: PlannedTurn, prompt: Message): Promise<Received> {
    const text = JSON.stringify(this.#request(turn, prompt, 'http'));
    const body = turn.compressed ? zstdCompressSync(text) : Buffer.from(text);
    const request = this.#post(this.#path, {
      'content-type': 'application/json',
      'content-length': body.length,
      ...(turn.compressed ? { 'content-encoding': 'zstd' } : {}),
    });
    const reception = new Reception(turn, this.#patienceFor(turn), () =>
      disconnect(request, request.socket, turn),
    );
    let failure = '';
    request.once('error', (error) => {
      failure = `: ${error.message}`;
    });
    const closed = () =>
      reception.end('cut', `closed on a ${request.reusedSocket ? 'kept' : 'new'} connection${failure}`);
    request.once('response', (response: IncomingMessage) => {
      request.off('close', closed);
      receiveStream(response, reception);
    });
    request.once('close', closed);
    if (turn.abort === 'within the request') {
      request.write(body.subarray(0, body.length / 2));
      await delay(20);
      reception.leave();
    } else {
      request.end(body);
    }
    if (turn.abort === 'half-closed') {
      await halfClose(request);
      reception.leaving = true;
    }
    return reception.outcome;
  }

  async #overWebSocket(turn: PlannedTurn, prompt: Message): Promise<Received> {
    if (turn.abort === 'at once' && turn.position < 0.5 && this.#socket === undefined) {
      return this.#leaveUpgrade(turn);
    }
    const refused = await this.#open();
    const socket = this.#socket;
    if (socket === undefined)
      return { events: [], body: refused?.body, status: refused?.status, ending: 'cut' };
    const reception = new Reception(turn, this.#patienceFor(turn), () =>
      disconnect(socket, rawSocket(socket), turn),
    );
    const onMessage = (data: unknown) => {
      reception.take(String(data));
      if (lastEvent.test(String(data))) reception.end('ended');
    };
    const onClose = (code: number, text: Buffer) => reception.end('cut', `closed with ${code} ${text}`);
    socket.on('message', onMessage).once('close', onClose);
    if (socket.readyState !== socket.OPEN) reception.end('cut', 'closed before the request');
    else if (turn.abort === 'within the request') {
      reception.leaving = true;
      rawSocket(socket)?.write(turn.position < 0.5 ? malformedFrame : partOfFrame);
      await delay(20);
      reception.leave();
    } else {
      socket.send(JSON.stringify(this.#request(turn, prompt, 'websocket')));
    }
    if (turn.abort === 'unread') socket.pause();
    if (turn.abort === 'half-closed') {
      rawSocket(socket)?.end();
      reception.leaving = true;
    }
    const outcome = await reception.outcome;
    socket.off('message', onMessage).off('close', onClose);
    return outcome;
  }

  /** Resets a connection while the proxy has not responded to its upgrade. */
  async #leaveUpgrade({ position }: PlannedTurn): Promise<Received> {
    const socket = connect(Number(this.#proxy.port), this.#proxy.hostname);
    socket.on('error', () => {});
    const key = Buffer.alloc(16).toString('base64');
    const headers = { ...this.#headers, host: this.#proxy.host, connection: 'upgrade', upgrade: 'websocket' };
    const lines = Object.entries({ ...headers, 'sec-websocket-version': 13, 'sec-websocket-key': key });
    socket.write(
      `GET /v1/responses HTTP/1.1\r\n${lines.map((line) => `${line.join(': ')}\r\n`).join('')}\r\n`,
    );
    await delay(20 * position);
    socket.resetAndDestroy();
    return { events: [], body: undefined, status: undefined, ending: 'left' };
  }

  /** Opens the websocket unless one is open. Returns the refusal, if the proxy refuses it. */
  async #open(): Promise<{ status: number | undefined; body: string } | undefined> {
    if (this.#socket?.readyState === WebSocket.OPEN) return undefined;
    const url = new URL('/v1/responses', this.#proxy);
    const socket = new WebSocket(url.href.replace('http', 'ws'), { headers: this.#headers });
    this.#socket = undefined;
    return new Promise((resolve) => {
      socket.once('open', () => {
        this.#socket = socket;
        resolve(undefined);
      });
      socket.once('unexpected-response', (_request, response: IncomingMessage) => {
        void textOf(response).then((body) => resolve({ status: response.statusCode, body }));
      });
      socket.on('error', () => resolve({ status: undefined, body: '' }));
    });
  }
}

/** Collects what a client receives of a turn, and makes it leave as planned. */
class Reception {
  readonly outcome: Promise<Received>;
  /** Whether the proxy may cut the response off, as the client is about to leave. */
  leaving = false;
  readonly abort: Abort | undefined;
  readonly #turn: PlannedTurn;
  readonly #disconnect: () => void;
  readonly #events: string[] = [];
  readonly #late: NodeJS.Timeout;
  #ended = false;
  #settle: (outcome: Received) => void = () => {};
  status: number | undefined;
  body: string | undefined;

  constructor(turn: PlannedTurn, patience: number, disconnect: () => void) {
    this.abort = turn.abort;
    this.#turn = turn;
    this.#disconnect = disconnect;
    this.outcome = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#late = setTimeout(() => this.end('late'), patience);
    if (turn.abort === 'at once') setTimeout(() => this.leave(), turn.position * 100);
    if (turn.abort === 'unread') setTimeout(() => this.leave(), 300 + turn.position * 300);
  }

  take(event: string): void {
    this.#events.push(event);
    this.#late.refresh();
    const { abort, position, deltas } = this.#turn;
    if (abort === 'within the response' && this.#events.length > 2 + position * deltas) this.leave();
  }

  leave(): void {
    if (this.#ended) return;
    this.leaving = true;
    this.end('left');
    this.#disconnect();
  }

  /** `reason`: how the connection ended, if it did. */
  end(ending: Outcome['ending'], reason?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#late);
    const how = ending === 'cut' && this.leaving ? 'left' : ending;
    this.#settle({ events: [...this.#events], body: this.body, status: this.status, ending: how, reason });
    if (ending === 'late') this.#disconnect();
  }
}

function receiveStream(response: IncomingMessage, reception: Reception): void {
  reception.status = response.statusCode;
  if (reception.abort === 'unread') return;
  response.on('error', () => {});
  const isStream = response.headers['content-type']?.startsWith('text/event-stream') === true;
  const decoder = new SseDecoder();
  let body = '';
  response.on('data', (chunk: Buffer) => {
    if (isStream) for (const { data } of decoder.push(chunk)) reception.take(data);
    else body += chunk.toString('latin1');
  });
  response.once('close', () => {
    if (!isStream) reception.body = Buffer.from(body, 'latin1').toString('utf8');
    reception.end(response.complete ? 'ended' : 'cut');
  });
}

/** The text of a complete response's message, and undefined for any other. */
function completeText({ ending, events, body }: Received): string | undefined {
  if (ending !== 'ended') return undefined;
  if (body !== undefined) return textOfWhole(parseJson(body));
  if (events.at(-1) === '[DONE]') {
    return events.map((event) => parseJson(event)?.choices?.[0]?.delta?.content ?? '').join('');
  }
  const last = parseJson(events.at(-1) ?? '');
  return last?.type === 'response.completed' ? textOfWhole(last.response) : undefined;
}

function textOfWhole(value: ReturnType<typeof parseJson>): string | undefined {
  return value?.choices?.[0]?.message?.content ?? value?.output?.[0]?.content?.[0]?.text;
}

function responseIdIn({ events, body }: Received): string | undefined {
  const last = parseJson(body ?? events.at(-1) ?? '');
  return last?.response?.id ?? last?.id;
}

/** A value of any form, or undefined for what is not JSON: a faulty proxy may send anything. */
export function parseJson(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function textOf(response: IncomingMessage | undefined): Promise<string> {
  let text = '';
  try {
    for await (const chunk of response ?? []) text += chunk;
  } catch {
    // What was cut off is compared as it is.
  }
  return text;
}

/** Ends the writing side of a request's connection when the request is sent. */
async function halfClose(request: ClientRequest): Promise<void> {
  if (!request.writableFinished) await Promise.race([once(request, 'finish'), once(request, 'close')]);
  await delay(5);
  request.socket?.end();
}

/** A frame that announces more than follows. */
const partOfFrame = Buffer.from([0x81, 0xfe, 0x10, 0x00, 1, 2, 3, 4, 5, 6]);

/** A frame with an opcode that does not exist. */
const malformedFrame = Buffer.from([0x8f, 0x80, 1, 2, 3, 4]);

/** Ends a connection: in half of the turns by a reset. */
function disconnect(
  connection: ClientRequest | WebSocket,
  socket: Socket | null | undefined,
  { position }: PlannedTurn,
): void {
  if (position < 0.5) socket?.resetAndDestroy();
  if (connection instanceof WebSocket) connection.terminate();
  else connection.destroy();
}

/** The TCP connection below a websocket, which the library does not show. Undefined when it is closed. */
function rawSocket(socket: WebSocket): Socket | undefined {
  return '_socket' in socket && socket._socket instanceof Socket ? socket._socket : undefined;
}

function newAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 });
}
