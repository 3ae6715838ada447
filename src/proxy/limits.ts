const second = 1000;
const minute = 60 * second;

/**
 * The proxy's limits, by default. Times are in milliseconds, sizes in bytes.
 */
export const defaultLimits = {
  /**
   * The largest body of a request, before and after decompression, and the largest websocket message. This is the
   * backend's own limit.
   */
  bodyBytes: 16 * 1024 * 1024,
  /** The most headers of a request. */
  headers: 100,
  /** The most connections of clients at a time. Further ones receive 503, except from `/healthz`. */
  connections: 4096,
  /** Time between two pings on a client's websocket. */
  ping: 30 * second,
  /** Time for a client to send its request. */
  requestTime: minute,
  /** Time for the backend to respond to an upgrade. */
  connectTime: 30 * second,
  /** Time for the backend to begin a response. */
  firstByte: 5 * minute,
  /** The longest silence of the backend within a response: the official client's default (`stream_idle_timeout_ms`). */
  idle: 5 * minute,
  /** Time after which an unused upstream connection is closed. */
  connectionIdle: 10 * minute,
  /** Age at which an upstream connection takes no new turn. The backend closes connections after an hour. */
  connectionAge: 55 * minute,
  /** Time after which an unused session is forgotten. */
  sessionIdle: 60 * minute,
  /** The most sessions to remember: by name, and by their last response. */
  sessions: 4096,
  /** The longest conversation to remember for each session, for a retry on a new connection. */
  historyBytes: 1024 * 1024,
  /**
   * Pauses before each attempt to get a response over the websocket. The first attempt is immediate. With these, seven
   * refused upgrades take as long as the official client's (measured: codex 0.169.0, scenario upgrade-500: 7 s). After an
   * error of the backend there are only the first four attempts, over either transport: programs retry by themselves.
   */
  retries: [0, 200, 400, 800, 1600, 3200] as readonly number[],
};

export type Limits = Readonly<typeof defaultLimits>;
