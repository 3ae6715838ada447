import { expect, it } from 'vitest';
import { generalise } from '../../src/golden/learn/generalise.ts';
import { unify } from '../../src/golden/match/unify.ts';
import { Sealer } from '../../src/trace/seal.ts';
import { stringAt, toNode } from '../../src/wire/json.ts';
import { exchangeOf, message, messageOf, sampleId } from './sample-run.ts';

const warning = '/bin/bash: warning: setlocale: LC_ALL: cannot change locale (de_DE.UTF-8)\n';

const sealed = (output: string) =>
  new Sealer({ ownTexts: ['alpha', 'alpha\nbeta', ''] }).json(
    toNode({ input: [{ type: 'custom_tool_call_output', output: [{ type: 'input_text', text: output }] }] }),
  );

const run = (output: string) => [exchangeOf(messageOf('client', sealed(output)))];

const golden = generalise(sampleId, [run('alpha'), run('Welcome\nalpha'), run(`${warning}alpha`)]);

it('learns that a shell prints before and after the output of a command', () => {
  const kinds = [...golden.variables.values()].map(({ name, kind }) => `${name}: ${kind}`);

  expect(kinds).toEqual(['text: shell_text', 'text_2: shell_text']);
  expect(JSON.stringify(golden.exchanges)).toContain('{{text}}alpha{{text_2}}');
});

it.each(['alpha', `${warning}alpha`, `${warning}${warning}alpha`, `alpha${warning}`, `Hi\n${warning}alpha`])(
  'accepts %j',
  (output) => {
    expect(unify(golden, run(output))).toEqual([]);
  },
);

it.each([
  '',
  'beta',
  `${warning}beta`,
  'alphabet',
  'alpha alpha',
  `${warning}`,
  `${warning}alpha\nbeta`,
  'x alpha',
])('finds that the output is not alpha: %j', (output) => {
  expect(unify(golden, run(output))).toHaveLength(1);
});

it('keeps outputs literal beside which no shell printed', () => {
  const plain = generalise(sampleId, [run('alpha'), run('alpha')]);

  expect([...plain.variables]).toEqual([]);
});

it('seals what a shell prints, and nothing of it twice', () => {
  const once = sealed(`Welcome, Ada\nalpha${warning}`);
  const text = stringAt(once, 'input', '0') ?? JSON.stringify(once);

  expect(text).toMatch(/<<sealed 12 [0-9a-f]{64}>>\\nalpha<<sealed \d+ [0-9a-f]{64}>>/);
  expect(new Sealer({ ownTexts: ['alpha'] }).json(once)).toEqual(once);
});

it('learns texts outside of outputs as before', () => {
  const of = (text: string) => [exchangeOf(message('client', { output_format: text }))];

  expect(generalise(sampleId, [of('alpha'), of('beta')]).variables.get('output_format')?.kind).toBe(
    'host_text',
  );
});
