import { expect, it } from 'vitest';
import { causeCodes } from '../../src/diff/cause-code.ts';
import { causeText } from '../../src/report/cause-texts.ts';
import { families, findingsPage } from '../../src/report/findings-page.ts';

it.each(families)('writes docs/findings/%s.md', async (family) => {
  await expect(`${findingsPage(family)}\n`).toMatchFileSnapshot(`../../docs/findings/${family}.md`);
});

it('has texts for every code, and no code twice', () => {
  expect(new Set(causeCodes).size).toBe(causeCodes.length);
  for (const code of causeCodes) {
    const { title, fix } = causeText(code);
    expect(title, code).not.toBe('');
    expect(fix, code).toMatch(/[.]$/);
  }
});
