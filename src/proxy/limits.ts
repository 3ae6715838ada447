/** The proxy's limits. Times are in milliseconds, sizes in bytes. */
export type Limits = {
  /** The largest body of a request, before and after decompression, and the largest websocket message. */
  readonly bodyBytes: number;
  /** The most headers of a request. */
  readonly headers: number;
  /** The most connections of clients at a time. */
  readonly connections: number;
  /** Time for a client to send its request. */
  readonly requestTime: number;
  /** Time for the backend to respond to an upgrade. */
  readonly connectTime: number;
  /** Time for the backend to begin a response. */
  readonly firstByte: number;
  /** The longest silence of the backend within a response. */
  readonly idle: number;
  /** Time after which an unused upstream connection is closed. */
  readonly connectionIdle: number;
  /** Age at which an upstream connection takes no new turn. The backend closes connections after an hour. */
  readonly connectionAge: number;
  /** Time after which an unused session is forgotten. */
  readonly sessionIdle: number;
  /** The most sessions to remember: by name, and by their last response. */
  readonly sessions: number;
  /** The longest conversation to remember for each session, for a retry on a new connection. */
  readonly historyBytes: number;
  /** Pauses before each attempt at a turn. The first attempt is immediate. They apply to the websocket, then to HTTP. */
  readonly retries: readonly number[];
};

const second = 1000;
const minute = 60 * second;

/**
 * `idle` is the official client's default (`stream_idle_timeout_ms`), `bodyBytes` the backend's limit. With these
 * pauses, seven refused upgrades take as long as the official client's (measured: codex 0.169.0, scenario upgrade-500:
 * 7 s).
 */
export const defaultLimits: Limits = {
  bodyBytes: 16 * 1024 * 1024,
  headers: 100,
  connections: 4096,
  requestTime: minute,
  connectTime: 30 * second,
  firstByte: 5 * minute,
  idle: 5 * minute,
  connectionIdle: 10 * minute,
  connectionAge: 55 * minute,
  sessionIdle: 60 * minute,
  sessions: 4096,
  historyBytes: 1024 * 1024,
  retries: [0, 200, 400, 800, 1600, 3200],
};
