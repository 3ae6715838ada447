import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ParityError, plainReason } from '../errors.ts';
import { makeFolder, unwritable } from '../files.ts';
import { printJson, stringAt } from '../wire/json.ts';
import { decodeEvent, encodeEvent } from './codec.ts';
import { closingLine, decodeLine, type FileInfo, headerLine, readLines } from './line-file.ts';
import type { TraceEvent } from './trace-event.ts';

/** `live` is true for a session that was not a scenario: its prompts, settings and number of turns are the user's own. */
export type Trace = { readonly live: boolean; readonly events: readonly TraceEvent[] };

/**
 * Reads a trace. Throws ParityError for a file that is missing, corrupt or of a newer format. With `onCutOff`, a trace
 * that is cut off or still being written is read up to its last whole line, and the function gets a sentence that says
 * so; without it, such a trace is an error.
 */
export function readTrace(path: string, onCutOff?: (note: string) => void): Trace {
  const events: TraceEvent[] = [];
  let live = false;
  const note = (line: number) =>
    onCutOff?.(`${path} is still being written, or its recording was cut off: it is read up to line ${line}`);
  for (const line of readLines(path, 'trace', onCutOff && note)) {
    if (line.line === 1) live = stringAt(line.node, 'recorded') === 'live';
    else events.push(decodeLine(path, line, decodeEvent));
  }
  return { live, events };
}

/**
 * Creates a trace file that is written during the recording, and its folders. An event is written before `write`
 * returns, so a crash loses none. A write that fails, for example because the disk is full, must not stop the recorded
 * program: `write` then does nothing, and `finish` throws ParityError `file-unwritable`.
 *
 * @throws ParityError when the file cannot be created, or exists: it is never overwritten.
 */
export function createTrace(
  path: string,
  info: FileInfo,
): { write: (event: TraceEvent) => void; finish: () => void } {
  if (existsSync(path))
    throw new ParityError('usage', `${path} exists already: name another file with --out`);
  const file = openNew(path);
  writeSync(file, headerLine('trace', info));
  let failure: unknown;
  const write = (line: string) => {
    if (failure !== undefined) return;
    try {
      writeSync(file, line);
    } catch (error) {
      failure = error;
    }
  };
  return {
    write: (event) => write(`${printJson(encodeEvent(event))}\n`),
    finish: () => {
      write(closingLine);
      closeSync(file);
      if (failure === undefined) return;
      throw new ParityError(
        'file-unwritable',
        `${path} is incomplete (${plainReason(failure)}): make room on the disk and record again`,
        { cause: failure },
      );
    },
  };
}

function openNew(path: string): number {
  try {
    makeFolder(dirname(path));
    return openSync(path, 'wx', 0o600);
  } catch (error) {
    throw unwritable(path, error);
  }
}
