import { ParityError, plainReason } from '../errors.ts';
import { decodeEvent, encodeEvent } from './codec.ts';
import { AppendOnlyFile, decodeLine, type FileInfo, readLines } from './line-file.ts';
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
 * Creates a trace file that is written during the recording. A write that fails, for example because the disk is full,
 * must not stop the recorded program: `write` then does nothing, and `finish` throws ParityError `file-unwritable`.
 */
export function createTrace(
  path: string,
  info: FileInfo,
): { write: (event: TraceEvent) => void; finish: () => void } {
  const file = new AppendOnlyFile(path, 'trace', info);
  let failure: unknown;
  const unlessFailed = (work: () => void) => {
    if (failure !== undefined) return;
    try {
      work();
    } catch (error) {
      failure = error;
    }
  };
  return {
    write: (event) => unlessFailed(() => file.append(encodeEvent(event))),
    finish: () => {
      unlessFailed(() => file.finish());
      if (failure === undefined) return;
      throw new ParityError(
        'file-unwritable',
        `${path} is incomplete (${plainReason(failure)}): make room on the disk and record again`,
        { cause: failure },
      );
    },
  };
}
