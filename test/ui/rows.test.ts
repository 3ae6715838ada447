import { describe, expect, it } from 'vitest';
import type { FrameData, TrafficVariant, ViewData } from '../../src/ui/model.ts';
import { type ViewRow, ViewRows } from '../../src/ui/rows.ts';
import { SharedReader } from '../../src/ui/shared-reader.ts';
import { timelineRows } from '../../src/ui/timeline-rows.ts';

const members = Array.from({ length: 30 }, (_, at) => `"m${at}":${at}`).join(',');

function frame(text: string, more: Partial<FrameData> = {}): FrameData {
  return { exchange: 0, from: 'client', kind: 'message', title: 'a', notes: [], json: [text], ...more };
}

function variantOf(left: readonly FrameData[], right: readonly FrameData[]): TrafficVariant {
  const track = (name: string, frames: readonly FrameData[]) => ({
    ...{ name, pattern: false, exchanges: ['exchange 1'], frames },
  });
  return {
    label: '',
    variables: [],
    tracks: [track('left', left), track('right', right)],
    views: [],
    timeline: { parties: ['client', 'subject', 'backend'], tracks: [0, 1] },
  };
}

function rowsOf(left: FrameData, right: FrameData, marks: ViewData['marks'] = []): ViewRows {
  const rows = [
    ['exchange', 0, 0],
    ['frame', 0, 0],
  ] as const;
  const view = { id: 'a', label: 'a', left: 0, right: 1, rows, marks };
  return new ViewRows(variantOf([left], [right]), view, new SharedReader([]));
}

function text(row: ViewRow): string {
  if (row.kind === 'line')
    return `${row.line.right?.name ?? row.line.right?.text}${row.findings.length > 0 ? '!' : ''}`;
  return row.kind === 'fold' ? `fold ${row.count}` : row.kind;
}

describe('the rows of a view', () => {
  const changed = rowsOf(frame(`{${members}}`), frame(`{${members.replace('"m15":15', '"m15":0')}}`), [
    { row: 1, finding: 0, path: ['m15'] },
  ]);

  it('opens what findings mark, and folds equal lines around it', () => {
    expect(changed.rows(changed.initiallyOpen(), false).map(text)).toEqual([
      ...['exchange', 'frame', 'fold 14', 'm13', 'm14', 'm15!', 'm16', 'm17', 'fold 13'],
    ]);
  });

  it('shows the lines of a fold that is opened', () => {
    const folds = new Set(['1 0']);
    const rows = changed.rows({ frames: new Set([1]), folds }, false).map(text);
    expect(rows.slice(0, 5)).toEqual(['exchange', 'frame', '{', 'm0', 'm1']);
    expect(rows.at(-1)).toBe('fold 13');
  });

  it('leaves out frames without findings', () => {
    const equal = rowsOf(frame('{}'), frame('{}'));
    expect(equal.rows(equal.initiallyOpen(), true).map(text)).toEqual(['exchange']);
    expect(equal.rows(equal.initiallyOpen(), false).map(text)).toEqual(['exchange', 'frame']);
  });

  it('knows which frames differ', () => {
    expect(changed.differs(1)).toBe(true);
    expect(rowsOf(frame('{"a":1}'), frame('{"a":1}')).differs(1)).toBe(false);
    const named = (line: string) => frame('{}', { kind: 'event', line });
    expect(rowsOf(named('event: a'), named('event: b')).differs(1)).toBe(true);
  });

  it('marks all that is below what only one side has', () => {
    const added = rowsOf(frame('{}'), frame(`{"a":{"b":[${'"long text",'.repeat(20)}1]}}`), [
      { row: 1, finding: 0, path: ['a'] },
    ]);
    const lines = added
      .rows({ frames: new Set([1]), folds: new Set() }, false)
      .filter(({ kind }) => kind === 'line');
    expect(lines.filter((row) => 'findings' in row && row.findings.length > 0)).toHaveLength(
      lines.length - 2,
    );
  });
});

it('writes frames as they were sent', () => {
  const rows = rowsOf(frame('{}'), frame('{}'));
  expect(rows.rawText(frame('{"a":1.0}'))).toBe('{"a":1.0}');
  const head: FrameData = {
    ...{ exchange: 0, from: 'client', kind: 'request', title: 'a', notes: [] },
    line: 'GET /a',
    headers: [['B', ['"c"']]],
  };
  expect(rows.rawText(head)).toBe('GET /a\r\nB: c\r\n\r\n');
  expect(rows.rawText(frame('{}', { kind: 'event', line: 'event: x' }))).toBe('event: x\ndata: {}\n\n');
});

it('puts what both taps saw into one order', () => {
  const at = (time: number | undefined, from: 'client' | 'backend' = 'client') =>
    frame('{}', { from, ...(time === undefined ? {} : { at: time }) });
  const rows = timelineRows(
    variantOf([at(1), at(5, 'backend'), at(undefined)], [at(1), at(5, 'backend'), at(9)]),
  );
  expect(rows.map(({ lane, frame: index }) => `${lane}.${index}`)).toEqual([
    ...['0.0', '1.0', '1.1', '0.1', '0.2', '1.2'],
  ]);
});
