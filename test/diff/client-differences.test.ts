import { expect, it } from 'vitest';
import { clientDifferences, parityFindings } from '../../src/diff/parity.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import { jsonString, mapChildren } from '../../src/wire/json.ts';
import { sampleGolden, sampleRun } from '../golden/sample-run.ts';

function official(): Exchange {
  const [exchange] = sampleRun(7);
  if (exchange === undefined) throw new RangeError('no exchange');
  return exchange;
}

/** The exchange with another model in each request. */
function withModel(exchange: Exchange, model: string): Exchange {
  const steps = exchange.steps.map((step): Step => {
    if (step.type === 'response' || step.from !== 'client' || step.content.kind !== 'json') return step;
    const json = mapChildren(step.content.json, (value, key) =>
      key === 'model' ? jsonString(model) : value,
    );
    return { ...step, content: { ...step.content, json } };
  });
  return { ...exchange, steps };
}

function withoutFirstHeader(exchange: Exchange): Exchange {
  return { ...exchange, request: { ...exchange.request, headers: exchange.request.headers.slice(1) } };
}

it('leaves out of parity what the client itself sends differently', () => {
  const other = withModel(official(), 'another-model');
  const own = clientDifferences(sampleGolden(), [other], [other]);
  expect(own).not.toEqual([]);
  expect(parityFindings(sampleGolden(), [other])).not.toEqual([]);
  expect(parityFindings(sampleGolden(), [other], { sent: [other], finished: true, own })).toEqual([]);
});

it('keeps in parity what only the subject sends differently', () => {
  const other = withModel(official(), 'another-model');
  expect(clientDifferences(sampleGolden(), [official()], [other])).toEqual([]);
  const third = withModel(official(), 'a-third-model');
  expect(clientDifferences(sampleGolden(), [third], [other])).toEqual([]);
});

it('keeps in parity a header that the client leaves out, as a proxy has to add it', () => {
  const without = withoutFirstHeader(official());
  const own = clientDifferences(sampleGolden(), [without], [without]);
  expect(
    parityFindings(sampleGolden(), [without], { sent: [without], finished: true, own }).map(
      ({ kind }) => kind,
    ),
  ).toContain('missing');
});
