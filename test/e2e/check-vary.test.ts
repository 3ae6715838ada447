import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runChecks } from '../../src/check/run-checks.ts';
import { configuredSubject, type Subject } from '../../src/check/subject.ts';
import { bundledGoldens } from '../../src/golden/select.ts';
import { line } from '../diff/rendered.ts';

const proxy = join(import.meta.dirname, 'message-proxy.ts');
const withFault = (fault: string): Subject =>
  configuredSubject('mine', { command: [process.execPath, proxy, '{port}', '{upstream}', fault] }, '.');

/** Both transports, errors, and a connection that is lost. */
const scenarios = ['fast', 'http-fast', 'error-500', 'close-1006'];

async function findings(subject: Subject, vary: number | undefined): Promise<string[]> {
  const { results } = await runChecks({
    ...{ subject, driver: 'replay', lane: 'chatgpt', goldens: [bundledGoldens], backendPort: 0 },
    ...{ versions: ['0.171.0'], scenarios, timeLimit: 60_000, vary },
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  return results.flatMap(({ scenario, verdict, findings }) => [
    // Compares the reason too, so that a failure shows it.
    `${scenario}: ${'reason' in verdict ? verdict.reason : verdict.type}`,
    ...findings.map(line),
  ]);
}

it.each<[string, Subject]>([
  ['the bundled proxy', { kind: 'bundled', name: 'bundled' }],
  ['a proxy that adds a header', withFault('adds a header')],
  ['a proxy that loses events', withFault('loses the events from an error on')],
])('does not change the verdict on %s when both sides vary', async (_, subject) => {
  const plain = await findings(subject, undefined);
  for (const seed of [1, 2]) expect(await findings(subject, seed)).toEqual(plain);
});
