import type { ClientEnvironment } from '../client/official/environment.ts';
import { byCause } from '../diff/causes.ts';
import { type Finding, findingOf } from '../diff/finding.ts';
import type { Mismatch } from '../golden/match/mismatch.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import { type Sealer, seals } from '../trace/seal.ts';
import type { TraceEvent } from '../trace/trace-event.ts';

/** The header that names the account, and the one with the token that a subject may have renewed meanwhile. */
const [account, token] = ['chatgpt-account-id', 'authorization'];

/** Where the simulated backend renews a sign-in; which token it gave is not in the trace. */
const renewal = 'POST /oauth/token';

/** What of a scenario shows in whose name a subject asked. */
export type Asked = {
  readonly back: readonly Exchange[];
  /** What it asked its upstream besides, as `POST /oauth/token`. */
  readonly asides: readonly string[];
  /** The seals of the credentials that may go upstream; undefined where the subject has a sign-in of its own. */
  readonly credentials: ReadonlySet<string> | undefined;
};

/**
 * Credentials that went upstream and come from nowhere: sealed as they are, a golden takes any in the place of its own.
 */
export function foreignCredentials({ back, asides, credentials }: Asked): Finding[] {
  if (credentials === undefined) return [];
  const judged = asides.includes(renewal) ? [account] : [account, token];
  const mismatches = back.flatMap(({ request: { exchange, headers } }) =>
    headers.flatMap(([name, value]): Mismatch[] => {
      if (!judged.includes(name.toLowerCase())) return [];
      const foreign = sealsIn(value).filter((seal) => !credentials.has(seal));
      const places = [{ exchange, part: 'handshake', path: [name] }];
      return foreign.map((actual) => ({ kind: 'changed', places, expected: 'that of the sign-in', actual }));
    }),
  );
  return byCause(mismatches).map((mismatch) => ({
    ...findingOf('parity', mismatch),
    why: 'it is not of the sign-in that the subject was given: the backend refuses it, or serves another account',
  }));
}

/** The seals of the credentials of a sign-in, and of those that requests of its client hold. */
export function knownCredentials(
  sealer: Sealer,
  { accessToken, apiKey, accountId }: ClientEnvironment['secrets'],
  said: readonly TraceEvent[],
): ReadonlySet<string> {
  const own = sealer.headers([
    [token, `Bearer ${accessToken}`],
    [token, `Bearer ${apiKey}`],
    [account, accountId],
  ]);
  return new Set(sealsIn([own, said.filter(({ type }) => type === 'request')]));
}

function sealsIn(part: unknown): string[] {
  return JSON.stringify(part).match(new RegExp(seals, 'g')) ?? [];
}
