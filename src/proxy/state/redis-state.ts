import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { ParityError } from '../../errors.ts';
import { Timeout } from '../http/timeout.ts';
import { type Logger, reasonOf } from '../log.ts';
import type { SharedState } from './shared-state.ts';

/** Milliseconds that a request may wait for Redis. After that Redis is away, and no further request waits. */
const longestWait = 2000;

/** Milliseconds to connect at the start, and each time after. */
const connectTime = 2000;

/** Milliseconds between two attempts to reach a Redis that is away. */
const probeInterval = 500;

/** The longest pause between two attempts to connect, in milliseconds. */
const longestPause = 1000;

/**
 * Milliseconds after which all processes have noticed that Redis is back, and have stored what they could not store before.
 */
const settleTime = 4000;

/** Milliseconds between two reads of what is missing. */
const pollInterval = 100;

/** What every key begins with. The number is the version of the form of what is stored. */
const prefix = 'codex-parity:1:';

/** Gives a key another lifetime while it has a certain text. */
const expireIf =
  "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0";

/** Reads the value of --state. Its password must never be logged. Throws ParityError if it is not the URL of a Redis server. */
export function parseStateUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isRedis = url !== undefined && /^rediss?:$/.test(url.protocol) && url.hostname !== '';
  if (!isRedis || url.search !== '' || url.hash !== '' || !/^\/?\d*$/.test(url.pathname) || !isEscaped(url)) {
    const escapes = text.includes('@')
      ? '. In a password, write %25 for %, %2F for /, %3F for ? and %23 for #'
      : '';
    throw new ParityError(
      'usage',
      `--state "${withoutPassword(text)}" is not the URL of a Redis server: write redis://HOST:PORT/DB, or rediss:// for TLS${escapes}`,
    );
  }
  return url;
}

