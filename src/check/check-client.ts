import { transportIn } from '../diff/fold.ts';
import { clientFindings } from '../diff/live.ts';
import { withOrigins } from '../diff/origins.ts';
import { tlsLibraries } from '../diff/tls-library.ts';
import { type Unfinished, verdictOf } from '../diff/verdict.ts';
import { type CheckResult, idOf, isCutOff, withSender } from './check-result.ts';
import { foreignCredentials, withoutRenewals } from './credentials.ts';
import { keepTraces } from './keep-traces.ts';
import { type ClientCheck, type ObservedClient, observeClient } from './observe-client.ts';
import { lastPrinted } from './start-subject.ts';

/** A client passes nothing on: only what it sends is judged. */
export const clientComparisons = ['parity'] as const;

/** Runs a client for the prompt of a scenario, and compares what it sends to the simulated backend with the golden. */
export async function checkClient(check: ClientCheck): Promise<CheckResult> {
  const { golden, keepsTraffic } = check;
  const traffic = await observeClient(check);
  const { back, events, model } = traffic;
  // Without a way to pass on the effort, such a scenario is not played.
  const effort = check.scenario.client.config.model_reasoning_effort !== undefined;
  const unfinished = unfinishedBy(check, traffic);
  const { findings: found, information } = clientFindings(golden, back, { model, effort });
  const all = [...withoutRenewals(found, traffic), ...foreignCredentials(traffic)];
  const { findings: judged, sender } = withSender(check, all, back);
  const findings = withOrigins(
    unfinished.parity === undefined ? judged : judged.filter((finding) => !isCutOff(finding)),
    back,
  );
  const verdict = verdictOf(findings, unfinished, clientComparisons);
  const keeps = keepsTraffic && verdict.verdict.type !== 'ok';
  const result: CheckResult = {
    ...idOf(golden),
    transport: transportIn(golden),
    ...verdict,
    ...(information.length === 0 || back.length === 0 ? {} : { information }),
    ...(sender === undefined ? {} : { sender }),
    ...(golden.hellos === undefined ? {} : { tls: tlsLibraries(back) }),
    ...(keeps ? { traffic: [{ golden, compared: 'envelope', texts: new Map(), back }] } : {}),
  };
  const traces = check.traces === undefined ? [] : keepTraces(result, [{ upstream: events }], check.traces);
  return traces.length === 0 ? result : { ...result, traces };
}

/** The most requests that are named where none was a model request. */
const mostNamed = 3;

/** Why a client did not play a scenario to its end. */
function unfinishedBy(
  { client: { name }, golden, timeLimit }: ClientCheck,
  { run, back, url, requests }: ObservedClient,
): Unfinished {
  const isLate = run.ended === 'timeout';
  if (back.length > 0 && !isLate) return {};
  const named = requests.slice(0, mostNamed).join(', ');
  const reason = [
    isLate
      ? `client ${name} did not finish ${golden.scenario} within ${timeLimit / 1000} s`
      : `client ${name} ended with exit code ${run.exitCode ?? 'none (killed by a signal)'}`,
    ...(back.length > 0
      ? []
      : [`no model request reached ${url}${named === '' ? '' : `, but ${named} did`}`]),
  ].join(', and ');
  return { parity: { type: 'failed', reason: `${reason}${lastPrinted(lastLine(run))}` } };
}

function lastLine({ stderr, stdout }: ObservedClient['run']): string {
  const [text = ''] = [stderr, stdout].map((output) => output.trim()).filter((output) => output !== '');
  return text.split('\n').at(-1) ?? '';
}
