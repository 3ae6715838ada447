import { join } from 'node:path';
import { expect, it } from 'vitest';
import { unify } from '../../src/golden/match/unify.ts';
import { committedGolden } from './committed-goldens.ts';
import { fillGolden } from './fill-golden.ts';

const goldenOf = (codex: string, lane: string, scenario: string) =>
  committedGolden(join(import.meta.dirname, '..', '..', 'traces', codex, lane, `${scenario}.golden.jsonl`));

it.each([
  ['0.171.0', 'free-plan', 'default', ['changed input.0.tools.0.tools.0.description']],
  ['0.171.0', 'free-plan', 'model-not-lite', ['missing tools.11', 'missing tools.11']],
  ['0.171.0', 'fedramp', 'default', ['added x-openai-fedramp', 'moved openai-beta']],
  ['0.171.0', 'business-plan', 'default', []],
  ['0.130.0', 'business-plan', 'default', ['added service_tier', 'added service_tier']],
])(
  'shows what the sign-in of codex %s decides in lane %s, scenario %s',
  (codex, lane, scenario, expected) => {
    const [golden, ofLane] = [goldenOf(codex, 'chatgpt', scenario), goldenOf(codex, lane, scenario)];
    const differences = unify(golden, fillGolden(ofLane, 1)).map(
      ({ kind, places: [place] }) => `${kind} ${place?.path.join('.')}`,
    );

    expect(differences).toEqual(expected);
    expect(unify(ofLane, fillGolden(ofLane, 1))).toEqual([]);
  },
);
