import { type ClientSettings, clientModel } from '../client/client-settings.ts';
import { byCause } from '../diff/causes.ts';
import { envelopeOf, envelopesOf } from '../diff/envelope.ts';
import { type Finding, findingOf, together } from '../diff/finding.ts';
import { transportIn } from '../diff/fold.ts';
import type { KeptTraffic } from '../diff/kept-traffic.ts';
import { isResponse, showStop } from '../diff/neutrality/exchange.ts';
import type { LibraryUse } from '../diff/neutrality/library.ts';
import { libraryFindings, neutralityFindings } from '../diff/neutrality/neutrality.ts';
import { withOrigins } from '../diff/origins.ts';
import { clientDifferences, envelopeFindings, parityFindings } from '../diff/parity.ts';
import { revealed } from '../diff/revealed.ts';
import { tlsLibraries } from '../diff/tls-library.ts';
import { allUnfinished, type ClientDifferences, type Unfinished, verdictOf } from '../diff/verdict.ts';
import { comparedNode, type Mismatch, requestValue } from '../golden/match/mismatch.ts';
import type { Exchange } from '../golden/trace/exchanges.ts';
import { jsonString } from '../wire/json.ts';
import { type CheckResult, idOf, isCutOff, withSender } from './check-result.ts';
import { foreignCredentials, withoutRenewals } from './credentials.ts';
import { keepTraces, type RecordedTraffic } from './keep-traces.ts';
import { changesContent, suppliedKeys } from './lane-rules.ts';
import { observeScenario, type ScenarioTraffic } from './observe.ts';
import { inBothModes, type JudgedTraffic } from './openai-scenarios.ts';
import type { ScenarioCheck } from './scenario-check.ts';
import { clientSettings, servesOneAtATime } from './subject.ts';

/**
 * Plays one scenario through a subject with a tap on either side. Compares the traffic behind it with the golden, and
 * the traffic on both sides with each other.
 */
export async function checkScenario(check: ScenarioCheck): Promise<CheckResult> {
  const { golden, driver, subject, backendPort } = check;
  const recorded: RecordedTraffic[] = [];
  const kept: KeptTraffic[] = [];
  const libraries: string[] = [];
  const play = async (use?: LibraryUse): Promise<JudgedTraffic> => {
    const traffic = await observeScenario(check, use?.streams ?? false);
    recorded.push({ ...modeOf(use), ...traffic.events });
    libraries.push(...tlsLibraries(traffic.back));
    kept.push(keptTraffic(check, traffic, use));
    return judge(check, traffic, use);
  };
  const judged =
    'surface' in driver
      ? await inBothModes(!servesOneAtATime(subject, backendPort), (streams) =>
          play({ surface: driver.surface, streams }),
        )
      : await play();
  const { unfinished, client, sender } = judged;
  const findings = withOrigins(judged.findings);
  const verdict = verdictOf(findings, unfinished);
  const keeps = check.keepsTraffic && (findings.length > 0 || verdict.verdict.type === 'failed');
  const result = {
    ...idOf(golden),
    transport: transportIn(golden),
    ...verdict,
    ...(client === undefined ? {} : { client }),
    ...(sender === undefined ? {} : { sender }),
    ...(check.upstream.hellos === undefined ? {} : { tls: [...new Set(libraries)] }),
    ...(keeps ? { traffic: kept } : {}),
  };
  const traces = check.traces === undefined ? [] : keepTraces(result, recorded, check.traces);
  return traces.length === 0 ? result : { ...result, traces };
}

function keptTraffic(check: ScenarioCheck, traffic: ScenarioTraffic, use?: LibraryUse): KeptTraffic {
  const { front, back, texts } = traffic;
  const official = changesContent(check.lane) ? 'envelope' : 'everything';
  return { ...modeOf(use), golden: check.upstream, compared: use?.surface ?? official, texts, front, back };
}

function modeOf(use: LibraryUse | undefined): Pick<KeptTraffic, 'mode'> {
  return use === undefined ? {} : { mode: use.streams ? 'streamed' : 'whole' };
}

function judge(check: ScenarioCheck, traffic: ScenarioTraffic, use?: LibraryUse): JudgedTraffic {
  const { end, back } = traffic;
  if (end.type === 'stopped' && acceptsRefused(check, traffic))
    return { findings: [], unfinished: allUnfinished({ type: 'not checked', reason: acceptsFirst }) };
  if (back.length === 0 && end.type !== 'failed')
    return { findings: [nothingReceived(check, traffic)], unfinished: {} };
  const own =
    check.driver.kind === 'codex' && !changesContent(check.lane)
      ? clientDifferences(check.golden, traffic.front, back)
      : [];
  const found = (
    use === undefined ? officialFindings(check, traffic, own) : openAiFindings(check, use, traffic)
  )
    .filter((finding) => !isModelName(finding, clientSettings(check.subject)))
    .map((finding) => revealed(finding, traffic.texts));
  const { findings, sender } = withSender(check, found, back);
  return {
    findings: end.type === 'failed' ? findings.filter((finding) => !isCutOff(finding)) : findings,
    ...(sender === undefined ? {} : { sender }),
    unfinished: { ...(use === undefined ? {} : notForSurface(use)), ...unfinishedAfter(traffic) },
    ...(own.length === 0 || end.type !== 'finished' ? {} : { client: clientSummary(own) }),
  };
}

