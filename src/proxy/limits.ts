const second = 1000;
const minute = 60 * second;
const mebibyte = 1024 * 1024;

/**
 * The proxy's limits, by default. Times are in milliseconds, sizes in bytes.
 */
export const defaultLimits = {
  /**
   * The largest body of a request, before and after decompression, the largest websocket message of a client, and the
   * largest event of the backend. It takes ten times as much memory to serve a request.
   */
  bodyBytes: 64 * mebibyte,
  /** The most bytes of all requests that are read and served at a time. Further ones receive 503. */
  requestBytes: 128 * mebibyte,
  /**
   * The backend closes its websocket at a message of this size, and takes the same request over HTTP (reported: 16,777,000
   * bytes are accepted, 16,777,300 are not).
   */
  messageBytes: 16 * mebibyte,
  /** The most headers of a request. */
  headers: 100,
  /** The most connections of clients at a time. Further ones receive 503, except from `/healthz` and `/readyz`. */
  connections: 4096,
  /** Time between two pings on a client's websocket. */
  ping: 30 * second,
  /**
   * Time after which a client's connection without a request is ended. Load balancers end theirs after a minute, and should be
   * the first.
   */
  keepAlive: 75 * second,
  /** Time for a client to send its request. */
  requestTime: 5 * minute,
  /** Time for the backend to respond to an upgrade. */
  connectTime: 30 * second,
  /** Time for the backend to begin a response. Official clients are relayed for as long as they wait. */
  firstByte: 5 * minute,
  /**
   * The longest silence of the backend within a response: the official client's default (`stream_idle_timeout_ms`). Official
   * clients are relayed for as long as they wait.
   */
  idle: 5 * minute,
  /** Time after which an unused upstream connection is closed. */
  connectionIdle: 10 * minute,
  /** Age at which an upstream connection takes no new turn. The backend closes connections after an hour. */
  connectionAge: 55 * minute,
  /** Time after which an unused session is forgotten. */
  sessionIdle: 60 * minute,
  /** The most sessions to remember: by name, and by their last response. */
  sessions: 4096,
  /** The conversations to remember in all, for a retry on a new connection. The oldest ones are forgotten first. */
  historyBytes: 64 * mebibyte,
  /**
   * Pauses before each attempt to get a response over the websocket. The first attempt is immediate. They are the official
   * client's (measured: codex 0.169.0, scenario retries-exhausted). After an error of the backend there are only the first
   * four attempts, over either transport: programs retry by themselves.
   */
  retries: [0, 200, 400, 800, 1600, 3200] as readonly number[],
};

export type Limits = Readonly<typeof defaultLimits>;
