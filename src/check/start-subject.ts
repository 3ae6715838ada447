import { connect } from 'node:net';
import { definedOnly, type GroupRun, runInGroup } from '../client/process-group.ts';
import { ParityError, startFailure } from '../errors.ts';
import { isFolder } from '../files.ts';
import type { GoldenFolders } from '../golden/select.ts';
import { lineLogger } from '../proxy/log.ts';
import type { loadShape } from '../proxy/shape/shape.ts';
import { freePort } from './free-port.ts';
import { type OutgoingProxy, outgoingVariables } from './outgoing-proxy.ts';
import { notReady, PrintedLines } from './readiness.ts';
import { setUp } from './setup-requests.ts';
import {
  type CommandSubject,
  filled,
  hostOf,
  officialPath,
  type Placeholders,
  type Subject,
} from './subject.ts';
import { makeSubjectFolder, type SubjectSignIn, writeSignIn, writeSubjectFiles } from './subject-folder.ts';

export type RunningSubject = {
  /** Base URL of its Responses API. */
  readonly url: URL;
  /** The last line it printed; empty if it printed nothing, undefined if its output is not known. */
  readonly lastLine: () => string | undefined;
  /** Rejects if the subject ends by itself; never resolves. */
  readonly exited: Promise<never>;
  /** Sends the requests that set it up once more. */
  readonly setUpAgain?: (signal: AbortSignal) => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** Milliseconds that a subject has after SIGTERM to close its files. */
const stopGrace = 2000;

/** What a subject is started for. */
export type SubjectStart = {
  /** Base URL of the backend: http://127.0.0.1:PORT/backend-api/codex, or http://127.0.0.1:PORT/v1 with an API key. */
  readonly upstream: string;
  /** The HTTP proxy that serves the official hosts, if the subject has to use one. */
  readonly outgoing?: OutgoingProxy;
  readonly signIn: SubjectSignIn;
  /** The client's own sign-in file. Only the bundled proxy shares it. */
  readonly clientAuth: string;
  /** The version of the official client whose goldens are checked. */
  readonly codex: string;
  readonly goldens: GoldenFolders;
  /** The one of the folders that has the golden. */
  readonly goldensFolder: string;
  /** Milliseconds. */
  readonly timeLimit: number;
  readonly signal: AbortSignal;
};

/**
 * Starts a subject and waits until it is ready and set up, for the time limit at most. Throws ParityError
 * `subject-failed`, with the first error or the last line that it printed. `load` is for the bundled proxy.
 */
export async function startSubject(
  subject: Subject,
  start: SubjectStart,
  load: typeof loadShape,
): Promise<RunningSubject> {
  if (subject.kind === 'command') return startCommand(subject, start);
  if (subject.kind === 'bundled') return startBundled(start, load);
  await mustBeReachable(subject.url, start.timeLimit, start.signal);
  return {
    url: subject.url,
    lastLine: () => undefined,
    exited: new Promise(() => {}),
    stop: async () => {},
  };
}

async function startCommand(subject: CommandSubject, start: SubjectStart): Promise<RunningSubject> {
  const { signal } = start;
  const timeLimit = subject.startTime ?? start.timeLimit;
  const port = await freePort();
  const { folder, remove } = makeSubjectFolder();
  const stopping = new AbortController();
  const lines = new PrintedLines(subject.ready);
  const values: Placeholders = {
    ...writeSignIn(subject, folder, start.signIn),
    port: String(port),
    other_port: String(await freePort()),
    upstream: start.upstream,
    origin: new URL(start.upstream).origin,
    proxy: start.outgoing?.url ?? '',
    certificate: start.outgoing?.authority.certificatePath ?? '',
    codex: start.codex,
    goldens: start.goldensFolder,
  };
  writeSubjectFiles(subject, values);
  const cwd = filled(subject.cwd, values);
  const own = Object.entries(subject.env).map(([name, text]) => [name, filled(text, values)]);
  if (!isFolder(cwd)) {
    remove();
    throw new ParityError(
      'subject-failed',
      `subject ${subject.name} cannot start: its cwd ${cwd} is not a folder`,
    );
  }
  const command = subject.command.map((word) => filled(word, values));
  const run = runInGroup(command, {
    cwd,
    env: {
      ...definedOnly(process.env),
      ...(start.outgoing === undefined ? {} : outgoingVariables(start.outgoing, folder)),
      ...Object.fromEntries(own),
    },
    signal: AbortSignal.any([signal, stopping.signal]),
    graceMs: stopGrace,
    onStdoutLine: lines.push,
    onStderrLine: lines.push,
  });
  const exited = exitOf(run, { name: subject.name, program: command[0] ?? '' }, lines);
  // Nobody may be waiting for it when the subject dies.
  exited.catch(() => {});
  const stop = async () => {
    stopping.abort();
    await run.catch(() => {});
    remove();
  };
  const setUpAgain = (until: AbortSignal) => setUp(subject, values, { timeLimit, signal: until });
  try {
    const limits = { timeLimit, stopped: stopping.signal };
    const lack = await Promise.race([exited, notReady(subject.ready, port, lines, limits)]);
    if (lack !== undefined)
      throw new ParityError('subject-failed', `subject ${subject.name} ${lack}${firstOrLast(lines)}`);
    await Promise.race([exited, setUpAgain(signal)]);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: new URL(`http://127.0.0.1:${port}${filled(subject.path, values)}`),
    lastLine: () => lines.last,
    exited,
    setUpAgain,
    stop,
  };
}

async function startBundled(
  { upstream, clientAuth, codex, goldens }: SubjectStart,
  load: typeof loadShape,
): Promise<RunningSubject> {
  // A third of all modules, which only this subject needs.
  const { startProxy } = await import('../proxy/server.ts');
  const { loadProxySetup } = await import('../proxy/setup.ts');
  let last = '';
  // The simulated backend renews tokens too.
  const tokenUrl = new URL('/oauth/token', upstream);
  const { options } = await loadProxySetup({ goldens, codex, auth: clientAuth, tokenUrl, load });
  const proxy = await startProxy({
    ...options,
    upstream: new URL(upstream),
    port: 0,
    log: lineLogger((line) => {
      last = line;
    }),
  });
  return {
    url: new URL(`http://127.0.0.1:${proxy.port}${officialPath}`),
    lastLine: () => last,
    exited: new Promise(() => {}),
    stop: proxy.close,
  };
}

async function exitOf(
  run: Promise<GroupRun>,
  { name, program }: { readonly name: string; readonly program: string },
  lines: PrintedLines,
): Promise<never> {
  const outcome = await run.catch((error: Error) => error);
  if (outcome instanceof Error) {
    throw new ParityError('subject-failed', `subject ${name}: ${startFailure(program, outcome)}`);
  }
  throw new ParityError(
    'subject-failed',
    `subject ${name} ended with exit code ${outcome.exitCode ?? 'none (killed by a signal)'}${firstOrLast(lines)}`,
  );
}

async function mustBeReachable(url: URL, timeLimit: number, signal: AbortSignal): Promise<void> {
  if (await canConnect(hostOf(url), timeLimit, signal)) return;
  signal.throwIfAborted();
  throw new ParityError(
    'subject-failed',
    `nothing listens at ${url.href}: start the proxy first, or correct --subject-url`,
  );
}

/** The end of an error message about a subject that did not start or ended: its first error says why, unlike a stack trace. */
function firstOrLast({ firstError, last }: PrintedLines): string {
  return firstError === undefined ? lastPrinted(last) : `; its first error: ${firstError}`;
}

/** The end of an error message that quotes the last line a program printed; empty if its output is not known. */
export function lastPrinted(line: string | undefined): string {
  if (line === undefined) return '';
  return line === '' ? '; it printed nothing' : `; it last printed: ${line}`;
}

/** Whether a connection can be made within `timeLimit` milliseconds. The system itself would wait for minutes. */
function canConnect(
  address: { readonly host: string; readonly port: number },
  timeLimit: number,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const late = AbortSignal.timeout(Math.max(1, Math.ceil(timeLimit)));
    const socket = connect({ ...address, signal: AbortSignal.any([signal, late]) });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
