import { ParityError } from '../errors.ts';
import { readGolden } from '../golden/file.ts';
import type { Golden } from '../golden/golden.ts';
import { goldenOfTrace } from '../golden/learn/golden-of-trace.ts';
import { fileNamed, type GoldenFolders } from '../golden/select.ts';
import { exchangesOf } from '../golden/trace/exchanges.ts';
import { formatOf } from '../trace/line-file.ts';
import { readTrace } from '../trace/trace.ts';
import { progress } from './progress.ts';

/**
 * Reads a golden by its file or its name, or a trace as a golden. Throws ParityError if the file is neither, or has no model
 * request.
 */
export function readRecording(name: string, goldens: GoldenFolders): Golden {
  const file = fileNamed(goldens, name);
  if (formatOf(file) === 'golden') return readGolden(file);
  const exchanges = exchangesOf(readTrace(file, progress).events);
  if (exchanges.length === 0)
    throw new ParityError(
      'usage',
      `${file} has no model request: record a session with "codex-parity record -- COMMAND"`,
    );
  return goldenOfTrace({ codex: 'unknown', lane: 'live', scenario: 'trace' }, exchanges);
}
