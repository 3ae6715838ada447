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

/** What of a scenario shows which credentials a subject used. */
export type CredentialUse = {
  /** The model traffic behind the subject. */
  readonly back: readonly Exchange[];
  /** Whether the subject or its client renewed a token. The trace does not have the one that the backend returned. */
  readonly renewed: boolean;
  /** The seals of the credentials that may go upstream; undefined if the subject has a sign-in of its own. */
  readonly credentials: ReadonlySet<string> | undefined;
};

/** Finds credentials sent upstream that neither the sign-in nor the client has. A golden accepts any: they are sealed. */
export function foreignCredentials({ back, renewed, credentials }: CredentialUse): Finding[] {
  if (credentials === undefined) return [];
  const checked = renewed ? [accountHeader] : [accountHeader, tokenHeader];
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

/**
 * Leaves out findings that only show that a subject renewed its token: it may do so at any time, with any result. A subject
 * with a sign-in of its own may renew it where no tap sees it. A subject that uses one token throughout did not renew it.
 */
export function withoutRenewals(
  findings: readonly Finding[],
  { back, renewed, credentials }: CredentialUse,
): readonly Finding[] {
  const sent = back.flatMap(({ request }) => request.headers.filter(([name]) => isToken(name)));
  const tokens = new Set(sent.flatMap(([, value]) => sealsIn(value)));
  if ((!renewed && credentials !== undefined) || tokens.size < 2) return findings;
  return findings.filter(
    ({ kind, places }) =>
      (kind !== 'disagrees' && kind !== 'repeated') || !places.every(({ path }) => isToken(String(path[0]))),
  );
}

function isToken(name: string): boolean {
  return name.toLowerCase() === tokenHeader;
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
