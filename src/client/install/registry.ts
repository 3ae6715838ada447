import { configuredRegistry } from './npm.ts';

/** Milliseconds until a ping fails. */
const pingTimeout = 5_000;

/** Pings the npm registry of the official clients. `detail` is for people. */
export async function pingRegistry(
  signal: AbortSignal,
): Promise<{ url: string; ok: boolean; detail: string }> {
  const url = await configuredRegistry(process.cwd());
  if (!URL.canParse(url)) return { url, ok: false, detail: 'npm has no registry configured' };
  return { url, ...(await ping(new URL('-/ping', url.endsWith('/') ? url : `${url}/`), signal)) };
}

/** Requests the ping URL of a registry. */
export async function ping(url: URL, signal: AbortSignal): Promise<{ ok: boolean; detail: string }> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(pingTimeout)]),
    });
    return { ok: response.ok, detail: response.ok ? 'responds' : `responds with status ${response.status}` };
  } catch (error) {
    const timedOut = error instanceof Error && error.name === 'TimeoutError';
    return {
      ok: false,
      detail: timedOut ? `no response within ${pingTimeout / 1000} s` : 'cannot be reached',
    };
  }
}
