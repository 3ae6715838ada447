import { expect, it } from 'vitest';
import { parityFindings } from '../../src/diff/parity.ts';
import { readGoldenOf } from '../../src/golden/file.ts';
import { bundledGoldens, findGolden } from '../../src/golden/select.ts';
import type { Exchange, Step } from '../../src/golden/trace/exchanges.ts';
import { fillGolden } from '../golden/fill-golden.ts';

const file = findGolden([bundledGoldens], { codex: '0.171.0', lane: 'chatgpt', scenario: 'fast' });
const golden = readGoldenOf(file, file.path);

const withSteps = (change: (step: Step) => Step): Exchange[] =>
  fillGolden(golden, 1).map((exchange) => ({ ...exchange, steps: exchange.steps.map(change) }));

const uncompressed = (step: Step): Step =>
  step.type === 'message' && step.from === 'client' ? { ...step, compressed: false } : step;

it('finds a client that does not compress its messages', () => {
  const [finding] = parityFindings(golden, withSteps(uncompressed));
  expect(finding).toMatchObject({ kind: 'reframed', aspect: 'compressed', expected: true, actual: false });
});

it('finds nothing where the backend does not accept compression', () => {
  const declined = withSteps((step) =>
    step.type === 'response' ? { ...step, headers: [] } : uncompressed(step),
  );
  expect(parityFindings(golden, declined)).toEqual([]);
});
