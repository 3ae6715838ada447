import { createServer } from 'node:http';
import { onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { listenLocally } from '../../src/listening.ts';
import { uuid7 } from '../../src/wire/ids.ts';

/** How a backend responds to a turn: what it reports of the cache, or that it ends the connection. */
export type UsageReply =
  | { readonly input: number; readonly cached: number; readonly delay?: number; readonly deltas?: number }
  | 'close';

/** Starts a backend that responds to each request with the next of these replies, and returns its port. */
export async function usageBackend(
  replies: Iterator<UsageReply>,
  finished: (stop: () => void) => void = onTestFinished,
): Promise<number> {
  const server = createServer((_, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ server });
  let responses = 0;
  sockets.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data) => {
      const { generate }: { generate?: boolean } = JSON.parse(String(data));
      responses += 1;
      const id = `resp_${responses}`;
      const send = (event: object) => socket.send(JSON.stringify(event));
      const reply = generate === false ? { input: 1, cached: 0 } : replies.next().value;
      send({ type: 'response.created', response: { id } });
      if (reply === 'close') return socket.close(1011);
      const { input, cached, delay = 0, deltas = 2 } = reply;
      const finish = () => {
        for (let delta = 0; delta < deltas; delta += 1)
          send({ type: 'response.output_text.delta', delta: 'word ' });
        const usage = {
          ...{ input_tokens: input, input_tokens_details: { cached_tokens: cached } },
          output_tokens: deltas,
        };
        send({ type: 'response.completed', response: { id, output: [], usage } });
      };
      if (delay === 0) finish();
      else setTimeout(finish, delay);
    });
  });
  const port = await listenLocally(server);
  finished(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  return port;
}

export type UsageClient = {
  /** Sends a turn with these members and waits for its response. */
  readonly turn: (body?: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly session: string;
  readonly close: () => void;
};

/** A client that sends turns over one websocket, each chained to the last one. */
export async function usageClient(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  session = uuid7(),
): Promise<UsageClient> {
  const model = 'gpt-6.2-sol';
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/responses`, {
    headers: {
      'session-id': session,
      'chatgpt-account-id': 'acct-secret-of-the-user',
      authorization: 'Bearer secret-token-of-the-user-123456',
      originator: 'my_client',
      'x-codex-routing-hint': `model=${model};tier=priority`,
      ...headers,
    },
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  let previous: string | undefined;
  return {
    session,
    close: () => socket.close(),
    turn: async (body = {}) => {
      const ended = new Promise<void>((resolve) => {
        const take = (data: unknown) => {
          const event: { type: string; response?: { id: string } } = JSON.parse(String(data));
          if (event.type !== 'response.completed') return;
          previous = event.response?.id;
          socket.off('message', take);
          resolve();
        };
        socket.on('message', take).once('close', () => resolve());
      });
      socket.send(
        JSON.stringify({
          ...{ type: 'response.create', model, service_tier: 'priority', prompt_cache_key: session },
          ...(previous === undefined ? {} : { previous_response_id: previous }),
          input: [
            {
              type: 'message',
              role: 'user',
              content: [{ type: 'input_text', text: 'the secret prompt of mine' }],
            },
          ],
          ...{ instructions: 'You help a developer with secret work.', tools: [], stream: true },
          ...body,
        }),
      );
      await ended;
    },
  };
}
