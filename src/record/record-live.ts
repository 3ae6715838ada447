import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { ParityError, startFailure } from '../errors.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../tap/certificate-authority.ts';
import { startInterceptingTap } from '../tap/intercept.ts';
import { startReverseTap } from '../tap/reverse.ts';
import type { TapOptions } from '../tap/tap.ts';
import { trustingVariables } from '../tap/trusted-authorities.ts';
import { Sealer } from '../trace/seal.ts';
import { createTrace } from '../trace/trace.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';

/** A recorded command. `hosts` are those of the backend; by default the official ones. */
type CommandRecording = {
  readonly command: readonly string[];
  /** The path of the trace. */
  readonly out: string;
  readonly hosts?: readonly string[];
};

/**
 * Runs a user's command through the tap, against the real hosts, and writes a sealed trace of its traffic with the
 * Codex backend. The command keeps the terminal and its environment; only the proxy and the authority to trust are
 * added. Resolves to the exit code of the command (128 plus the signal number when a signal ended it, like a shell), the
 * number of requests observed, and a sentence for each kind of connection that could not be made.
 */
export async function recordCommandThroughTap({
  command,
  out,
  hosts,
}: CommandRecording): Promise<{ exitCode: number; requests: number; problems: ReadonlySet<string> }> {
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  let requests = 0;
  const problems = new Set<string>();
  const trace = createTrace(out, { recorded: 'live' });
  const timed = timeFromNow();
  const recorder = new TraceRecorder(new Sealer({ secrets: { path: homePaths() } }), (event) => {
    if (event.type === 'request') requests += 1;
    trace.write(timed(event));
  });
  const tap = await startInterceptingTap({
    authority,
    upstream: { kind: 'real' },
    observe: recorder.observe,
    onProblem: (problem) => problems.add(problem),
    ...(hosts === undefined ? {} : { hosts }),
  });
  const folder = mkdtempSync(join(tmpdir(), 'codex-parity-'));
  try {
    const exitCode = await runInteractive(command, {
      ...process.env,
      HTTPS_PROXY: tap.url,
      https_proxy: tap.url,
      // Connections to hosts in NO_PROXY would bypass the tap.
      NO_PROXY: undefined,
      no_proxy: undefined,
      ...trustingVariables(authority, folder),
    });
    await tap.close();
    trace.finish();
    return { exitCode, requests, problems };
  } catch (error) {
    await tap.close();
    // A command that could not be run leaves nothing to keep.
    if (requests === 0) rmSync(out, { force: true });
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function runInteractive(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [program = '', ...args] = command;
  if (program === '') throw new ParityError('usage', 'the command after -- is empty: name a program to run');
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env });
    // The terminal sends ^C to the command directly. The command handles it: Codex interrupts a turn.
    const terminate = () => child.kill('SIGTERM');
    process.once('SIGTERM', terminate);
    child.once('error', (error) => {
      reject(new ParityError('usage', startFailure(program, error)));
    });
    child.once('exit', (code, signal) => {
      process.removeListener('SIGTERM', terminate);
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

/** The home folders of the user, unless they are too short to distinguish from other text. */
export function homePaths(): string[] {
  return [homedir(), userInfo().homedir].filter((path) => path.split(/[\\/]/).length > 2);
}

/**
 * Starts a tap in front of a server, for programs whose server is configurable, and writes a sealed trace of the
 * traffic to a new file in `folder`, the returned `path`. `url` is the one to use instead of the server's. Throws
 * ParityError when the file cannot be created. `onProblem` gets a sentence for each kind of connection that fails.
 */
export async function recordUpstream(server: URL, folder: string, onProblem: (problem: string) => void) {
  const path = join(folder, `${new Date().toISOString().replaceAll(/[:.]/g, '-')}.trace.jsonl`);
  const trace = createTrace(path, { recorded: 'live' });
  const timed = timeFromNow();
  const recorder = new TraceRecorder(new Sealer(), (event) => trace.write(timed(event)));
  const problems = new Set<string>();
  const reportOnce = (problem: string) => {
    if (!problems.has(problem)) onProblem(problem);
    problems.add(problem);
  };
  const { url, close } = await tapInFrontOf(server, {
    observe: recorder.observe,
    onProblem: reportOnce,
  });
  const finish = async () => {
    await close();
    trace.finish();
  };
  return { url, path, finish };
}

/** Adds to events when they are passed in, counted from now. */
export function timeFromNow(): (event: TraceEvent) => TraceEvent {
  const start = performance.now();
  return (event) => ({ ...event, at: performance.now() - start });
}

/** A tap in front of a server. `authority` is the host to record; default: that of the server. */
type TapInFront = Pick<TapOptions, 'observe' | 'onProblem' | 'listen'> & {
  readonly authority?: string;
  /** Whether the server chooses HTTP/2, for clients that begin with it. */
  readonly http2?: boolean;
};

/** Starts a tap in front of a server. `url` is the URL to use instead of the server's. */
export async function tapInFrontOf(
  server: URL,
  { http2 = false, ...options }: TapInFront,
): Promise<{ readonly url: URL; readonly close: () => Promise<void> }> {
  const tls = server.protocol === 'https:';
  const tap = await startReverseTap({
    upstream: { host: server.hostname, port: Number(server.port || (tls ? 443 : 80)), tls, http2 },
    authority: server.host,
    ...options,
  });
  return { url: new URL(server.pathname, tap.url), close: tap.close };
}
