import { uuid4 } from '../../wire/ids.ts';
import type { SharedState } from './shared-state.ts';

const key = 'installation';

/** Milliseconds for which an installation id is kept after the last start of a proxy. */
const lifetime = 400 * 24 * 60 * 60_000;

/** Returns the installation id that all proxies with this state share. Without a state, or while it is away, each proxy has its own. */
export async function sharedInstallation(state: SharedState | undefined): Promise<string> {
  const own = uuid4();
  if (state === undefined || (await state.add(key, own, lifetime)) !== 'exists') return own;
  void state.expire(key, lifetime);
  const [shared = own] = await state.get([key]);
  return shared;
}
