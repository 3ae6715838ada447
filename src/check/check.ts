import type { Asking } from '../diff/asked.ts';
import { contentFindings, envelopeFindings, neutralityFindings, parityFindings } from '../diff/compare.ts';
import { envelopeOf, envelopesOf } from '../diff/envelope.ts';
import { type Finding, findingOf, together } from '../diff/finding.ts';
import type { ParityError } from '../errors.ts';
import type { Golden, GoldenId } from '../golden/golden.ts';
import type { Mismatch } from '../golden/match/mismatch.ts';
import type { Scenario } from '../scenario/definition.ts';
import { foreignCredentials } from './credentials.ts';
import { saysOtherContent, suppliedKeys } from './lane.ts';
import { type Seen, see } from './observe.ts';
import { everyMode } from './openai.ts';
import type { CheckOptions, Driver } from './options.ts';

/** The verdict on one scenario: parity where there is no finding. */
export type CheckResult = GoldenId & {
  readonly driver: Driver['kind'];
  readonly findings: readonly Finding[];
};

/**
 * Drives one scenario through a subject with a tap on either side, and compares what was seen with the golden and
 * with each other. Throws ParityError where the subject dies, hangs or never listens.
 */
export async function check(options: CheckOptions): Promise<CheckResult> {
  const { golden, driver, subject, backendPort } = options;
  // A subject that runs already, or a port that was named, serves one at a time.
  const atOnce = subject.kind !== 'url' && backendPort === 0;
  const findings =
    'surface' in driver
      ? await everyMode(atOnce, async (streams) =>
          openAiFindings(options, { surface: driver.surface, streams }, await see(options, streams)),
        )
      : officialFindings(options, await see(options, false));
  return { ...idOf(golden), driver: driver.kind, findings };
}

function officialFindings(options: CheckOptions, seen: Seen): Finding[] {
  if (seen.back.length === 0) return [unasked(options, seen)];
  const { golden, upstream, lane } = options;
  const { front, back, failure } = seen;
  const [said, wanted, found] = saysOtherContent(lane)
    ? [envelopeOf(golden), envelopeOf(upstream), envelopesOf(back)]
    : [golden, upstream, back];
  const neutrality = neutralityFindings(front, back, suppliedKeys(said, wanted));
  const parity = parityFindings(wanted, found, failure === undefined ? undefined : front);
  return [...together([...parity, ...foreignCredentials(seen)], neutrality), ...unfinished(failure)];
}

function openAiFindings(options: CheckOptions, asking: Asking, seen: Seen): Finding[] {
  if (seen.back.length === 0) return [unasked(options, seen)];
  const { upstream } = options;
  const { front, back, answers } = seen;
  return together(
    [...envelopeFindings(upstream, back, asking.surface), ...foreignCredentials(seen)],
    contentFindings(front, back, answers, asking),
  );
}

/** The verdict on a scenario in which the subject failed, so that there is nothing to compare. */
export function failedCheck({ golden, driver }: CheckOptions, failure: ParityError): CheckResult {
  return { ...idOf(golden), driver: driver.kind, findings: unfinished(failure.message) };
}

/**
 * Why the official client cannot be driven through a scenario; undefined where it can. A subject has its own sign-in
 * and renews it itself, and the client renews its own: which of the two is first is nobody's parity.
 */
export function onlyReplayed({ name, faults }: Scenario): string | undefined {
  if (faults?.upgrades?.includes(401) !== true) return undefined;
  return `${name} is for replays only: the client renews its sign-in, and a proxy its own`;
}

function idOf({ codex, lane, scenario }: Golden): GoldenId {
  return { codex, lane, scenario };
}

/** Where nothing reached the backend there is nothing to compare: most likely, the subject was pointed elsewhere. */
function unasked({ upstream, subject }: CheckOptions, { url, asides, failure }: Seen): Finding {
  const { method = '', target } = upstream.exchanges[0]?.request ?? {};
  const asked = asides.length === 0 ? 'nothing' : `only ${asides.join(', ')}`;
  const mismatch: Mismatch = {
    kind: 'missing',
    places: [{ exchange: 1, part: 'request', path: [] }],
    expected: `${method} ${target?.kind === 'string' ? target.value : ''}`,
    actual: [asked, ...(failure === undefined ? [] : [failure])].join('; '),
  };
  return {
    ...findingOf('parity', mismatch),
    also: ['request neutrality', 'response neutrality'],
    why: `no request for a response reached the simulated backend: the upstream of ${subject.name} must be ${url}`,
  };
}

function unfinished(reason: string | undefined): Finding[] {
  if (reason === undefined) return [];
  const mismatch: Mismatch = {
    kind: 'missing',
    places: [{ exchange: 1, part: 'the conversation', path: [] }],
    expected: 'the scenario played to its end',
    actual: reason,
  };
  return [findingOf('response neutrality', mismatch)];
}
