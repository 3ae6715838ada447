import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { liveFindings } from '../../src/diff/live.ts';
import { selectGoldens } from '../../src/golden/select.ts';
import { committedGolden } from '../golden/committed-goldens.ts';
import { fillGolden } from '../golden/fill-golden.ts';

const goldens = selectGoldens([join(import.meta.dirname, '..', '..', 'traces')], ['0.171.0']);

describe.each(goldens)('a live session like $scenario in lane $lane', ({ path }) => {
  it('has no finding and no information', () => {
    const golden = committedGolden(path);
    const { findings, information } = liveFindings(golden, fillGolden(golden, 1));
    expect(findings).toEqual([]);
    expect(information).toEqual([]);
  });
});
