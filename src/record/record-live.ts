import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { constants, homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { ParityError, plainReason } from '../errors.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../tap/certificate-authority.ts';
import { startInterceptingTap } from '../tap/intercept.ts';
import { startReverseTap } from '../tap/reverse.ts';
import type { Observe } from '../trace/observation.ts';
import { Sealer } from '../trace/seal.ts';
import { createTrace } from '../trace/trace.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';

/**
 * Runs a user's command through the tap, against the real hosts, and writes a sealed trace of its traffic with the
 * Codex backend. The command keeps the terminal and its environment; only the proxy and the authority to trust are
 * added. Resolves to the exit code of the command (128 plus the signal number when a signal ended it, like a shell) and
 * the number of requests observed.
 */
export async function recordCommandThroughTap(
  command: readonly string[],
  out: string,
): Promise<{ exitCode: number; requests: number }> {
  const authority = await openCertificateAuthority(defaultAuthorityFolder());
  let requests = 0;
  const trace = createTrace(out, { recorded: 'live' });
  const recorder = new TraceRecorder(new Sealer({ secrets: { path: homePaths() } }), (event) => {
    if (event.type === 'request') requests += 1;
    trace.write(event);
  });
  const tap = await startInterceptingTap({
    authority,
    upstream: { kind: 'real' },
    observe: recorder.observe,
  });
  try {
    const exitCode = await runInteractive(command, trustingEnvironment(tap.url, authority.certificatePath));
    await tap.close();
    trace.finish();
    return { exitCode, requests };
  } catch (error) {
    await tap.close();
    // A command that could not be run leaves nothing to keep.
    if (requests === 0) rmSync(out, { force: true });
    throw error;
  }
}

/** Makes the official client, and programs on Node, use the tap and trust its certificates. */
function trustingEnvironment(proxyUrl: string, certificate: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    HTTPS_PROXY: proxyUrl,
    https_proxy: proxyUrl,
    // Connections to hosts in NO_PROXY would bypass the tap.
    NO_PROXY: undefined,
    no_proxy: undefined,
    CODEX_CA_CERTIFICATE: certificate,
    NODE_EXTRA_CA_CERTS: certificate,
  };
}

async function runInteractive(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [program = '', ...args] = command;
  if (program === '') throw new ParityError('usage', 'the command after -- is empty: name a program to run');
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env });
    // The terminal sends ^C to the command directly. The command handles it: Codex interrupts a turn.
    const terminate = () => child.kill('SIGTERM');
    process.once('SIGTERM', terminate);
    child.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'ENOENT' ? 'program not found' : plainReason(error);
      reject(new ParityError('usage', `cannot run ${program}: ${reason}`));
    });
    child.once('exit', (code, signal) => {
      process.removeListener('SIGTERM', terminate);
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

/** The home folders of the user, unless they are too short to distinguish from other text. */
function homePaths(): string[] {
  return [homedir(), userInfo().homedir].filter((path) => path.split(/[\\/]/).length > 2);
}

/**
 * Starts a tap in front of a server, for programs whose server is configurable, and writes a sealed trace of the
 * traffic to a new file in `folder`, the returned `path`. `url` is the one to use instead of the server's. Throws
 * ParityError when the file cannot be created.
 */
export async function recordUpstream(server: URL, folder: string) {
  const path = join(folder, `${new Date().toISOString().replaceAll(/[:.]/g, '-')}.trace.jsonl`);
  const trace = createTrace(path, { recorded: 'live' });
  const recorder = new TraceRecorder(new Sealer(), trace.write);
  const { url, close } = await tapInFrontOf(server, recorder.observe);
  const finish = async () => {
    await close();
    trace.finish();
  };
  return { url, path, finish };
}

/** Starts a tap in front of a server. `url` is the URL to use instead of the server's. */
export async function tapInFrontOf(
  server: URL,
  observe: Observe,
): Promise<{ readonly url: URL; readonly close: () => Promise<void> }> {
  const tls = server.protocol === 'https:';
  const tap = await startReverseTap({
    upstream: { host: server.hostname, port: Number(server.port || (tls ? 443 : 80)), tls },
    observe,
    authority: server.host,
  });
  return { url: new URL(server.pathname, tap.url), close: tap.close };
}
