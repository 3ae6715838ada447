import { z } from 'zod';
import { faultText } from '../fault/fault.ts';

const status = 'must be an HTTP status from 400 to 599';

/** Faults apart from replies. Each fault happens once, at the first occasion. */
export const faults = z.strictObject({
  /** HTTP statuses that refuse one websocket upgrade each. */
  upgrades: z.array(z.int(status).min(400, status).max(599, status)).readonly().exactOptional(),
  /** The number of prewarms that get no response. */
  stalledPrewarms: z.int().exactOptional(),
  /** The error code that refuses a token refresh, such as `refresh_token_reused`. */
  refresh: z.string().exactOptional(),
  /** What goes wrong on the way to the client, such as `reset@response.completed`. */
  wire: z.array(faultText).readonly().exactOptional(),
});
export type Faults = z.output<typeof faults>;

/** The faults of one run that have not happened yet. All connections share them. */
export type PendingFaults = ReturnType<typeof startFaults>;

export function startFaults({ upgrades = [], stalledPrewarms = 0, refresh }: Faults) {
  const refusals = [...upgrades];
  const refreshes = refresh === undefined ? [] : [refresh];
  let stalls = stalledPrewarms;
  return {
    /** The HTTP status to refuse this upgrade with; undefined accepts it. */
    upgradeRefusal: () => refusals.shift(),
    stallsPrewarm: () => {
      if (stalls === 0) return false;
      stalls -= 1;
      return true;
    },
    /** The error code to refuse this token refresh with; undefined grants it. */
    refreshRefusal: () => refreshes.shift(),
    /** Describes the faults that have not happened, a phrase each. */
    left: (): string[] => [
      ...(refusals.length === 0 ? [] : [`${refusals.length} of ${upgrades.length} upgrades not refused`]),
      ...(stalls === 0 ? [] : [`${stalls} of ${stalledPrewarms} prewarms not stalled`]),
      ...(refreshes.length === 0 ? [] : ['token refresh not refused']),
    ],
  };
}
