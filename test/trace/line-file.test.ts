import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { formatOf } from '../../src/trace/line-file.ts';
import { createTrace, readTrace } from '../../src/trace/trace.ts';
import type { TraceEvent } from '../../src/trace/trace-event.ts';

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

it('reads back what it wrote', async () => {
  const file = join(path(), '..', 'new folder', 'a.jsonl');
  const events: TraceEvent[] = [
    { type: 'connection', connection: 1, authority: 'chatgpt.com', tls: { offered: ['h2'], chosen: null } },
    { type: 'end', connection: 1, by: 'backend' },
  ];
  const trace = createTrace(file, { subject: 'mine' });
  for (const event of events) trace.write(event);
  trace.finish();
  expect(readTrace(file).events).toEqual(events);
  expect(readFileSync(file, 'utf8').split('\n')[0]).toBe(
    '{"format":"codex-parity/trace","version":1,"subject":"mine"}',
  );
});

it('writes each event to disk before write returns', () => {
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

it('rejects a file that was cut off between two lines', async () => {
  expect(() => readTrace(path(header + end))).toThrow(
    expect.objectContaining({
      code: 'file-corrupt',
      message: expect.stringMatching(/:2: the file is cut off after this line/),
    }),
  );
});

it.each([
  ['between two lines', header + end],
  ['within a line', `${header}${end}{"type":"en`],
  [
    'within a character',
    Buffer.concat([Buffer.from(`${header}${end}{"type":"`), Buffer.from('é').subarray(0, 1)]),
  ],
])('reads a trace that is cut off %s up to its last whole line, and says so', (_, content) => {
  const file = path();
  writeFileSync(file, content);
  const notes: string[] = [];
  expect(readTrace(file, (note) => notes.push(note)).events).toEqual([
    { type: 'end', connection: 1, by: 'client' },
  ]);
  expect(notes).toEqual([
    `${file} is still being written, or its recording was cut off: it is read up to line 2`,
  ]);
  expect(() => readTrace(file)).toThrow(`${file}:2: the file is cut off after this line: record it again`);
});

it('reads a trace while it is being written', () => {
  const file = path();
  const trace = createTrace(file, {});
  trace.write({ type: 'end', connection: 1, by: 'client' });
  expect(readTrace(file, () => {}).events).toHaveLength(1);
  trace.finish();
  const notes: string[] = [];
  expect(readTrace(file, (note) => notes.push(note)).events).toHaveLength(1);
  expect(notes).toEqual([]);
});

it.skipIf(process.platform === 'win32')('writes a trace that only its owner can read', () => {
  const file = path();
  createTrace(file, {}).finish();
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

it.each([
  ['half a line', `${header}${end}{"type":"en\n${closing}`, ':3: not valid JSON ('],
  ['an empty line', `${header}\n${end}${closing}`, ':2: not valid JSON ('],
  [
    'a missing field',
    `${header}{"type":"end","connection":1}\n${closing}`,
    ':2: not valid ("by" is missing)',
  ],
  ['an unknown type', `${header}${end}{"type":"x"}\n${closing}`, ':3: not valid ("x" is not an event type)'],
  ['an array', `${header}[]\n${closing}`, ':2: not valid (expected an object)'],
  [
    'a line after the closing line',
    `${header}${closing}${end}`,
    ':3: unexpected line after the closing line',
  ],
])('names the file line of %s', async (_, text, what) => {
  expect(() => readTrace(path(text))).toThrow(
    expect.objectContaining({
      code: 'file-corrupt',
      message: expect.stringContaining(what),
    }),
  );
});

it('rejects a file of a newer format', async () => {
  const file = path(header.replace(':1}', ':2}') + closing);
  expect(() => readTrace(file)).toThrow(
    expect.objectContaining({
      code: 'format-newer',
      message: expect.stringContaining('format version 2, and this program reads up to 1'),
    }),
  );
});

it('rejects a golden where it expects a trace, and reports the format of either', async () => {
  const golden = path(header.replace('trace', 'golden') + closing);
  expect(() => readTrace(golden)).toThrow(expect.objectContaining({ code: 'file-corrupt' }));
  expect(formatOf(golden)).toBe('golden');
  expect(formatOf(path(header + closing))).toBe('trace');
});

it.each(['', '{}\n', '1\n', '{"format":"other","version":1}\n'])(
  'rejects %j, which is not a trace',
  async (text) => {
    expect(() => readTrace(path(text))).toThrow(
      expect.objectContaining({
        code: 'file-corrupt',
        message: expect.stringContaining('not a trace'),
      }),
    );
  },
);

it('rejects a missing file and a folder', async () => {
  expect(() => readTrace(path())).toThrow(
    expect.objectContaining({
      code: 'file-unreadable',
      message: expect.stringContaining('no such file'),
    }),
  );
  expect(() => readTrace(tmpdir())).toThrow(expect.objectContaining({ code: 'file-unreadable' }));
});

it('reads CRLF line ends, and strings that contain U+2028 and U+2029', async () => {
  const event = '{"type":"undecodable","connection":1,"from":"client","reason":"a\u2028b\u2029c"}\n';
  const text = (header + event + closing).replaceAll('\n', '\r\n');
  expect(readTrace(path(text)).events).toMatchObject([{ reason: 'a\u2028b\u2029c' }]);
});

it('reads very long lines', async () => {
  const reason = 'é'.repeat(200_000);
  const event = { type: 'undecodable', connection: 1, from: 'client', reason };
  const text = `${header}${JSON.stringify(event)}\n${end}${closing}`;
  expect(readTrace(path(text)).events).toEqual([event, { type: 'end', connection: 1, by: 'client' }]);
});
