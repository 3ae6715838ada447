import { spawn } from 'node:child_process';
import { homedir, userInfo } from 'node:os';
import { ParityError } from '../errors.ts';
import { defaultAuthorityFolder, openAuthority } from '../tap/authority.ts';
import { startInterceptingTap } from '../tap/intercept.ts';
import { TraceRecorder } from '../trace/record.ts';
import { Sealer } from '../trace/seal.ts';
import { createTrace } from '../trace/trace.ts';

/**
 * Runs a command of the user's through the tap, against the real hosts, and writes a sealed trace of what it said to
 * the Codex backend. The command keeps the terminal and its own environment; only the proxy and the authority to
 * trust are added. Resolves to the command's exit code, null when a signal ended it.
 */
export async function recordCommandThroughTap(
  command: readonly string[],
  out: string,
  signal: AbortSignal,
): Promise<{ exitCode: number | null }> {
  const authority = await openAuthority(defaultAuthorityFolder());
  const trace = createTrace(out, { recorded: 'live' });
  const recorder = new TraceRecorder(new Sealer({ secrets: { path: homePaths() } }), trace.write);
  const tap = await startInterceptingTap({
    authority,
    upstream: { kind: 'real' },
    observe: recorder.observe,
  });
  try {
    const exitCode = await runInteractive(
      command,
      trustingEnvironment(tap.url, authority.certificatePath),
      signal,
    );
    return { exitCode };
  } finally {
    await tap.close();
    trace.finish();
  }
}

/** What makes the official client, and programs on Node, go through the tap and trust it. */
function trustingEnvironment(proxyUrl: string, certificate: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    HTTPS_PROXY: proxyUrl,
    https_proxy: proxyUrl,
    CODEX_CA_CERTIFICATE: certificate,
    NODE_EXTRA_CA_CERTS: certificate,
  };
}

function runInteractive(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<number | null> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env });
    // ^C reaches the command from the terminal itself; this is for a signal sent to us alone.
    signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
    child.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'ENOENT' ? 'there is no such program' : error.message;
      reject(new ParityError('usage', `cannot run ${program}: ${reason}`));
    });
    child.once('exit', (code) => resolve(code));
  });
}

/** The user's home, where it is long enough to be told from other text. */
function homePaths(): string[] {
  return [homedir(), userInfo().homedir].filter((path) => path.split(/[\\/]/).length > 2);
}
