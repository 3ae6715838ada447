import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, type onTestFinished, vi } from 'vitest';
import { soak } from '../../scripts/soak/soak.ts';
import { repository, temporaryFolder } from './cli.ts';
import type { Mutation } from './mutation.ts';

// A soak to its end takes half a minute, most of which is waiting until the proxy forgets its sessions. So some run at once.
vi.setConfig({ testTimeout: 300_000, maxConcurrency: 4 });

/** What the soaks of this process play. Their proxies have processes of their own. */
const few = { count: 30, seed: 27 };

/** Runs scripts/soak.ts. */
function runSoak(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return new Promise<{ exitCode: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(
      process.execPath,
      [join(repository, 'scripts', 'soak.ts'), '--seed', '27', ...args],
      { env: { ...process.env, ...env } },
      (error, stdout, stderr) => resolve({ exitCode: error?.code ?? 0, stdout, stderr }),
    );
  });
}

/** The environment of a process in which one file has a fault. */
function mutated({ file, change }: Mutation, finished: typeof onTestFinished): Record<string, string> {
  const path = join(repository, 'src', 'proxy', file);
  const source = readFileSync(path, 'utf8');
  expect(change(source), `the mutation of ${file} changes nothing`).not.toBe(source);
  const copy = join(temporaryFolder(finished), 'mutated.ts');
  writeFileSync(copy, change(source));
  return {
    NODE_OPTIONS: `--import=${pathToFileURL(join(import.meta.dirname, 'mutate.mjs'))}`,
    MUTATED_URL: pathToFileURL(path).href,
    MUTATED_SOURCE: copy,
  };
}

/** Replaces a text that occurs once in a file. */
function replaceOnce(source: string, text: string, replacement: string): string {
  expect(source.split(text), `"${text}" must occur once`).toHaveLength(2);
  return source.replace(text, () => replacement);
}

const replace = (file: string, text: string, replacement: string): Mutation => ({
  file,
  change: (source) => replaceOnce(source, text, replacement),
});

/** Adds code before a text that occurs once in a file, and at the file's end. */
const insert = (file: string, text: string, code: string, end = ''): Mutation => ({
  file,
  change: (source) => `${replaceOnce(source, text, `${code}\n${text}`)}\n${end}`,
});

const sendSse = 'const name =';
const relayed = "frames.send(binary ? 'binary' : 'text', data);";
const counting = 'let count = 0;';

/** `seed`: where the sessions of another one find the fault sooner. */
const faults: readonly (readonly [fault: string, mutation: Mutation, breach: RegExp, seed?: number])[] = [
  [
    'sends an event of a stream to another client',
    insert(
      'http/sse-response.ts',
      sendSse,
      `count += 1;
       if (count % 50 === 0 && earlier !== undefined && earlier !== this) { earlier.send(event, data); return undefined; }
       earlier = this;`,
      `${counting} let earlier: SseResponse | undefined;`,
    ),
    /the client received texts of s\d+t\d/,
  ],
  [
    'loses an event of a stream',
    insert('http/sse-response.ts', sendSse, 'count += 1; if (count % 50 === 0) return undefined;', counting),
    /the backend sent|not the content|not the start/,
  ],
  [
    'loses a relayed event',
    insert('relay/join-websockets.ts', relayed, 'count += 1; if (count % 50 === 0) return;', counting),
    /official websocket\): event \d+ is .*, and the backend sent/,
  ],
  [
    'doubles a relayed event',
    insert(
      'relay/join-websockets.ts',
      relayed,
      "count += 1; if (count % 50 === 0) frames.send('text', data);",
      counting,
    ),
    /official websocket\): event \d+ is .*, and the backend sent/,
  ],
  [
    'swaps two events over an upstream connection',
    insert(
      'sessions/upstream-connection.ts',
      'const type = eventType(text);',
      `count += 1;
       if (count % 50 === 0 && held === undefined && !text.includes('completed')) { held = text; return; }
       if (held !== undefined) { const next = held; held = undefined; onMessage(text); text = next; }`,
      `${counting} let held: string | undefined;`,
    ),
    /the client received texts of|the backend sent|not the content|not the start/,
  ],
  [
    'takes the session of another client',
    replace(
      'sessions/session-store.ts',
      'known: ownKey === undefined',
      'known: this.#byKey.size > 5 ? [...this.#byKey.values()][2] : ownKey === undefined',
    ),
    /s\d+ (?:has the session id of|shares a connection to the backend with) s\d+/,
  ],
  [
    'sends a request twice',
    insert(
      'sessions/upstream-connection.ts',
      'sendText(socket, this.#raw, parts, ',
      'sendText(socket, this.#raw, parts, () => {});',
    ),
    /the backend received (?:it 2 times|no request)/,
  ],
  [
    'forgets the conversation when it has another connection',
    replace('sessions/turn-request.ts', "fullInput.join(',')", "fullInput.slice(-1).join(',')"),
    /the backend received "u:\S+" instead of "u:\S+ a:/,
    7,
  ],
  [
    'ends a stream without an error',
    replace('surfaces/responses-http.ts', "stream.send('error', error.event);", ''),
    /\(responses\): the stream ended without an end/,
  ],
];

