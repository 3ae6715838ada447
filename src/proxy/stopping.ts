import type { UpgradeContext } from './request-context.ts';

/** The close code of a proxy that stops: "Service Restart" in IANA's registry. */
export const stoppingCode = 1012;

/** Calls back when the proxy stops while the client is connected. */
export function whenStopping(
  { stopping, socket }: Pick<UpgradeContext, 'stopping' | 'socket'>,
  callback: () => void,
): void {
  stopping.addEventListener('abort', callback, { once: true });
  socket.once('close', () => stopping.removeEventListener('abort', callback));
  if (stopping.aborted) callback();
}
