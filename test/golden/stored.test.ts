import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dialogueOf, eventsOf } from '../../src/golden/dialogue.ts';
import { GoldenTable, printGolden, readGolden } from '../../src/golden/file.ts';
import type { Golden } from '../../src/golden/golden.ts';
import type { Mismatch } from '../../src/golden/mismatch.ts';
import { PlainMatcher } from '../../src/golden/plain-match.ts';
import { unifyFiles } from '../../src/golden/stored.ts';
import { unify } from '../../src/golden/unify.ts';
import { decodeEvent, encodeEvent } from '../../src/trace/codec.ts';
import type { TraceEvent } from '../../src/trace/event.ts';
import { closingLine, decodeLine, headerLine, recordsOf } from '../../src/trace/file.ts';
import { LineFile } from '../../src/trace/line-file.ts';
import { plainLine } from '../../src/trace/plain-line.ts';
import { printJson, stringAt } from '../../src/wire/json.ts';
import { representatives } from './committed-goldens.ts';
import { conversation, dialogue, miniGolden } from './conversation.ts';
import { filled } from './filled.ts';
import { mutantsOf } from './operators.ts';

function fileOf(text: string): LineFile {
  return new LineFile('some.jsonl', Buffer.from(text));
}

function traceText(events: readonly TraceEvent[]): string {
  const lines = events.map((event) => `${printJson(encodeEvent(event))}\n`);
  return headerLine('trace', {}) + lines.join('') + closingLine;
}

function readEvents(text: string): TraceEvent[] {
  const file = fileOf(text);
  return [...recordsOf(file, 'trace')].flatMap((record) =>
    record.line === 1 ? [] : [decodeLine(file.path, record, decodeEvent)],
  );
}

/** What is found in files, where nothing may be found in them but what is found in memory. */
function found(golden: Golden, events: readonly TraceEvent[]): Mismatch[] {
  const { mismatches } = unifyFiles(fileOf(printGolden(golden)), fileOf(traceText(events)));
  expect(mismatches).toEqual(unify(golden, dialogueOf(events)));
  return mismatches;
}

it('finds in files what is found in memory, in every mutant of a small conversation', () => {
  const golden = miniGolden();
  expect(found(golden, conversation(7))).toEqual([]);
  const [official, other] = [dialogue(7)[0], dialogue(8)[0]];
  if (official === undefined || other === undefined) throw new RangeError('there is no exchange');
  for (const [operator, mutants] of mutantsOf(official, other)) {
    for (const { exchange } of mutants) expect(found(golden, eventsOf(exchange)), operator).not.toEqual([]);
  }
});

it.each(representatives)('finds in files what is found in memory with $codex $scenario', async ({ path }) => {
  const golden = await readGolden(path);
  const [official, other] = [filled(golden, 1), filled(golden, 2)];
  expect(found(golden, official.flatMap(eventsOf))).toEqual([]);
  const [first, second] = [official[0], other[0]];
  if (first === undefined || second === undefined) throw new RangeError('there is no exchange');
  for (const mutants of mutantsOf(first, second).values()) {
    for (const { exchange } of mutants.filter((_, at) => at % Math.ceil(mutants.length / 3) === 0)) {
      found(golden, [exchange, ...official.slice(1)].flatMap(eventsOf));
    }
  }
});

it('finds in files what is found in memory, whatever is changed in the text of a trace', () => {
  const golden = miniGolden();
  const goldenText = printGolden(golden);
  const text = traceText(conversation(7));
  const edit = fc.record({
    at: fc.nat(),
    removed: fc.nat({ max: 3 }),
    added: fc.constantFrom(
      '',
      '"',
      '\\',
      '{',
      '{{',
      '}',
      ',',
      '0',
      '1',
      'a',
      '\\u0061',
      'é',
      ' ',
      '\\"',
      ':',
    ),
  });
  fc.assert(
    fc.property(edit, ({ at, removed, added }) => {
      const from = text.indexOf('\n') + 1 + (at % (text.length - 60));
      const changed = text.slice(0, from) + added + text.slice(from + removed);
      const both = (read: () => Mismatch[]) => {
        try {
          return read();
        } catch (error) {
          return String(error);
        }
      };
      const inMemory = both(() => unify(golden, dialogueOf(readEvents(changed))));
      expect(both(() => unifyFiles(fileOf(goldenText), fileOf(changed)).mismatches)).toEqual(inMemory);
    }),
    { numRuns: 1000 },
  );
});

/** Conversations of mere text over websockets: others have a line or two that is parsed. */
const usual = representatives.filter(({ scenario }) =>
  ['default', 'fast', 'tool-turn', 'second-turn', 'resume'].includes(scenario),
);

it.each(usual)('need not parse the messages of a run that matches $codex $scenario', async ({ path }) => {
  const golden = await readGolden(path);
  const [pattern, trace] = [
    fileOf(printGolden(golden)),
    fileOf(traceText(filled(golden, 1).flatMap(eventsOf))),
  ];
  const table = new GoldenTable(path);
  const lines = [...recordsOf(pattern, 'golden')].flatMap((record) =>
    table.read(record)?.type === 'message' ? [record.line] : [],
  );
  const theirs = [...recordsOf(trace, 'trace')].flatMap(({ line, node }) =>
    stringAt(node, 'type') === 'message' ? [line] : [],
  );
  const matcher = new PlainMatcher(golden.variables, table.shared);
  const parsed = lines.filter((line, at) => {
    const [one, other] = [pattern.line(line), trace.line(theirs[at] ?? 0)];
    const [mine, its] = [plainLine(one), plainLine(other)];
    return !mine || !its || matcher.match(one, mine.at, other, its.at) === undefined;
  });
  expect(lines.length).toBeGreaterThan(5);
  expect(parsed).toEqual([]);
});