it.concurrent('finds nothing wrong with the proxy', async () => {
  const { exitCode, stdout } = await runSoak(['--sessions', '30']);
  expect(stdout).toMatch(/^\d+ turns: \d+ with their content, \d+ with an error, \d+ left by the client; /);
  expect(stdout).toContain('the proxy holds (30 sessions, seed 27)\n');
  expect(exitCode).toBe(0);
});

it.concurrent('fails when the proxy keeps sockets, timers and memory', async ({ onTestFinished }) => {
  const leaking: Mutation = {
    file: 'sessions/upstream-connection.ts',
    change: (source) => {
      const keeping = replaceOnce(
        source,
        '  end(): void {\n    this.#socket.terminate();',
        '  end(): void {',
      );
      const more = 'setInterval(() => {}, 1e6).unref(); kept.push(Buffer.alloc(100_000));';
      return `${replaceOnce(keeping, 'this.#socket = socket;', `this.#socket = socket; ${more}`)}\nconst kept: Buffer[] = [];`;
    },
  };
  const { breaches } = await soak({ ...few, env: mutated(leaking, onTestFinished) });
  const text = breaches.join('\n');
  expect(text).toMatch(/^\d+ more descriptors are open/m);
  expect(text).toMatch(/^\d+ more timers run/m);
  expect(text).toMatch(/^[\d.]+ MB more memory is used/m);
});

it.concurrent.for(faults)(
  'fails when the proxy %s',
  async ([, mutation, breach, seed = few.seed], { onTestFinished }) => {
    const { breaches } = await soak({ ...few, seed, failFast: true, env: mutated(mutation, onTestFinished) });
    expect(breaches.join('\n')).toMatch(breach);
  },
);

it.concurrent('fails when the proxy ends when a client sends a malformed frame', async ({
  onTestFinished,
}) => {
  const mutation = replace('server.ts', "client.on('error'", "client.on('nothing'");
  const { exitCode, stdout } = await runSoak(
    ['--sessions', '30', '--fail-fast', '--seed', '7'],
    mutated(mutation, onTestFinished),
  );
  expect(stdout).toMatch(/^breach: the proxy ended with exit code/);
  expect(stdout).toContain('the proxy does not hold (30 sessions, seed 7)\n');
  expect(exitCode).toBe(1);
});

it.concurrent('rejects invalid numbers before it starts anything', async () => {
  const { exitCode, stderr } = await runSoak(['--sessions', 'many']);
  expect(stderr).toMatch(/^--sessions and --seed must be whole numbers: npm run soak/);
  expect(exitCode).toBe(2);
});
