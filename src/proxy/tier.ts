/**
 * The tier as the official client sends it, for what a client asked; undefined where the field is absent. The
 * literal "default" is never sent: the backend refuses it. (Measured: codex 0.169.0: `fast` and `priority` give
 * "priority", `flex` gives "flex", every other setting omits the field.)
 */
export function wireTier(asked: string | undefined): 'priority' | 'flex' | undefined {
  if (asked === 'fast' || asked === 'priority') return 'priority';
  return asked === 'flex' ? 'flex' : undefined;
}
