import type { Asking } from '../diff/asked.ts';
import { contentFindings, envelopeFindings, neutralityFindings, parityFindings } from '../diff/compare.ts';
import { envelopeOf, envelopesOf } from '../diff/envelope.ts';
import { type Finding, findingOf, together } from '../diff/finding.ts';
import type { ParityError } from '../errors.ts';
import type { Golden, GoldenId } from '../golden/golden.ts';
import type { Mismatch } from '../golden/match/mismatch.ts';
import { foreignCredentials } from './credentials.ts';
import type { DriverKind } from './driver.ts';
import { hasOwnContent, suppliedKeys } from './lane-rules.ts';
import { observeScenario, type ScenarioTraffic } from './observe.ts';
import { inBothModes } from './openai-scenarios.ts';
import type { ScenarioCheck } from './scenario-check.ts';
import { servesOneAtATime } from './subject.ts';

/** The findings of one scenario: parity if there are none. */
export type CheckResult = GoldenId & {
  readonly driver: DriverKind;
  readonly findings: readonly Finding[];
};

/**
 * Plays one scenario through a subject with a tap on either side. Compares the traffic behind it with the golden, and
 * the traffic on both sides with each other. Throws ParityError if the subject dies, hangs or never listens.
 */
export async function checkScenario(check: ScenarioCheck): Promise<CheckResult> {
  const { golden, driver, subject, backendPort } = check;
  const findings =
    'surface' in driver
      ? await inBothModes(!servesOneAtATime(subject, backendPort), async (streams) =>
          openAiFindings(check, { surface: driver.surface, streams }, await observeScenario(check, streams)),
        )
      : officialFindings(check, await observeScenario(check, false));
  return { ...idOf(golden), driver: driver.kind, findings };
}

/** The result of a scenario in which the subject failed, so that there is nothing to compare. */
export function failedCheck({ golden, driver }: ScenarioCheck, failure: ParityError): CheckResult {
  return { ...idOf(golden), driver: driver.kind, findings: notFinished(failure.message) };
}

function officialFindings(check: ScenarioCheck, traffic: ScenarioTraffic): Finding[] {
  if (traffic.back.length === 0) return [nothingReceived(check, traffic)];
  const { golden, upstream, lane } = check;
  const { front, back, failure } = traffic;
  const [client, expected, actual] = hasOwnContent(lane)
    ? [envelopeOf(golden), envelopeOf(upstream), envelopesOf(back)]
    : [golden, upstream, back];
  const neutrality = neutralityFindings(front, back, suppliedKeys(client, expected));
  const parity = parityFindings(expected, actual, failure === undefined ? undefined : front);
  return [...together([...parity, ...foreignCredentials(traffic)], neutrality), ...notFinished(failure)];
}

function openAiFindings(check: ScenarioCheck, asking: Asking, traffic: ScenarioTraffic): Finding[] {
  const { front, back, answers } = traffic;
  if (back.length === 0) return [nothingReceived(check, traffic)];
  return together(
    [...envelopeFindings(check.upstream, back, asking.surface), ...foreignCredentials(traffic)],
    contentFindings(front, back, answers, asking),
  );
}

function idOf({ codex, lane, scenario }: Golden): GoldenId {
  return { codex, lane, scenario };
}

/** The finding if no model request reached the backend: most likely, the subject has another upstream. */
function nothingReceived(
  { upstream, subject }: ScenarioCheck,
  { url, sideRequests, failure }: ScenarioTraffic,
): Finding {
  const { method = '', target } = upstream.exchanges[0]?.request ?? {};
  const received = sideRequests.length === 0 ? 'nothing' : `only ${sideRequests.join(', ')}`;
  const mismatch: Mismatch = {
    kind: 'missing',
    places: [{ exchange: 1, part: 'request', path: [] }],
    expected: `${method} ${target?.kind === 'string' ? target.value : ''}`,
    actual: [received, ...(failure === undefined ? [] : [failure])].join('; '),
  };
  return {
    ...findingOf('parity', mismatch),
    also: ['request neutrality', 'response neutrality'],
    why: `no model request reached the simulated backend: the upstream of ${subject.name} must be ${url}`,
  };
}

function notFinished(reason: string | undefined): Finding[] {
  if (reason === undefined) return [];
  const mismatch: Mismatch = {
    kind: 'missing',
    places: [{ exchange: 1, part: 'the conversation', path: [] }],
    expected: 'the scenario played to its end',
    actual: reason,
  };
  return [findingOf('response neutrality', mismatch)];
}
