import { expect, it } from 'vitest';
import { causeCodes } from '../../src/diff/cause-code.ts';
import { runInProcess } from './run-in-process.ts';

it('explains what a code means, what follows, and how to mend it', async () => {
  const { stdout, exitCode } = await runInProcess(['explain', 'tier/literal-default']);
  expect(exitCode).toBe(0);
  expect(stdout).toBe(
    [
      'tier/literal-default (breaks)',
      '',
      '  what    service_tier "default" sent',
      '  effect  the backend refuses it',
      '  why     the official client omits the field for the default tier, and the backend refuses the literal "default"',
      '  mend    Leave service_tier out unless the client sends it.',
      '  page    docs/findings/tier.md',
      '',
    ].join('\n'),
  );
});

it('lists every code without an argument, those of one topic in one line', async () => {
  const { stdout } = await runInProcess(['explain']);
  const listed = stdout.split('\n').flatMap((line) => /^[a-z]+\/[a-z-]+(?=-…| {2})/.exec(line) ?? []);
  expect(causeCodes.filter((code) => !listed.some((name) => code.startsWith(name)))).toEqual([]);
  expect(stdout).toContain('session/header-…');
  expect(stdout.split('\n').length).toBeLessThan(70);
});

it('suggests the code that was meant', async () => {
  const { stderr, exitCode } = await runInProcess(['explain', 'session/heder-renamed']);
  expect(stderr).toBe(
    'codex-parity: no cause has the code "session/heder-renamed": did you mean "session/header-renamed"? "codex-parity explain" lists all codes\n',
  );
  expect(exitCode).toBe(2);
});
