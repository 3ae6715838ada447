import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { TraceEvent } from '../../src/trace/event.ts';
import { formatOf } from '../../src/trace/file.ts';
import { createTrace, readTrace } from '../../src/trace/trace.ts';

const header = '{"format":"codex-parity/trace","version":1}\n';
const end = '{"type":"end","connection":1,"by":"client"}\n';
const closing = '{"type":"finished"}\n';

function path(text?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'parity-trace-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'sub.trace.jsonl');
  if (text !== undefined) writeFileSync(file, text);
  return file;
}

it('reads back what was written', async () => {
  const file = join(path(), '..', 'new folder', 'a.jsonl');
  const events: TraceEvent[] = [
    { type: 'connection', connection: 1, authority: 'chatgpt.com', tls: { offered: ['h2'], chosen: null } },
    { type: 'end', connection: 1, by: 'backend' },
  ];
  const trace = createTrace(file, { subject: 'mine' });
  for (const event of events) trace.write(event);
  trace.finish();
  expect(readTrace(file)).toEqual({ events });
  expect(readFileSync(file, 'utf8').split('\n')[0]).toBe(
    '{"format":"codex-parity/trace","version":1,"subject":"mine"}',
  );
});

it('has every event on disk before it goes on', () => {
  const file = path();
  const trace = createTrace(file, {});
  trace.write({ type: 'end', connection: 1, by: 'client' });
  expect(readFileSync(file, 'utf8')).toBe(header + end);
  trace.finish();
});

it('never overwrites a file', () => {
  const file = path('precious');
  expect(() => createTrace(file, {})).toThrow(
    expect.objectContaining({ code: 'usage', message: expect.stringContaining('exists already') }),
  );
  expect(readFileSync(file, 'utf8')).toBe('precious');
});

it('tells a file that was cut off between two lines', async () => {
  expect(() => readTrace(path(header + end))).toThrow(
    expect.objectContaining({
      code: 'file-corrupt',
      message: expect.stringMatching(/line 2 is the last, and the closing line is missing/),
    }),
  );
});

it.each([
  ['half a line', `${header}${end}{"type":"en`, 'line 3 is not valid JSON'],
  ['an empty line', `${header}\n${end}${closing}`, 'line 2 is not valid JSON'],
  [
    'a missing field',
    `${header}{"type":"end","connection":1}\n${closing}`,
    'line 2 is not valid: "by" is missing',
  ],
  [
    'an unknown type',
    `${header}${end}{"type":"x"}\n${closing}`,
    'line 3 is not valid: "x" is no type of event',
  ],
  ['no object', `${header}[]\n${closing}`, 'line 2 is not valid: an object is expected'],
  ['an end too early', `${header}${closing}${end}`, 'line 3 stands after the closing line'],
])('names the line of %s', async (_, text, what) => {
  expect(() => readTrace(path(text))).toThrow(
    expect.objectContaining({
      code: 'file-corrupt',
      message: expect.stringContaining(what),
    }),
  );
});

it('refuses a file of a newer format', async () => {
  const file = path(header.replace(':1}', ':2}') + closing);
  expect(() => readTrace(file)).toThrow(
    expect.objectContaining({
      code: 'format-newer',
      message: expect.stringContaining('format version 2 and this program reads up to 1'),
    }),
  );
});

it('refuses a golden where a trace is needed, and can tell the two', async () => {
  const golden = path(header.replace('trace', 'golden') + closing);
  expect(() => readTrace(golden)).toThrow(expect.objectContaining({ code: 'file-corrupt' }));
  expect(formatOf(golden)).toBe('golden');
  expect(formatOf(path(header + closing))).toBe('trace');
});

it.each(['', '{}\n', '1\n', '{"format":"other","version":1}\n'])('takes %j for no trace', async (text) => {
  expect(() => readTrace(path(text))).toThrow(
    expect.objectContaining({
      code: 'file-corrupt',
      message: expect.stringContaining('is no trace'),
    }),
  );
});

it('says so when there is no file, or a folder', async () => {
  expect(() => readTrace(path())).toThrow(
    expect.objectContaining({
      code: 'file-unreadable',
      message: expect.stringContaining('there is no such file'),
    }),
  );
  expect(() => readTrace(tmpdir())).toThrow(expect.objectContaining({ code: 'file-unreadable' }));
});

it('reads lines as git may have ended them, and texts that hold other line ends', async () => {
  const event = '{"type":"undecodable","connection":1,"from":"client","reason":"a\u2028b\u2029c"}\n';
  const text = (header + event + closing).replaceAll('\n', '\r\n');
  expect(readTrace(path(text))).toMatchObject({ events: [{ reason: 'a\u2028b\u2029c' }] });
});

it('reads a file whose lines are longer than what is read at once', async () => {
  const reason = 'é'.repeat(200_000);
  const event = { type: 'undecodable', connection: 1, from: 'client', reason };
  const text = `${header}${JSON.stringify(event)}\n${end}${closing}`;
  expect(readTrace(path(text))).toEqual({
    events: [event, { type: 'end', connection: 1, by: 'client' }],
  });
});
