import type { JsonNode } from '../../wire/json.ts';
import { invalidRequest } from '../http/errors.ts';

/** A tier that is sent to the backend. For every other tier the field is absent. */
export type WireTier = 'priority' | 'flex';

/**
 * The tiers that a client may request, and what the official client sends for each (measured: codex 0.169.0: `fast` and
 * `priority` give "priority", `flex` gives "flex", every other setting omits the field). The literal "default" is never
 * sent: the backend refuses it.
 */
const tiers: ReadonlyMap<string, WireTier | undefined> = new Map([
  ['fast', 'priority'],
  ['priority', 'priority'],
  ['flex', 'flex'],
  ['default', undefined],
  ['auto', undefined],
]);

/** Returns the tier to send for a requested one, or undefined if the field is to be absent. */
export function wireTier(requested: string | undefined): WireTier | undefined {
  return requested === undefined ? undefined : tiers.get(requested);
}

/**
 * Returns the tier to send for a request's `service_tier`; null means the same as absent. Throws ApiError for an unknown
 * tier: without the refusal, the request would silently be served at the standard tier.
 */
export function requestTier(requested: JsonNode | undefined): WireTier | undefined {
  if (requested === undefined || (requested.kind === 'literal' && requested.value === null)) return undefined;
  if (requested.kind === 'string' && tiers.has(requested.value)) return tiers.get(requested.value);
  const known = [...tiers.keys()].map((tier) => `'${tier}'`).join(', ');
  const message = `Invalid value for 'service_tier'. Supported: ${known}.`;
  throw invalidRequest(message, 'service_tier', 'invalid_value');
}
