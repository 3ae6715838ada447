import { decodeEvent, encodeEvent } from './codec.ts';
import type { TraceEvent } from './event.ts';
import { decodeLine, type FileAbout, RecordFile, readRecords } from './file.ts';

/** Reads a whole trace. Throws ParityError for a file that is missing, corrupt, cut off or of a newer format. */
export async function readTrace(path: string): Promise<{ readonly events: TraceEvent[] }> {
  const events: TraceEvent[] = [];
  for await (const record of readRecords(path, 'trace')) {
    if (record.line > 1) events.push(decodeLine(path, record, decodeEvent));
  }
  return { events };
}

/** A trace that is written while it is recorded. */
export function createTrace(
  path: string,
  about: FileAbout,
): { write: (event: TraceEvent) => void; finish: () => void } {
  const file = new RecordFile(path, 'trace', about);
  return { write: (event) => file.append(encodeEvent(event)), finish: () => file.finish() };
}
