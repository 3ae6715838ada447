import type { ProxyContext } from '../proxy-context.ts';
import type { Identity } from '../shape/identity.ts';

/**
 * Remembers that a thread of an official client must use HTTP: its next upgrade is refused with 426, after which the client
 * uses HTTP for the rest of its session (measured: codex 0.169.0).
 */
export function useHttp(
  { withoutWebsockets, limits, state }: Pick<ProxyContext, 'withoutWebsockets' | 'limits' | 'state'>,
  { thread }: Identity,
): void {
  void state?.set(sharedKey(thread), '1', limits.sessionIdle);
  withoutWebsockets.add(thread);
  const [oldest = ''] = withoutWebsockets;
  if (withoutWebsockets.size > limits.sessions) withoutWebsockets.delete(oldest);
}

/**
 * Whether the next upgrade of a thread is to be refused. It is only once: the client remembers it, and when its session is
 * resumed later, its history may be shorter.
 */
export async function mustUseHttp(context: ProxyContext, { thread }: Identity): Promise<boolean> {
  const { withoutWebsockets, state } = context;
  const isKnown = withoutWebsockets.delete(thread);
  if (state === undefined) return isKnown;
  const [shared] = await state.get([sharedKey(thread)]);
  if (shared !== undefined) void state.expire(sharedKey(thread), 0);
  return isKnown || shared !== undefined;
}

function sharedKey(thread: string): string {
  return `http:${thread}`;
}
