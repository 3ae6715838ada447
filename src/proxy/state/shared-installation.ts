import { uuid4 } from '../../wire/ids.ts';
import type { SharedState } from './shared-state.ts';

const key = 'installation';

/** Milliseconds for which an installation id is kept after the last start of a proxy. */
const lifetime = 400 * 24 * 60 * 60_000;

/** Returns an installation id that all proxies with this state have. Each has its own if there is no state, or it is away. */
export async function sharedInstallation(state: SharedState | undefined): Promise<string> {
  const own = uuid4();
  if (state === undefined || (await state.add(key, own, lifetime)) !== 'exists') return own;
  void state.expire(key, lifetime);
  const [shared = own] = await state.get([key]);
  return shared;
}
