import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runFaultChecks } from '../../src/check/faults/run-fault-checks.ts';
import { configuredSubject } from '../../src/check/subject.ts';
import { bundledGoldens } from '../../src/golden/select.ts';

const proxy = join(import.meta.dirname, '..', 'e2e', 'message-proxy.ts');

/** The verdict on message-proxy.ts with one of its faults, while the backend sends a message that is not JSON. */
async function verdictOn(fault: string) {
  const command = [process.execPath, proxy, '{port}', '{upstream}', fault];
  const { results, skipped } = await runFaultChecks({
    subject: configuredSubject('mine', { command }, tmpdir()),
    ...{ lane: 'chatgpt', goldens: [bundledGoldens], codex: '0.171.0', scenarios: ['default'] },
    ...{ backendPort: 0, timeLimit: 60_000 },
    narrow: ({ what, step }) => what === 'malformed' && step === 'last',
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  expect(skipped).toEqual([]);
  expect(results).toHaveLength(1);
  return results[0]?.verdict;
}

it('finds nothing wrong with a proxy that passes on everything', async () => {
  expect(await verdictOn('none')).toEqual({ type: 'same', end: 'complete' });
});

it.concurrent.each([
  ['loses the words of a response', ['exchange 1: lost response.output_text.delta']],
  ['sends the turn twice', ['exchange 1: doubled response.created and 8 more']],
  ['swaps two events', ['exchange 1: messages in another order']],
  [
    'shares one response among all sessions',
    ['mixed: responses that two sessions saw: 4', 'exchange 1: messages with other ids'],
  ],
])('finds a proxy that %s', async (fault, problems) => {
  expect(await verdictOn(fault)).toEqual({ type: 'wrong', problems });
});
