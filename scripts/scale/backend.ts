import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { listenLocally } from '../../src/listening.ts';
import { unsignedToken, uuid4 } from '../../src/wire/ids.ts';

export type ScaleBackend = {
  readonly origin: string;
  /** From now on, only sign-ins that are renewed are accepted. */
  readonly revoke: () => void;
  /** How often tokens were requested. */
  readonly renewals: () => number;
  /** What a proxy should not have sent. */
  readonly breaches: string[];
  readonly close: () => Promise<void>;
};

/** The text of a response to the last of a conversation's messages. */
export function expectedText(messages: readonly string[]): string {
  return messages.join('+');
}

/** Milliseconds between the events of a response, so that many turns run when something happens. */
const eventPause = 40;

/**
 * Starts a backend that keeps a response for as long as its websocket lasts, as the real one does. A response has the text of
 * all messages of the conversation.
 */
export async function startScaleBackend(): Promise<ScaleBackend> {
  const breaches: string[] = [];
  const sessions = new Map<string, readonly string[]>();
  let refused: string | undefined;
  let lastToken: string | undefined;
  let renewals = 0;
  let refreshToken: string | undefined;

  const server = createServer(async (request, response) => {
    const body = await text(request);
    response.setHeader('content-type', 'application/json');
    if (request.url !== '/oauth/token') {
      breaches.push(`${request.method} ${request.url}: the proxy did not use the websocket`);
      response.writeHead(404).end('{}');
      return;
    }
    renewals += 1;
    const used: unknown = JSON.parse(body).refresh_token;
    if (refreshToken !== undefined && used !== refreshToken) breaches.push('a refresh token was used twice');
    refreshToken = `refresh-${renewals}`;
    // Long enough for others to want the same renewal.
    await delay(200);
    const accessToken = unsignedToken({ exp: 4_102_444_800, jti: uuid4() });
    response.end(JSON.stringify({ access_token: accessToken, refresh_token: refreshToken }));
  });
  const websockets = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    socket.on('error', () => {});
    const { authorization } = request.headers;
    if (authorization === refused) {
      socket.end(
        'HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}',
      );
      return;
    }
    lastToken = authorization;
    websockets.handleUpgrade(request, socket, head, (client) => serve(client));
  });

  /** A client whose first request is lost may begin another session. From then on it has one. */
  const checkSession = (conversation: string, session: string, continues: boolean) => {
    const known = sessions.get(conversation) ?? [];
    if (continues && !known.includes(session)) breaches.push(`${conversation} continues in another session`);
    sessions.set(conversation, continues ? [session] : [...known, session]);
  };

  const serve = (client: WebSocket) => {
    const conversations = new Map<string, string>();
    client.on('error', () => {});
    client.on('message', async (data) => {
      const request: BackendRequest = JSON.parse(String(data));
      const { previous_response_id: previous, input, generate, prompt_cache_key: session } = request;
      const before = previous === undefined ? '' : conversations.get(previous);
      if (before === undefined) {
        breaches.push(`previous_response_not_found: ${previous} in session ${session}`);
        const error = {
          type: 'invalid_request_error',
          code: 'previous_response_not_found',
          message: 'not found',
        };
        client.send(JSON.stringify({ type: 'error', status: 400, error }));
        return;
      }
      const answer = before + input.map(textOf).join('');
      const id = `resp_${uuid4().replaceAll('-', '')}`;
      conversations.set(id, generate === false ? '' : `${answer}+`);
      const [conversation = ''] = answer.split('.');
      if (generate !== false) checkSession(conversation, session, answer.includes('+'));
      for (const event of eventsOf(id, generate === false ? undefined : answer)) {
        client.send(JSON.stringify(event));
        if (generate !== false) await delay(eventPause);
      }
    });
  };

  const port = await listenLocally(server);
  return {
    origin: `http://127.0.0.1:${port}`,
    revoke: () => {
      refused = lastToken;
    },
    renewals: () => renewals,
    breaches,
    close: () =>
      new Promise((resolve) => {
        for (const client of websockets.clients) client.terminate();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type BackendRequest = {
  readonly previous_response_id?: string;
  readonly input: readonly {
    readonly role?: string;
    readonly content?: readonly { readonly text: string }[];
  }[];
  readonly generate?: boolean;
  readonly prompt_cache_key: string;
};

/** A message of the model stands for the end of a turn. */
function textOf({ role, content = [] }: BackendRequest['input'][number]): string {
  return role === 'assistant' ? '+' : content.map((part) => part.text).join('');
}

function eventsOf(id: string, answer: string | undefined): object[] {
  const response = { id, object: 'response', model: 'm', output: [] };
  const created = { type: 'response.created', response: { ...response, status: 'in_progress' } };
  const completed = (output: readonly object[]) => ({
    type: 'response.completed',
    response: { ...response, status: 'completed', output },
  });
  if (answer === undefined) return [created, completed([])];
  const item = { id: `msg_${id}`, type: 'message', role: 'assistant' };
  const whole = { ...item, content: [{ type: 'output_text', text: answer }] };
  return [
    created,
    { type: 'response.output_item.added', output_index: 0, item: { ...item, content: [] } },
    { type: 'response.output_text.delta', output_index: 0, content_index: 0, delta: answer },
    { type: 'response.output_item.done', output_index: 0, item: whole },
    completed([whole]),
  ];
}
