import type { JsonNode } from '../../wire/json.ts';
import { type ApiError, invalidRequest } from '../http/api-error.ts';

/** A tier as it goes to the backend; every other one goes as the absence of the field. */
export type WireTier = 'priority' | 'flex';

/**
 * What clients may ask for, and what the official client sends for it. The literal "default" is never sent: the
 * backend refuses it. (Measured: codex 0.169.0: `fast` and `priority` give "priority", `flex` gives "flex", every
 * other setting omits the field.)
 */
const tiers: ReadonlyMap<string, WireTier | undefined> = new Map([
  ['fast', 'priority'],
  ['priority', 'priority'],
  ['flex', 'flex'],
  ['default', undefined],
  ['auto', undefined],
]);

/** The tier for what a client asked, as in a routing hint; undefined where the field is absent. */
export function wireTier(asked: string | undefined): WireTier | undefined {
  return asked === undefined ? undefined : tiers.get(asked);
}

/**
 * The tier for what a request has as `service_tier`, null and absent being the same. A tier that the backend does not
 * have is refused, for otherwise the request would silently be served at the standard one.
 */
export function requestTier(
  asked: JsonNode | undefined,
): { readonly tier: WireTier | undefined } | { readonly refusal: ApiError } {
  if (asked === undefined || (asked.kind === 'literal' && asked.value === null)) return { tier: undefined };
  if (asked.kind === 'string' && tiers.has(asked.value)) return { tier: tiers.get(asked.value) };
  const known = [...tiers.keys()].map((tier) => `'${tier}'`).join(', ');
  const message = `Invalid value for 'service_tier'. Supported: ${known}.`;
  return { refusal: invalidRequest(message, 'service_tier', 'invalid_value') };
}
