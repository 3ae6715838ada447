import { join } from 'node:path';
import type { Finding } from '../../src/diff/finding.ts';
import type { KeptTraffic } from '../../src/diff/kept-traffic.ts';
import { neutralityFindings } from '../../src/diff/neutrality/neutrality.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import { verdictOf } from '../../src/diff/verdict.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import type { ReportedScenario } from '../../src/report/report.ts';
import { filterMembers, type JsonNode, jsonString } from '../../src/wire/json.ts';
import { committedGolden } from '../golden/committed-goldens.ts';
import { fillGolden } from '../golden/fill-golden.ts';

const traces = join(import.meta.dirname, '..', '..', 'traces');

/** What a subject changes in what its client sends. */
export type Change = (exchange: Exchange) => Exchange;

/** A scenario in which a subject changed its client's traffic, with findings and traffic as a check makes them. */
export function changedScenario(
  codex: string,
  scenario: string,
  ...changes: readonly Change[]
): ReportedScenario {
  const golden = committedGolden(join(traces, codex, 'chatgpt', `${scenario}.golden.jsonl`));
  const front = fillGolden(golden, 1).map(timed);
  const back = front.map((exchange) => changes.reduce((all, change) => change(all), exchange));
  const findings: readonly Finding[] = [...parityFindings(golden, back), ...neutralityFindings(front, back)];
  const traffic: KeptTraffic = { golden, compared: 'everything', texts: new Map(), front, back };
  return {
    ...{ codex, lane: 'chatgpt', scenario },
    ...verdictOf(findings, {}),
    ...(findings.length === 0 ? {} : { traffic: [traffic] }),
  };
}

function timed(exchange: Exchange): Exchange {
  return { ...exchange, steps: exchange.steps.map((step, index) => ({ ...step, at: index })) };
}

export const renamesSession: Change = (exchange) =>
  withHeaders(exchange, ([name, value]) => [[name.replace(/^session-id$/, 'session_id'), value]]);

export const changesOriginator: Change = (exchange) =>
  withHeaders(exchange, ([name, value]) => [[name, name === 'originator' ? jsonString('my_proxy') : value]]);

export function addsHeader(added: string, text: string): Change {
  return ({ request, ...exchange }) => ({
    ...exchange,
    request: { ...request, headers: [...request.headers, [added, jsonString(text)]] },
  });
}

export const sortsHeaders: Change = ({ request, ...exchange }) => ({
  ...exchange,
  request: {
    ...request,
    headers: request.headers.toSorted(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1)),
  },
});

export const dropsCacheKey: Change = (exchange) => ({
  ...exchange,
  steps: exchange.steps.map((step): Step => {
    if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return step;
    return { ...step, content: { ...step.content, json: withoutKey(step.content.json) } };
  }),
});

function withoutKey(json: JsonNode): JsonNode {
  return json.kind === 'object' ? filterMembers(json, (key) => key !== 'prompt_cache_key') : json;
}

type Header = Exchange['request']['headers'][number];

function withHeaders({ request, ...exchange }: Exchange, change: (header: Header) => Header[]): Exchange {
  return { ...exchange, request: { ...request, headers: request.headers.flatMap(change) } };
}

/** A scenario with so many messages of the backend, in which the last one was changed on its way to the client. */
export function longScenario(messages: number): ReportedScenario {
  const golden = committedGolden(join(traces, '0.171.0', 'chatgpt', 'fast.golden.jsonl'));
  const [exchange] = fillGolden(golden, 1);
  if (exchange === undefined) throw new RangeError('the golden has no exchange');
  const delta = (number: number, text = `word ${number} `): Step => ({
    ...{ type: 'message', exchange: 1, from: 'backend', opcode: 'text', compressed: true, fragments: 1 },
    at: 100 + number,
    content: {
      kind: 'json',
      spaced: false,
      json: {
        kind: 'object',
        members: [
          ['type', jsonString('response.output_text.delta')],
          ['delta', jsonString(text)],
        ],
      },
    },
  });
  const sent = Array.from({ length: messages }, (_, number) => delta(number));
  const back = [{ ...exchange, steps: [...exchange.steps, ...sent] }];
  const front = [
    { ...exchange, steps: [...exchange.steps, ...sent.slice(0, -1), delta(messages - 1, 'changed')] },
  ];
  const findings = neutralityFindings(front, back);
  return {
    ...{ codex: '0.171.0', lane: 'chatgpt', scenario: 'long' },
    ...verdictOf(findings, {}),
    traffic: [{ golden, compared: 'everything', texts: new Map(), front, back }],
  };
}
