/** What the proxy bears, and for how long. Times in milliseconds, sizes in bytes. */
export type Limits = {
  /** The largest body of a request, packed and unpacked, and the largest websocket message. */
  readonly bodyBytes: number;
  /** How many headers a request may have. */
  readonly headers: number;
  /** How many clients may be connected at once. */
  readonly connections: number;
  /** In which a client must have sent its request. */
  readonly requestTime: number;
  /** In which the backend must answer an upgrade. */
  readonly connectTime: number;
  /** In which the backend must begin its answer to a request. */
  readonly firstByte: number;
  /** For which the backend may say nothing within an answer. */
  readonly idle: number;
  /** After which an upstream connection that nobody uses is closed. */
  readonly connectionIdle: number;
  /** After which an upstream connection takes no new turn: the backend ends those of an hour. */
  readonly connectionAge: number;
  /** After which a session that nobody speaks in is forgotten. */
  readonly sessionIdle: number;
  /** How many sessions are remembered: by their names, and by their last responses each. */
  readonly sessions: number;
  /** The most that is remembered of a session's conversation, for taking it up on a new connection. */
  readonly historyBytes: number;
  /** Pauses before each attempt of a turn, the first at once: over the websocket, and after the last one over HTTP. */
  readonly retries: readonly number[];
};

const second = 1000;
const minute = 60 * second;

/**
 * The idle time is the official client's own (`stream_idle_timeout_ms`), the size the backend's, the pauses such that
 * seven refused upgrades take about as long as they do it (measured: codex 0.169.0, scenario upgrade-500: 7 s).
 */
export const usualLimits: Limits = {
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
