import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ParityError, plainReason } from '../errors.ts';
import { makeFolder, unwritable } from '../files.ts';
import { printJson } from '../wire/json.ts';
import { decodeEvent, encodeEvent } from './codec.ts';
import { closingLine, decodeLine, type FileInfo, headerLine, readLines } from './line-file.ts';
import type { TraceEvent } from './trace-event.ts';

/** Reads a trace. Throws ParityError for a file that is missing, corrupt, cut off or of a newer format. */
export function readTrace(path: string): TraceEvent[] {
  const events: TraceEvent[] = [];
  for (const line of readLines(path, 'trace')) {
    if (line.line > 1) events.push(decodeLine(path, line, decodeEvent));
  }
  return events;
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
    return openSync(path, 'wx');
  } catch (error) {
    throw unwritable(path, error);
  }
}
