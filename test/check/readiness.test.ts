import { expect, it } from 'vitest';
import { PrintedLines } from '../../src/check/readiness.ts';
import { parseConfig } from '../../src/config/config.ts';

it.each([
  ['ModuleNotFoundError: No module named x', true],
  ['2026-01-01 ERROR cannot bind', true],
  ['panic: no upstream', true],
  ['2026-01-01 INFO:     uvicorn.error Started server process [1]', false],
  ['DEBUG error handler registered', false],
  ['Exception in thread Thread-1 (serve):', false],
  ['Exception in ASGI application: no upstream', true],
  ['listening', false],
])('knows whether a line reports an error: %s', (line, isError) => {
  const lines = new PrintedLines({ type: 'http', path: '/' });
  lines.push(line);
  expect(lines.firstError).toBe(isError ? line : undefined);
  expect(lines.last).toBe(line);
});

it('accepts a time limit for the start alone', () => {
  const text = 'subjects: { a: { command: [x], ready: { timeout: 60 } } }';
  expect(parseConfig(text, 'a.yaml').subjects).toMatchObject({ a: { ready: { timeout: 60 } } });
});
