import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { uuid7 } from '../../src/wire/ids.ts';
import { decodeSse } from '../../src/wire/sse.ts';

/** How a client reaches the proxies: with a session that it names, from one address, or from another address each time. */
export type Reach = 'session' | 'address' | 'roaming';

export type ClientOptions = {
  /** Of the balancer. */
  readonly port: number;
  /** An official client is tunnelled. It sends its whole conversation when its websocket has ended. */
  readonly surface: 'HTTP' | 'websocket' | 'official';
  readonly reach: Reach;
  readonly index: number;
};

/** How often a client sends a request again, and milliseconds in between. */
const mostAttempts = 20;
const retryPause = 250;

/** A turn that a client gave up, or that failed for another reason than a lost connection. */
export class TurnFailure extends Error {}

/** A connection that ended before the response was complete, or a proxy that was not there: sent again. */
class LostConnection extends Error {}

/** A client that continues from the last response that it received, and sends a request again if its connection ends. */
export class ScaleClient {
  readonly #options: ClientOptions;
  readonly #session = uuid7();
  #previous: string | undefined;
  #socket: WebSocket | undefined;
  /** The messages of the conversation, for an official client. */
  readonly #items: object[] = [];
  /** The websocket that has the last response. */
  #continued: WebSocket | undefined;
  #requests = 0;
  /** Requests that were sent again. */
  retries = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Runs a turn. Returns the text of the response. Throws TurnFailure. */
  async turn(input: string): Promise<string> {
    const { surface } = this.#options;
    const isOfficial = surface === 'official';
    const previous = this.#previous !== undefined && { previous_response_id: this.#previous };
    const body = { model: 'm', input, ...previous };
    const message = messageOf('user', input);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const socket = surface === 'HTTP' ? undefined : await this.#open();
        const whole = { ...body, prompt_cache_key: this.#session, previous_response_id: undefined };
        const official =
          socket === this.#continued
            ? { ...whole, input: [message], ...previous }
            : { ...whole, input: [...this.#items, message] };
        const last = await (socket === undefined
          ? this.#post(body)
          : send(socket, isOfficial ? official : body));
        this.#continued = socket;
        this.#previous = last.response.id;
        const text = last.response.output[0]?.content[0]?.text ?? '';
        this.#items.push(message, messageOf('assistant', text));
        return text;
      } catch (error) {
        if (!(error instanceof LostConnection)) throw error;
        if (attempt === mostAttempts) throw new TurnFailure(`given up: ${error.message}`);
        this.retries += 1;
        if (isOfficial) this.#socket?.terminate();
        await delay(retryPause);
      }
    }
  }

  close(): void {
    this.#socket?.terminate();
  }

  async #post(body: object): Promise<CompletedEvent> {
    const sent = request({ ...this.#address(), method: 'POST', agent: false });
    const failed = (error: Error) => {
      throw new LostConnection(error.message);
    };
    sent.end(JSON.stringify({ ...body, stream: true }));
    const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) =>
      sent.once('response', resolve).once('error', reject),
    ).catch(failed);
    const received = await text(response).catch(failed);
    const status = response.statusCode ?? 0;
    if (status === 502 || status === 503 || status === 504) throw new LostConnection(`status ${status}`);
    if (status !== 200) throw new TurnFailure(`status ${status}: ${received}`);
    return completed(decodeSse(received).at(-1)?.data);
  }

  async #open(): Promise<WebSocket> {
    if (this.#options.reach === 'roaming') this.#socket?.close();
    else if (this.#socket?.readyState === WebSocket.OPEN) return this.#socket;
    const { host, port, path, ...options } = this.#address();
    const socket = new WebSocket(`ws://${host}:${port}${path}`, { ...options, perMessageDeflate: false });
    this.#socket = socket;
    try {
      await once(socket, 'open');
    } catch (error) {
      throw new LostConnection(error instanceof Error ? error.message : 'no websocket');
    }
    socket.on('error', () => {});
    return socket;
  }

  #address() {
    const { port, surface, reach, index } = this.#options;
    this.#requests += 1;
    const host = 1 + (reach === 'roaming' ? (index * 31 + this.#requests * 17) % 250 : index % 250);
    return {
      host: '127.0.0.1',
      port,
      path: '/v1/responses',
      localAddress: `127.0.0.${host}`,
      headers: {
        'content-type': 'application/json',
        ...(reach === 'session' && { 'session-id': this.#session }),
        ...(surface === 'official' && officialHeaders),
      },
    };
  }
}

/** With these and a session, a client counts as an official one of another version than the golden's. */
const officialHeaders = {
  authorization: 'Bearer token-of-the-client',
  'chatgpt-account-id': 'account-of-the-client',
  originator: 'codex_exec',
  version: '0.1.0',
  'openai-beta': 'responses_websockets=2026-02-06',
  'x-codex-turn-metadata': '{}',
};

function messageOf(role: 'user' | 'assistant', text: string): object {
  const type = role === 'user' ? 'input_text' : 'output_text';
  return { type: 'message', role, content: [{ type, text }] };
}

async function send(socket: WebSocket, body: object): Promise<CompletedEvent> {
  socket.send(JSON.stringify({ type: 'response.create', ...body }));
  const last = await new Promise<string>((resolve, reject) => {
    const closed = (code: number) => reject(new LostConnection(`closed with ${code}`));
    const receive = (data: unknown) => {
      if (!/^\{"type":"(?:error|response\.completed|response\.failed)"/.test(String(data))) return;
      socket.off('close', closed).off('message', receive);
      resolve(String(data));
    };
    socket.on('message', receive).once('close', closed);
    if (socket.readyState !== socket.OPEN) closed(1006);
  });
  return completed(last);
}

type CompletedEvent = {
  readonly type: string;
  readonly response: {
    readonly id: string;
    readonly output: readonly { readonly content: readonly { readonly text: string }[] }[];
  };
};

function completed(event: string | undefined): CompletedEvent {
  const last = event === undefined ? undefined : JSON.parse(event);
  if (last?.type === 'response.completed') return last;
  const code = last?.error?.code;
  // The proxy stops, or the turn was cut off.
  if (last === undefined || code === 'stopping' || !/^(?:error|response\.failed)$/.test(last.type)) {
    throw new LostConnection(`the response ended with ${code ?? last?.type ?? 'nothing'}`);
  }
  throw new TurnFailure(`the response ended with ${event}`);
}
