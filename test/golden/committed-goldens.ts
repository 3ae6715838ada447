import { join } from 'node:path';
import { GoldenLines, listGoldens, readGolden } from '../../src/golden/file.ts';
import type { Golden } from '../../src/golden/golden.ts';

/**
 * Committed goldens for tests that take long for each: the oldest and the newest version, since those in between contain
 * nothing new, and one scenario for each form that a session can take.
 */
const forms = [
  ...['default', 'fast', 'tool-turn', 'second-turn', 'tier-switched', 'resume', 'subagent', 'compaction'],
  ...[
    'steering',
    'interrupt',
    'idle-close',
    'http-fallback',
    'http-tool-turn',
    'turn-state',
    'model-not-lite',
  ],
];
export const representatives = listGoldens(join(import.meta.dirname, '..', '..', 'traces')).filter(
  ({ codex, lane, scenario }) =>
    (codex === '0.169.0' && lane === 'chatgpt' && forms.includes(scenario)) ||
    (['0.118.0', '0.169.0'].includes(codex) && lane !== 'provider-openai' && scenario === 'default'),
);

const lines = new GoldenLines();
const known = new Map<string, Golden>();

/** Reads a committed golden, once for all tests of this process. */
export function committedGolden(path: string): Golden {
  const golden = known.get(path) ?? readGolden(path, lines);
  known.set(path, golden);
  return golden;
}
