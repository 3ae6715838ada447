import type { ClientEnvironment } from '../client/official/environment.ts';
import { byCause } from '../diff/causes.ts';
import { type Finding, findingOf } from '../diff/finding.ts';
import { jsonValue, type Mismatch, type Place } from '../golden/match/mismatch.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import { type Sealer, seals } from '../trace/seal.ts';
import type { TraceEvent } from '../trace/trace-event.ts';
import { jsonString } from '../wire/json.ts';

const accountHeader = 'chatgpt-account-id';
const tokenHeader = 'authorization';

/** How a subject renews its sign-in. The trace does not have the token that the simulated backend returns. */
const renewal = 'POST /oauth/token';

/** What of a scenario shows which credentials a subject used. */
export type CredentialUse = {
  /** The model traffic behind the subject. */
  readonly back: readonly Exchange[];
  /** Request lines of all requests behind the subject, such as `POST /oauth/token`. */
  readonly sideRequests: readonly string[];
  /** The seals of the credentials that may go upstream; undefined if the subject has a sign-in of its own. */
  readonly credentials: ReadonlySet<string> | undefined;
};

/** Finds credentials sent upstream that neither the sign-in nor the client has. A golden accepts any: they are sealed. */
export function foreignCredentials({ back, sideRequests, credentials }: CredentialUse): Finding[] {
  if (credentials === undefined) return [];
  const checked = sideRequests.includes(renewal) ? [accountHeader] : [accountHeader, tokenHeader];
  const mismatches = back.flatMap(({ request: { exchange, headers } }) =>
    headers.flatMap(([name, value]): Mismatch[] => {
      if (!checked.includes(name.toLowerCase())) return [];
      const foreign = sealsIn(value).filter((seal) => !credentials.has(seal));
      const places: Place[] = [{ exchange, side: 'client', part: 'handshake', path: [name] }];
      return foreign.map((seal) => ({
        kind: 'changed',
        places,
        expected: { type: 'own credentials' },
        actual: jsonValue(jsonString(seal)),
      }));
    }),
  );
  return byCause(mismatches).map((mismatch) => ({
    ...findingOf('parity', mismatch),
    cause: { type: 'foreign credentials' },
  }));
}

/** The seals of the credentials of a sign-in, and of those in the requests of its client. */
export function knownCredentials(
  sealer: Sealer,
  { accessToken, apiKey, accountId }: ClientEnvironment['signIn'],
  clientEvents: readonly TraceEvent[],
): ReadonlySet<string> {
  const own = sealer.headers([
    [tokenHeader, `Bearer ${accessToken}`],
    [tokenHeader, `Bearer ${apiKey}`],
    [accountHeader, accountId],
  ]);
  return new Set(sealsIn([own, clientEvents.filter(({ type }) => type === 'request')]));
}

function sealsIn(part: unknown): string[] {
  return JSON.stringify(part).match(new RegExp(seals, 'g')) ?? [];
}
