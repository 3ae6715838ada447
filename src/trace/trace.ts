import { ParityError, plainReason } from '../errors.ts';
import { decodeEvent, encodeEvent } from './codec.ts';
import { AppendOnlyFile, decodeLine, type FileInfo, readLines } from './line-file.ts';
import type { TraceEvent } from './trace-event.ts';

/** Reads a whole trace. Throws ParityError for a file that is missing, corrupt, cut off or of a newer format. */
export function readTrace(path: string): { readonly events: TraceEvent[] } {
  const events: TraceEvent[] = [];
  for (const record of readLines(path, 'trace')) {
    if (record.line > 1) events.push(decodeLine(path, record, decodeEvent));
  }
  return { events };
}

/**
 * A trace that is written while it is recorded. What cannot be written, as on a full disk, must not take the recorded
 * program down with it: nothing more is written then, and `finish` throws ParityError `file-unwritable`.
 */
export function createTrace(
  path: string,
  about: FileInfo,
): { write: (event: TraceEvent) => void; finish: () => void } {
  const file = new AppendOnlyFile(path, 'trace', about);
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
        `${path} could not be written to its end (${plainReason(failure)}): make room and record again`,
        { cause: failure },
      );
    },
  };
}
