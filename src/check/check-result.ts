import type { Comparison } from '../diff/comparison.ts';
import { type Finding, isOf } from '../diff/finding.ts';
import type { ScenarioTransport } from '../diff/fold.ts';
import type { KeptTraffic } from '../diff/kept-traffic.ts';
import { allUnfinished, type NoVerdict, type ScenarioVerdict, verdictOf } from '../diff/verdict.ts';
import { type VersionFit, versionFit, withVersion } from '../diff/version-fit.ts';
import type { GoldenId } from '../golden/golden.ts';
import type { Mismatch } from '../golden/match/mismatch.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import type { ScenarioCheck } from './scenario-check.ts';

/** What came out of one scenario at one version. */
export type CheckResult = GoldenId &
  ScenarioVerdict & {
    readonly transport?: ScenarioTransport;
    /** Milliseconds since 1970. */
    readonly started?: number;
    /** Milliseconds. */
    readonly duration?: number;
    /** The traffic of a scenario that is not ok, if the check keeps it; once for each mode of OpenAI's library. */
    readonly traffic?: readonly KeptTraffic[];
  };

/** The result of a scenario that was not played. */
export function notPlayed(
  id: GoldenId,
  verdict: NoVerdict,
  comparisons?: readonly Comparison[],
): CheckResult {
  return { ...idOf(id), ...verdictOf([], allUnfinished(verdict), comparisons) };
}

/** The id of a golden, without what else its holder has. */
export function idOf({ codex, lane, scenario }: GoldenId): GoldenId {
  return { codex, lane, scenario };
}

/** Which version a subject looks like whose requests are not those of the golden, and what follows from that. */
export function withSender(
  { knownVersions, golden: { codex } }: Pick<ScenarioCheck, 'knownVersions' | 'golden'>,
  findings: readonly Finding[],
  [first]: readonly Exchange[],
): { readonly findings: readonly Finding[]; readonly sender?: VersionFit } {
  if (first === undefined || !findings.some((finding) => isOf('parity', finding))) return { findings };
  const known = knownVersions();
  const sender = versionFit(first, known);
  return sender === undefined
    ? { findings }
    : { findings: withVersion(findings, sender, { codex, known }), sender };
}

/** Whether a finding only shows that a subject which failed did nothing more. */
export function isCutOff(finding: Mismatch): boolean {
  const { kind, places } = finding;
  if (kind === 'reframed') return true;
  if (kind !== 'missing' || finding.instead?.type === 'subject behaviour') return false;
  return places.every(({ path }) => path.length === 0);
}
