import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** When a subject that was started is ready for its client. */
export type Readiness =
  /** When it answers `GET path`: with the status or, if that is absent, with any. */
  | { readonly type: 'http'; readonly path: string; readonly status?: number }
  /** When it prints a line that matches. */
  | { readonly type: 'line'; readonly pattern: RegExp };

/** A line that reports an error, as most programs do: `Error: …`, `ModuleNotFoundError: …`, `ERROR …`. */
const errorLine = /\b\w*(?:error|exception|panic)\b['"\]]?[: ]/i;

/**
 * A line that does not say what is wrong: one below the level of an error, whatever its words (`INFO: uvicorn.error Started
 * server process`), and one before a stack trace of Python (`Exception in thread Thread-1 (serve):`).
 */
const harmlessLine = /\b(?:TRACE|DEBUG|INFO)\b|^\s*(?:Exception in |During handling of |Traceback ).*:\s*$/;

/** The lines that a subject prints. */
export class PrintedLines {
  /** The last line; empty if it printed nothing. */
  last = '';
  /** The first line that reports an error. */
  firstError: string | undefined;
  /** Resolves when a line matches the pattern. */
  readonly matched: Promise<void>;
  #match: () => void = () => {};
  readonly #pattern: RegExp | undefined;

  constructor(ready: Readiness) {
    this.#pattern = ready.type === 'line' ? ready.pattern : undefined;
    this.matched = new Promise((resolve) => {
      this.#match = resolve;
    });
  }

  readonly push = (line: string): void => {
    if (line.trim() !== '') this.last = line.trim();
    if (errorLine.test(line) && !harmlessLine.test(line)) this.firstError ??= line.trim();
    if (this.#pattern?.test(line)) this.#match();
  };
}

/** Milliseconds after which a subject that does not answer is asked again, on a new connection. */
const answerTime = 2000;

/** Resolves when the subject is ready. Otherwise, resolves after `timeLimit` milliseconds with what it lacks. */
export async function notReady(
  ready: Readiness,
  port: number,
  lines: PrintedLines,
  { timeLimit, stopped }: { readonly timeLimit: number; readonly stopped: AbortSignal },
): Promise<string | undefined> {
  const after = `after ${timeLimit / 1000} s`;
  if (ready.type === 'line') {
    const late = delay(timeLimit, `does not print a line with ${ready.pattern} ${after}`, {
      signal: stopped,
    });
    return Promise.race([lines.matched, late]).then((lack) => lack ?? undefined);
  }
  const { path, status } = ready;
  const deadline = Date.now() + timeLimit;
  let lack = '';
  while (Date.now() < deadline && !stopped.aborted) {
    const left = deadline - Date.now();
    const answer = await statusOf(port, path, Math.min(answerTime, left));
    if (typeof answer === 'number' && (status === undefined || answer === status)) return undefined;
    if (typeof answer === 'number') lack = `answers GET ${path} with ${answer} instead of ${status}`;
    else if (answer === 'refused') lack = `does not listen on port ${port}`;
    // The end of the time may cut off an answer: what the subject lacked before says more.
    else if (lack === '' || left >= answerTime) lack = `does not answer HTTP on port ${port}`;
    await delay(25);
  }
  return `${lack} ${after}`;
}

/** The status of a response to `GET path`, or why there is none. */
function statusOf(port: number, path: string, timeLimit: number): Promise<number | 'refused' | 'silent'> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path, agent: false, signal: AbortSignal.timeout(timeLimit) };
    const request = get(options, (response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    request.on('error', (error) =>
      resolve('code' in error && error.code === 'ECONNREFUSED' ? 'refused' : 'silent'),
    );
  });
}
