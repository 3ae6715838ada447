import { ParityError } from '../errors.ts';
import { compareVersions } from '../wire/codex-version.ts';
import type { Scenario } from './scenario.ts';

/**
 * Returns the scenarios that a version of the client can play, and reports why it cannot play each of the others.
 *
 * @throws ParityError `usage` when there is only one scenario and the version cannot play it.
 */
export function playableBy(
  codex: string,
  scenarios: readonly Scenario[],
  onSkipped: (reason: string) => void,
): Scenario[] {
  return scenarios.filter((scenario) => {
    const reason = cannotPlay(scenario, codex);
    if (reason === undefined) return true;
    if (scenarios.length === 1) throw new ParityError('usage', reason);
    onSkipped(reason);
    return false;
  });
}

/** Why a version of the client cannot play a scenario; undefined when it can. */
export function cannotPlay({ name, versions }: Scenario, codex: string): string | undefined {
  if (versions === undefined) return undefined;
  const { from, to, why } = versions;
  // An alpha has what its release has.
  const release = codex.replace(/-.*/, '');
  if (from !== undefined && compareVersions(release, from) < 0)
    return `codex ${codex} cannot play ${name}, which starts with ${from}: ${why}`;
  if (to !== undefined && compareVersions(release, to) > 0)
    return `codex ${codex} cannot play ${name}, which ends with ${to}: ${why}`;
  return undefined;
}
