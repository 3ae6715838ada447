import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { constants, homedir, userInfo } from 'node:os';
import { ParityError, plainReason } from '../errors.ts';
import { defaultAuthorityFolder, openCertificateAuthority } from '../tap/certificate-authority.ts';
import { startInterceptingTap } from '../tap/intercept.ts';
import { Sealer } from '../trace/seal.ts';
import { createTrace } from '../trace/trace.ts';
import { TraceRecorder } from '../trace/trace-recorder.ts';

/**
 * Runs a command of the user's through the tap, against the real hosts, and writes a sealed trace of what it said to
 * the Codex backend. The command keeps the terminal and its own environment; only the proxy and the authority to
 * trust are added. Resolves to the command's exit code (128 and the signal's number where one ended it, as shells
 * say it), and to the number of requests that were seen.
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
    // Of a command that could not be run there is nothing to keep.
    if (requests === 0) rmSync(out, { force: true });
    throw error;
  }
}

/** What makes the official client, and programs on Node, go through the tap and trust it. */
function trustingEnvironment(proxyUrl: string, certificate: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    HTTPS_PROXY: proxyUrl,
    https_proxy: proxyUrl,
    // Or the hosts it names would go past the tap.
    NO_PROXY: undefined,
    no_proxy: undefined,
    CODEX_CA_CERTIFICATE: certificate,
    NODE_EXTRA_CA_CERTS: certificate,
  };
}

async function runInteractive(command: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [program = '', ...args] = command;
  if (program === '') throw new ParityError('usage', 'the command after -- has no name: name a program');
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env });
    // ^C reaches the command from the terminal itself, and is its own to answer: an agent interrupts a turn by it.
    const terminate = () => child.kill('SIGTERM');
    process.once('SIGTERM', terminate);
    child.once('error', (error: NodeJS.ErrnoException) => {
      const reason = error.code === 'ENOENT' ? 'there is no such program' : plainReason(error);
      reject(new ParityError('usage', `cannot run ${program}: ${reason}`));
    });
    child.once('exit', (code, signal) => {
      process.removeListener('SIGTERM', terminate);
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

/** The user's home, where it is long enough to be told from other text. */
function homePaths(): string[] {
  return [homedir(), userInfo().homedir].filter((path) => path.split(/[\\/]/).length > 2);
}
