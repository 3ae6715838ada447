import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { causeCodes } from '../../src/diff/cause-code.ts';
import { readGolden } from '../../src/golden/file.ts';
import { eventsOf } from '../../src/golden/trace/exchanges.ts';
import { createTrace } from '../../src/trace/trace.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';
import { fillGolden } from '../golden/fill-golden.ts';
import { madeUpSession } from '../watch/made-up-session.ts';
import { cli, repository, temporaryFolder } from './cli.ts';
import { runInProcess } from './run-in-process.ts';

function traceOf(events: readonly TraceEvent[]): string {
  const path = join(temporaryFolder(), 'live.trace.jsonl');
  const trace = createTrace(path, { recorded: 'live' });
  events.forEach(trace.write);
  trace.finish();
  return path;
}

it('explains what a code means, what follows, and how to fix it', async () => {
  const { stdout, exitCode } = await runInProcess(['explain', 'tier/literal-default']);
  expect(exitCode).toBe(0);
  expect(stdout).toBe(
    [
      'tier/literal-default (breaks)',
      '',
      '  what    service_tier "default" sent',
      '  effect  the backend refuses it',
      '  why     the official client omits the field for the default tier, and the backend refuses the literal "default"',
      '  fix     Leave service_tier out unless the client sends it.',
      '  page    docs/findings/tier.md',
      '',
    ].join('\n'),
  );
});

it('names a page that exists, also outside of the repository', async () => {
  const cwd = temporaryFolder();
  const { stdout } = await cli(['explain', 'tier/literal-default'], { cwd });
  const page = /^ {2}page {4}(.+)$/m.exec(stdout)?.[1] ?? 'none';
  expect(readFileSync(join(cwd, page), 'utf8')).toContain('`tier/literal-default`');
});

it('lists every code without an argument, those of one topic in one line', async () => {
  const { stdout } = await runInProcess(['explain']);
  const listed = stdout.split('\n').flatMap((line) => /^[a-z]+\/[a-z0-9-]+(?=-…| {2})/.exec(line) ?? []);
  expect(causeCodes.filter((code) => !listed.some((name) => code.startsWith(name)))).toEqual([]);
  expect(stdout).toContain('session/header-…');
  expect(stdout).toMatch(/^wire\/http2-… +shape +… is settings, window, /m);
  expect(stdout.split('\n').length).toBeLessThan(70);
});

it('suggests the code that was meant', async () => {
  const { stderr, exitCode } = await runInProcess(['explain', 'session/heder-renamed']);
  expect(stderr).toBe(
    'codex-parity: no cause has the code "session/heder-renamed", and there is no such file: did you mean "session/header-renamed"? "codex-parity explain" lists all codes\n',
  );
  expect(exitCode).toBe(2);
});

it('judges the turns of a trace, and finds nothing wrong with the official client', async () => {
  const golden = readGolden(join(repository, 'traces/0.171.0/chatgpt/second-turn.golden.jsonl'));
  const path = traceOf(fillGolden(golden, 1).flatMap(eventsOf));
  const { stdout, exitCode } = await runInProcess(['explain', path]);
  expect(stdout.split('\n').slice(1)).toEqual([
    'turn 1 · default tier hint ✓ · cache key = session ✓ · prewarmed ✓ · cached 0 of 1',
    '  follows the golden 0.171.0/default ✓',
    'turn 2 · default tier hint ✓ · cache key = session ✓ · chained ✓ · cached 0 of 1',
    '',
    'nothing wrong in 2 turns in 1 session',
    '',
  ]);
  expect(exitCode).toBe(0);
});

it('says what is wrong in a trace, why, and what to do', async () => {
  const turns = [
    { tokens: [17_500, 0] as const, body: { service_tier: 'fast' } },
    {
      tokens: [18_000, 0] as const,
      body: { service_tier: 'fast', prompt_cache_key: 'other' },
    },
    { last: null },
  ];
  const events = madeUpSession({ turns }).map(([event]) => event);
  const { stdout, exitCode } = await runInProcess(['explain', traceOf(events)]);
  expect(stdout).toContain(
    '    tier fast: The request has "service_tier":"fast", which the official client never sends: fast mode is "priority", the default tier has no service_tier. Send "priority" in place of "fast".\n',
  );
  expect(stdout).toContain('cached 0 of 18.0k: other cache key ✗');
  expect(stdout).toMatch(/\nturn 3 · .* · running\n/);
  expect(stdout).toMatch(/\n\d+ things wrong in 3 turns in 1 session\n$/);
  expect(exitCode).toBe(1);
});

it('says in one line why a file cannot be explained', async () => {
  const golden = join(repository, 'traces/0.171.0/chatgpt/fast.golden.jsonl');
  const wrong = await runInProcess(['explain', golden]);
  expect(wrong.stderr).toBe(
    `codex-parity: ${golden} is a golden, not a trace: name a trace, which "record -- COMMAND" and "proxy --record" write\n`,
  );
  expect(wrong.exitCode).toBe(2);
  const empty = await runInProcess(['explain', traceOf([])]);
  expect(empty.stderr).toMatch(/has no turn: record a session with "codex-parity record -- COMMAND"\n$/);
  expect(empty.exitCode).toBe(2);
});
