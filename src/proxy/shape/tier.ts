import type { JsonNode } from '../../wire/json.ts';
import { invalidRequest } from '../http/errors.ts';

/**
 * The tiers that a client may request, and what the official client sends for each (measured: codex 0.169.0: `fast` and
 * `priority` give "priority", `flex` gives "flex", every other setting omits the field). The literal "default" is never
 * sent: the backend refuses it.
 */
const tiers: ReadonlyMap<string, string | undefined> = new Map([
  ['fast', 'priority'],
  ['priority', 'priority'],
  ['flex', 'flex'],
  ['default', undefined],
  ['auto', undefined],
]);

/**
 * Returns the tier to send for a requested one, or undefined if the field is to be absent. A tier that is not known yet
 * comes from a newer official client, and is sent as it is.
 */
export function wireTier(requested: string | undefined): string | undefined {
  return requested === undefined || tiers.has(requested) ? tiers.get(requested ?? '') : requested;
}

/**
 * Returns the tier to send for a request's `service_tier`; null means the same as absent. Throws ApiError for an unknown
 * tier: without the refusal, the request would silently be served at the standard tier.
 */
export function requestTier(requested: JsonNode | undefined): string | undefined {
  if (requested === undefined || (requested.kind === 'literal' && requested.value === null)) return undefined;
  if (requested.kind === 'string' && tiers.has(requested.value)) return tiers.get(requested.value);
  const known = [...tiers.keys()].map((tier) => `'${tier}'`).join(', ');
  const message = `Invalid value for 'service_tier'. Supported: ${known}.`;
  throw invalidRequest(message, 'service_tier', 'invalid_value');
}
