import { configuredRegistry } from './npm.ts';

/** Milliseconds a registry may take to answer a ping. */
const pingLimit = 5_000;

/** Whether the npm registry that official clients are installed from answers. `detail` is for a reader. */
export async function registryAnswers(
  signal: AbortSignal,
): Promise<{ url: string; ok: boolean; detail: string }> {
  const url = await configuredRegistry(process.cwd());
  if (!URL.canParse(url)) return { url, ok: false, detail: 'npm names no registry' };
  return { url, ...(await ping(new URL('-/ping', url.endsWith('/') ? url : `${url}/`), signal)) };
}

/** Asks a registry's ping address. */
export async function ping(url: URL, signal: AbortSignal): Promise<{ ok: boolean; detail: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(pingLimit)]) });
    return { ok: response.ok, detail: response.ok ? 'answers' : `answers with status ${response.status}` };
  } catch (error) {
    const late = error instanceof Error && error.name === 'TimeoutError';
    return { ok: false, detail: late ? `no answer within ${pingLimit / 1000} s` : 'cannot be reached' };
  }
}