/** Whether a finding is only the client's own name for the model, which the subject has to replace. */
function isModelName(finding: Finding, settings: ClientSettings): boolean {
  if (finding.comparison !== 'request neutrality' || finding.kind !== 'changed') return false;
  if (!finding.places.every(({ path }) => path.join() === 'model')) return false;
  const [sent, upstream] = [comparedNode(finding, 'expected'), comparedNode(finding, 'actual')];
  if (sent?.kind !== 'string' || upstream?.kind !== 'string') return false;
  return sent.value === clientModel(settings, upstream.value);
}

function clientSummary(own: readonly Mismatch[]): ClientDifferences {
  const [model] = own.flatMap((mismatch) => {
    const isModel = mismatch.places.some(({ path }) => path.length === 1 && path[0] === 'model');
    const node = isModel ? comparedNode(mismatch, 'actual') : undefined;
    return node?.kind === 'string' ? [node.value] : [];
  });
  return { count: byCause(own).length, ...(model === undefined ? {} : { model }) };
}

const acceptsFirst = 'the subject accepts the upgrade before it asks upstream, which refuses it';

/** Whether a replay ended because the subject accepted an upgrade before upstream could refuse it. */
function acceptsRefused({ golden, driver }: ScenarioCheck, traffic: ScenarioTraffic): boolean {
  if (driver.kind !== 'replay' || !traffic.acceptsFirst) return false;
  const statusOf = (exchange: Exchange | undefined) => exchange?.steps.find(isResponse)?.status;
  const last = traffic.front.length - 1;
  return statusOf(traffic.front[last]) === 101 && statusOf(golden.exchanges[last]) !== 101;
}

function officialFindings(
  check: ScenarioCheck,
  traffic: ScenarioTraffic,
  own: readonly Mismatch[],
): Finding[] {
  const { golden, upstream, lane } = check;
  const { front, back, end } = traffic;
  const [client, expected, actual] = changesContent(lane)
    ? [envelopeOf(golden), envelopeOf(upstream), envelopesOf(back)]
    : [golden, upstream, back];
  const neutrality = neutralityFindings(front, back, suppliedKeys(client, expected));
  const parity = parityFindings(expected, actual, { sent: front, finished: end.type === 'finished', own });
  const findings = together(
    [...withoutRenewals(parity, traffic), ...foreignCredentials(traffic)],
    neutrality,
  );
  return showStop(findings, back) ? findings : [...findings, ...stopped(traffic)];
}

function openAiFindings(check: ScenarioCheck, use: LibraryUse, traffic: ScenarioTraffic): Finding[] {
  const { front, back, responses } = traffic;
  const parity = envelopeFindings(check.upstream, back, use.surface);
  return together(
    [...withoutRenewals(parity, traffic), ...foreignCredentials(traffic)],
    libraryFindings(front, back, responses, use),
  );
}

/** The comparisons that are not made of an API. */
function notForSurface({ surface }: LibraryUse): Unfinished {
  const reason = 'the content of a chat request has another form than that of the request upstream';
  return surface === 'chat' ? { 'request neutrality': { type: 'not checked', reason } } : {};
}

function unfinishedAfter({ end, back, url }: ScenarioTraffic): Unfinished {
  switch (end.type) {
    case 'finished':
      return {};
    case 'stopped':
      return allUnfinished({ type: 'not checked', reason: 'the scenario was not played to its end' });
    case 'failed': {
      const idle =
        end.late && back.length === 0 ? `; no model request reached its upstream, which must be ${url}` : '';
      return allUnfinished({ type: 'failed', reason: `${end.reason}${idle}` });
    }
  }
}

/** The finding if no model request reached the backend: most likely, the subject has another upstream. */
function nothingReceived(
  { upstream, subject }: ScenarioCheck,
  { url, sideRequests, end, refusal, problems }: ScenarioTraffic,
): Finding {
  const { method = '', target = jsonString('') } = upstream.exchanges[0]?.request ?? {};
  const failures = [
    ...(end.type === 'finished' ? [] : [end.reason]),
    ...problems.map((problem) => `its connection failed: ${problem}`),
  ];
  const mismatch: Mismatch = {
    kind: 'missing',
    places: [{ exchange: 1, side: 'client', part: 'exchange', path: [] }],
    expected: requestValue({ method, target }),
    instead: {
      type: 'subject behaviour',
      requests: sideRequests,
      ...(failures.length === 0 ? {} : { failure: failures.join('; ') }),
      ...(refusal === undefined ? {} : { refusal }),
    },
  };
  return {
    ...findingOf('parity', mismatch),
    also: ['request neutrality', 'response neutrality'],
    cause: { type: 'nothing upstream', subject: subject.name, url },
  };
}

/** The finding if the client could not go on, or the subject failed after it refused a request. */
function stopped({ end, refusal }: ScenarioTraffic): Finding[] {
  if (end.type === 'finished' || (end.type === 'failed' && refusal === undefined)) return [];
  return [
    findingOf('response neutrality', {
      kind: 'missing',
      places: [{ exchange: 1, side: 'backend', part: 'ending', path: [] }],
      expected: { type: 'whole scenario' },
      instead: {
        type: 'subject behaviour',
        requests: [],
        failure: end.reason,
        ...(refusal === undefined ? {} : { refusal }),
      },
    }),
  ];
}
