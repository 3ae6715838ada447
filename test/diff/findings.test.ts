import { expect, it } from 'vitest';
import { sites } from '../../scripts/mutations/sites.ts';
import { parityFindings } from '../../src/diff/parity.ts';
import type { Exchange } from '../../src/golden/trace/exchanges.ts';
import { type JsonNode, jsonString } from '../../src/wire/json.ts';
import { sampleGolden, sampleRun, uuid7 } from '../golden/sample-run.ts';
import { rendered } from './rendered.ts';

/** The findings where every header and key of that name has another value. */
function findings(name: string, node: JsonNode) {
  const [exchange] = sampleRun(7);
  if (exchange === undefined) throw new RangeError('there is no exchange');
  const count = sites(exchange).filter(({ names }) => names.at(-1) === name).length;
  const changed = Array.from({ length: count }).reduce<Exchange>((now, _, at) => {
    const site = sites(now).filter(({ names }) => names.at(-1) === name)[at];
    return site?.replace(node) ?? now;
  }, exchange);
  return parityFindings(sampleGolden(), [changed]).map(rendered);
}

it('reports what differs, where, and why it matters', () => {
  expect(findings('prompt_cache_key', jsonString(uuid7(7, 'other')))).toEqual([
    {
      comparison: 'parity',
      kind: 'disagrees',
      severity: 'breaks',
      places: [
        'exchange 1 › client message 1 › prompt_cache_key',
        'exchange 1 › client message 2 › prompt_cache_key',
      ],
      expected: `session_id, which is ${uuid7(7, 'thread')} at exchange 1 › handshake › x-client-request-id`,
      actual: uuid7(7, 'other'),
      why: 'it is the key of the prompt cache: unless it is the session id, every cache hit is lost',
    },
  ]);
});

it('reports a broken identity once, with all its places', () => {
  const found = findings('session_id', jsonString(uuid7(7, 'other')));
  expect(found).toHaveLength(1);
  expect(found[0]?.places).toHaveLength(5);
});

it('reports a wrong tier in two messages once', () => {
  const found = findings('service_tier', jsonString('default'));
  expect(found).toMatchObject([
    {
      kind: 'changed',
      places: [
        'exchange 1 › client message 1 › service_tier',
        'exchange 1 › client message 2 › service_tier',
      ],
      why: 'the official client omits the field for the default tier, and the backend refuses the literal "default"',
    },
  ]);
});

it('reports differences without effect as shape, and others as breaks', () => {
  const [exchange] = sampleRun(7);
  if (exchange === undefined) throw new RangeError('there is no exchange');
  const { request } = exchange;
  const renamed = (change: (name: string) => string) =>
    parityFindings(sampleGolden(), [
      {
        ...exchange,
        request: { ...request, headers: request.headers.map(([name, value]) => [change(name), value]) },
      },
    ]).map(rendered);
  expect(renamed((name) => (name === 'originator' ? 'Originator' : name))).toMatchObject([
    {
      kind: 'recased',
      severity: 'shape',
      why: "the name has different capitalisation than the official client's",
    },
  ]);
  expect(renamed((name) => (name === 'session-id' ? 'session_id' : name))).toMatchObject([
    { kind: 'renamed', severity: 'breaks', why: expect.stringContaining('session_id up to 0.130') },
  ]);
});
