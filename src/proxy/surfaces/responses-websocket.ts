import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { HeaderList } from '../../wire/headers.ts';
import type { ProxyContext } from '../context.ts';
import { ApiError, errorFromBackend, proxyError, toApiError } from '../http/errors.ts';
import { FrameWriter } from '../http/frame-writer.ts';
import { reasonOf } from '../log.ts';
import { toBuffer } from '../relay/relay.ts';
import { runTurn, sessionOfConnection } from '../sessions/run-turn.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionStore } from '../sessions/store.ts';
import { readTurn } from '../sessions/turn-request.ts';

/** Requests of one client that may wait for the one that runs. */
const mostWaiting = 16;

/**
 * Serves the responses websocket for clients that the proxy speaks for: one request after the other, in order. A
 * client that sends many more than are answered is let go: what it sends cannot be left unread, for its end would
 * be unread too. `socket` is what its websocket runs over.
 */
export function serveResponses(
  context: ProxyContext,
  store: SessionStore,
  client: WebSocket,
  socket: Duplex,
  headers: HeaderList,
  stopping: () => boolean,
): void {
  const gone = new AbortController();
  let own: Session | undefined;
  const waiting: string[] = [];
  let running = false;
  client.once('close', () => {
    gone.abort();
    own?.end();
  });
  const frames = new FrameWriter(socket);
  const send = (text: string): Promise<void> | undefined => {
    if (client.readyState !== client.OPEN) return undefined;
    frames.send('text', Buffer.from(text));
    return frames.full ? frames.drained() : undefined;
  };
  const answer = async (text: string): Promise<void> => {
    context.metrics.add('running_turns');
    try {
      if (stopping()) throw proxyError(503, 'stopping', 'the proxy is about to stop');
      const turn = readTurn(text);
      const ownSession = () => {
        own ??= sessionOfConnection(context, headers, turn);
        return own;
      };
      const result = await runTurn(
        context,
        store,
        { headers, own: ownSession },
        turn,
        gone.signal,
        (_, event) => send(event),
      );
      if (result.kind === 'response' && !gone.signal.aborted) {
        frames.flush();
        client.send(errorFromBackend(result.response).event);
      }
    } catch (error) {
      if (gone.signal.aborted) return;
      frames.flush();
      tell(client, error, context);
    } finally {
      context.metrics.add('running_turns', -1);
    }
  };
  const answerAll = async (): Promise<void> => {
    running = true;
    for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) await answer(text);
    running = false;
  };
  client.on('message', (data) => {
    if (gone.signal.aborted) return;
    waiting.push(toBuffer(data).toString('utf8'));
    if (!running) void answerAll();
    else if (tooMuch(waiting, context.limits.bodyBytes)) {
      gone.abort();
      waiting.length = 0;
      frames.flush();
      tell(
        client,
        proxyError(429, 'too_many_requests', 'too many requests wait for the one that runs'),
        context,
      );
      client.close(1008);
    }
  });
}

/** Whether more waits than may: in number, or in bytes together. */
function tooMuch(waiting: readonly string[], bytes: number): boolean {
  return waiting.length > mostWaiting || waiting.reduce((sum, text) => sum + text.length, 0) > bytes;
}

/** Tells a client of a turn that got no answer; the connection ends where the next turn would fare no better. */
function tell(client: WebSocket, error: unknown, { log }: ProxyContext): void {
  if (!(error instanceof ApiError)) log.warn({}, `failed: ${reasonOf(error)}`);
  const told = toApiError(error);
  client.send(told.event);
  if (told.status >= 500) client.close(1011);
}
