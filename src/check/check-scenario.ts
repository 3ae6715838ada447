import { envelopeOf, envelopesOf } from '../diff/envelope.ts';
import { type Finding, findingOf, together } from '../diff/finding.ts';
import type { LibraryUse } from '../diff/neutrality/library.ts';
import { libraryFindings, neutralityFindings } from '../diff/neutrality/neutrality.ts';
import { envelopeFindings, parityFindings } from '../diff/parity.ts';
import type { ParityError } from '../errors.ts';
import type { Golden, GoldenId } from '../golden/golden.ts';
import { type Mismatch, requestValue } from '../golden/match/mismatch.ts';
import { jsonString } from '../wire/json.ts';
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

function openAiFindings(check: ScenarioCheck, use: LibraryUse, traffic: ScenarioTraffic): Finding[] {
  const { front, back, responses } = traffic;
  if (back.length === 0) return [nothingReceived(check, traffic)];
  return together(
    [...envelopeFindings(check.upstream, back, use.surface), ...foreignCredentials(traffic)],
    libraryFindings(front, back, responses, use),
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
  const { method = '', target = jsonString('') } = upstream.exchanges[0]?.request ?? {};
  const mismatch: Mismatch = {
    kind: 'missing',
    places: [{ exchange: 1, side: 'client', part: 'exchange', path: [] }],
    expected: requestValue({ method, target }),
    instead: {
      type: 'subject behaviour',
      requests: sideRequests,
      ...(failure === undefined ? {} : { failure }),
    },
  };
  return {
    ...findingOf('parity', mismatch),
    also: ['request neutrality', 'response neutrality'],
    cause: { type: 'nothing upstream', subject: subject.name, url },
  };
}

function notFinished(failure: string | undefined): Finding[] {
  if (failure === undefined) return [];
  return [
    findingOf('response neutrality', {
      kind: 'missing',
      places: [{ exchange: 1, side: 'backend', part: 'ending', path: [] }],
      expected: { type: 'whole scenario' },
      instead: { type: 'subject behaviour', requests: [], failure },
    }),
  ];
}