/** Whether each % in the name and the password of a URL begins an escape of UTF-8. */
function isEscaped({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

/** A text that may be a URL, without what may be a password in it. */
function withoutPassword(text: string): string {
  return text.replace(/^([a-z]+:\/\/|).*@/is, '$1').replace(/[?#].*/s, '…');
}

/**
 * Connects to Redis. Returns after the first attempt: a server that cannot be reached is away, and is tried again. Loads the
 * library only here. Throws ParityError if the server does not have the database.
 */
export async function openRedisState(url: URL, log: Logger): Promise<SharedState> {
  const { Redis } = await import('ioredis');
  const { username, password } = url;
  const database = Number(url.pathname.slice(1));
  const redis = new Redis({
    host: url.hostname.replaceAll(/[[\]]/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    db: database,
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(url.protocol === 'rediss:' && { tls: {} }),
    keyPrefix: prefix,
    lazyConnect: true,
    connectTimeout: connectTime,
    // What cannot be sent at once is not sent later.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(100 * 2 ** attempt, longestPause),
  });
  const state = new RedisState(redis, database, `Redis at ${url.host}`, log);
  await state.connect();
  return state;
}

class NoResponse extends Error {
  constructor() {
    super(`no response in ${longestWait / 1000} s`);
  }
}

/** Rejects with NoResponse if Redis takes too long. */
async function inTime<T>(response: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timeout = new Timeout(longestWait, () => reject(new NoResponse()));
  try {
    return await Promise.race([response, late]);
  } finally {
    timeout.end();
  }
}

class RedisState implements SharedState {
  failures = 0;
  readonly #redis: Redis;
  readonly #database: number;
  readonly name: string;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  #isAway = false;
  /** Until when a missing text may still be stored, on the clock of performance.now. */
  #settledAt = 0;
  #closed = false;
  #lastError: unknown;
  /** Why Redis is away, as the log has it. */
  #reason = '';

  constructor(redis: Redis, database: number, name: string, log: Logger) {
    this.#redis = redis;
    this.#database = database;
    this.name = name;
    this.#log = log;
    // Without a listener, the library prints the errors itself.
    redis.on('error', (error) => {
      this.#lastError = error;
    });
    redis.on('close', () => {
      const error = this.#lastError ?? new Error('the connection ended');
      this.#lastError = undefined;
      this.#leave(error);
    });
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  /** Throws ParityError if the server does not have the database. If anything else is wrong, Redis is away. */
  async connect(): Promise<void> {
    try {
      // It may connect, and then not respond.
      await inTime(this.#redis.connect());
      await this.#check();
    } catch (error) {
      if (!/^ERR .*\b(?:DB|SELECT)\b/.test(reasonOf(error))) return this.#leave(error);
      await this.close();
      throw new ParityError(
        'usage',
        `${this.name} has no database ${this.#database}: choose another one in --state`,
      );
    }
  }

  async get(keys: readonly string[], patience = 0): Promise<readonly (string | undefined)[]> {
    if (keys.length === 0) return [];
    const deadline = performance.now() + patience;
    for (;;) {
      const remaining = deadline - performance.now();
      if (this.#isAway && remaining > 0) await this.#returned(remaining);
      const found = await this.#call((redis) => redis.mget(...keys));
      const texts = keys.map((_, index) => found?.[index] ?? undefined);
      const mayCome = texts.includes(undefined) && (this.#isAway || performance.now() < this.#settledAt);
      if (!mayCome || performance.now() >= deadline) return texts;
      await delay(pollInterval);
    }
  }

  async set(key: string, text: string, lifetime: number): Promise<boolean> {
    return (await this.#call((redis) => redis.set(key, text, 'PX', Math.ceil(lifetime)))) === 'OK';
  }

  async add(key: string, text: string, lifetime: number): Promise<'added' | 'exists' | 'away'> {
    const result = await this.#call((redis) => redis.set(key, text, 'PX', Math.ceil(lifetime), 'NX'));
    return result === undefined ? 'away' : result === 'OK' ? 'added' : 'exists';
  }

  async expire(key: string, lifetime: number, text?: string): Promise<void> {
    const time = Math.ceil(lifetime);
    await this.#call((redis) =>
      text === undefined ? redis.pexpire(key, time) : redis.eval(expireIf, 1, key, text, time),
    );
  }

  onReturn(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    this.#redis.disconnect();
  }

  /** Returns undefined if Redis is away. */
  async #call<T>(command: (redis: Redis) => Promise<T>): Promise<T | undefined> {
    if (this.#isAway) {
      this.failures += 1;
      return undefined;
    }
    try {
      return await inTime(command(this.#redis));
    } catch (error) {
      this.failures += 1;
      this.#leave(error);
      return undefined;
    }
  }

  /** Resolves when Redis is back, at the latest after a time. */
  #returned(patience: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(late);
        remove();
        resolve();
      };
      const late = setTimeout(end, patience).unref();
      const remove = this.onReturn(end);
    });
  }

  /** Throws if the server at the end of this connection is not one that the proxy can use. */
  async #check(): Promise<void> {
    // Where the server refuses the database, the library uses the first one.
    if (this.#database !== 0) await inTime(this.#redis.select(this.#database));
    // A replica, a server that is full, or a cluster responds to PING, but does not do what is needed.
    await inTime(
      Promise.all([
        this.#redis.set('probe', '1', 'PX', 1000),
        this.#redis.mget('probe', 'another probe'),
        this.#redis.eval(expireIf, 1, 'probe', '1', 1000),
      ]),
    );
  }

  /** Redis is away from now on, until the server is one that the proxy can use. */
  #leave(error: unknown): void {
    if (this.#closed) return;
    const reason = reasonOf(error);
    // While it is away, what a server says is news; that none can be reached is not.
    if (this.#isAway && (!isRefusal(error) || reason === this.#reason)) return;
    this.#log.warn(
      {},
      `${this.name} is away (${reason}): the proxy goes on with what it knows, and tries again`,
    );
    this.#reason = reason;
    if (this.#isAway) return;
    this.#isAway = true;
    // Such a connection may never notice that the other side is gone.
    if (error instanceof NoResponse) this.#redis.disconnect(true);
    void this.#probe();
  }

  async #probe(): Promise<void> {
    while (!this.#closed) {
      await delay(probeInterval, undefined, { ref: false });
      if (this.#closed) return;
      try {
        await this.#check();
      } catch (error) {
        this.#leave(error);
        // The next connection may lead to another server.
        if (error instanceof NoResponse || isRefusal(error)) this.#redis.disconnect(true);
        continue;
      }
      this.#isAway = false;
      this.#settledAt = performance.now() + settleTime;
      this.#log.info({}, `${this.name} is back`);
      for (const listener of this.#listeners) listener();
      return;
    }
  }
}

/** Whether a server has refused a command, and not the network. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}
