import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { HeaderList } from '../wire/headers.ts';
import type { HeldBytes } from './http/request-bytes.ts';
import type { MetricsSnapshot } from './metrics.ts';
import type { ProxyContext } from './proxy-context.ts';
import type { SessionStore } from './sessions/session-store.ts';
import type { Identity } from './shape/identity.ts';

/** One request of a client, with everything that is needed to serve it. */
export type RequestContext = ProxyContext & {
  readonly sessions: SessionStore;
  readonly request: IncomingMessage;
  readonly method: string;
  /** Path and query, as the client sent them. */
  readonly target: string;
  readonly headers: HeaderList;
  /** The session and thread that an official client states. Undefined for every other client. */
  readonly identity: Identity | undefined;
  /** Its bytes, or those of the websocket's messages. They are forgotten when the response or the connection ends. */
  readonly heldBytes: HeldBytes;
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
  /** The metrics of this process. */
  readonly currentMetrics: () => MetricsSnapshot;
  /** Those of other processes that serve the same port. */
  readonly otherMetrics: () => Promise<readonly MetricsSnapshot[]>;
  /** Whether a balancer may send new clients. */
  readonly isReady: () => boolean;
  /** Aborts when the proxy stops, and takes no further turns. Websockets end as soon as no turn runs. */
  readonly stopping: AbortSignal;
};

export type HttpContext = RequestContext & { readonly response: ServerResponse };

export type UpgradeContext = RequestContext & {
  /** The raw socket, below the websocket that `accept` returns. */
  readonly socket: Duplex;
  /** What the client has sent after its upgrade already. */
  readonly head: Buffer;
  /** Counts one more or one less turn of this websocket as running. */
  readonly countRunning: (change: 1 | -1) => void;
  /** Accepts the upgrade. `headers` are added to the response. */
  readonly accept: (headers: HeaderList) => Promise<WebSocket>;
};
