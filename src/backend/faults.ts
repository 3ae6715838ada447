import type { Faults } from './script.ts';

/** The faults of one run, used up by all connections together. */
export type PendingFaults = {
  /** The HTTP status that this upgrade is refused with; undefined where it is accepted. */
  upgradeRefusal(): number | undefined;
  stallsPrewarm(): boolean;
  /** The error code that this refresh of the tokens is refused with; undefined where it is granted. */
  refreshRefusal(): string | undefined;
  /** The faults that nothing has met so far, each as a reader is told. */
  left(): string[];
};

export function startFaults({ upgrades = [], stalledPrewarms = 0, refresh }: Faults): PendingFaults {
  const refusals = [...upgrades];
  const refreshes = refresh === undefined ? [] : [refresh];
  let stalls = stalledPrewarms;
  return {
    upgradeRefusal: () => refusals.shift(),
    stallsPrewarm: () => {
      if (stalls === 0) return false;
      stalls -= 1;
      return true;
    },
    refreshRefusal: () => refreshes.shift(),
    left: () => [
      ...(refusals.length === 0 ? [] : [`${refusals.length} of ${upgrades.length} upgrades not refused`]),
      ...(stalls === 0 ? [] : [`${stalls} of ${stalledPrewarms} prewarms not stalled`]),
      ...(refreshes.length === 0 ? [] : ['no refresh of the tokens refused']),
    ],
  };
}
