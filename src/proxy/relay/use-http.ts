import type { ProxyContext } from '../proxy-context.ts';
import type { Identity } from '../shape/identity.ts';

/**
 * Remembers that a thread of an official client must use HTTP: its next upgrade is refused with 426, after which the client
 * uses HTTP for the rest of its session (measured: codex 0.169.0).
 */
export function useHttp({ withoutWebsockets, limits }: ProxyContext, { thread }: Identity): void {
  withoutWebsockets.add(thread);
  const [oldest = ''] = withoutWebsockets;
  if (withoutWebsockets.size > limits.sessions) withoutWebsockets.delete(oldest);
}
